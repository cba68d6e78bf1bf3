/* SPDX-License-Identifier: MIT */
/* millrace gc: frees what the state folder no longer needs. */
#include "base/json.h"
#include "base/units.h"
#include "cli/history.h"
#include "runtime/state/gc.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_JSON = 0x2000, KEY_OLDER, KEY_SIZE, KEY_VERIFY };

#define DAY_US 86400000000ll

typedef struct gc_options {
    mr_history history; /* its state folder */
    mr_gc_options what;
    bool json;
} gc_options;

static const struct argp_option options[] = {
    MR_HISTORY_OPTIONS,
    {"older-than", KEY_OLDER, "AGE", 0, "Forget runs that ended longer ago, and what only they used: '30d', '12h'", 0},
    {"max-size", KEY_SIZE, "SIZE", 0, "Drop results, the longest unused first, until the rest takes no more: '50G', '800MiB'", 0},
    {"verify", KEY_VERIFY, NULL, 0, "Read every content, and drop what is damaged", 0},
    {"dry-run", 'n', NULL, 0, "Change nothing, and say what would be freed", 0},
    {"json", KEY_JSON, NULL, 0, "Print one JSON object", 0},
    {0},
};

/* Days, besides what the units know. */
static int64_t age(struct argp_state *state, const char *text)
{
    int64_t us = 0;
    double days = 0;
    const char *why = NULL;
    const size_t len = strlen(text);
    char number[32];
    if (len > 1 && len <= sizeof(number) && text[len - 1] == 'd') {
        snprintf(number, sizeof(number), "%.*s", (int)len - 1, text);
        if (mr_parse_number(number, &days, &why) == MR_OK && days > 0 && days <= 36500)
            return (int64_t)(days * (double)DAY_US);
    } else if (mr_parse_duration(text, &us, &why) == MR_OK && us > 0) {
        return us;
    }
    argp_error(state, "--older-than: '%s' is not an age like '30d', '12h' or '90m'", text);
    return 0;
}

/* "50G" is short for "50GB". */
static int64_t size(struct argp_state *state, const char *text)
{
    int64_t bytes = 0;
    const char *why = NULL;
    char longer[40];
    snprintf(longer, sizeof(longer), "%.32sB", text);
    const bool letter = *text && strchr("kKMGT", text[strlen(text) - 1]);
    if (mr_parse_size(letter && strlen(text) < 32 ? longer : text, &bytes, &why) != MR_OK || bytes < 0)
        argp_error(state, "--max-size: '%s' is not a size like '50G', '800MiB' or '0'", text);
    return bytes;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    gc_options *to = state->input;
    switch (key) {
    case KEY_OLDER: to->what.older_than_us = age(state, arg); return 0;
    case KEY_SIZE: to->what.max_bytes = size(state, arg); return 0;
    case KEY_VERIFY: to->what.verify = true; return 0;
    case 'n': to->what.dry_run = true; return 0;
    case KEY_JSON: to->json = true; return 0;
    case ARGP_KEY_ARG: mr_verb_unexpected(state, arg); return 0;
    default: return mr_history_parse(&to->history, key, arg, state);
    }
}

/* "1.5 GB" */
static void size_text(uint64_t bytes, char text[32])
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1000 && unit < 4) {
        value /= 1000;
        unit++;
    }
    snprintf(text, 32, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

static void print_text(const mr_gc_report *report, bool dry)
{
    char freed[32];
    char kept[32];
    size_text(report->bytes, freed);
    size_text(report->kept_bytes, kept);
    printf("%s %s: %llu content%s, %llu result%s, %llu run%s", dry ? "would free" : "freed", freed, (unsigned long long)report->objects,
           mr_plural(report->objects), (unsigned long long)report->results, mr_plural(report->results), (unsigned long long)report->runs,
           mr_plural(report->runs));
    if (report->damaged)
        printf("; %llu of the contents %s damaged", (unsigned long long)report->damaged, report->damaged == 1 ? "was" : "were");
    printf("\n%s: %s in %llu content%s, %llu result%s\n", dry ? "would stay" : "stays", kept, (unsigned long long)report->kept_objects,
           mr_plural(report->kept_objects), (unsigned long long)report->kept_results, mr_plural(report->kept_results));
}

static int print_json(const mr_gc_report *report, bool dry)
{
    mr_autojson json_t *all = json_pack(
        "{s:b, s:I, s:I, s:I, s:I, s:I, s:{s:I, s:I, s:I}}", "dry_run", dry, "runs", (json_int_t)report->runs, "results", (json_int_t)report->results,
        "contents", (json_int_t)report->objects, "bytes", (json_int_t)report->bytes, "damaged", (json_int_t)report->damaged, "stays", "results",
        (json_int_t)report->kept_results, "contents", (json_int_t)report->kept_objects, "bytes", (json_int_t)report->kept_bytes);
    char *text = all ? mr_json_text(all) : NULL;
    if (text)
        puts(text);
    free(text);
    return text ? MR_EXIT_DONE : MR_EXIT_FAILED;
}

static int collect(gc_options *from, mr_session *session)
{
    mr_gc_report report = {0};
    const char *state_dir = from->history.state ? from->history.state : mr_default_state_dir(session);
    if (!state_dir)
        return MR_EXIT_USAGE;
    mr_status status = mr_gc(state_dir, &from->what, session->diags, &report);
    mr_session_flush(session);
    if (status != MR_OK && status != MR_ERR_NOT_FOUND) /* else nothing ever ran: there is nothing to free */
        return MR_EXIT_FAILED;
    if (from->json)
        return print_json(&report, from->what.dry_run);
    print_text(&report, from->what.dry_run);
    return MR_EXIT_DONE;
}

static int run(const mr_verb *verb, int argc, char **argv)
{
    gc_options parsed = {.what = {.max_bytes = -1}};
    mr_session session = {0};
    int code = MR_EXIT_FAILED;
    mr_verb_parse(verb, argc, argv, parse, &parsed);
    if (mr_session_open_bare(&session))
        code = collect(&parsed, &session);
    mr_session_close(&session);
    return code;
}

const mr_verb mr_verb_gc = {
    .name = "gc",
    .usage = "",
    .summary = "frees what the state folder no longer needs",
    .help = "What no remembered run used goes, and what killed processes left. The latest 1000 runs are remembered; --older-than forgets those that "
            "ended longer ago, with their logs, and --max-size drops results by how long they were not used. What was dropped is made again when "
            "a run needs it. --verify finds contents whose bytes are not what they were, and drops them with their results.\n\n"
            "Runs may go on meanwhile, in other processes too: what they use and what they have just made stays. It may be interrupted at any time.",
    .examples = "    millrace gc\n"
                "    millrace gc --older-than 30d --max-size 50G --dry-run",
    .args = MR_ARGS_NONE,
    .options = options,
    .run = run,
};
