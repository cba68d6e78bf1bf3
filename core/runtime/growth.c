/* SPDX-License-Identifier: MIT */
/*
 * Sources that still arrive: files of which somebody else writes the beginning, and says how far it stands. docs/adr/0029 says why it is like this.
 *
 * Invariants
 *   - Nothing reads beyond the mark: what lies there may be zeros, or bytes that are not kept. The mark never goes back.
 *   - An attempt that was refused a read doesn't count, whatever its op made of that: mr_task_conclude asks mr_task_lacks first.
 *   - A task that lacks bytes waits in its source's list, holds no slot, and is queued when they are there. Those who have a thread of their own wait
 * in the read itself.
 *   - A run isn't over before its sources are whole: their writer may yet give them up.
 */
#include "runtime/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { GROWTHS_MAX = 4096 };

/* Which file it is: an inode may be another one's later, but that was made later. */
typedef struct mr_file_id {
    uint64_t device, inode, size;
    int64_t born_ns; /* 0: the file system doesn't tell */
} mr_file_id;

struct mr_growth {
    mr_file_id file;
    uint64_t length;
    atomic_ullong have;  /* the mark: bytes from the beginning that are there, and stay */
    atomic_bool over;    /* whole or gone, and not in the list any more */
    bool gone;           /* given up; from here on under engine->lock */
    uint32_t references; /* items of runs */
    mr_task *waiting;    /* by delayed_next; DELAYED, or they have ended since */
    mr_growth *next;
};

static bool look(int fd, mr_file_id *ret_file)
{
    struct statx info;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &info) != 0)
        return false;
    *ret_file = (mr_file_id){.device = (uint64_t)info.stx_dev_major << 32 | info.stx_dev_minor, .inode = info.stx_ino, .size = info.stx_size};
    if (info.stx_mask & STATX_BTIME)
        ret_file->born_ns = (int64_t)info.stx_btime.tv_sec * 1000000000 + info.stx_btime.tv_nsec;
    return true;
}

static bool is_same(const mr_file_id *a, const mr_file_id *b)
{
    return a->device == b->device && a->inode == b->inode && a->born_ns == b->born_ns;
}

/* ---- the list: lock held ---- */

static mr_growth **find(mr_engine *engine, const mr_file_id *file)
{
    mr_growth **at = &engine->growths;
    while (*at && !is_same(&(*at)->file, file))
        at = &(*at)->next;
    return at;
}

static mr_growth *add(mr_engine *engine, const mr_file_id *file, uint64_t length)
{
    size_t count = 0;
    for (const mr_growth *it = engine->growths; it; it = it->next)
        count++;
    mr_growth *growth = count < GROWTHS_MAX ? calloc(1, sizeof(*growth)) : NULL;
    if (!growth)
        return NULL;
    growth->file = *file;
    growth->length = length;
    growth->next = engine->growths;
    engine->growths = growth;
    return growth;
}

mr_growth *mr_growth_of(mr_engine *engine, int fd)
{
    mr_file_id file;
    if (!look(fd, &file))
        return NULL;
    pthread_mutex_lock(&engine->lock);
    mr_growth *growth = *find(engine, &file);
    if (growth)
        growth->references++;
    pthread_mutex_unlock(&engine->lock);
    return growth;
}

void mr_growth_release(mr_engine *engine, mr_growth *growth)
{
    if (!growth)
        return;
    pthread_mutex_lock(&engine->lock);
    const bool last = --growth->references == 0 && mr_growth_is_over(growth);
    pthread_mutex_unlock(&engine->lock);
    if (last)
        free(growth);
}

void mr_growths_free(mr_engine *engine)
{
    while (engine->growths) {
        mr_growth *growth = engine->growths;
        engine->growths = growth->next;
        free(growth);
    }
}

uint64_t mr_growth_length(const mr_growth *growth)
{
    return growth->length;
}

bool mr_growth_is_over(const mr_growth *growth)
{
    return atomic_load(&growth->over);
}

