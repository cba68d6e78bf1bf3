/* SPDX-License-Identifier: MIT */
/*
 * Claims: who works on an identity says so first, so that nobody else does the same. Within an engine by a table, between processes over one state
 * folder by a lock on one byte of STATE/claims, which the kernel drops however its holder ends.
 *
 * Invariants
 *   - A claim is tried, never waited for: a task whose identity is claimed elsewhere is put aside (MR_TASK_DELAYED) and looked up again. So claims
 *     can't deadlock, and no worker is blocked by one.
 *   - A claim is held until the result is durable, or the attempt has ended without one. Whoever gets a claim looks the result up once more: its
 *     former holder may have made it.
 *   - The byte is number 62 bits of the identity. Two identities that share them wait for each other now and then; nothing else comes of it.
 *   - The table is guarded by engine->lock. The byte is let go before the entry, since the locks of one open file don't exclude each other.
 *   - Where the file system has no such locks, claims hold within the engine only: work may be done twice, with the same result.
 */
#include "base/file.h"
#include "runtime/claims.h"
#include "runtime/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

typedef struct claim {
    uint64_t number;
    bool wanted; /* by a task that was put aside for it */
    UT_hash_handle hh;
} claim;

struct mr_claims {
    int fd;
    claim *held;
};

mr_status mr_claims_open(const char *state_dir, mr_diags *diags, mr_claims **ret_claims)
{
    mr_claims *claims = calloc(1, sizeof(*claims));
    mr_autofree char *path = mr_path_join(state_dir, "claims");
    *ret_claims = NULL;
    if (!claims || !path) {
        free(claims);
        return MR_ERR_NOMEM;
    }
    claims->fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (claims->fd < 0) {
        mr_error(diags, "state-io", (mr_span){0}, "can't open '%s': %s", path, strerrordesc_np(errno));
        mr_hint(diags, "choose a state folder that you may write to with --state");
        free(claims);
        return MR_ERR_IO;
    }
    *ret_claims = claims;
    return MR_OK;
}

void mr_claims_close(mr_claims *claims)
{
    claim *it;
    claim *next;
    if (!claims)
        return;
    HASH_ITER (hh, claims->held, it, next) {
        HASH_DEL(claims->held, it);
        free(it);
    }
    close(claims->fd);
    free(claims);
}

/* Never 0. */
static uint64_t number_of(const char *identity)
{
    const char *digits = strchr(identity, ':');
    uint64_t number = 0;
    for (int i = 1; digits && i <= 16 && digits[i]; i++) {
        const char c = digits[i];
        number = number << 4 | (uint64_t)(c >= 'a' ? c - 'a' + 10 : c - '0');
    }
    number >>= 2;
    return number ? number : 1;
}

static int set_lock(const mr_claims *claims, uint64_t number, short type)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)number, .l_len = 1};
    return fcntl(claims->fd, F_OFD_SETLK, &lock);
}

/* Lock held. Those who were put aside for it are looked at again. */
static void let_go(mr_engine *engine, uint64_t number)
{
    claim *it;
    HASH_FIND(hh, engine->claims->held, &number, sizeof(number), it);
    if (!it)
        return;
    HASH_DEL(engine->claims->held, it);
    for (mr_task *task = it->wanted ? engine->delayed : NULL; task; task = task->delayed_next) {
        if (task->state == MR_TASK_DELAYED && task->wanted_claim == number)
            task->due_us = 0;
    }
    if (it->wanted)
        pthread_cond_signal(&engine->tick);
    free(it);
}

/* Lock held. False: it is there already, or memory is short. */
static bool enter(mr_claims *claims, uint64_t number)
{
    claim *it;
    HASH_FIND(hh, claims->held, &number, sizeof(number), it);
    if (it) {
        it->wanted = true;
        return false;
    }
    it = calloc(1, sizeof(*it));
    if (!it)
        return false;
    it->number = number;
    HASH_ADD(hh, claims->held, number, sizeof(it->number), it);
    if (it->hh.tbl)
        return true;
    free(it);
    return false;
}

bool mr_task_claim(mr_task *task)
{
    mr_engine *engine = task->run->engine;
    if (!task->identity[0] || task->run->no_cache || task->run->planning || task->claim)
        return true;
    const uint64_t number = number_of(task->identity);
    task->wanted_claim = number;
    pthread_mutex_lock(&engine->lock);
    const bool entered = enter(engine->claims, number);
    pthread_mutex_unlock(&engine->lock);
    if (!entered)
        return false;
    if (set_lock(engine->claims, number, F_WRLCK) != 0 && (errno == EAGAIN || errno == EACCES)) {
        pthread_mutex_lock(&engine->lock);
        let_go(engine, number);
        pthread_mutex_unlock(&engine->lock);
        return false;
    }
    task->claim = number;
    return true;
}

void mr_task_unclaim(mr_task *task)
{
    if (!task->claim)
        return;
    set_lock(task->run->engine->claims, task->claim, F_UNLCK);
    let_go(task->run->engine, task->claim);
    task->claim = 0;
}
