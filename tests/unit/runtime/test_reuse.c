/* SPDX-License-Identifier: MIT */
/* Only new work: what is reused when a source moves or changes, what is never, and what a plan says about it. */
#include "base/file.h"
#include "config/yaml.h"
#include "runtime/engine.h"

#include "../test.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 262144u
#define SIZE  (4u * BLOCK)

/* ---- an op that reads a part of its source ---- */

typedef struct slice_params {
    int64_t offset;
    const char *how;
    int64_t wait;
} slice_params;

static atomic_int runs;
static const char *toolchain_text = "none 1.0";
static const char *to_spoil; /* the file, while an op is to do something to it as it runs */

static const char *toolchain(void)
{
    return toolchain_text;
}

static void act_on_file(const char *how)
{
    if (strcmp(how, "cut") == 0)
        assert_int_equal(truncate(to_spoil, 10), 0);
    else if (strcmp(how, "touch") == 0)
        assert_int_equal(utimensat(AT_FDCWD, to_spoil, NULL, 0), 0);
    else {
        int fd = open(to_spoil, O_WRONLY | O_CLOEXEC);
        assert_true(fd >= 0 && pwrite(fd, "!", 1, SIZE - 1) == 1);
        close(fd);
    }
}

static mr_status run_slice(const mr_host *host, const mr_batch *batch)
{
    for (uint32_t t = 0; t < batch->count; t++) {
        mr_task *task = batch->tasks[t].task;
        const slice_params *params = batch->tasks[t].params;
        const mr_artifact *source = host->input(task, 0, 0);
        unsigned char data[64];
        char meta[64];
        unsigned sum = 0;
        size_t len = 0;
        atomic_fetch_add(&runs, 1);
        if (params->how && strcmp(params->how, "fd") == 0) {
            ssize_t got = pread(host->content_fd(task, source), data, sizeof(data), (off_t)params->offset);
            len = got > 0 ? (size_t)got : 0;
        } else if (host->read_at(task, source, (uint64_t)params->offset, data, sizeof(data), &len) != MR_OK) {
            return MR_ERR_IO;
        }
        if (params->how && strcmp(params->how, "fail") == 0)
            return MR_ERR_UNSUPPORTED;
        if (to_spoil && params->how)
            act_on_file(params->how);
        for (size_t i = 0; i < len; i++)
            sum = sum * 31 + data[i];
        snprintf(meta, sizeof(meta), "{\"sum\":%u}", sum);
        mr_status status = host->emit(task, 0, meta, NULL);
        if (status != MR_OK)
            return status;
    }
    return MR_OK;
}

static const mr_port slice_in[] = {{"source", MR_TYPE_MEDIA, 0, "a file"}, {0}};
static const mr_port slice_out[] = {{"sum", MR_TYPE_JSON, 0, "of the bytes"}, {0}};
static const mr_param slice_table[] = {MR_INT(slice_params, offset, .standard = "0", .help = "where to read"),
                                       MR_TEXT(slice_params, how, .help = "by what"),
                                       MR_DURATION(slice_params, wait, .standard = "1s", .help = "for show"), MR_PARAM_END};
static mr_op op_slice = {.size = sizeof(mr_op),
                         .version = 1,
                         .name = "test.slice",
                         .summary = "sums some bytes",
                         .cpu = 1,
                         .memory_mb = 1,
                         .inputs = slice_in,
                         .outputs = slice_out,
                         .params = slice_table,
                         .params_size = sizeof(slice_params),
                         .run = run_slice,
                         .toolchain = toolchain};
static const mr_op_entry entries[] = {{&op_slice, "test"}};
static const mr_op_set ops = {.entries = entries, .count = 1};

/* ---- a world with a state and a file ---- */

typedef struct world {
    char dir[64];
    char *state;
    char *file;
    mr_engine *engine;
    bool no_cache;
} world;

static void write_file(const char *path)
{
    static unsigned char data[SIZE];
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (unsigned char)(i * 2654435761u >> 13);
    assert_int_equal(write(fd, data, SIZE), SIZE);
    close(fd);
}

