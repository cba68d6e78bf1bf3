/* SPDX-License-Identifier: MIT */
/* millrace runs: the runs that the state folder remembers, or one of them in full. */
#include "base/clock.h"
#include "base/json.h"
#include "cli/history.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_JSON = 0x2000, KEY_NAMES, LAST_DEFAULT = 20 };

typedef struct runs_options {
    mr_history history;
    bool json, names;
    uint32_t last; /* 0: all */
} runs_options;

static const struct argp_option options[] = {
    MR_HISTORY_OPTIONS,
    {"last", 'n', "N", 0, "List the latest N runs (default: 20); 0: all", 0},
    {"json", KEY_JSON, NULL, 0, "Print JSON: an array of runs, or one run with its nodes", 0},
    {"names", KEY_NAMES, NULL, 0, "Print the ids only", 0},
    {0},
};

static uint32_t number(struct argp_state *state, const char *text)
{
    char *end = NULL;
    const unsigned long value = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || value > 1000000)
        argp_error(state, "--last: '%s' is not a whole number from 0 to 1000000", text);
    return (uint32_t)value;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    runs_options *to = state->input;
    switch (key) {
    case 'n': to->last = number(state, arg); return 0;
    case KEY_JSON: to->json = true; return 0;
    case KEY_NAMES: to->names = true; return 0;
    default: return mr_history_parse(&to->history, key, arg, state);
    }
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static long long integer_of(const json_t *object, const char *name)
{
    return (long long)json_integer_value(json_object_get(object, name));
}

/* "3m05s", or "" as long as nobody can tell. */
static void took_text(const json_t *run, char *text, size_t size)
{
    const long long began = integer_of(run, "started_us");
    long long end = integer_of(run, "ended_us");
    text[0] = '\0';
    if (!end && strcmp(text_of(run, "state"), "running") == 0)
        end = mr_wall_us();
    if (end)
        mr_duration_text(end > began ? end - began : 0, text, size);
}

/* "2026-01-31 10:00:00", UTC. */
static void time_text(long long us, char text[32])
{
    mr_time_text(us, text);
    text[10] = ' ';
    text[19] = '\0';
}

static void print_table(const json_t *runs)
{
    size_t i;
    const json_t *run;
    int width = 8;
    json_array_foreach(runs, i, run)
    {
        const int len = (int)strlen(text_of(run, "pipeline"));
        width = len > width && len <= 32 ? len : width;
    }
    if (json_array_size(runs) > 0)
        printf("%-26s  %-11s  %-*s  %-19s  %8s  %6s  %6s  %s\n", "run", "state", width, "pipeline", "began (UTC)", "took", "tasks", "cached", "why");
    json_array_foreach(runs, i, run)
    {
        char began[32];
        char took[32];
        time_text(integer_of(run, "started_us"), began);
        took_text(run, took, sizeof(took));
        printf("%-26s  %-11s  ", text_of(run, "run"), text_of(run, "state"));
        mr_put_words(stdout, text_of(run, "pipeline"));
        printf("%*s  %-19s  %8s  %6lld  %6lld", width > (int)strlen(text_of(run, "pipeline")) ? width - (int)strlen(text_of(run, "pipeline")) : 0, "",
               began, took, integer_of(run, "tasks"), integer_of(run, "cached"));
        if (*text_of(run, "reason")) {
            fputs("  ", stdout);
            mr_put_words(stdout, text_of(run, "reason"));
        }
        putchar('\n');
    }
}

static void print_field(const char *name, const char *text)
{
    if (!*text)
        return;
    printf("%-10s", name);
    mr_put_words(stdout, text);
    putchar('\n');
}

/* What to do next. */
static const char *advice(const char *state)
{
    if (strcmp(state, "running") == 0)
        return "'millrace logs --follow' shows how it goes, 'millrace cancel' stops it";
    return strcmp(state, "succeeded") == 0 ? "" : "'millrace resume' goes on from there, 'millrace logs' says what happened";
}

