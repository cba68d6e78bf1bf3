/* SPDX-License-Identifier: MIT */
/* millrace test-plugin: whether a plugin keeps what plugins promise. */
#include "base/file.h"
#include "cli/cli.h"
#include "cli/configure.h"
#include "cli/interrupt.h"
#include "cli/kit/kit.h"
#include "cli/session.h"
#include "runtime/hosts/sandbox.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_JSON = 0x2000, KEY_OP, KEY_META, KEY_WITH, KEY_CASES, GIVEN_MAX = 256 };

typedef struct test_options {
    const char *file;
    const char *op;
    const char *with;
    const char *cases;
    const char *inputs[GIVEN_MAX];
    size_t input_count;
    const char *metas[GIVEN_MAX];
    size_t meta_count;
    bool json;
    mr_configure configure;
    mr_loaded_settings settings;
} test_options;

static const struct argp_option options[] = {
    {"op", KEY_OP, "OP", 0, "Test only the op OP", 0},
    {"input", 'i', "PORT=FILE", 0,
     "Give the port PORT the content of FILE, or, where it takes a JSON value, that value; PORT= gives none. May be repeated, also for one port", 0},
    {"meta", KEY_META, "PORT=FILE", 0,
     "Give the content that --input names for PORT the metadata in FILE, a JSON object. May be repeated, in the same order", 0},
    {"with", KEY_WITH, "MAP", 0, "Give the op these params, written as in a pipeline: '{lines: true}'", 0},
    {"cases", KEY_CASES, "FILE", 0, "Besides, check what ops make of given inputs: a YAML list of {name, op, in, with, out or fails}", 0},
    {"json", KEY_JSON, NULL, 0, "Print one JSON object", 0},
    MR_CONFIGURE_OPTIONS,
    {0},
};

static const char *given(struct argp_state *state, const char *option, const char *arg)
{
    if (!strchr(arg, '='))
        argp_error(state, "%s takes PORT=FILE, not '%s'", option, arg);
    return arg;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    test_options *to = state->input;
    if ((key == 'i' && to->input_count == GIVEN_MAX) || (key == KEY_META && to->meta_count == GIVEN_MAX))
        argp_error(state, "more than %u files are given", GIVEN_MAX);
    switch (key) {
    case KEY_OP: to->op = arg; return 0;
    case 'i': to->inputs[to->input_count++] = given(state, "--input", arg); return 0;
    case KEY_META: to->metas[to->meta_count++] = given(state, "--meta", arg); return 0;
    case KEY_WITH: to->with = arg; return 0;
    case KEY_CASES: to->cases = arg; return 0;
    case KEY_JSON: to->json = true; return 0;
    case ARGP_KEY_ARG:
        if (to->file)
            mr_verb_unexpected(state, arg);
        to->file = arg;
        return 0;
    case ARGP_KEY_END:
        if (!to->file)
            argp_error(state, "which plugin? Name its file");
        return 0;
    default: return mr_configure_parse(&to->configure, key, arg, state);
    }
}

static void test_op(mr_bench *bench, mr_kit_report *report, const mr_op *op, const test_options *from, const char *samples)
{
    mr_subject subject = {.bench = bench, .report = report, .op = op, .with = from->with};
    if (report->out)
        fprintf(report->out, "%s\n", op->name);
    mr_check_tables(&subject);
    if (op->flags & MR_OP_EFFECT) {
        mr_kit_say(report, op->name, "runs", MR_KIT_NONE, NULL, "it acts on the world: it is run in cases only");
        return;
    }
    if (!mr_kit_collect(&subject, samples, from->inputs, from->input_count, from->metas, from->meta_count)) {
        report->failed++;
        return;
    }
    void (*const checks[])(mr_subject *) = {mr_check_deterministic, mr_check_batches, mr_check_cancel,
                                            mr_check_allocations,   mr_check_calls,   mr_check_hostile};
    bool go_on = mr_check_runs(&subject);
    for (size_t i = 0; go_on && i < sizeof(checks) / sizeof(*checks) && !bench->interrupted; i++)
        checks[i](&subject);
    json_decref(subject.expected);
}

/* The op that is asked for is not in the plugin. */
static bool op_is_missing(const mr_bench *bench, const char *name)
{
    bool found = !name;
    for (const mr_op *const *op = bench->plugin->ops; op && *op && !found; op++)
        found = strcmp((*op)->name, name) == 0;
    if (!found)
        mr_complain("plugin '%s' has no op '%s'", bench->plugin->name, name);
    return !found;
}

static const char *sanitizers(void)
{
    return MR_SANITIZERS[0] ? MR_SANITIZERS : "none";
}

static void print_heading(const mr_bench *bench, FILE *out)
{
    char missing[64];
    const uint32_t lacks = mr_sandbox_missing();
    fprintf(out, "%s %s (%s)\n  task host: sandbox %s, sanitizers %s\n", bench->plugin->name, bench->plugin->version, bench->path,
            bench->options.settings->sandbox == MR_SANDBOX_OFF ? "off"
            : lacks                                            ? "without what the kernel lacks"
                                                               : "whole",
            sanitizers());
    if (lacks)
        fprintf(out, "  the kernel lacks %s\n", mr_sandbox_missing_text(lacks, missing, sizeof(missing)));
}