/* As if nothing had been. */
static void change_byte(const char *path, off_t at)
{
    struct stat info;
    unsigned char byte = 0;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0 && fstat(fd, &info) == 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 0x55;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    assert_int_equal(futimens(fd, (struct timespec[]){info.st_atim, info.st_mtim}), 0);
    close(fd);
}

static int set_up(void **context)
{
    world *it = calloc(1, sizeof(*it));
    memcpy(it->dir, "/tmp/millrace-test-XXXXXX", sizeof("/tmp/millrace-test-XXXXXX"));
    assert_non_null(mkdtemp(it->dir));
    it->state = mr_path_join(it->dir, "state");
    it->file = mr_path_join(it->dir, "clip.mp4");
    write_file(it->file);
    const mr_engine_options options = {.state_dir = it->state, .jobs = 2};
    assert_int_equal(mr_engine_open(&options, NULL, &it->engine), MR_OK);
    op_slice.version = 1;
    toolchain_text = "none 1.0";
    to_spoil = NULL;
    *context = it;
    return 0;
}

static int tear_down(void **context)
{
    world *it = *context;
    mr_engine_close(it->engine);
    mr_dir_remove(it->dir, NULL);
    free(it->state);
    free(it->file);
    free(it);
    return 0;
}

typedef struct job {
    mr_arena *arena;
    mr_diags *diags;
    mr_bound bound;
} job;

static void load(job *it, const char *yaml)
{
    const mr_value *root = NULL;
    const mr_pipeline *pipeline = NULL;
    *it = (job){.arena = mr_arena_new(0), .diags = mr_diags_new()};
    assert_int_equal(mr_yaml_read(it->arena, "test.yaml", yaml, strlen(yaml), &mr_yaml_limits_default, it->diags, &root), MR_OK);
    assert_int_equal(mr_pipeline_check(it->arena, "test.yaml", root, &ops, it->diags, &pipeline), MR_OK);
    assert_int_equal(mr_pipeline_bind(it->arena, pipeline, NULL, 0, it->diags, &it->bound), MR_OK);
}

static void drop(job *it)
{
    mr_bound_clear(&it->bound);
    mr_diags_free(it->diags);
    mr_arena_free(it->arena);
}

static const char two[] = "millrace: 1\nname: two\ninputs: {source: {type: media, help: a file}}\nnodes:\n"
                          "  head: {op: test.slice, in: {source: inputs.source}}\n"
                          "  tail: {op: test.slice, in: {source: inputs.source}, with: {offset: 1048000}}\n"
                          "outputs: {head: head.sum, tail: tail.sum}\n";

/* How many tasks really ran. The text of the outputs in *ret_outputs (may be NULL); the first message in message (may be NULL). */
static int run_it(world *in, const char *yaml, mr_status expected, char **ret_outputs, char message[256])
{
    job it;
    mr_run *run = NULL;
    const mr_run_input input = {.name = "source", .path = in->file};
    const mr_run_options options = {.inputs = &input, .input_count = 1, .no_cache = in->no_cache};
    load(&it, yaml);
    atomic_store(&runs, 0);
    assert_int_equal(mr_run_start(in->engine, &it.bound, &options, it.diags, &run), MR_OK);
    assert_int_equal(mr_run_wait(run, it.diags), expected);
    json_t *outputs = mr_run_outputs(run);
    if (ret_outputs)
        *ret_outputs = mr_json_text(outputs);
    if (message) {
        assert_int_equal(mr_diags_errors(it.diags), 1);
        for (const mr_diag *diag = mr_diags_first(it.diags); diag; diag = diag->next) {
            if (diag->severity == MR_SEVERITY_ERROR)
                snprintf(message, 256, "%s", diag->message);
        }
    }
    json_decref(outputs);
    mr_run_free(run);
    drop(&it);
    return atomic_load(&runs);
}

static int count(world *in)
{
    return run_it(in, two, MR_OK, NULL, NULL);
}

static void test_moved_copied_and_touched(void **context)
{
    world *it = *context;
    char *other = mr_path_join(it->dir, "other.mp4");
    assert_int_equal(count(it), 2);
    assert_int_equal(count(it), 0);
    assert_int_equal(rename(it->file, other), 0);
    write_file(it->file); /* a copy */
    assert_int_equal(count(it), 0);
    assert_int_equal(rename(other, it->file), 0);
    assert_int_equal(count(it), 0);
    assert_int_equal(utimensat(AT_FDCWD, it->file, NULL, 0), 0);
    assert_int_equal(count(it), 0);
    free(other);
}

