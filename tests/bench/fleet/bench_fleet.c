/* SPDX-License-Identifier: MIT */
/*
 * The engine's own scheduler and task store on a virtual clock, with tasks that take the time that was measured for them: how a fleet of many
 * executors would do. Executors are the engine's CPU slots. What is real: expansion, priorities, batches, claims, commits (SQLite, on the disk of
 * the state folder). What is not: the work of the ops, contents and their transport.
 *   bench_fleet COSTS.json PIPELINE.yaml EXECUTORS SECONDS [VIDEOS SPACING]
 * VIDEOS (1) of SECONDS each come SPACING seconds apart on average (exponentially distributed, always the same). RUNS_MAX of them are processed at a
 * time, the others wait, as the server has it. Prints one JSON object.
 */
#include "modelled_ops.h"
#include "virtual_clock.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "runtime/engine.h"

#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VIDEOS_MAX 100000
#define RUNS_MAX   100 /* the most that the setting server.runs takes */
#define STATE_DIR  "/tmp/millrace-fleet-XXXXXX"

typedef struct fleet {
    mr_engine *engine;
    mr_bound bound;
    char state[sizeof(STATE_DIR)];
    fleet_video *videos;
    mr_run **runs;
    size_t count;
    size_t begun;
    double spacing;
} fleet;

static _Noreturn void give_up(const char *what, const mr_diags *diags)
{
    if (diags)
        mr_diags_print(diags, stderr, false);
    fprintf(stderr, "bench_fleet: %s\n", what);
    exit(1);
}

static bool read_costs(const char *path, fleet_costs *costs)
{
    json_t *root = json_load_file(path, 0, NULL);
    double *const rung = costs->rung;
    const bool right = json_unpack(root, "{s:F,s:F,s:F,s:F,s:[F,F,F,F],s:F,s:F,s:F}", "probe", &costs->probe, "plan", &costs->plan, "decode",
                                   &costs->decode, "analyse", &costs->analyse, "rungs", &rung[0], &rung[1], &rung[2], &rung[3], "audio",
                                   &costs->audio, "poster", &costs->poster, "storyboard", &costs->storyboard) == 0;
    json_decref(root);
    return right;
}

/* Arrivals that know nothing of each other: the same ones at every call of the program. */
static void lay_out_arrivals(fleet *it, double seconds)
{
    uint64_t random = 0x9e3779b97f4a7c15u;
    double at = 0;
    for (size_t i = 0; i < it->count; i++) {
        it->videos[i].seconds = seconds;
        it->videos[i].arrived_us = (int64_t)(at * 1e6);
        random = random * 6364136223846793005u + 1442695040888963407u;
        at += -log(1 - (double)(random >> 11) / (double)(1ull << 53)) * it->spacing;
    }
}

static void begin(fleet *it)
{
    char *path = NULL;
    mr_diags *diags = mr_diags_new();
    const size_t number = it->begun;
    if (asprintf(&path, "%s/%zu", it->state, number) < 0)
        give_up("memory is short", NULL);
    FILE *file = fopen(path, "we");
    if (!file || fprintf(file, "%zu\n", number) < 0 || fclose(file) != 0)
        give_up("can't write to the state folder", NULL);
    const mr_run_input input = {.name = "source", .path = path};
    const mr_run_options options = {.inputs = &input, .input_count = 1, .output_dir = it->state};
    if (mr_run_start(it->engine, &it->bound, &options, diags, &it->runs[number]) != MR_OK)
        give_up("a run can't be started", diags);
    mr_diags_free(diags);
    free(path);
    it->begun++;
}

typedef struct waited {
    fleet *it;
    atomic_bool over;
} waited;

static void *wait_for_all(void *context)
{
    waited *all = context;
    for (size_t i = 0; i < all->it->count; i++) {
        mr_diags *diags = mr_diags_new();
        if (mr_run_wait(all->it->runs[i], diags) != MR_OK)
            give_up("a run failed", diags);
        mr_diags_free(diags);
    }
    atomic_store(&all->over, true);
    return NULL;
}