static void print_run(const json_t *run)
{
    size_t i;
    const json_t *one;
    char began[32];
    char took[32];
    const json_t *given = json_object_get(run, "given");
    time_text(integer_of(run, "started_us"), began);
    took_text(run, took, sizeof(took));
    print_field("run", text_of(run, "run"));
    print_field("state", text_of(run, "state"));
    print_field("why", text_of(run, "reason"));
    print_field("help", text_of(run, "hint"));
    print_field("pipeline", text_of(run, "pipeline"));
    print_field("file", text_of(given, "file"));
    json_array_foreach(json_object_get(given, "inputs"), i, one)
    {
        char name[128];
        snprintf(name, sizeof(name), "%.60s = ", text_of(one, "name"));
        fputs(i ? "          " : "inputs    ", stdout);
        mr_put_words(stdout, name);
        mr_put_words(stdout, text_of(one, "path"));
        putchar('\n');
    }
    print_field("output", text_of(given, "output"));
    printf("began     %s UTC\n", began);
    print_field("took", took);
    printf("tasks     %lld (%lld cached, %lld failed)\n", integer_of(run, "tasks"), integer_of(run, "cached"), integer_of(run, "failed"));
    json_array_foreach(json_object_get(run, "nodes"), i, one)
    {
        mr_duration_text(integer_of(one, "cpu_us"), took, sizeof(took));
        printf("  %-24s %6lld task%s  %6lld cached  %8s CPU\n", text_of(one, "node"), integer_of(one, "tasks"),
               integer_of(one, "tasks") == 1 ? " " : "s", integer_of(one, "cached"), took);
    }
    print_field("next", advice(text_of(run, "state")));
}

static int print_json(const json_t *value)
{
    char *text = value ? mr_json_text(value) : NULL;
    if (text)
        puts(text);
    free(text);
    return text ? MR_EXIT_DONE : MR_EXIT_FAILED;
}

/* Values of params may be secret, and the pipeline's text is its file's business. */
static void trim_given(json_t *run)
{
    json_t *given = json_object_get(run, "given");
    json_object_del(given, "params");
    json_object_del(given, "set");
    json_object_del(given, "text");
}

static int show_one(const runs_options *from, mr_history *history)
{
    mr_autojson json_t *run = NULL;
    mr_status status = mr_journal_run(history->journal, history->run, history->session.diags, &run);
    mr_session_flush(&history->session);
    if (status != MR_OK)
        return MR_EXIT_FAILED;
    trim_given(run);
    if (from->names)
        puts(history->run);
    else if (from->json)
        return print_json(run);
    else
        print_run(run);
    return MR_EXIT_DONE;
}

static int show_all(const runs_options *from, mr_history *history)
{
    size_t i;
    const json_t *run;
    mr_autojson json_t *runs = history->journal ? NULL : json_array();
    mr_status status = history->journal ? mr_journal_runs(history->journal, from->last, history->session.diags, &runs) : MR_OK;
    mr_session_flush(&history->session);
    if (status != MR_OK)
        return MR_EXIT_FAILED;
    if (from->json)
        return print_json(runs);
    if (!from->names) {
        print_table(runs);
        return MR_EXIT_DONE;
    }
    json_array_foreach(runs, i, run) puts(text_of(run, "run"));
    return MR_EXIT_DONE;
}

static int run(const mr_verb *verb, int argc, char **argv)
{
    runs_options parsed = {.last = LAST_DEFAULT};
    mr_verb_parse(verb, argc, argv, parse, &parsed);
    int code = mr_history_open(&parsed.history, false);
    if (code == MR_EXIT_DONE)
        code = parsed.history.id ? show_one(&parsed, &parsed.history) : show_all(&parsed, &parsed.history);
    mr_history_close(&parsed.history);
    return code;
}

const mr_verb mr_verb_runs = {
    .name = "runs",
    .usage = "[ID]",
    .summary = "lists the runs that were and those that go on, or shows one of them",
    .help =
        "A run is running, succeeded, failed, cancelled, or interrupted: then the process that ran it is gone without a word (it was killed, or the "
        "machine went down), and 'millrace resume' goes on from there. Why a run failed stands in its last column, also when an input was set "
        "aside because it cost its task hosts too often; with ID, also what was advised, or what the last of these hosts had to say.\n\n"
        "ID may be cut short, as long as only one run begins like it; the part behind the date is enough.",
    .examples = "    millrace runs\n"
                "    millrace runs 20260131T100000-1f3a\n"
                "    millrace runs --json | jq -r '.[] | select(.state == \"interrupted\") | .run'",
    .args = MR_ARGS_RUN,
    .options = options,
    .run = run,
};
