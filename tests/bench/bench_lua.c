/* SPDX-License-Identifier: MIT */
/*
 * What Lua costs: an expression; a task of an op in Lua beside the same op in C; a frame of a filter; and a hook, in the process, through its warm
 * process, and for one who only tells.
 *   bench_lua [TIMES]          (default 5000)
 * Tasks are run in this process, so that the difference is Lua's own: a fresh state, the script read into it, the call, and what it emits. Frames
 * between the engine and a task host are the same for both.
 */
#include "op_host.h"

#include "base/clock.h"
#include "runtime/hooks.h"
#include "runtime/hosts/script_host.h"
#include "scripting/expr.h"
#include "scripting/filters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char op_text[] = "local function double(n) return 2 * n end\n"
                              "millrace.op{name = 'bench.double', help = 'doubles a number',\n"
                              "  inputs = {value = {type = 'json', help = 'the number'}}, outputs = {value = {type = 'json', help = 'twice it'}},\n"
                              "  params = {by = {type = 'int', default = 2, help = 'unused'}},\n"
                              "  run = function(task) task:emit('value', {n = double(task.inputs.value.meta.n)}) end}\n";
static const char hooks_text[] = "local count = 0\n"
                                 "millrace.hooks{on_run_start = function(run) count = count + 1 if count < 0 then return {veto = 'no'} end end,\n"
                                 "  on_node_done = function(node) count = count + #node.node end}\n";

/* The same in C, by way of the same JSON. */
static mr_status double_in_c(const mr_host *host, const mr_batch *batch)
{
    char meta[64];
    const mr_artifact *value = host->input(batch->tasks[0].task, 0, 0);
    json_t *json = mr_json_read(value->meta, value->meta_len, 1 << 20, NULL);
    snprintf(meta, sizeof(meta), "{\"n\":%lld}", 2 * json_integer_value(json_object_get(json, "n")));
    json_decref(json);
    return host->emit(batch->tasks[0].task, 0, meta, NULL);
}

static const mr_port ports[] = {{"value", MR_TYPE_JSON, 0, "a number"}, {0}};
static const mr_op c_op = {
    .size = sizeof(mr_op), .version = 1, .name = "bench.double", .summary = "doubles", .inputs = ports, .outputs = ports, .run = double_in_c};

static void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "bench_lua: %s failed\n", what);
    exit(1);
}

static const mr_bundle *bundle_of(mr_arena *arena, const char *path, const char *text)
{
    const mr_bundle *bundle = NULL;
    must(mr_bundle_of_text(arena, path, text, strlen(text), NULL, &bundle) == MR_OK, path);
    return bundle;
}

static const mr_plugin *lua_plugin(mr_arena *arena, const char *text)
{
    const mr_script_limits limits = {.memory = MR_SCRIPT_MEMORY, .time_us = MR_SCRIPT_TIME};
    const mr_bundle *bundle = bundle_of(arena, "bench.lua", text);
    const mr_plugin *plugin = NULL;
    json_t *description = NULL;
    mr_diags *diags = mr_diags_new();
    if (mr_ops_describe(bundle, &limits, diags, &description) != MR_OK)
        mr_diags_print(diags, stderr, false);
    mr_diags_free(diags);
    must(description != NULL, "describing the op");
    must(mr_ops_build(arena, bundle, description, &limits, NULL, &plugin) == MR_OK, "building the op");
    json_decref(description);
    must(mr_ops_restore(arena, mr_plugin_script_of(plugin)->text, &limits, NULL, &plugin) == MR_OK, "what a task host does"); /* it compiles, too */
    return plugin;
}

static double task_us(const mr_op *op, unsigned times)
{
    const op_input input = {.port = "value", .type = MR_TYPE_JSON, .meta = "{\"n\":21}"};
    const int64_t began = mr_now_us();
    for (unsigned i = 0; i < times; i++) {
        op_result result = op_run(op, NULL, &input, 1, NULL);
        must(result.status == MR_OK && result.count == 1 && strcmp(result.items[0].meta, "{\"n\":42}") == 0, "a task");
        op_result_free(&result);
    }
    return (double)(mr_now_us() - began) / times;
}