static void test_only_what_read_a_changed_block_runs_again(void **context)
{
    world *it = *context;
    char *first = NULL;
    char *changed = NULL;
    char *again = NULL;
    assert_int_equal(run_it(it, two, MR_OK, &first, NULL), 2);
    change_byte(it->file, SIZE - 1);
    assert_int_equal(run_it(it, two, MR_OK, &changed, NULL), 1); /* the tail; offset 1048000 reads it */
    change_byte(it->file, SIZE - 570);                           /* its block was read, if not the byte */
    assert_int_equal(run_it(it, two, MR_OK, NULL, NULL), 1);
    change_byte(it->file, 2 * BLOCK); /* nobody reads that */
    assert_int_equal(run_it(it, two, MR_OK, NULL, NULL), 0);
    assert_int_equal(run_it(it, two, MR_OK, NULL, NULL), 0);
    change_byte(it->file, 0);
    assert_int_equal(run_it(it, two, MR_OK, NULL, NULL), 1); /* the head */
    write_file(it->file);
    assert_int_equal(run_it(it, two, MR_OK, &again, NULL), 0); /* as at first */
    assert_string_equal(again, first);
    assert_string_equal(changed, first); /* the byte was not within what tail reads, but its block was */
    free(first);
    free(changed);
    free(again);
}

static void test_what_is_served_is_of_the_file_as_it_is(void **context)
{
    world *it = *context;
    char *first = NULL;
    char *changed = NULL;
    run_it(it, two, MR_OK, &first, NULL);
    change_byte(it->file, 1048000);
    run_it(it, two, MR_OK, &changed, NULL);
    assert_string_not_equal(first, changed);
    free(first);
    free(changed);
}

/* Whatever changes, wherever: what is reused is what would be made. */
static void test_any_change_gives_what_is_made_anew(void **context)
{
    world *it = *context;
    static const char some[] = "millrace: 1\nname: some\ninputs: {source: {type: media, help: a file}}\nnodes:\n"
                               "  a: {op: test.slice, in: {source: inputs.source}}\n"
                               "  b: {op: test.slice, in: {source: inputs.source}, with: {offset: 262140}}\n"
                               "  c: {op: test.slice, in: {source: inputs.source}, with: {offset: 600000}}\n"
                               "  d: {op: test.slice, in: {source: inputs.source}, with: {offset: 1048570}}\n"
                               "outputs: {a: a.sum, b: b.sum, c: c.sum, d: d.sum}\n";
    static const off_t places[] = {0, 262143, 262144, 600001, 600063, 1048569, 1048570, 1048575, 300000, 63, 64, 524288};
    uint32_t seed = 7;
    int reused = 0;
    assert_int_equal(run_it(it, some, MR_OK, NULL, NULL), 4);
    for (int round = 0; round < 12; round++) {
        char *kept = NULL;
        char *anew = NULL;
        seed = seed * 1664525u + 1013904223u;
        change_byte(it->file, places[(seed >> 16) % 12]);
        reused += 4 - run_it(it, some, MR_OK, &kept, NULL);
        it->no_cache = true;
        assert_int_equal(run_it(it, some, MR_OK, &anew, NULL), 4);
        it->no_cache = false;
        assert_string_equal(kept, anew);
        free(kept);
        free(anew);
    }
    assert_true(reused > 12);
}

/* Too large to be read first: a key of its own, and the digest behind it. */
static void test_a_large_source(void **context)
{
    world *it = *context;
    char *other = mr_path_join(it->dir, "other.mp4");
    const off_t size = (off_t)(40u << 20);
    assert_int_equal(truncate(it->file, size), 0); /* zeros at the end */
    assert_int_equal(count(it), 2);
    assert_int_equal(count(it), 0);
    assert_int_equal(rename(it->file, other), 0);
    assert_int_equal(rename(other, it->file), 0);
    assert_int_equal(count(it), 0);
    change_byte(it->file, size - 1);
    assert_int_equal(count(it), 0); /* nobody read that */
    change_byte(it->file, SIZE - 1);
    assert_int_equal(count(it), 1);
    free(other);
}