static uint64_t have(const mr_growth *growth)
{
    return atomic_load(&growth->have);
}

uint64_t mr_item_have(const mr_item *item)
{
    return item->growth ? have(item->growth) : item->pub.size;
}

/* ---- runs: lock held ---- */

static mr_item *source_of(const mr_run *run, size_t input, size_t index)
{
    const mr_stream *stream = &run->inputs[input];
    return index < stream->count ? stream->slots[index]->item : NULL;
}

static bool reads(const mr_run *run, const mr_growth *growth)
{
    for (size_t i = 0; i < run->bound->pipeline->input_count; i++) {
        const mr_item *item;
        for (size_t k = 0; (item = source_of(run, i, k)); k++) {
            if (item->growth == growth)
                return true;
        }
    }
    return false;
}

bool mr_run_has_open_sources(const mr_run *run)
{
    for (size_t i = 0; i < run->bound->pipeline->input_count && !run->planning && !run->rehearsal; i++) {
        const mr_item *item;
        for (size_t k = 0; (item = source_of(run, i, k)); k++) {
            if (item->growth && !mr_growth_is_over(item->growth))
                return true;
        }
    }
    return false;
}

/* Those whose bytes are there, or whose run has ended meanwhile, leave the list. */
static void wake(mr_growth *growth)
{
    mr_task *waiting = growth->waiting;
    growth->waiting = NULL;
    while (waiting) {
        mr_task *task = waiting;
        waiting = task->delayed_next;
        if (task->state != MR_TASK_DELAYED)
            continue;
        if (task->lacks_until > have(growth) && !growth->gone) {
            task->delayed_next = growth->waiting;
            growth->waiting = task;
            continue;
        }
        mr_task_requeue(task);
        mr_run_settle(task->run);
    }
}

void mr_growth_forget_run(const mr_run *run)
{
    for (const mr_item *item = run->items; item; item = item->next_owned) {
        for (mr_task **at = item->growth ? &item->growth->waiting : NULL; at && *at;) {
            if ((*at)->run == run)
                *at = (*at)->delayed_next;
            else
                at = &(*at)->delayed_next;
        }
    }
}

/* ---- tasks ---- */

/* On a thread of its own there is no slot to give back: it waits in the read. Lock held. */
static bool wait_for(mr_task *task, const mr_growth *growth, uint64_t until)
{
    while (have(growth) < until && !growth->gone && !atomic_load(&task->cancel))
        pthread_cond_wait(task->wake, &task->run->engine->lock);
    return have(growth) >= until;
}

mr_status mr_task_need(mr_task *task, const mr_item *item, uint64_t until)
{
    mr_engine *engine = task->run->engine;
    mr_growth *growth = item->growth;
    mr_batch_run *batch = task->batch;
    if (!growth || have(growth) >= until)
        return MR_OK;
    pthread_mutex_lock(&engine->lock);
    const bool there = task->wake ? wait_for(task, growth, until) : have(growth) >= until;
    if (!there && batch->lacks != growth)
        batch->lacks_until = 0;
    if (!there) {
        batch->lacks = growth;
        batch->lacks_until = until > batch->lacks_until ? until : batch->lacks_until;
    }
    pthread_mutex_unlock(&engine->lock);
    return there ? MR_OK : atomic_load(&task->cancel) ? MR_ERR_CANCELLED : MR_NOT_YET;
}

mr_status mr_task_lacks(const mr_task *task, mr_status status)
{
    pthread_mutex_lock(&task->run->engine->lock);
    const bool lacks = task->batch->lacks != NULL;
    pthread_mutex_unlock(&task->run->engine->lock);
    return lacks && status != MR_ERR_CANCELLED ? MR_NOT_YET : status;
}

void mr_task_await(mr_task *task, mr_growth *growth, uint64_t until)
{
    task->batch = NULL;
    if (task->run->rehearsal) {
        mr_task_end(task, MR_TASK_SKIPPED, "what it reads has not come yet");
        return;
    }
    if (task->run->stopping || growth->gone || have(growth) >= until) {
        mr_task_requeue(task);
        return;
    }
    task->state = MR_TASK_DELAYED;
    task->lacks_until = until;
    task->delayed_next = growth->waiting;
    growth->waiting = task;
}

