/* SPDX-License-Identifier: MIT */
/*
 * What a task costs the engine: trivial ops in this process, one task per item, each recorded with its result; then the same again, all cached.
 *   bench_tasks [TASKS …]          (default 1000 10000 50000 100000)
 * Each size runs in a process of its own, so that its peak of memory can be told; the first size is what the others are compared with.
 */
#include "engine_ops.h"

#include "base/clock.h"
#include "base/file.h"
#include "config/yaml.h"
#include "runtime/engine.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static double run_seconds(mr_engine *engine, const mr_bound *bound)
{
    mr_run *run = NULL;
    const mr_run_options options = {0};
    int64_t began = mr_now_us();
    mr_status status = mr_run_start(engine, bound, &options, NULL, &run);
    if (status == MR_OK)
        status = mr_run_wait(run, NULL);
    const double seconds = (double)(mr_now_us() - began) / 1e6;
    mr_run_free(run);
    if (status == MR_OK)
        return seconds;
    fprintf(stderr, "bench_tasks: the run failed with status %d\n", status);
    _exit(1);
}

/* In a process of its own. */
static void measure(unsigned tasks, FILE *out)
{
    char yaml[256];
    char state[] = "/tmp/millrace-bench-XXXXXX";
    mr_engine *engine = NULL;
    mr_bound bound = {0};
    const mr_value *root = NULL;
    const mr_pipeline *pipeline = NULL;
    mr_arena *arena = mr_arena_new(0);
    snprintf(yaml, sizeof(yaml),
             "millrace: 1\nname: tasks\nnodes:\n  numbers: {op: test.count, with: {n: %u}}\n  sums: {op: test.add, each: {value: numbers.values}}\n"
             "outputs: {out: sums.sum}\n",
             tasks);
    const bool ready = mkdtemp(state) && mr_engine_open(&(mr_engine_options){.state_dir = state}, NULL, &engine) == MR_OK &&
                       mr_yaml_read(arena, "bench", yaml, strlen(yaml), &mr_yaml_limits_default, NULL, &root) == MR_OK &&
                       mr_pipeline_check(arena, "bench", root, &engine_ops, NULL, &pipeline) == MR_OK &&
                       mr_pipeline_bind(arena, pipeline, NULL, 0, NULL, &bound) == MR_OK;
    if (!ready) {
        fprintf(stderr, "bench_tasks: the engine could not be opened\n");
        _exit(1);
    }
    const double first = run_seconds(engine, &bound);
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    const double again = run_seconds(engine, &bound);
    fprintf(out, "%.3f %.3f %ld\n", first, again, used.ru_maxrss);
    fflush(out);
    mr_engine_close(engine);
    mr_bound_clear(&bound);
    mr_dir_remove(state, NULL);
    mr_arena_free(arena);
    _exit(0);
}

static bool bench(unsigned tasks, unsigned least, long *least_kib)
{
    int ends[2];
    double first = 0;
    double again = 0;
    long kib = 0;
    int code = 0;
    if (pipe(ends) != 0)
        return false;
    pid_t child = fork();
    if (child == 0)
        measure(tasks, fdopen(ends[1], "w"));
    close(ends[1]);
    FILE *in = fdopen(ends[0], "r");
    const bool told = child > 0 && fscanf(in, "%lf %lf %ld", &first, &again, &kib) == 3;
    fclose(in);
    if (child > 0)
        waitpid(child, &code, 0);
    if (!told)
        return false;
    printf("%8u %12.0f %12.0f %12.1f", tasks, tasks / first, tasks / again, (double)kib / 1024);
    if (*least_kib > 0 && tasks > least)
        printf(" %14.0f", (double)(kib - *least_kib) * 1024 / (tasks - least));
    else
        *least_kib = kib;
    printf("\n");
    fflush(stdout);
    return true;
}

int main(int argc, char **argv)
{
    static const char *const standard[] = {"1000", "10000", "50000", "100000"};
    const char *const *sizes = argc > 1 ? (const char *const *)argv + 1 : standard;
    const int count = argc > 1 ? argc - 1 : 4;
    long least_kib = 0;
    printf("%8s %12s %12s %12s %14s\n", "tasks", "run/s", "cached/s", "peak MiB", "bytes a task");
    for (int i = 0; i < count; i++) {
        const long tasks = strtol(sizes[i], NULL, 10);
        if (tasks < 1 || tasks > 200000 || !bench((unsigned)tasks, (unsigned)strtol(sizes[0], NULL, 10), &least_kib))
            return 1;
    }
    return 0;
}