static void test_another_size_is_another_source(void **context)
{
    world *it = *context;
    assert_int_equal(count(it), 2);
    assert_int_equal(truncate(it->file, SIZE + 1), 0);
    assert_int_equal(count(it), 2); /* an op sees the size: no block says that it did not count */
}

static void test_a_descriptor_counts_as_all(void **context)
{
    world *it = *context;
    static const char by_fd[] = "millrace: 1\nname: fd\ninputs: {source: {type: media, help: a file}}\nnodes:\n"
                                "  head: {op: test.slice, in: {source: inputs.source}, with: {how: fd}}\n";
    assert_int_equal(run_it(it, by_fd, MR_OK, NULL, NULL), 1);
    change_byte(it->file, 2 * BLOCK);
    assert_int_equal(run_it(it, by_fd, MR_OK, NULL, NULL), 1);
}

static void spoil(world *it, const char *how, const char *says)
{
    char yaml[512];
    char message[256];
    snprintf(yaml, sizeof(yaml),
             "millrace: 1\nname: spoil\ninputs: {source: {type: media, help: a file}}\nnodes:\n"
             "  head: {op: test.slice, in: {source: inputs.source}, with: {offset: 1048000, how: %s}, on_error: skip}\n",
             how);
    to_spoil = it->file;
    assert_int_equal(run_it(it, yaml, MR_ERR_INPUT, NULL, message), 1);
    to_spoil = NULL;
    if (!strstr(message, says))
        fail_msg("%s", message);
    assert_int_equal(run_it(it, yaml, MR_OK, NULL, NULL), 1); /* not for the new content … */
    write_file(it->file);
    assert_int_equal(run_it(it, yaml, MR_OK, NULL, NULL), 1); /* … nor for the old one is anything kept */
    assert_int_equal(run_it(it, yaml, MR_OK, NULL, NULL), 0);
}

static void test_a_source_that_is_written_to_while_it_is_read(void **context)
{
    spoil(*context, "write", "input 'source' changed while it was read: its size is the same, its times are not");
}

static void test_a_source_that_is_cut_while_it_is_read(void **context)
{
    spoil(*context, "cut", "input 'source' changed while it was read: it had 1048576 bytes, and has 10 now");
}

static void test_a_source_that_is_touched_while_it_is_read(void **context)
{
    world *it = *context;
    static const char yaml[] = "millrace: 1\nname: touch\ninputs: {source: {type: media, help: a file}}\nnodes:\n"
                               "  head: {op: test.slice, in: {source: inputs.source}, with: {how: touch}}\n";
    to_spoil = it->file;
    assert_int_equal(run_it(it, yaml, MR_OK, NULL, NULL), 1);
    to_spoil = NULL;
    assert_int_equal(run_it(it, yaml, MR_OK, NULL, NULL), 0);
}

/* ---- why ---- */

static char *why(world *in, const char *yaml, bool no_cache)
{
    job it;
    json_t *plan = NULL;
    const mr_run_input input = {.name = "source", .path = in->file};
    const mr_run_options options = {.inputs = &input, .input_count = 1, .no_cache = no_cache};
    load(&it, yaml);
    atomic_store(&runs, 0);
    assert_int_equal(mr_engine_plan(in->engine, &it.bound, &options, it.diags, &plan), MR_OK);
    assert_int_equal(atomic_load(&runs), 0);
    char *text = mr_json_text(json_object_get(json_array_get(json_object_get(plan, "nodes"), 0), "why"));
    json_decref(plan);
    drop(&it);
    return text;
}

static void assert_why(world *in, const char *yaml, const char *expected)
{
    char *text = why(in, yaml, false);
    assert_string_equal(text, expected);
    free(text);
}

#define ONE(with)                                                                                                                                    \
    "millrace: 1\nname: one\ninputs: {source: {type: media, help: a file}}\nnodes:\n"                                                                \
    "  head: {op: test.slice, in: {source: inputs.source}, with: {" with "}}\n"