static int print_json(const mr_bench *bench, const mr_kit_report *report)
{
    char missing[64];
    mr_autojson json_t *root =
        json_pack("{s:s, s:s, s:s, s:[i, i], s:s, s:s, s:i, s:O}", "plugin", bench->plugin->name, "version", bench->plugin->version, "path",
                  bench->path, "abi", (int)bench->plugin->abi_major, (int)bench->plugin->abi_minor, "sanitizers", sanitizers(), "sandbox_lacks",
                  mr_sandbox_missing_text(mr_sandbox_missing(), missing, sizeof(missing)), "failed", (int)report->failed, "checks", report->rows);
    mr_autofree char *text = root ? mr_json_text(root) : NULL;
    if (!text)
        return MR_EXIT_FAILED;
    puts(text);
    return MR_EXIT_DONE;
}

static void last_words(void *context)
{
    const mr_bench *bench = context;
    if (bench->dir)
        mr_dir_remove(bench->dir, NULL);
}

static int test(const test_options *from, mr_session *session, mr_bench *bench, mr_kit_report *report)
{
    const mr_bench_options bench_options = {.plugin = from->file, .settings = &from->settings.values};
    if (mr_bench_open(&bench_options, session->diags, bench) != MR_OK) {
        mr_session_flush(session);
        return MR_EXIT_FAILED;
    }
    mr_session_flush(session);
    if (op_is_missing(bench, from->op))
        return MR_EXIT_USAGE;
    if (report->out)
        print_heading(bench, report->out);
    mr_check_plugin(bench, report);
    const char *samples = mr_find_kit(session, "samples");
    for (const mr_op *const *op = bench->plugin->ops; op && *op && !bench->interrupted; op++) {
        if (!from->op || strcmp((*op)->name, from->op) == 0)
            test_op(bench, report, *op, from, samples);
    }
    if (from->cases && !bench->interrupted) {
        if (report->out)
            fprintf(report->out, "%s\n", from->cases);
        mr_check_cases(bench, report, from->cases, from->op, session->diags);
    }
    const size_t mistakes = mr_diags_errors(session->diags);
    mr_session_flush(session);
    if (bench->interrupted)
        return MR_EXIT_INTERRUPTED;
    const int printed = from->json ? print_json(bench, report) : MR_EXIT_DONE;
    if (report->out)
        fprintf(report->out, "%zu passed, %zu failed\n", report->passed, report->failed);
    return mistakes > 0 ? MR_EXIT_USAGE : report->failed > 0 ? MR_EXIT_FAILED : printed;
}

static int run(const mr_verb *verb, int argc, char **argv)
{
    test_options from = {0};
    mr_session session = {0};
    mr_bench bench = {0};
    mr_verb_parse(verb, argc, argv, parse, &from);
    mr_kit_report report = {.out = from.json ? NULL : stdout, .colour = !from.json && mr_wants_colour(stdout), .rows = json_array()};
    signal(SIGPIPE, SIG_IGN);
    bench.interrupt = mr_interrupt_new(last_words, &bench); /* before there are threads, which inherit the blocked signals */
    int code = MR_EXIT_FAILED;
    if (bench.interrupt && report.rows && mr_session_open_bare(&session))
        code = mr_configure_load(&from.configure, &session, &from.settings);
    if (code == MR_EXIT_DONE)
        code = test(&from, &session, &bench, &report);
    struct mr_interrupt *interrupt = bench.interrupt;
    mr_bench_close(&bench);
    mr_interrupt_free(interrupt);
    json_decref(report.rows);
    mr_configure_clear(&from.configure);
    mr_session_close(&session);
    return code;
}

const mr_verb mr_verb_test_plugin = {
    .name = "test-plugin",
    .usage = "FILE",
    .summary = "checks that a plugin keeps what plugins promise",
    .help =
        "Each op is run on small inputs, in a task host as in earnest: FILE is loaded there, confined, and watched. The inputs are samples of the "
        "types that "
        "its ports take, or what --input and --meta name. What is checked:\n\n"
        "    tables         names, help, units, defaults and limits; the ABI\n"
        "    runs           it succeeds on these inputs, and keeps no content that it neither emits nor frees\n"
        "    deterministic  processes whose memory lies elsewhere and holds other bytes make the same\n"
        "    batches        tasks make the same alone and together\n"
        "    cancels        it ends within a second of being told, at the first, a middle and the last time that it asks\n"
        "    memory         every allocation of the plugin that is refused ends in an error, or in the same result\n"
        "    disk           every call to the host that fails ends in an error\n"
        "    hostile        inputs that are empty, cut, random or changed, and metadata that is empty, huge, deep or of other types, end in words\n"
        "    case           what --cases expects\n\n"
        "Ops that act on the world are run in cases only. The exit code is 1 when a check fails.",
    .examples = "    millrace test-plugin build/example.so\n"
                "    millrace test-plugin build/example.so --op example.count --input source=README.md --with '{lines: true}'\n"
                "    millrace test-plugin build/example.so --cases test/cases.yaml",
    .args = MR_ARGS_FILE,
    .options = options,
    .run = run,
};
