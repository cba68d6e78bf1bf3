/* SPDX-License-Identifier: MIT */
/*
 * What every op must survive: memory that is short, a host that says no, and inputs that somebody made to hurt.
 * To survive is to end with an error, said in words, or to make exactly what is made otherwise: never to crash, to hang, or to make something else.
 */
#include "cli/kit/kit_internal.h"

#include "base/clock.h"
#include "base/file.h"

#include <stdlib.h>
#include <string.h>

enum { POINTS = 48, ALL_BELOW = 32, BUDGET_US = 8 * 1000000, CONTENT_MAX = 8 << 20, NOISE = 64 << 10, HUGE_TEXT = 4 << 20, DEEP = 60, FLIPS = 4 };

/* The i-th of points among total: all where there are few, the first ones and then ever rarer ones where there are many. */
static uint64_t point(uint64_t total, uint32_t i)
{
    if (total <= POINTS || i < ALL_BELOW)
        return i + 1;
    return ALL_BELOW + (total - ALL_BELOW) * (i - ALL_BELOW + 1) / (POINTS - ALL_BELOW);
}

static uint32_t point_count(uint64_t total)
{
    return total < POINTS ? (uint32_t)total : POINTS;
}

/* What is wrong with how a disturbed run ended; NULL: nothing. */
static const char *judge(const mr_subject *subject, const mr_trial_end *end, char *buf, size_t size)
{
    if (end->lost || end->bad_trial)
        return mr_trial_words(end, buf, size);
    if (end->status == MR_OK && subject->expected && !json_equal(end->outputs, subject->expected))
        return "said that it succeeded, but made something else";
    if (end->seen.contents != 0) {
        snprintf(buf, size, "left %lld contents neither emitted nor freed", (long long)end->seen.contents);
        return buf;
    }
    return NULL;
}

/* ---- allocations ---- */

/* NULL: it survived. */
static const char *refuse_allocation(mr_subject *subject, uint64_t number, bool on, char *buf, size_t size)
{
    char words[1200];
    mr_trial_end end;
    const mr_trial trial = mr_subject_trial(subject);
    const mr_inspection wishes = {.fail_allocation = number, .fail_on = on};
    mr_trial_run(subject->bench, &trial, &wishes, &end);
    const char *wrong = judge(subject, &end, words, sizeof(words));
    if (wrong)
        snprintf(buf, size, "when allocation %llu%s is refused (%s): %s", (unsigned long long)number, on ? " and all after it" : "",
                 end.seen.failed_where[0] ? end.seen.failed_where : "?", wrong);
    mr_trial_end_clear(&end);
    return wrong ? buf : NULL;
}

void mr_check_allocations(mr_subject *subject)
{
    char words[1600];
    const uint64_t total = subject->expected_seen.allocations;
    const int64_t began = mr_now_us();
    const char *wrong = NULL;
    uint32_t tried = 0;
    if (mr_check_is_hosts(subject, "memory"))
        return;
    if (total == 0) {
        mr_kit_say(subject->report, subject->op->name, "memory", MR_KIT_NONE, NULL, "it allocates nothing");
        return;
    }
    for (uint32_t i = 0; i < point_count(total) && !wrong && !subject->bench->interrupted; i++) {
        if (i > 0 && mr_now_us() - began > BUDGET_US)
            break;
        wrong = refuse_allocation(subject, point(total, i), (i & 1) != 0, words, sizeof(words));
        tried++;
    }
    if (wrong)
        mr_kit_say(subject->report, subject->op->name, "memory", MR_KIT_FAILED, "check what malloc() and its like return; end with MR_ERR_NOMEM",
                   "%s", wrong);
    else
        mr_kit_say(subject->report, subject->op->name, "memory", MR_KIT_PASSED, NULL, "survives each of %u of its %llu allocations being refused",
                   tried, (unsigned long long)total);
}

/* ---- the host says no ---- */

