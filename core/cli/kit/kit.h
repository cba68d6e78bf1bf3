/* SPDX-License-Identifier: MIT */
/*
 * What `millrace test-plugin` does: runs the ops of one plugin through the real engine, in a task host of their own, with an inspector between them
 * and the host (core/inspector), and judges what they do. A bench is where that happens; a trial is one run of one op; a check is a row of the
 * report.
 */
#ifndef MR_CLI_KIT_H
#define MR_CLI_KIT_H

#include "base/arena.h"
#include "base/diag.h"
#include "base/json.h"
#include "cli/configure.h"
#include "inspector/inspection.h"
#include "runtime/engine.h"

/* ---- what goes in ---- */

typedef struct mr_kit_item { /* an artifact */
    uint32_t type;           /* one MR_TYPE_* bit */
    const char *meta;        /* a file that holds its metadata, a JSON object; NULL: {} */
    const char *content;     /* a file; NULL: none */
} mr_kit_item;

typedef struct mr_kit_given {
    const char *port;
    mr_kit_item item;
} mr_kit_given;

enum { MR_KIT_GIVEN_MAX = 256 };

typedef struct mr_kit_inputs {
    mr_kit_given list[MR_KIT_GIVEN_MAX]; /* several of one port in their order */
    size_t count;
} mr_kit_inputs;

/* ---- the bench ---- */

typedef struct mr_bench_options {
    const char *plugin; /* a file */
    const mr_settings *settings;
} mr_bench_options;

typedef struct mr_bench {
    mr_bench_options options;
    mr_arena *arena; /* the bench's: lives as long */
    char *dir;       /* its folder */
    const char *state_dir;
    mr_plugins *plugins; /* the plugin, and the inspector */
    const mr_plugin *plugin;
    bool is_script;      /* its ops are in Lua: nothing stands between them and their host */
    const char *path;    /* its real path */
    mr_op_set ops;       /* its own, which trials may alter, and those that make inputs */
    mr_op *copies;       /* of its own ops, in ops */
    mr_engine *engine;   /* NULL: to be opened for the next trial */
    mr_inspection *page; /* shared with the host */
    uint32_t files;      /* made so far */
    struct mr_interrupt *interrupt;
    bool interrupted;
} mr_bench;

/* Loads the plugin, and prepares a folder. diags say what is wrong: a plugin that can't be loaded has failed its first check. */
mr_status mr_bench_open(const mr_bench_options *options, mr_diags *diags, mr_bench *ret_bench);
void mr_bench_close(mr_bench *bench);
/* The next trial gets a new process. */
void mr_bench_renew(mr_bench *bench);
/* A new file in the bench's folder; its path is in the arena. NULL: it can't be written. */
const char *mr_bench_file(mr_bench *bench, const void *data, size_t len);
const char *mr_bench_json(mr_bench *bench, const json_t *value);

/* ---- a trial ---- */

typedef struct mr_trial {
    const mr_op *op;
    const char *with; /* YAML of a map; NULL: none */
    const mr_kit_inputs *inputs;
    uint32_t copies;    /* nodes that do the same, sharing what batch_by names; 0: one */
    uint32_t batch_max; /* 0: what the op says */
    bool cancel;        /* as soon as it has started */
    const char *output; /* a folder to publish to; NULL: none */
} mr_trial;

typedef struct mr_trial_end {
    mr_status status;  /* MR_ERR_INTERNAL with lost: see how */
    bool lost;         /* its task host crashed, hung or broke the protocol */
    bool bad_trial;    /* it could not be set up: message says why */
    char how[512];     /* lost: what happened to the host */
    char message[512]; /* the last error that was reported; "": none */
    json_t *outputs;   /* [{port, type, meta, digest, size}], in the order of emission; of the first copy. Owned */
    bool copies_agree;
    int64_t took_us;
    mr_inspection seen;
} mr_trial_end;

/* wishes: the part of the page that says so is taken from it; NULL: none. */
void mr_trial_run(mr_bench *bench, const mr_trial *trial, const mr_inspection *wishes, mr_trial_end *ret_end);
void mr_trial_end_clear(mr_trial_end *end);
/* "succeeded", or how it failed, for people. Into buf. */
const char *mr_trial_words(const mr_trial_end *end, char *buf, size_t size);

/* ops.c: kit.media … kit.file: an artifact from files. NULL ends the list. */
extern const mr_op *const mr_kit_ops[];
const char *mr_kit_op_name(uint32_t type);

/* ---- the report ---- */

typedef enum mr_kit_verdict { MR_KIT_PASSED, MR_KIT_FAILED, MR_KIT_NONE /* it does not apply */ } mr_kit_verdict;

typedef struct mr_kit_report {
    FILE *out; /* rows as they come; NULL: none */
    bool colour;
    json_t *rows; /* [{op, check, verdict, words, hint}] */
    size_t failed;
    size_t passed;
} mr_kit_report;

/* op "": of the plugin. */
void mr_kit_say(mr_kit_report *report, const char *op, const char *check, mr_kit_verdict verdict, const char *hint, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));

/* ---- checks ---- */

typedef struct mr_subject { /* an op under test */
    mr_bench *bench;
    mr_kit_report *report;
    const mr_op *op;
    const char *with;
    mr_kit_inputs inputs;
    json_t *expected; /* outputs of an undisturbed run; owned */
    mr_inspection expected_seen;
} mr_subject;

/* What the op's ports take, from what the author gave ("NAME=PATH"; meta likewise) and else from samples. False (and said so): it can't be found. */
bool mr_kit_collect(mr_subject *subject, const char *samples, const char *const *inputs, size_t input_count, const char *const *metas,
                    size_t meta_count);

void mr_check_plugin(const mr_bench *bench, mr_kit_report *report);
void mr_check_tables(mr_subject *subject);
bool mr_check_runs(mr_subject *subject); /* false: the others make no sense */
void mr_check_deterministic(mr_subject *subject);
void mr_check_batches(mr_subject *subject);
void mr_check_cancel(mr_subject *subject);
void mr_check_allocations(mr_subject *subject);
void mr_check_calls(mr_subject *subject);
void mr_check_hostile(mr_subject *subject);

/* cases.c: a YAML list of {op, inputs, with, expect | error}. op NULL: those of all ops. */
void mr_check_cases(mr_bench *bench, mr_kit_report *report, const char *file, const char *op, mr_diags *diags);

#endif
