/* SPDX-License-Identifier: MIT */
/* What every op must do when nothing is in its way: it runs, it makes the same again, alone and in batches, and it ends when it is told to. */
#include "cli/kit/kit_internal.h"

#include "base/file.h"
#include "graph/ops.h"

#include <stdlib.h>
#include <string.h>

enum { PROMPT_US = 1000000, COPIES = 4 };

mr_trial mr_subject_trial(const mr_subject *subject)
{
    return (mr_trial){.op = subject->op, .with = subject->with, .inputs = &subject->inputs};
}

/* ---- tables ---- */

void mr_check_tables(mr_subject *subject)
{
    const mr_bench *bench = subject->bench;
    mr_kit_report *report = subject->report;
    const mr_op *op = subject->op;
    const size_t len = strlen(bench->plugin->name);
    if (strncmp(op->name, bench->plugin->name, len) != 0 || op->name[len] != '.')
        mr_kit_say(report, op->name, "tables", MR_KIT_FAILED, "ops are named plugin.verb, so that two plugins can't be in each other's way",
                   "the op '%s' does not begin with its plugin's name, '%s'", op->name, bench->plugin->name);
    else if (op->version == 0)
        mr_kit_say(report, op->name, "tables", MR_KIT_FAILED, "begin with 1, and raise it when the same inputs give other outputs",
                   "the op '%s' has version 0", op->name);
    else if (op->cpu > 0 && op->memory_mb == 0)
        mr_kit_say(report, op->name, "tables", MR_KIT_FAILED, "set memory_mb to what a task may take at most: no more are started than fit",
                   "the op '%s' works, but says that it needs no memory", op->name);
    else if (!op->outputs && !(op->flags & MR_OP_EFFECT))
        mr_kit_say(report, op->name, "tables", MR_KIT_FAILED, "give it an output port, or MR_OP_EFFECT if it acts on the world",
                   "the op '%s' makes nothing, and does not say that it acts on the world", op->name);
    else
        mr_kit_say(report, op->name, "tables", MR_KIT_PASSED, NULL, "%zu in, %zu out", mr_port_count(op->inputs), mr_port_count(op->outputs));
}

void mr_check_plugin(const mr_bench *bench, mr_kit_report *report)
{
    if (bench->is_script)
        mr_kit_say(report, "", "plugin", MR_KIT_PASSED, NULL, "is read, its tables are in order");
    else if (!bench->plugin->licence || !bench->plugin->licence[0])
        mr_kit_say(report, "", "plugin", MR_KIT_FAILED, "say it as an SPDX expression: .licence = \"MIT\"", "it names no licence");
    else
        mr_kit_say(report, "", "plugin", MR_KIT_PASSED, NULL, "loads: ABI %u.%u, its tables are in order", bench->plugin->abi_major,
                   bench->plugin->abi_minor);
}

/* ---- running ---- */

bool mr_trial_is_silent(const mr_trial_end *end)
{
    return !end->lost && !end->bad_trial && end->status != MR_OK && end->status != MR_ERR_CANCELLED && !end->message[0];
}

/* The words on how long it took and what came out. */
static void say_run(mr_subject *subject, const mr_trial_end *end)
{
    mr_kit_say(subject->report, subject->op->name, "runs", MR_KIT_PASSED, NULL, "%zu artifact%s in %.0f ms", json_array_size(end->outputs),
               json_array_size(end->outputs) == 1 ? "" : "s", (double)end->seen.run_us / 1000);
}

bool mr_check_runs(mr_subject *subject)
{
    char words[1200];
    mr_trial_end end;
    const mr_trial trial = mr_subject_trial(subject);
    mr_trial_run(subject->bench, &trial, NULL, &end);
    bool good = false;
    if (end.bad_trial || end.lost || end.status != MR_OK)
        mr_kit_say(subject->report, subject->op->name, "runs", MR_KIT_FAILED,
                   end.lost ? NULL : "give it inputs that it takes: --input PORT=FILE, --meta PORT=FILE, --with '{PARAM: VALUE}'", "%s",
                   mr_trial_words(&end, words, sizeof(words)));
    else if (end.seen.contents != 0)
        mr_kit_say(subject->report, subject->op->name, "runs", MR_KIT_FAILED, "emit every content that content_new() gave, or content_free() it",
                   "%lld content%s neither emitted nor freed", (long long)end.seen.contents, end.seen.contents == 1 ? " was" : "s were");
    else
        good = true;
    if (good) {
        say_run(subject, &end);
        subject->expected = json_incref(end.outputs);
        subject->expected_seen = end.seen;
    }
    mr_trial_end_clear(&end);
    return good;
}