static void measure_tasks(mr_arena *arena, unsigned times)
{
    char *large = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&large, &len);
    fputs("local t = {}\n", out);
    for (int i = 0; i < 1000; i++) /* about 100 KB of functions */
        fprintf(out, "t[%d] = function(a, b) if a > b then return {a = a, b = b, sum = a + b + %d, twice = 2 * a} end return nil end\n", i, i);
    fputs(op_text, out);
    fclose(out);
    const double c = task_us(&c_op, times);
    const double small = task_us(lua_plugin(arena, op_text)->ops[0], times);
    const double big = task_us(lua_plugin(arena, large)->ops[0], times / 10 + 1);
    printf("a task of an op in C                       %9.1f us\n", c);
    printf("the same in Lua                            %9.1f us   %+.1f us\n", small, small - c);
    printf("the same in a script of %3zu KB             %9.1f us   %+.1f us\n", len / 1000, big, big - c);
    free(large);
}

static double now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
    const double *one = a;
    const double *other = b;
    return (*one > *other) - (*one < *other);
}

static double median(double *values, unsigned count)
{
    qsort(values, count, sizeof(*values), compare);
    return values[count / 2];
}

/* As the engine does: compiled once, evaluated for each task. */
static void measure_expressions(mr_arena *arena, const json_t *scope, unsigned times)
{
    static const char *const names[] = {"params", "rung"};
    static const char *const params[] = {"preset", "height"};
    static const char *const texts[] = {"${params.height}", "${rung.height > 720 and 'slow' or params.preset}"};
    mr_expr_vm *vm = mr_expr_vm_new();
    must(vm != NULL, "an expression's state");
    for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++) {
        const mr_expr *expr = NULL;
        must(mr_expr_compile(arena, texts[k], (mr_span){0}, names, 2, params, 2, NULL, &expr) == MR_OK, texts[k]);
        const double before = now_us();
        for (unsigned i = 0; i < times; i++) {
            json_t *value = NULL;
            must(mr_expr_eval(vm, expr, scope, NULL, &value) == MR_OK, texts[k]);
            json_decref(value);
        }
        printf("%-42s %9.1f us\n", k == 0 ? "an expression, a param" : "an expression, a choice", (now_us() - before) / times);
    }
    mr_expr_vm_free(vm);
}

static mr_status take_setting(const mr_steering *to, uint32_t setting, const char *value)
{
    (void)to, (void)setting;
    return value[0] ? MR_OK : MR_ERR_INTERNAL;
}

static int never(const mr_task *task)
{
    (void)task;
    return 0;
}

static void measure_filter(mr_arena *arena, unsigned times)
{
    static const char text[] =
        "millrace.filter{name = 'bench.clock', help = 'the time', settings = {'drawtext.text'}, chain = 'drawtext=text=x',\n"
        "  steer = function(frame) return {['drawtext.text'] = string.format('%02d:%05.2f', frame.time // 60, frame.time % 60)} end}\n";
    const mr_host host = {.size = sizeof(host), .cancelled = never};
    const mr_video_format video = {.size = sizeof(video), .pixels = MR_PIXELS_YUV420P, .width = 1920, .height = 1080, .frame_rate = {25, 1}};
    const mr_steering to = {.size = sizeof(to), .set = take_setting};
    const mr_frame_filter *filter = lua_plugin(arena, text)->filters[0];
    mr_video_format out = video;
    void *state = NULL;
    const char params[16] = "";
    must(filter->open(&host, NULL, filter, params, &video, &out, &state) == MR_OK, "opening a filter");
    const double before = now_us();
    for (unsigned i = 0; i < times; i++) {
        const mr_picture frame = {.size = sizeof(frame), .number = i, .time_us = i * 40000ll};
        must(filter->steer(state, &frame, &to) == MR_OK, "a frame");
    }
    printf("a frame of a filter                        %9.1f us\n", (now_us() - before) / times);
    filter->close(state);
}

