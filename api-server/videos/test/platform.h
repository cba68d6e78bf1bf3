/* SPDX-License-Identifier: MIT */
/* An engine that starts runs and does nothing: tests say what became of them. Its runs are r1, r2, … */
#ifndef MR_VIDEOS_TEST_PLATFORM_H
#define MR_VIDEOS_TEST_PLATFORM_H

#include "api-server/metadata/test/base.h"

#include "api-server/metrics/metrics.h"
#include "api-server/videos/videos.h"

#include <pthread.h>
#include <string.h>

enum { FAKE_RUNS = 64 };

struct mr_platform {
    pthread_mutex_t lock;
    pthread_cond_t started;
    size_t runs;
    const char *states[FAKE_RUNS + 1]; /* of run rN at N */
    size_t starts, resumes, cancels;   /* how often that was asked for */
    mr_status refuse;                  /* what a start is answered; MR_OK: it is done */
};

static inline void fake_log(mr_platform *it, mr_server_log level, const char *event, const char *fields, const char *message)
{
    (void)it, (void)level, (void)event, (void)fields, (void)message;
}

static inline void fake_free(mr_platform *it, char *take_text)
{
    (void)it;
    free(take_text);
}

static inline size_t fake_number(const char *run)
{
    const size_t number = run[0] == 'r' ? strtoul(run + 1, NULL, 10) : 0;
    return number <= FAKE_RUNS ? number : 0;
}

static inline mr_status fake_start(mr_platform *it, const char *request, char **ret_answer)
{
    json_t *json = json_loads(request, 0, NULL);
    const char *resume = json_string_value(json_object_get(json, "resume"));
    pthread_mutex_lock(&it->lock);
    const mr_status status = it->refuse;
    const size_t number = resume ? fake_number(resume) : it->runs + 1;
    if (status == MR_OK) {
        assert_true(number > 0 && number <= FAKE_RUNS);
        it->runs = resume ? it->runs : number;
        it->states[number] = "running";
        it->starts += !resume;
        it->resumes += resume != NULL;
        pthread_cond_broadcast(&it->started);
    }
    pthread_mutex_unlock(&it->lock);
    char text[96];
    snprintf(text, sizeof(text), status == MR_OK ? "{\"run\":\"r%zu\"}" : "{\"diagnostics\":[{\"message\":\"no such pipeline\"}]}", number);
    *ret_answer = strdup(text);
    json_decref(json);
    return status;
}

static inline char *fake_run(mr_platform *it, const char *run)
{
    char text[96];
    pthread_mutex_lock(&it->lock);
    const char *state = it->states[fake_number(run)];
    snprintf(text, sizeof(text), "{\"state\":\"%s\"}", state ? state : "");
    pthread_mutex_unlock(&it->lock);
    return state ? strdup(text) : NULL;
}

static inline mr_status fake_cancel(mr_platform *it, const char *run)
{
    pthread_mutex_lock(&it->lock);
    it->cancels++;
    const char *state = it->states[fake_number(run)];
    pthread_mutex_unlock(&it->lock);
    return state && strcmp(state, "running") == 0 ? MR_OK : MR_ERR_NOT_FOUND;
}

static inline int fake_has_hook(mr_platform *it, const char *name)
{
    (void)it, (void)name;
    return 0;
}

typedef struct house {
    world at;
    mr_platform platform;
    mr_platform_host host;
    mr_metrics *metrics;
    mr_videos *videos;
} house;

/* As a server is started; rows and runs are those of the one before. */
static inline void open_house(house *it, int64_t runs)
{
    const mr_videos_options options = {
        .host = &it->host, .metadata = it->at.metadata, .metrics = it->metrics, .pipeline = "vod", .early_runs = 0, .runs = runs};
    assert_int_equal(mr_videos_open(&options, &it->videos), MR_OK);
}

static inline void make_house(house *it, int64_t runs)
{
    memset(it, 0, sizeof(*it));
    make_world(&it->at);
    pthread_mutex_init(&it->platform.lock, NULL);
    pthread_cond_init(&it->platform.started, NULL);
    it->host = (mr_platform_host){.size = sizeof(it->host),
                                  .platform = &it->platform,
                                  .data_dir = it->at.dir,
                                  .log = fake_log,
                                  .text_free = fake_free,
                                  .run_start = fake_start,
                                  .run_cancel = fake_cancel,
                                  .run = fake_run,
                                  .has_hook = fake_has_hook};
    assert_int_equal(mr_metrics_new(&it->metrics), MR_OK);
    open_house(it, runs);
}

static inline void end_house(house *it)
{
    mr_videos_close(it->videos);
    mr_metrics_free(it->metrics);
    pthread_cond_destroy(&it->platform.started);
    pthread_mutex_destroy(&it->platform.lock);
    end_world(&it->at);
}

/* The run ends, and says so. */
static inline void end_run(house *it, const char *run, const char *state)
{
    char text[160];
    pthread_mutex_lock(&it->platform.lock);
    it->platform.states[fake_number(run)] = state;
    pthread_mutex_unlock(&it->platform.lock);
    snprintf(text, sizeof(text), "{\"event\":\"run.done\",\"run\":\"%s\",\"state\":\"%s\"}", run, state);
    mr_videos_event(it->videos, run, text);
}

static inline void publish_manifest(house *it, const char *run)
{
    char text[256];
    snprintf(text, sizeof(text),
             "{\"event\":\"output\",\"run\":\"%s\",\"detail\":{\"port\":\"files\",\"type\":\"file\",\"meta\":{\"role\":\"hls\",\"path\":\"m\"}}}",
             run);
    mr_videos_event(it->videos, run, text);
}

/* Until so many starts and resumes there were. */
static inline void wait_for_starts(house *it, size_t wanted)
{
    pthread_mutex_lock(&it->platform.lock);
    while (it->platform.starts + it->platform.resumes < wanted)
        pthread_cond_wait(&it->platform.started, &it->platform.lock);
    pthread_mutex_unlock(&it->platform.lock);
}

#endif