static void test_a_plan_says_why(void **context)
{
    world *it = *context;
    assert_why(it, ONE(""), "[{\"items\":[],\"reason\":\"new\",\"tasks\":1}]");
    assert_int_equal(run_it(it, ONE(""), MR_OK, NULL, NULL), 1);
    assert_why(it, ONE(""), "[]");
    assert_why(it, ONE("offset: 7, wait: 90s"),
               "[{\"items\":[],\"name\":\"offset\",\"new\":\"7\",\"old\":\"0\",\"reason\":\"param\",\"tasks\":1},"
               "{\"items\":[],\"name\":\"wait\",\"new\":\"90s\",\"old\":\"1s\",\"reason\":\"param\",\"tasks\":1}]");
    assert_why(it, ONE("how: mem"), "[{\"items\":[],\"name\":\"how\",\"new\":\"\\\"mem\\\"\",\"reason\":\"param\",\"tasks\":1}]");
    op_slice.version = 2;
    assert_why(it, ONE(""), "[{\"items\":[],\"new\":\"2\",\"old\":\"1\",\"reason\":\"version\",\"tasks\":1}]");
    op_slice.version = 1;
    toolchain_text = "none 1.1";
    assert_why(it, ONE(""), "[{\"items\":[],\"new\":\"none 1.1\",\"old\":\"none 1.0\",\"reason\":\"toolchain\",\"tasks\":1}]");
    toolchain_text = "none 1.0";
    change_byte(it->file, 0);
    assert_why(it, ONE(""), "[{\"items\":[],\"name\":\"source\",\"reason\":\"input\",\"tasks\":1}]");
    char *text = why(it, ONE(""), true);
    assert_string_equal(text, "[{\"items\":[],\"reason\":\"no-cache\",\"tasks\":1}]");
    free(text);
}

static void test_a_plan_compares_with_the_run_that_was_most_alike(void **context)
{
    world *it = *context;
    assert_int_equal(run_it(it, ONE("offset: 1"), MR_OK, NULL, NULL), 1);
    change_byte(it->file, 0);
    assert_int_equal(run_it(it, ONE("offset: 2, wait: 2s"), MR_OK, NULL, NULL), 1);
    change_byte(it->file, 0); /* the first content: of the latest run everything is another */
    assert_why(it, ONE("offset: 3"), "[{\"items\":[],\"name\":\"offset\",\"new\":\"3\",\"old\":\"1\",\"reason\":\"param\",\"tasks\":1}]");
}

static void test_a_plan_says_what_did_not_end_well(void **context)
{
    world *it = *context;
    char message[256];
    to_spoil = it->file;
    assert_int_equal(run_it(it, ONE("how: write"), MR_ERR_INPUT, NULL, message), 1);
    to_spoil = NULL;
    assert_why(it, ONE("how: write"), "[{\"items\":[],\"reason\":\"new\",\"tasks\":1}]"); /* what was stopped is not remembered */
    assert_int_equal(run_it(it, ONE("how: fail"), MR_ERR_UNSUPPORTED, NULL, message), 1);
    assert_why(it, ONE("how: fail"), "[{\"items\":[],\"old\":\"failed\",\"reason\":\"unfinished\",\"tasks\":1}]");
}

static void test_a_plan_says_what_is_gone(void **context)
{
    world *it = *context;
    char *path = mr_path_join(it->state, "tasks.db");
    sqlite3 *db = NULL;
    assert_int_equal(run_it(it, ONE(""), MR_OK, NULL, NULL), 1);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_busy_timeout(db, 5000), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "DELETE FROM results", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    free(path);
    assert_why(it, ONE(""), "[{\"items\":[],\"reason\":\"gone\",\"tasks\":1}]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_moved_copied_and_touched, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_only_what_read_a_changed_block_runs_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_served_is_of_the_file_as_it_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_any_change_gives_what_is_made_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_large_source, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_another_size_is_another_source, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_descriptor_counts_as_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_source_that_is_written_to_while_it_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_source_that_is_cut_while_it_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_source_that_is_touched_while_it_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_plan_says_why, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_plan_compares_with_the_run_that_was_most_alike, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_plan_says_what_did_not_end_well, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_plan_says_what_is_gone, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
