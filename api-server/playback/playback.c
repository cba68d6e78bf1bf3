/* SPDX-License-Identifier: MIT */
/*
 * Who waits for what. The lock guards the list of runs and the list of waiters; it is held for a moment only, and nothing is asked of the engine
 * under it. A thread looks for the files that are waited for: when the kernel says that something came into one of their folders (inotify), and,
 * since a folder may not be there yet, a few times a second; without waiters it sleeps.
 */
#include "api-server/playback/followed.h"
#include "api-server/playback/media.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOOK_MS = 200, FOLDER_SIZE = 4096 };

typedef struct follow {
    mr_followed *run;
    bool ended;
    struct follow *next;
} follow;

struct mr_playback_wait {
    mr_later *later;
    const char *path; /* below DATA/media; the exchange's */
    char run[64];
    bool listed;
    bool demanded; /* its task is raised, or it is not a segment */
    mr_playback_wait *next;
};

struct mr_playback {
    const mr_platform_host *host;
    char dir[FOLDER_SIZE]; /* DATA/media */
    int media;             /* the same, open */
    int captions;          /* DATA/captions, open */
    pthread_mutex_t lock;
    follow *runs;
    size_t run_count;
    mr_playback_wait *waits;
    size_t wait_count;
    int watch; /* inotify; made anew when nobody waits, so that folders are not watched for ever */
    bool watching;
    int wake; /* eventfd */
    bool draining;
    bool closing;
    pthread_t looker;
    bool looker_started;
};

/* ---- opening and closing ---- */

static void wake_up(const mr_playback *playback)
{
    const uint64_t one = 1;
    if (write(playback->wake, &one, sizeof(one)) < 0)
        return; /* it is awake already */
}

static void *look(void *context);

