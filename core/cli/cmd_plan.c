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
    .summary = "shows what a run would do: how many tasks, and which results are there already",
    .help = "Nothing is run. Where the number of a node's tasks depends on a task that has not run yet (how many chunks a video has, for example), "
            "that is said; "
            "once it has run, the plan is exact.",
    .examples = "    millrace plan vod --input clip.mp4\n"
                "    millrace plan vod --input clip.mp4 --param preset=slow --json",
    .args = MR_ARGS_PIPELINE,
    .options = options,
    .run = run,
};