void mr_check_calls(mr_subject *subject)
{
    char words[1200];
    const uint64_t total = subject->expected_seen.calls;
    const int64_t began = mr_now_us();
    uint32_t tried = 0;
    if (mr_check_is_hosts(subject, "disk"))
        return;
    for (uint32_t i = 0; i < point_count(total) && !subject->bench->interrupted; i++) {
        mr_trial_end end;
        const mr_trial trial = mr_subject_trial(subject);
        const mr_inspection wishes = {.fail_call = point(total, i)};
        if (i > 0 && mr_now_us() - began > BUDGET_US)
            break;
        mr_trial_run(subject->bench, &trial, &wishes, &end);
        const char *wrong = judge(subject, &end, words, sizeof(words));
        if (!wrong && end.status == MR_OK && end.seen.calls >= wishes.fail_call)
            wrong = "said that it succeeded";
        if (wrong)
            mr_kit_say(subject->report, subject->op->name, "disk", MR_KIT_FAILED, "check what every call to the host returns, and pass errors on",
                       "when call %llu to its host fails: %s", (unsigned long long)wishes.fail_call, wrong);
        mr_trial_end_clear(&end);
        if (wrong)
            return;
        tried++;
    }
    mr_kit_say(subject->report, subject->op->name, "disk", MR_KIT_PASSED, NULL, "passes on the failure of each of %u of its %llu calls to the host",
               tried, (unsigned long long)total);
}

/* ---- hostile inputs ---- */

typedef struct hostile {
    mr_subject *subject;
    uint32_t tried;
    bool failed;
} hostile;

/*
 * With one input replaced. Success is fine: who is to say what a hostile input must give? Metadata comes from other ops: where it is not as agreed,
 * an op may call that a defect. Content comes from outside.
 */
static void attack(hostile *it, size_t index, mr_kit_item item, const char *what)
{
    char words[1200];
    mr_trial_end end;
    mr_subject *subject = it->subject;
    mr_kit_inputs inputs = subject->inputs;
    mr_trial trial = mr_subject_trial(subject);
    if (it->failed || subject->bench->interrupted)
        return;
    inputs.list[index].item = item;
    trial.inputs = &inputs;
    mr_trial_run(subject->bench, &trial, NULL, &end);
    const char *wrong = NULL;
    if (end.lost || end.bad_trial)
        wrong = mr_trial_words(&end, words, sizeof(words));
    else if (mr_trial_is_silent(&end))
        wrong = "failed without a word: report() what is wrong";
    else if (end.seen.status == MR_ERR_INTERNAL && item.content != it->subject->inputs.list[index].item.content)
        wrong = "called it a defect of its own (MR_ERR_INTERNAL): what comes from outside is MR_ERR_INPUT";
    else if (end.seen.contents != 0)
        wrong = "left a content neither emitted nor freed";
    it->tried++;
    if (wrong) {
        it->failed = true;
        mr_kit_say(subject->report, subject->op->name, "hostile", MR_KIT_FAILED,
                   "all input is hostile: look at every byte and every field before relying on it", "port '%s', %s: %s", inputs.list[index].port,
                   what, wrong);
    }
    mr_trial_end_clear(&end);
}

static void attack_content_with(hostile *it, size_t index, const void *data, size_t len, const char *what)
{
    mr_kit_item item = it->subject->inputs.list[index].item;
    item.content = mr_bench_file(it->subject->bench, data, len);
    if (item.content)
        attack(it, index, item, what);
}

/* The same bytes in every run: a finding can be met again. */
static void make_noise(char *buf, size_t len, uint64_t seed)
{
    for (size_t i = 0; i < len; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407); /* Knuth's MMIX */
        buf[i] = (char)(seed >> 56);
    }
}

static void attack_content(hostile *it, size_t index)
{
    static char noise[NOISE];
    char what[64];
    mr_autofree char *bytes = NULL;
    size_t len = 0;
    if (mr_file_read(it->subject->inputs.list[index].item.content, CONTENT_MAX, &bytes, &len, NULL) != MR_OK)
        return;
    make_noise(noise, sizeof(noise), 1);
    attack_content_with(it, index, "", 0, "empty");
    attack_content_with(it, index, bytes, len / 2, "cut in half");
    attack_content_with(it, index, bytes, len ? len - 1 : 0, "without its last byte");
    attack_content_with(it, index, noise, sizeof(noise), "64 KiB of noise");
    for (uint32_t i = 0; i < FLIPS && len > 0; i++) {
        unsigned char *at = (unsigned char *)bytes + len * (i + 1) / (FLIPS + 1);
        *at ^= 0xff;
        snprintf(what, sizeof(what), "byte %zu changed", (size_t)(at - (unsigned char *)bytes));
        attack_content_with(it, index, bytes, len, what);
        *at ^= 0xff;
    }
}