/* DATA/name; -1: errno says why. ret_path: PATH_SIZE bytes. */
static int open_folder(const mr_platform_host *host, const char *name, char ret_path[static FOLDER_SIZE])
{
    const int len = snprintf(ret_path, FOLDER_SIZE, "%s/%s", host->data_dir, name);
    if (len < 0 || len >= FOLDER_SIZE) {
        errno = ENAMETOOLONG;
        return -1;
    }
    if (mkdir(ret_path, 0700) != 0 && errno != EEXIST)
        return -1;
    return open(ret_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

mr_status mr_playback_open(const mr_platform_host *host, char *why, size_t why_size, mr_playback **ret_playback)
{
    *ret_playback = NULL;
    mr_playback *playback = calloc(1, sizeof(*playback));
    if (!playback) {
        snprintf(why, why_size, "out of memory");
        return MR_ERR_NOMEM;
    }
    playback->host = host;
    pthread_mutex_init(&playback->lock, NULL);
    playback->watch = playback->wake = playback->media = -1;
    playback->captions = open_folder(host, "captions", playback->dir);
    if (playback->captions >= 0)
        playback->media = open_folder(host, "media", playback->dir);
    const int error = errno;
    playback->watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    playback->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (playback->media < 0)
        snprintf(why, why_size, "can't use '%s': %s", playback->dir, strerrordesc_np(error));
    else if (playback->watch < 0 || playback->wake < 0)
        snprintf(why, why_size, "can't watch '%s': %s", playback->dir, strerrordesc_np(errno));
    else if (pthread_create(&playback->looker, NULL, look, playback) != 0)
        snprintf(why, why_size, "no thread can be started");
    else
        playback->looker_started = true;
    if (!playback->looker_started) {
        mr_playback_close(playback);
        return MR_ERR_IO;
    }
    *ret_playback = playback;
    return MR_OK;
}

void mr_playback_close(mr_playback *playback)
{
    if (!playback)
        return;
    pthread_mutex_lock(&playback->lock);
    playback->closing = true;
    pthread_mutex_unlock(&playback->lock);
    if (playback->looker_started) {
        wake_up(playback);
        pthread_join(playback->looker, NULL);
    }
    while (playback->runs) {
        follow *gone = playback->runs;
        playback->runs = gone->next;
        mr_followed_free(gone->run);
        free(gone);
    }
    const int fds[] = {playback->media, playback->captions, playback->watch, playback->wake};
    for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    pthread_mutex_destroy(&playback->lock);
    free(playback);
}

void mr_playback_drain(mr_playback *playback)
{
    pthread_mutex_lock(&playback->lock);
    playback->draining = true;
    pthread_mutex_unlock(&playback->lock);
    wake_up(playback);
}

/* ---- runs ---- */

void mr_playback_output(const char *video, int64_t attempt, char ret_output[static MR_OUTPUT_SIZE])
{
    snprintf(ret_output, MR_OUTPUT_SIZE, "media/%s/%lld", video, (long long)attempt);
}

/* Lock held. */
static void forget_run(mr_playback *playback, follow *gone)
{
    follow **at = &playback->runs;
    while (*at != gone)
        at = &(*at)->next;
    *at = gone->next;
    playback->run_count--;
    mr_followed_free(gone->run);
    free(gone);
}

/* Lock held. Runs that ended, and that nobody said to publish anywhere, make room for others. */
static void make_room(mr_playback *playback)
{
    for (follow *at = playback->runs, *next; at && playback->run_count >= MR_PLAYBACK_RUNS; at = next) {
        next = at->next;
        if (at->ended)
            forget_run(playback, at);
    }
}

/* Lock held. make: when it is not known. NULL: it is not, or there is no room. */
static follow *find_run(mr_playback *playback, const char *run, bool make)
{
    for (follow *at = playback->runs; at; at = at->next) {
        if (strcmp(mr_followed_run(at->run), run) == 0)
            return at;
    }
    if (make)
        make_room(playback);
    follow *made = make && playback->run_count < MR_PLAYBACK_RUNS ? calloc(1, sizeof(*made)) : NULL;
    if (!made)
        return NULL;
    made->run = mr_followed_new(run);
    if (!made->run) {
        free(made);
        return NULL;
    }
    made->next = playback->runs;
    playback->runs = made;
    playback->run_count++;
    return made;
}

mr_status mr_playback_run_is(mr_playback *playback, const char *run, const char *output)
{
    pthread_mutex_lock(&playback->lock);
    follow *it = find_run(playback, run, true);
    if (it)
        mr_followed_publishes(it->run, output);
    if (it && it->ended)
        forget_run(playback, it);
    pthread_mutex_unlock(&playback->lock);
    return it ? MR_OK : MR_ERR_LIMIT;
}

/* One that ended before it was said where it publishes is kept: mr_playback_run_is() is on its way. */
static void run_ended(mr_playback *playback, const char *run)
{
    pthread_mutex_lock(&playback->lock);
    follow *it = find_run(playback, run, false);
    if (it)
        it->ended = true;
    if (it && mr_followed_output(it->run)[0])
        forget_run(playback, it);
    pthread_mutex_unlock(&playback->lock);
    wake_up(playback);
}

void mr_playback_event(mr_playback *playback, const char *run, const char *event)
{
    if (!strstr(event, "\"output\"") && !strstr(event, "\"run."))
        return;
    json_t *json = json_loads(event, 0, NULL);
    const char *name = json_string_value(json_object_get(json, "event"));
    if (name && strcmp(name, "run.done") == 0) {
        run_ended(playback, run);
    } else if (name && strcmp(name, "output") == 0) {
        pthread_mutex_lock(&playback->lock);
        follow *it = find_run(playback, run, true);
        if (it)
            mr_followed_learn(it->run, json);
        pthread_mutex_unlock(&playback->lock);
    }
    json_decref(json);
}

/* ---- waiting ---- */

/* Lock held. The run that publishes to the folder in which path ("v_…/1/video/…") lies. *ret_rest: the path in it. */
static follow *run_of(const mr_playback *playback, const char *path, const char **ret_rest)
{
    for (follow *at = playback->runs; at; at = at->next) {
        const char *output = mr_followed_output(at->run);
        const char *below = strchr(output, '/');
        const size_t len = below ? strlen(below + 1) : 0;
        if (len > 0 && strncmp(path, below + 1, len) == 0 && path[len] == '/') {
            *ret_rest = path + len + 1;
            return at;
        }
    }
    return NULL;
}

static bool is_manifest(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot && (strcmp(dot, ".m3u8") == 0 || strcmp(dot, ".mpd") == 0);
}

/* Whether a run that is under way will make it; its task is raised, if that is known (ret_demanded) yet. */
static bool is_coming(mr_playback *playback, const char *path, char ret_run[64], bool *ret_demanded)
{
    char node[MR_MAKER_SIZE] = "";
    char item[MR_MAKER_SIZE] = "";
    const char *rest = NULL;
    pthread_mutex_lock(&playback->lock);
    const follow *it = run_of(playback, path, &rest);
    const bool segment = it && mr_followed_find(it->run, rest, node, item);
    if (it)
        snprintf(ret_run, 64, "%s", mr_followed_run(it->run));
    pthread_mutex_unlock(&playback->lock);
    *ret_demanded = !segment || node[0];
    if (segment && node[0] && playback->host->run_demand)
        playback->host->run_demand(playback->host->platform, ret_run, node, item); /* one that has ended since is told so by its event */
    return segment || (it && is_manifest(rest));
}

/* Lock held. */
static void watch_folder(mr_playback *playback, const char *path)
{
    char folder[sizeof(playback->dir) + MR_MEDIA_PATH];
    const int len = snprintf(folder, sizeof(folder), "%s/%.*s", playback->dir, (int)(strrchr(path, '/') - path), path);
    if (len > 0 && (size_t)len < sizeof(folder) && inotify_add_watch(playback->watch, folder, IN_MOVED_TO | IN_CREATE | IN_ONLYDIR) >= 0)
        playback->watching = true;
}

/* NULL: too many wait, or no memory. path: the exchange's, with a slash in it. */
static mr_playback_wait *wait_for(mr_playback *playback, mr_exchange *exchange, const char *path, const char *run, bool demanded)
{
    mr_playback_wait *wait = calloc(1, sizeof(*wait));
    if (!wait)
        return NULL;
    wait->path = path;
    wait->demanded = demanded;
    snprintf(wait->run, sizeof(wait->run), "%s", run);
    pthread_mutex_lock(&playback->lock);
    if (!playback->draining && playback->wait_count < MR_PLAYBACK_WAITERS && (wait->later = mr_http_later(exchange, MR_PLAYBACK_WAIT_MS))) {
        wait->next = playback->waits;
        wait->listed = true;
        playback->waits = wait;
        playback->wait_count++;
        watch_folder(playback, path);
    }
    pthread_mutex_unlock(&playback->lock);
    if (!wait->later) {
        free(wait);
        return NULL;
    }
    wake_up(playback); /* it may have come in between */
    return wait;
}

/* Lock held. */
static void unlist(mr_playback *playback, mr_playback_wait *wait)
{
    mr_playback_wait **at = &playback->waits;
    if (!wait->listed)
        return;
    while (*at != wait)
        at = &(*at)->next;
    *at = wait->next;
    wait->listed = false;
    playback->wait_count--;
}

void mr_playback_ended(mr_playback *playback, mr_playback_wait *wait)
{
    if (!wait)
        return;
    pthread_mutex_lock(&playback->lock);
    unlist(playback, wait);
    pthread_mutex_unlock(&playback->lock);
    mr_http_later_unref(wait->later);
    free(wait);
}

/* Lock held. Resumes those whose file has come, and those who wait in vain. */
static void look_around(mr_playback *playback)
{
    for (mr_playback_wait *wait = playback->waits, *next; wait; wait = next) {
        next = wait->next;
        if (!playback->draining && find_run(playback, wait->run, false) && faccessat(playback->media, wait->path, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        unlist(playback, wait);
        mr_http_later_resume(wait->later);
    }
    if (playback->wait_count == 0 && playback->watching) {
        const int fresh = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        if (fresh >= 0) {
            close(playback->watch);
            playback->watch = fresh;
            playback->watching = false;
        }
    }
}

/* Raises the tasks of segments that are waited for since before it was known what makes them. */
static void demand_late(mr_playback *playback)
{
    char run[64];
    char node[MR_MAKER_SIZE];
    char item[MR_MAKER_SIZE];
    bool found = true;
    while (found) {
        const char *rest = NULL;
        found = false;
        pthread_mutex_lock(&playback->lock);
        for (mr_playback_wait *wait = playback->waits; wait && !found; wait = wait->next) {
            const follow *it = wait->demanded ? NULL : run_of(playback, wait->path, &rest);
            found = it && mr_followed_find(it->run, rest, node, item) && node[0];
            wait->demanded = wait->demanded || found;
            if (found)
                snprintf(run, sizeof(run), "%s", wait->run);
        }
        pthread_mutex_unlock(&playback->lock);
        if (found && playback->host->run_demand)
            playback->host->run_demand(playback->host->platform, run, node, item);
    }
}

static void *look(void *context)
{
    mr_playback *playback = context;
    char said[4096];
    bool closing = false;
    int timeout = -1;
    while (!closing) {
        struct pollfd fds[] = {{.fd = playback->watch, .events = POLLIN},
                               {.fd = playback->wake, .events = POLLIN}}; /* watch: this thread's to change */
        poll(fds, 2, timeout);
        for (size_t i = 0; i < 2; i++) {
            while ((fds[i].revents & POLLIN) && read(fds[i].fd, said, sizeof(said)) > 0) /* what it says is looked at below */
                ;
        }
        demand_late(playback);
        pthread_mutex_lock(&playback->lock);
        look_around(playback);
        timeout = playback->wait_count > 0 ? LOOK_MS : -1;
        closing = playback->closing;
        pthread_mutex_unlock(&playback->lock);
    }
    return NULL;
}

/* ---- answering ---- */

/* What is put off sets no field: it is answered anew. */
static void answer_missing(mr_playback *playback, mr_exchange *exchange, const char *path, mr_playback_wait **wait)
{
    char run[64] = "";
    const bool waited = *wait != NULL;
    bool demanded = false;
    const bool coming = is_coming(playback, path, run, &demanded);
    if (coming && !waited && (*wait = wait_for(playback, exchange, path, run, demanded)))
        return;
    mr_media_fields(exchange);
    mr_http_reply_field(exchange, "Cache-Control", "no-store");
    if (!coming) {
        mr_http_reply_problem(exchange, 404, "not-found", "there is no such file");
        return;
    }
    mr_http_reply_field(exchange, "Retry-After", "2");
    mr_http_reply_problem(exchange, 503, "not-made-yet", "this part of the video is being made; ask again");
}

bool mr_playback_has(mr_playback *playback, const char *output, const char *path)
{
    char full[MR_MEDIA_PATH];
    const char *rest = NULL;
    const char *below = strchr(output, '/');
    const int len = below ? snprintf(full, sizeof(full), "%s/%s", below + 1, path) : -1;
    if (len <= 0 || (size_t)len >= sizeof(full) || !mr_media_path_is_fine(full))
        return false;
    if (faccessat(playback->media, full, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return true;
    pthread_mutex_lock(&playback->lock);
    const follow *it = run_of(playback, full, &rest);
    const bool coming = it && mr_followed_has_made(it->run, rest);
    pthread_mutex_unlock(&playback->lock);
    return coming;
}

/* "VIDEO/captions/FILE": VIDEO/FILE in the folder of captions. path fits. */
static bool is_caption(const char *path, char ret_path[static MR_MEDIA_PATH])
{
    static const char folder[] = "/captions/";
    const char *slash = strchr(path, '/');
    if (strncmp(slash, folder, sizeof(folder) - 1) != 0)
        return false;
    snprintf(ret_path, MR_MEDIA_PATH, "%.*s/%s", (int)(slash - path), path, slash + sizeof(folder) - 1);
    return true;
}

void mr_playback_answer(mr_playback *playback, mr_exchange *exchange, const char *path, mr_playback_wait **wait)
{
    mr_media_file file;
    const char *rest = NULL;
    char caption[MR_MEDIA_PATH];
    const bool fine = mr_media_path_is_fine(path);
    const bool added = fine && is_caption(path, caption);
    const mr_status status = !fine   ? MR_ERR_INPUT
                             : added ? mr_media_open(playback->captions, caption, &file)
                                     : mr_media_open(playback->media, path, &file);
    if (status == MR_ERR_NOT_FOUND && !added) {
        answer_missing(playback, exchange, path, wait);
        return;
    }
    if (status != MR_OK) {
        mr_media_fields(exchange);
        if (status == MR_ERR_INPUT || status == MR_ERR_NOT_FOUND)
            mr_http_reply_problem(exchange, 404, "not-found", "there is no such file");
        else
            mr_http_reply_problem(exchange, 503, "unavailable", "the file can't be read now");
        return;
    }
    if (file.manifest) {
        pthread_mutex_lock(&playback->lock);
        file.changing = run_of(playback, path, &rest) != NULL;
        pthread_mutex_unlock(&playback->lock);
    }
    mr_media_reply(exchange, &file);
}