/* Where two lists of outputs differ, for people. */
static void say_difference(const json_t *a, const json_t *b, char *buf, size_t size)
{
    const size_t count = json_array_size(a);
    if (count != json_array_size(b)) {
        snprintf(buf, size, "%zu artifacts the one time, %zu the other", count, json_array_size(b));
        return;
    }
    for (size_t i = 0; i < count; i++) {
        static const char *const fields[] = {"port", "meta", "digest"};
        for (size_t k = 0; k < sizeof(fields) / sizeof(*fields); k++) {
            const json_t *one = json_object_get(json_array_get(a, i), fields[k]);
            const json_t *other = json_object_get(json_array_get(b, i), fields[k]);
            if (json_equal(one, other))
                continue;
            mr_autofree char *first = json_dumps(one, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
            mr_autofree char *second = json_dumps(other, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
            snprintf(buf, size, "artifact %zu differs in its %s: %.160s, then %.160s", i, strcmp(fields[k], "digest") == 0 ? "content" : fields[k],
                     first ? first : "", second ? second : "");
            return;
        }
    }
    snprintf(buf, size, "nothing");
}

/* Two processes, whose memory lies elsewhere and holds other things before it is written. */
void mr_check_deterministic(mr_subject *subject)
{
    static const uint32_t fills[] = {0x00 + 1, 0xa5 + 1};
    char words[1200];
    for (size_t i = 0; i < 2; i++) {
        mr_trial_end end;
        const mr_trial trial = mr_subject_trial(subject);
        const mr_inspection wishes = {.fill = fills[i]};
        mr_bench_renew(subject->bench);
        mr_trial_run(subject->bench, &trial, &wishes, &end);
        const bool same = end.status == MR_OK && json_equal(subject->expected, end.outputs);
        if (end.status != MR_OK)
            mr_trial_words(&end, words, sizeof(words));
        else
            say_difference(subject->expected, end.outputs, words, sizeof(words));
        mr_trial_end_clear(&end);
        if (same)
            continue;
        mr_kit_say(subject->report, subject->op->name, "deterministic", MR_KIT_FAILED,
                   "no clock, no chance, no addresses, nothing kept from run to run, no memory that was not written: results are reused", "%s",
                   words);
        return;
    }
    mr_kit_say(subject->report, subject->op->name, "deterministic", MR_KIT_PASSED, NULL, "the same bytes in three processes");
}

/* ---- batches ---- */

static bool try_batch(mr_subject *subject, uint32_t most, uint64_t *ret_largest)
{
    char words[1200];
    mr_trial_end end;
    mr_trial trial = mr_subject_trial(subject);
    trial.copies = COPIES;
    trial.batch_max = most;
    mr_trial_run(subject->bench, &trial, NULL, &end);
    *ret_largest = end.seen.largest;
    const bool good = end.status == MR_OK && end.copies_agree && json_equal(end.outputs, subject->expected);
    if (end.status != MR_OK)
        mr_trial_words(&end, words, sizeof(words));
    else if (!end.copies_agree)
        snprintf(words, sizeof(words), "tasks that do the same made different things");
    else
        say_difference(subject->expected, end.outputs, words, sizeof(words));
    if (!good)
        mr_kit_say(subject->report, subject->op->name, "batches", MR_KIT_FAILED, "what a task makes must not depend on the tasks beside it",
                   "%u tasks in batches of at most %u: %s", COPIES, most, words);
    mr_trial_end_clear(&end);
    return good;
}

void mr_check_batches(mr_subject *subject)
{
    const uint32_t most = subject->op->batch_max < COPIES ? subject->op->batch_max : COPIES;
    uint64_t largest = 0;
    if (most < 2) {
        mr_kit_say(subject->report, subject->op->name, "batches", MR_KIT_NONE, NULL, "it takes one task at a time");
        return;
    }
    if (!try_batch(subject, 1, &largest) || !try_batch(subject, most, &largest))
        return;
    if (largest < 2)
        mr_kit_say(subject->report, subject->op->name, "batches", MR_KIT_FAILED, "this is a defect of millrace: please report it",
                   "no batch of more than one task came about");
    else
        mr_kit_say(subject->report, subject->op->name, "batches", MR_KIT_PASSED, NULL, "the same alone and %llu at a time",
                   (unsigned long long)largest);
}

/* ---- cancelling ---- */

/* Told at its k-th question. NULL: fine, else what is wrong; *ret_us how long it took. */
static const char *cancel_at(mr_subject *subject, uint64_t k, char *buf, size_t size, int64_t *ret_us)
{
    mr_trial_end end;
    const mr_trial trial = mr_subject_trial(subject);
    const mr_inspection wishes = {.cancel_at = k};
    const char *wrong = NULL;
    mr_trial_run(subject->bench, &trial, &wishes, &end);
    *ret_us = end.seen.after_cancel_us;
    if (end.lost || end.bad_trial)
        wrong = mr_trial_words(&end, buf, size);
    else if (end.seen.cancelled_us == 0)
        wrong = NULL; /* it asked less often this time: it may, where it asks by the clock */
    else if (end.seen.after_cancel_us > PROMPT_US)
        wrong = (snprintf(buf, size, "went on for %.1f s after it was told", (double)end.seen.after_cancel_us / 1e6), buf);
    else if (end.seen.status != MR_ERR_CANCELLED && end.seen.status != MR_OK)
        wrong = (snprintf(buf, size, "returned %lld when it was told, not MR_ERR_CANCELLED", (long long)end.seen.status), buf);
    else if (end.seen.contents != 0)
        wrong = (snprintf(buf, size, "kept %lld contents when it was told", (long long)end.seen.contents), buf);
    mr_trial_end_clear(&end);
    return wrong;
}

/* By the engine, as Ctrl-C does it. */
static const char *cancel_for_real(mr_subject *subject, char *buf, size_t size)
{
    mr_trial_end end;
    mr_trial trial = mr_subject_trial(subject);
    trial.cancel = true;
    mr_trial_run(subject->bench, &trial, NULL, &end);
    /* The engine ends a host that does not come back within its grace, which is less than a second. */
    const bool killed = end.seen.entered > end.seen.returned;
    if (killed || end.lost)
        mr_bench_renew(subject->bench);
    if (killed)
        snprintf(buf, size, "did not stop when its run was cancelled: its task host had to be ended after %.1f s", (double)end.took_us / 1e6);
    mr_trial_end_clear(&end);
    return killed ? buf : NULL;
}

bool mr_check_is_hosts(const mr_subject *subject, const char *check)
{
    if (subject->bench->is_script)
        mr_kit_say(subject->report, subject->op->name, check, MR_KIT_NONE, NULL, "it is in Lua: what runs it sees to that");
    return subject->bench->is_script;
}

void mr_check_cancel(mr_subject *subject)
{
    if (mr_check_is_hosts(subject, "cancels"))
        return;
    char words[1200];
    const uint64_t asked = subject->expected_seen.asked;
    const uint64_t points[] = {1, asked / 2, asked};
    const char *wrong = cancel_for_real(subject, words, sizeof(words));
    int64_t slowest = 0;
    for (size_t i = 0; i < 3 && !wrong && points[i] > 0; i++) {
        int64_t took = 0;
        wrong = i > 0 && points[i] == points[i - 1] ? NULL : cancel_at(subject, points[i], words, sizeof(words), &took);
        slowest = took > slowest ? took : slowest;
    }
    if (wrong)
        mr_kit_say(subject->report, subject->op->name, "cancels", MR_KIT_FAILED,
                   "ask cancelled() at least every 100 ms of work, clean up, and return MR_ERR_CANCELLED within half a second", "%s", wrong);
    else if (asked == 0)
        mr_kit_say(subject->report, subject->op->name, "cancels", MR_KIT_PASSED, NULL, "never asks, and ended within %.0f ms",
                   (double)subject->expected_seen.run_us / 1000);
    else
        mr_kit_say(subject->report, subject->op->name, "cancels", MR_KIT_PASSED, NULL, "asked %llu times; at most %.0f ms from being told to the end",
                   (unsigned long long)asked, (double)slowest / 1000);
}
