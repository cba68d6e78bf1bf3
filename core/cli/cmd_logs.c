/* SPDX-License-Identifier: MIT */
/* millrace logs: what happened in a run, in order, also long after. */
#include "base/clock.h"
#include "base/json.h"
#include "cli/history.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { KEY_JSON = 0x2000, FOLLOW_NS = 200000000 };

typedef struct logs_options {
    mr_history history;
    const char *node;
    bool json, follow;
} logs_options;

static const struct argp_option options[] = {
    MR_HISTORY_OPTIONS,
    {"follow", 'f', NULL, 0, "Go on until the run ends", 0},
    {"json", KEY_JSON, NULL, 0, "Print one event a line as JSON", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    logs_options *to = state->input;
    switch (key) {
    case 'f': to->follow = true; return 0;
    case KEY_JSON: to->json = true; return 0;
    case ARGP_KEY_NO_ARGS: argp_error(state, "which run? 'millrace runs' lists them"); return 0;
    case ARGP_KEY_ARG:
        if (to->history.id && !to->node) {
            to->node = arg;
            return 0;
        }
        break;
    default: break;
    }
    return mr_history_parse(&to->history, key, arg, state);
}

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* What an event is called when there is no better word for it. */
static const char *word_for(const char *event, const json_t *of)
{
    static const char *const words[][2] = {{"run.started", "began"},          {"run.resumed", "resumed"},
                                           {"run.cancel", "to be cancelled"}, {"task.retry", "to be tried again"},
                                           {"run.failure", "failure"},        {"log.full", "more was said than is kept"}};
    const char *severity = text_of(of, "severity");
    const char *state = text_of(of, "state");
    if (severity && strcmp(event, "task.report") == 0)
        return severity;
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        if (strcmp(words[i][0], event) == 0)
            return words[i][1];
    }
    return state ? state : event;
}

/* "2026-01-31T10:00:00.123Z video[3,1]: failed (attempt 2): why" and below it what to do. */
static void print_event(const json_t *event)
{
    char time[32];
    const char *name = text_of(event, "event");
    const char *node = text_of(event, "node");
    const char *item = text_of(event, "item");
    const char *reason = text_of(event, "reason");
    const char *hint = text_of(event, "hint");
    const char *code = text_of(event, "code");
    const json_int_t attempt = json_integer_value(json_object_get(event, "attempt"));
    mr_time_text(json_integer_value(json_object_get(event, "time_us")), time);
    printf("%s ", time);
    mr_put_words(stdout, node ? node : "run");
    if (item)
        printf("[%s]", item);
    printf(": %s%s", name && strcmp(name, "node.done") == 0 ? "node " : "", word_for(name ? name : "", event));
    if (code)
        printf(" [%s]", code);
    if (attempt > 1)
        printf(" (attempt %lld)", (long long)attempt);
    if (reason) {
        fputs(": ", stdout);
        mr_put_words(stdout, reason);
    }
    putchar('\n');
    if (hint) {
        printf("%*s= help: ", (int)strlen(time) + 1, "");
        mr_put_words(stdout, hint);
        putchar('\n');
    }
}

/* False: the reader at the other end of the pipe is gone. */
static bool print_events(const logs_options *from, const json_t *events)
{
    size_t i;
    const json_t *event;
    json_array_foreach(events, i, event)
    {
        mr_autojson json_t *named = from->json ? json_deep_copy(event) : NULL;
        if (from->json)
            json_object_set_new(named, "run", json_string(from->history.run));
        char *text = named ? mr_json_text(named) : NULL;
        if (text)
            puts(text);
        else
            print_event(event);
        free(text);
    }
    return fflush(stdout) == 0;
}

/* All that is there after *after. *ret_any: there was something. */
static mr_status print_rest(logs_options *from, int64_t *after, bool *ret_any)
{
    mr_history *history = &from->history;
    for (;;) {
        mr_autojson json_t *events = NULL;
        mr_status status = mr_journal_events(history->journal, history->run, from->node, after, history->session.diags, &events);
        if (status != MR_OK || json_array_size(events) == 0)
            return status;
        *ret_any = true;
        if (!print_events(from, events))
            return MR_ERR_CANCELLED;
    }
}

static int node_unknown(const logs_options *from)
{
    size_t i;
    const json_t *node;
    mr_autojson json_t *run = NULL;
    const char *names[64];
    size_t count = 0;
    if (mr_journal_run(from->history.journal, from->history.run, NULL, &run) != MR_OK)
        return MR_EXIT_FAILED;
    json_array_foreach(json_object_get(run, "nodes"), i, node)
    {
        if (count < 64)
            names[count++] = text_of(node, "node");
    }
    const char *near = mr_nearest(from->node, names, count);
    mr_complain("run %s has nothing to tell of a node '%s'%s%s%s", from->history.run, from->node, near ? "; did you mean '" : "", near ? near : "",
                near ? "'?" : "");
    return MR_EXIT_USAGE;
}

static int show(logs_options *from)
{
    const struct timespec pause = {.tv_nsec = FOLLOW_NS};
    mr_history *history = &from->history;
    int64_t after = 0;
    bool any = false;
    mr_status status;
    for (;;) {
        const char *state = mr_journal_state(history->journal, history->run); /* before: what comes before its end is there then */
        const bool running = state && strcmp(state, "running") == 0;
        status = print_rest(from, &after, &any);
        if (status != MR_OK || !from->follow || !running)
            break;
        nanosleep(&pause, NULL);
    }
    mr_session_flush(&history->session);
    if (status == MR_OK && !any && from->node)
        return node_unknown(from);
    return status == MR_OK || status == MR_ERR_CANCELLED ? MR_EXIT_DONE : MR_EXIT_FAILED;
}

static int run(const mr_verb *verb, int argc, char **argv)
{
    logs_options parsed = {0};
    mr_verb_parse(verb, argc, argv, parse, &parsed);
    int code = mr_history_open(&parsed.history, false);
    if (code == MR_EXIT_DONE)
        code = show(&parsed);
    mr_history_close(&parsed.history);
    return code;
}

const mr_verb mr_verb_logs = {
    .name = "logs",
    .usage = "ID [NODE]",
    .summary = "prints what happened in a run, or in one of its nodes",
    .help =
        "Each line is an event: when a task ended and how, what it had to say, why it was tried again, how its task host was lost and what that said "
        "last, how a node ended, and why the run failed. They are kept with the run until 'millrace gc' removes it: all ends of tasks, and 10,000 "
        "lines of the rest.",
    .examples = "    millrace logs 20260131T100000-1f3a\n"
                "    millrace logs 1f3a video\n"
                "    millrace logs --follow --json 1f3a | jq -r 'select(.severity == \"error\") | .reason'",
    .args = MR_ARGS_RUN,
    .options = options,
    .run = run,
};
