/* SPDX-License-Identifier: MIT */
/* millrace plan: what a run would do, without doing it. */
#include "cli/job.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_JSON = 0x2000 };

typedef struct plan_options {
    mr_job job;
    bool json;
} plan_options;

static const struct argp_option options[] = {
    MR_JOB_OPTIONS,
    {"json", KEY_JSON, NULL, 0, "Print the plan as one JSON object", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    plan_options *to = state->input;
    if (key != KEY_JSON)
        return mr_job_parse(&to->job, key, arg, state);
    to->json = true;
    return 0;
}

static json_int_t integer_of(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static void print_count(json_int_t count, bool unknown)
{
    char text[32];
    snprintf(text, sizeof(text), "%lld%s", (long long)count, unknown ? "+" : "");
    printf("  %7s", text);
}

/* ---- why ---- */

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* What one changed: "param 'preset' was "fast", is "slow"". */
static void print_change(const char *what, const json_t *reason)
{
    const char *name = text_of(reason, "name");
    const char *old = text_of(reason, "old");
    const char *new = text_of(reason, "new");
    printf(name ? "%s '%s'" : "%s", what, name);
    if (old && new)
        printf(" was %s, is %s", old, new);
    else if (old)
        printf(" was %s, is not given", old);
    else if (new)
        printf(" is %s, was not given", new);
    else
        printf(" is another");
}

static void print_reason(const json_t *reason)
{
    static const struct {
        const char *reason;
        const char *what;
        bool change; /* and what it was and is */
    } words[] = {
        {"param", "param", true},
        {"version", "the op's version", true},
        {"plugin", "the plugin", true},
        {"toolchain", "the toolchain", true},
        {"op", "the op", true},
        {"input", "what comes in through", true},
        {"script", "the script of the op has changed", false},
        {"new", "not made before", false},
        {"gone", "its result is gone from the state folder", false},
        {"effect", "acts on the world: always runs", false},
        {"stream", "takes a stream while it is made: always runs", false},
        {"no-cache", "nothing is reused with --no-cache", false},
        {"more", "not compared, there are too many", false},
        {"trigger", "depends on how the run ends", false},
    };
    const char *kind = text_of(reason, "reason");
    const json_int_t tasks = integer_of(reason, "tasks");
    if (strcmp(kind, "unfinished") == 0)
        printf("was begun before, and ended as '%s'", text_of(reason, "old"));
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(kind, words[i].reason) != 0)
            continue;
        if (words[i].change)
            print_change(words[i].what, reason);
        else
            printf("%s", words[i].what);
    }
    if (tasks > 1)
        printf(" (%lld tasks)", (long long)tasks);
    putchar('\n');
}

/* The nodes that it waits for, on one line. */
static void print_waits(const json_t *why, const char *name, int width)
{
    size_t index;
    json_t *reason;
    bool any = false;
    json_array_foreach((json_t *)why, index, reason)
    {
        if (strcmp(text_of(reason, "reason"), "waits") != 0)
            continue;
        if (any)
            printf(", '%s'", text_of(reason, "name"));
        else
            printf("%-*s  waits for '%s'", width, name, text_of(reason, "name"));
        any = true;
    }
    if (any)
        putchar('\n');
}

static void print_why(const json_t *nodes, int width)
{
    size_t index;
    size_t r;
    json_t *node;
    json_t *reason;
    bool begun = false;
    json_array_foreach(nodes, index, node)
    {
        const json_t *why = json_object_get(node, "why");
        const char *name = text_of(node, "node");
        if (json_array_size(why) > 0 && !begun)
            printf("\n%-*s  why it would run\n", width, "node");
        begun = begun || json_array_size(why) > 0;
        json_array_foreach((json_t *)why, r, reason)
        {
            if (strcmp(text_of(reason, "reason"), "waits") == 0)
                continue;
            printf("%-*s  ", width, name);
            print_reason(reason);
            name = "";
        }
        print_waits(why, name, width);
    }
}