/* ---- its writer ---- */

/* Wakes all who may go on. Lock held. */
static void tell(mr_engine *engine, mr_growth *growth)
{
    wake(growth);
    for (mr_run *run = engine->runs; run; run = run->next) {
        if (!reads(run, growth))
            continue;
        for (size_t n = 0; n < run->node_count; n++) {
            for (size_t i = 0; run->nodes[n].streaming && i < run->nodes[n].task_count; i++) {
                if (run->nodes[n].tasks[i]->wake)
                    pthread_cond_broadcast(run->nodes[n].tasks[i]->wake);
            }
        }
    }
}

static mr_status look_at_file(const char *path, mr_file_id *ret_file)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? MR_ERR_NOT_FOUND : MR_ERR_IO;
    const bool good = look(fd, ret_file);
    close(fd);
    return good ? MR_OK : MR_ERR_IO;
}

mr_status mr_engine_source_grew(mr_engine *engine, const char *path, uint64_t length, uint64_t now)
{
    mr_file_id file = {0};
    mr_status status = look_at_file(path, &file);
    if (status == MR_OK && (now > length || length > INT64_MAX))
        status = MR_ERR_PARAM;
    if (status == MR_OK && file.size < now)
        status = MR_ERR_CONFLICT;
    if (status != MR_OK)
        return status;
    pthread_mutex_lock(&engine->lock);
    mr_growth *growth = *find(engine, &file);
    if (!growth)
        growth = add(engine, &file, length);
    status = !growth ? MR_ERR_LIMIT : growth->length != length ? MR_ERR_CONFLICT : MR_OK;
    if (status == MR_OK && now > have(growth)) {
        atomic_store(&growth->have, now);
        tell(engine, growth);
    }
    pthread_mutex_unlock(&engine->lock);
    return status;
}

/* The runs that read it can't come to a good end. Lock held. */
static void give_up(mr_engine *engine, const mr_growth *growth)
{
    for (mr_run *run = engine->runs; run; run = run->next) {
        if (run->over || run->stopping || !reads(run, growth))
            continue;
        mr_run_failure(run, "input", (mr_span){0}, strdup("the upload of its source was given up before its end"), NULL);
        mr_run_stop(run, MR_ERR_INPUT);
    }
}

static void settle_all(mr_engine *engine, const mr_growth *growth)
{
    for (mr_run *run = engine->runs; run; run = run->next) {
        if (!run->over && reads(run, growth))
            mr_run_sources_over(run);
    }
}

static mr_status disown(mr_engine *engine, const char *path)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return MR_ERR_IO;
    const mr_status status = mr_source_disown(engine->catalogue, fd);
    close(fd);
    return status;
}

mr_status mr_engine_source_over(mr_engine *engine, const char *path, bool whole)
{
    const bool given_up = !whole;
    mr_file_id file = {0};
    mr_status status = look_at_file(path, &file);
    if (status != MR_OK)
        return status;
    pthread_mutex_lock(&engine->lock);
    mr_growth **at = find(engine, &file);
    mr_growth *growth = *at;
    if (growth) {
        *at = growth->next;
        whole = whole && file.size == growth->length;
        growth->references++; /* while runs end */
        atomic_store(&growth->over, true);
        growth->gone = !whole;
        if (whole)
            atomic_store(&growth->have, growth->length);
        else
            give_up(engine, growth);
        tell(engine, growth);
        settle_all(engine, growth);
    }
    pthread_mutex_unlock(&engine->lock);
    mr_growth_release(engine, growth);
    if (given_up) /* who opens it from here on finds no growth, and so claims no key for it */
        status = disown(engine, path);
    return status == MR_OK && !growth ? MR_ERR_NOT_FOUND : status;
}