static void measure_hook_here(mr_arena *arena, const json_t *argument, unsigned times)
{
    const mr_script_limits limits = {.memory = MR_SCRIPT_MEMORY, .time_us = MR_SCRIPT_TIME};
    mr_hooks_state *state = NULL;
    json_t *said = NULL;
    must(mr_hooks_state_open(bundle_of(arena, "hooks.lua", hooks_text), &limits, NULL, &said, &state) == MR_OK, "reading the hooks");
    json_decref(said);
    const int64_t began = mr_now_us();
    for (unsigned i = 0; i < times; i++) {
        must(mr_hooks_state_call(state, "on_run_start", argument, NULL, &said) == MR_OK, "a hook");
        json_decref(said);
    }
    printf("a hook, in the process                     %9.1f us\n", (double)(mr_now_us() - began) / times);
    mr_hooks_state_free(state);
}

static void measure_hook_away(const json_t *argument, unsigned times)
{
    char path[] = "/tmp/millrace-bench-XXXXXX";
    mr_hooks *hooks = NULL;
    mr_hook_answer answer;
    const int fd = mkstemp(path);
    must(fd >= 0 && write(fd, hooks_text, strlen(hooks_text)) == (ssize_t)strlen(hooks_text), "writing the hooks");
    close(fd);
    must(mr_hooks_open(path, mr_settings_default(), NULL, &hooks) == MR_OK, "starting the hooks' process");
    unlink(path);
    double *took = calloc(times, sizeof(*took));
    must(took != NULL, "memory");
    for (unsigned i = 0; i < times; i++) {
        const double before = now_us();
        must(mr_hooks_ask(hooks, "on_run_start", argument, NULL, &answer) == MR_OK, "a hook");
        took[i] = now_us() - before;
    }
    printf("a hook, asked through its warm process     %9.1f us, the median\n", median(took, times));
    free(took);
    /* In bursts that the queue holds, as a run's events come. */
    int64_t spent = 0;
    unsigned told = 0;
    while (told < times) {
        const int64_t began = mr_now_us();
        for (unsigned i = 0; i < MR_HOOKS_QUEUE / 2; i++, told++)
            mr_hooks_tell(hooks, "on_node_done",
                          json_pack("{s:s, s:s, s:s, s:i}", "run", "20260131T100000-1f3a", "node", "video", "state", "succeeded", "tasks", 40));
        spent += mr_now_us() - began;
        mr_hooks_drain(hooks, NULL);
    }
    printf("a hook, told: what the run spends on it    %9.1f us\n", (double)spent / told);
    mr_hooks_close(hooks);
}

int main(int argc, char **argv)
{
    const unsigned times = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 5000;
    mr_arena *arena = mr_arena_new(0);
    json_t *argument = json_pack("{s:s, s:s, s:{s:s, s:i}, s:[{s:s, s:s}], s:s, s:b}", "pipeline", "vod", "file", "pipelines/vod.yaml", "params",
                                 "preset", "medium", "height", 1080, "inputs", "name", "source", "path", "clip.mp4", "output", "out", "resumed", 0);
    json_t *scope = json_pack("{s:{s:s, s:i}, s:{s:s, s:i}}", "params", "preset", "medium", "height", 1080, "rung", "id", "1080p", "height", 1080);
    must(times > 0 && arena && argument && scope, "beginning");
    measure_expressions(arena, scope, times);
    measure_tasks(arena, times);
    measure_filter(arena, times);
    measure_hook_here(arena, argument, times);
    measure_hook_away(argument, times);
    json_decref(argument);
    json_decref(scope);
    mr_arena_free(arena);
    return 0;
}