static void attack_meta_with(hostile *it, size_t index, json_t *take_value, const char *what)
{
    mr_kit_item item = it->subject->inputs.list[index].item;
    item.meta = mr_bench_json(it->subject->bench, take_value);
    json_decref(take_value);
    if (item.meta)
        attack(it, index, item, what);
}

static json_t *deep(void)
{
    json_t *value = json_object();
    for (int i = 0; i < DEEP && value; i++)
        value = json_pack("{s:o}", "deeper", value);
    return value;
}

static json_t *huge_text(void)
{
    char *text = malloc(HUGE_TEXT + 1);
    if (!text)
        return NULL;
    memset(text, 'x', HUGE_TEXT);
    text[HUGE_TEXT] = '\0';
    json_t *value = json_string(text);
    free(text);
    return value;
}

/* The metadata with one of its fields, wherever it stands, as a value that it does not expect. */
static void attack_field(hostile *it, size_t index, const json_t *meta, const char *key)
{
    json_t *values[] = {json_null(), json_integer(-1), json_integer(INT64_MAX), json_string("\x01 \xe2\x80\xae"), json_array(), json_object(), NULL};
    char what[128];
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
        json_t *copy = json_deep_copy(meta);
        if (!copy || (values[i] ? json_object_set(copy, key, values[i]) : json_object_del(copy, key)) != 0) {
            json_decref(copy);
            continue;
        }
        mr_autofree char *value = values[i] ? json_dumps(values[i], JSON_ENCODE_ANY | JSON_ENSURE_ASCII) : NULL;
        snprintf(what, sizeof(what), values[i] ? "its metadata with \"%.32s\": %.40s" : "its metadata without \"%.32s\"", key, value ? value : "");
        attack_meta_with(it, index, copy, what);
    }
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
        json_decref(values[i]);
}

static void attack_meta(hostile *it, size_t index)
{
    const char *file = it->subject->inputs.list[index].item.meta;
    mr_autofree char *text = NULL;
    size_t len = 0;
    const char *key;
    json_t *field;
    if (file && mr_file_read(file, CONTENT_MAX, &text, &len, NULL) != MR_OK)
        return;
    mr_autojson json_t *meta = text ? mr_json_read(text, len, CONTENT_MAX, NULL) : json_object();
    if (!json_is_object(meta))
        return;
    attack_meta_with(it, index, json_object(), "empty metadata");
    attack_meta_with(it, index, deep(), "metadata that is nested 60 levels deep");
    attack_meta_with(it, index, json_pack("{s:o}", "text", huge_text()), "4 MiB of metadata");
    json_object_foreach(meta, key, field)
    {
        if (!it->failed)
            attack_field(it, index, meta, key);
    }
}

void mr_check_hostile(mr_subject *subject)
{
    hostile it = {.subject = subject};
    for (size_t i = 0; i < subject->inputs.count && !it.failed; i++) {
        const mr_kit_item *item = &subject->inputs.list[i].item;
        const bool seen = i > 0 && strcmp(subject->inputs.list[i].port, subject->inputs.list[i - 1].port) == 0;
        if (item->content && !seen)
            attack_content(&it, i);
        if ((item->meta || !item->content) && !seen)
            attack_meta(&it, i);
    }
    if (it.failed)
        return;
    if (it.tried == 0)
        mr_kit_say(subject->report, subject->op->name, "hostile", MR_KIT_NONE, NULL, "it has no inputs");
    else
        mr_kit_say(subject->report, subject->op->name, "hostile", MR_KIT_PASSED, NULL, "survives %u inputs that were made to hurt", it.tried);
}