static void print_plan(const json_t *plan)
{
    size_t index;
    json_t *node;
    bool any_unknown = false;
    int width = 4;
    json_t *nodes = json_object_get(plan, "nodes");
    json_array_foreach(nodes, index, node)
    {
        int len = (int)strlen(json_string_value(json_object_get(node, "node")));
        width = len > width && len <= 40 ? len : width;
    }
    printf("%-*s  %7s  %7s  %7s  %s\n", width, "node", "tasks", "cached", "to run", "op");
    json_array_foreach(nodes, index, node)
    {
        bool unknown = json_is_true(json_object_get(node, "unknown"));
        any_unknown = any_unknown || unknown;
        printf("%-*s", width, json_string_value(json_object_get(node, "node")));
        print_count(integer_of(node, "tasks"), unknown);
        print_count(integer_of(node, "cached"), false);
        print_count(integer_of(node, "run"), unknown);
        printf("  %s\n", json_string_value(json_object_get(node, "op")));
    }
    printf("%-*s", width, "all");
    print_count(integer_of(plan, "tasks"), any_unknown);
    print_count(integer_of(plan, "cached"), false);
    print_count(integer_of(plan, "run"), any_unknown);
    putchar('\n');
    if (any_unknown)
        puts("+: how many depends on a task that has not run yet");
    print_why(nodes, width);
}

static int plan_job(plan_options *from, mr_session *session)
{
    const char *state_dir = mr_job_state_dir(&from->job, session);
    if (!state_dir)
        return MR_EXIT_USAGE;
    mr_engine *engine = NULL;
    mr_autojson json_t *plan = NULL;
    const mr_run_options how = {.inputs = from->job.inputs, .input_count = from->job.input_count, .no_cache = from->job.no_cache};
    const mr_engine_options engine_options = {.state_dir = state_dir, .settings = &from->job.settings.values, .plugins = session->plugins};
    mr_status status = mr_engine_open(&engine_options, session->diags, &engine);
    if (status == MR_OK)
        status = mr_engine_plan(engine, &from->job.bound, &how, session->diags, &plan);
    mr_engine_close(engine);
    mr_session_flush(session);
    if (status != MR_OK)
        return mr_exit_code(status);
    if (!from->json) {
        print_plan(plan);
        return MR_EXIT_DONE;
    }
    char *text = mr_json_text(plan);
    if (text)
        puts(text);
    free(text);
    return text ? MR_EXIT_DONE : MR_EXIT_FAILED;
}

static int run(const mr_verb *verb, int argc, char **argv)
{
    plan_options parsed = {0};
    mr_session session = {0};
    int code = MR_EXIT_FAILED;
    mr_verb_parse(verb, argc, argv, parse, &parsed);
    if (mr_session_open(&session))
        code = mr_job_load(&parsed.job, &session);
    if (code == MR_EXIT_DONE)
        code = plan_job(&parsed, &session);
    mr_job_clear(&parsed.job);
    mr_session_close(&session);
    return code;
}

const mr_verb mr_verb_plan = {
    .name = "plan",
    .usage = "PIPELINE",
    .summary = "shows what a run would do: how many tasks, which results are there already, and why the others are not",
    .help = "Nothing is run. Where the number of a node's tasks depends on a task that has not run yet (how many chunks a video has, for example), "
            "that is said; "
            "once it has run, the plan is exact.\n\n"
            "Below the table each node that would run is given with its reasons: a param, the op's version, its plugin, the toolchain or an input is "
            "another than in the run of this pipeline that was most like this one; it was never made; it did not end well; it always runs; or it "
            "depends on a node that would run (and is not run when that gives what it gave before).",
    .examples = "    millrace plan vod --input clip.mp4\n"
                "    millrace plan vod --input clip.mp4 --param preset=slow --json",
    .args = MR_ARGS_PIPELINE,
    .options = options,
    .run = run,
};