/* All arrivals, then until the last run is over. */
static void simulate(fleet *it)
{
    waited all = {.it = it};
    pthread_t waiter;
    while (it->begun < it->count) {
        const int64_t next = it->videos[it->begun].arrived_us;
        if (virtual_now_us() < next)
            virtual_clock_step(it->engine, next);
        else if (it->begun - modelled_ops_complete() < RUNS_MAX)
            begin(it);
        else if (!virtual_clock_step(it->engine, -1))
            sched_yield(); /* the last of a run: it is not over yet */
    }
    if (pthread_create(&waiter, NULL, wait_for_all, &all) != 0)
        give_up("can't start a thread", NULL);
    while (!atomic_load(&all.over)) {
        if (!virtual_clock_step(it->engine, -1))
            sched_yield(); /* nobody works: runs are coming to their end */
    }
    pthread_join(waiter, NULL);
}

static int compare(const void *a, const void *b)
{
    const double left = *(const double *)a;
    const double right = *(const double *)b;
    return (left > right) - (left < right);
}

static json_t *spread(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), compare);
    return json_pack("{s:f,s:f,s:f}", "median", values[count / 2], "p95", values[(size_t)((double)(count - 1) * 0.95)], "most", values[count - 1]);
}

static void report(const fleet *it, uint32_t executors, double real_seconds)
{
    double *playable = calloc(it->count, sizeof(*playable));
    double *complete = calloc(it->count, sizeof(*complete));
    double worked = 0;
    double end = 0;
    if (!playable || !complete)
        give_up("memory is short", NULL);
    for (size_t i = 0; i < it->count; i++) {
        const fleet_video *video = &it->videos[i];
        playable[i] = (double)(video->playable_us - video->arrived_us) / 1e6;
        complete[i] = (double)(video->complete_us - video->arrived_us) / 1e6;
        worked += (double)video->worked_us / 1e6;
        end = fmax(end, (double)video->complete_us / 1e6);
    }
    json_t *result = json_pack("{s:i,s:i,s:f,s:o,s:o,s:f,s:f,s:f}", "executors", (int)executors, "videos", (int)it->count, "seconds",
                               it->videos[0].seconds, "playable_s", spread(playable, it->count), "complete_s", spread(complete, it->count), "cpu_s",
                               worked, "busy", worked / (end * executors), "engine_s", real_seconds);
    json_dumpf(result, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    printf("\n");
    json_decref(result);
    free(playable);
    free(complete);
}

int main(int argc, char **argv)
{
    fleet it = {.state = STATE_DIR, .count = argc > 5 ? strtoul(argv[5], NULL, 10) : 1, .spacing = argc > 6 ? strtod(argv[6], NULL) : 0};
    const uint32_t executors = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 0;
    const double seconds = argc > 4 ? strtod(argv[4], NULL) : 0;
    fleet_costs costs;
    if (argc < 5 || executors < 1 || executors > 10000 || !(seconds > 0) || it.count < 1 || it.count > VIDEOS_MAX || !read_costs(argv[1], &costs))
        give_up("usage: bench_fleet COSTS.json PIPELINE.yaml EXECUTORS SECONDS [VIDEOS SPACING]", NULL);
    mr_diags *diags = mr_diags_new();
    mr_plugins *plugins = mr_plugins_load(mr_engine_host(), diags);
    mr_arena *arena = mr_arena_new(0);
    const mr_pipeline *pipeline = NULL;
    mr_op_set ops;
    it.videos = calloc(it.count, sizeof(*it.videos));
    it.runs = calloc(it.count, sizeof(mr_run *));
    if (!it.videos || !it.runs || !plugins || !arena || !modelled_ops_init(mr_plugins_ops(plugins), &costs, it.videos, it.count, &ops))
        give_up("memory is short", NULL);
    lay_out_arrivals(&it, seconds);
    const mr_engine_options options = {.state_dir = it.state, .jobs = executors, .memory_mb = UINT32_MAX};
    if (!mkdtemp(it.state) || mr_engine_open(&options, diags, &it.engine) != MR_OK ||
        mr_pipeline_load(arena, argv[2], &ops, diags, &pipeline) != MR_OK || mr_pipeline_bind(arena, pipeline, NULL, 0, diags, &it.bound) != MR_OK)
        give_up("the engine or the pipeline can't be opened", diags);
    virtual_clock_of(it.engine);
    const int64_t began = mr_now_us();
    simulate(&it);
    report(&it, executors, (double)(mr_now_us() - began) / 1e6);
    for (size_t i = 0; i < it.count; i++)
        mr_run_free(it.runs[i]);
    mr_engine_close(it.engine);
    mr_bound_clear(&it.bound);
    mr_dir_remove(it.state, NULL);
    mr_plugins_free(plugins);
    mr_arena_free(arena);
    mr_diags_free(diags);
    free(it.videos);
    free(it.runs);
    return 0;
}
