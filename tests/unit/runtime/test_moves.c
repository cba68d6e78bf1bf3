/* SPDX-License-Identifier: MIT */
/* Contents that are made of ranges of a source, beside the op: what comes of them, in which order, and what a failure does. */
#include "base/file.h"
#include "config/yaml.h"
#include "runtime/engine.h"
#include "runtime/state/objects.h"

#include "../test.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIZE     3000000u
#define CONTENTS 90u /* more than are on their way at a time */
#define HEAD     "head"
#define TAIL     "tail"

/* ---- an op: each content is a head, ranges of the source, and a tail over their end ---- */

static atomic_int runs;
static atomic_uint beyond; /* this content goes on behind the end of the source; CONTENTS: none does */
static atomic_uint many;   /* ranges of one byte each that this content has besides */
static atomic_bool fails;  /* the op, after all of them */

/* Ranges as of samples of one track: close together, apart, one after the other, backwards. */
static size_t ranges_of(unsigned content, mr_range ranges[8])
{
    const uint64_t at = (uint64_t)content * 9973u;
    const mr_range some[] = {{at, 5000},       {at + 5300, 700}, {at + 6000, 1},   {at + 400000, 150000},
                             {at + 90000, 12}, {at + 60000, 0},  {at + 20000, 900}};
    memcpy(ranges, some, sizeof(some));
    return sizeof(some) / sizeof(*some);
}

static mr_status make_content(const mr_host *host, mr_task *task, unsigned number)
{
    mr_range ranges[8];
    char meta[32];
    uint64_t len = 4;
    mr_content *content = NULL;
    const mr_artifact *source = host->input(task, 0, 0);
    const size_t count = ranges_of(number, ranges);
    mr_status status = host->content_new(task, &content);
    if (status == MR_OK)
        status = host->content_write_at(content, 0, HEAD, 4);
    if (status == MR_OK)
        status = host->content_copy_at(content, 4, source, ranges, count);
    for (size_t i = 0; i < count; i++)
        len += ranges[i].size;
    if (number == 7) { /* who comes last is who is seen */
        if (status == MR_OK)
            status = host->content_write_at(content, len - 2, TAIL, 4);
        if (status == MR_OK)
            status = host->content_copy_at(content, len, source, &(mr_range){11, 1}, 1);
    }
    if (number == 9) {
        for (unsigned i = 0; i < atomic_load(&many) && status == MR_OK; i += 500) {
            mr_range ones[500];
            for (unsigned k = 0; k < 500; k++)
                ones[k] = (mr_range){(i + k) % SIZE, 1};
            status = host->content_copy_at(content, len + i, source, ones, 500);
        }
    }
    if (number == atomic_load(&beyond) && status == MR_OK)
        status = host->content_copy_at(content, len, source, &(mr_range){SIZE - 5, 10}, 1);
    snprintf(meta, sizeof(meta), "{\"number\":%u}", number);
    if (status == MR_OK)
        return host->emit(task, 0, meta, content);
    host->content_free(content);
    return status;
}

static mr_status run_cut(const mr_host *host, const mr_batch *batch)
{
    mr_status status = MR_OK;
    atomic_fetch_add(&runs, 1);
    for (unsigned i = 0; i < CONTENTS && status == MR_OK; i++)
        status = make_content(host, batch->tasks[0].task, i);
    return atomic_load(&fails) ? MR_ERR_INPUT : status;
}

static const mr_port source_in[] = {{"source", MR_TYPE_MEDIA, 0, "a file"}, {0}};
static const mr_port parts_out[] = {{"parts", MR_TYPE_SEGMENT, MR_PORT_MANY, "parts of it"}, {0}};
static const mr_op op_cut = {.size = sizeof(mr_op),
                             .version = 1,
                             .name = "test.cut",
                             .summary = "cuts",
                             .cpu = 1,
                             .memory_mb = 1,
                             .inputs = source_in,
                             .outputs = parts_out,
                             .run = run_cut};
static const mr_op_entry entries[] = {{&op_cut, "test"}};
static const mr_op_set ops = {.entries = entries, .count = 1};

static const char pipeline[] = "millrace: 1\nname: cuts\ninputs: {source: {type: media, help: a file}}\nnodes:\n"
                               "  cut: {op: test.cut, in: {source: inputs.source}}\n"
                               "outputs: {parts: cut.parts}\n";

/* ---- a world ---- */

typedef struct world {
    char dir[64];
    char *state;
    char *file;
    unsigned char *bytes;
    mr_engine *engine;
    mr_arena *arena;
    mr_diags *diags;
    mr_bound bound;
    char digests[CONTENTS][80]; /* of the outputs, as events told them */
    unsigned told;
    char failure[256];
} world;

static void on_event(void *context, const mr_event *event)
{
    world *it = context;
    if (event->type == MR_EVENT_OUTPUT) {
        const char *digest = json_string_value(json_object_get(event->detail, "digest"));
        assert_true(it->told < CONTENTS);
        assert_int_equal(json_integer_value(json_object_get(json_object_get(event->detail, "meta"), "number")), it->told);
        snprintf(it->digests[it->told++], sizeof(it->digests[0]), "%s", digest ? digest : "");
    }
    if (event->type == MR_EVENT_TASK_REPORT)
        snprintf(it->failure, sizeof(it->failure), "%s", event->reason);
}

static int set_up(void **context)
{
    world *it = calloc(1, sizeof(*it));
    const mr_value *root = NULL;
    const mr_pipeline *model = NULL;
    memcpy(it->dir, "/tmp/millrace-test-XXXXXX", sizeof("/tmp/millrace-test-XXXXXX"));
    assert_non_null(mkdtemp(it->dir));
    it->state = mr_path_join(it->dir, "state");
    it->file = mr_path_join(it->dir, "clip.mp4");
    it->bytes = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        it->bytes[i] = (unsigned char)(i * 2654435761u >> 13);
    int fd = open(it->file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, it->bytes, SIZE), SIZE);
    close(fd);
    it->arena = mr_arena_new(0);
    it->diags = mr_diags_new();
    atomic_store(&runs, 0);
    atomic_store(&beyond, CONTENTS);
    atomic_store(&many, 0);
    atomic_store(&fails, false);
    assert_int_equal(mr_yaml_read(it->arena, "test.yaml", pipeline, strlen(pipeline), &mr_yaml_limits_default, it->diags, &root), MR_OK);
    assert_int_equal(mr_pipeline_check(it->arena, "test.yaml", root, &ops, it->diags, &model), MR_OK);
    assert_int_equal(mr_pipeline_bind(it->arena, model, NULL, 0, it->diags, &it->bound), MR_OK);
    *context = it;
    return 0;
}

static int tear_down(void **context)
{
    world *it = *context;
    mr_engine_close(it->engine);
    mr_bound_clear(&it->bound);
    mr_diags_free(it->diags);
    mr_arena_free(it->arena);
    mr_dir_remove(it->dir, NULL);
    free(it->bytes);
    free(it->state);
    free(it->file);
    free(it);
    return 0;
}

static mr_status run(world *it, uint32_t jobs)
{
    const mr_engine_options options = {.state_dir = it->state, .jobs = jobs};
    const mr_run_input input = {.name = "source", .path = it->file};
    const mr_run_options how = {.inputs = &input, .input_count = 1, .reader = on_event, .reader_context = it};
    mr_run *run = NULL;
    it->told = 0;
    mr_engine_close(it->engine);
    it->engine = NULL;
    assert_int_equal(mr_engine_open(&options, NULL, &it->engine), MR_OK);
    assert_int_equal(mr_run_start(it->engine, &it->bound, &how, it->diags, &run), MR_OK);
    mr_status status = mr_run_wait(run, it->diags);
    mr_run_free(run);
    return status;
}

static size_t expected(const world *it, unsigned number, unsigned char *to)
{
    mr_range ranges[8];
    const size_t count = ranges_of(number, ranges);
    size_t len = 4;
    memcpy(to, HEAD, 4);
    for (size_t i = 0; i < count; i++) {
        memcpy(to + len, it->bytes + ranges[i].offset, ranges[i].size);
        len += ranges[i].size;
    }
    if (number == 7) {
        memcpy(to + len - 2, TAIL, 4);
        to[len] = it->bytes[11];
        len += 2;
    }
    for (unsigned i = 0; number == 9 && i < atomic_load(&many); i++)
        to[len++] = it->bytes[i % SIZE];
    return len;
}

/* Each content is in the store under its digest, and is what was asked for. */
static void expect_contents(world *it)
{
    unsigned char *want = malloc(2 * (size_t)SIZE);
    unsigned char *got = malloc(2 * (size_t)SIZE);
    mr_objects *objects = NULL;
    assert_int_equal(mr_objects_open(it->state, NULL, &objects), MR_OK);
    assert_int_equal(it->told, CONTENTS);
    for (unsigned i = 0; i < CONTENTS; i++) {
        char digest[MR_DIGEST_TEXT];
        uint64_t size = 0;
        int fd = -1;
        const size_t len = expected(it, i, want);
        mr_digest(want, len, digest);
        assert_string_equal(it->digests[i], digest);
        assert_int_equal(mr_objects_fd(objects, digest, NULL, &fd, &size), MR_OK);
        assert_int_equal(size, len);
        assert_int_equal(pread(fd, got, len, 0), len);
        assert_memory_equal(got, want, len);
        close(fd);
    }
    mr_objects_close(objects);
    free(got);
    free(want);
}

/* ---- tests ---- */

static void test_contents_are_what_was_asked_for(void **context)
{
    for (uint32_t jobs = 1; jobs <= 4; jobs += 3) {
        world *it = *context;
        atomic_store(&many, jobs == 1 ? 0 : 40000); /* as many as are not put off */
        assert_int_equal(run(it, jobs), MR_OK);
        expect_contents(it);
        if (jobs == 1)
            assert_int_equal(mr_dir_remove(it->state, NULL), MR_OK);
    }
    assert_int_equal(atomic_load(&runs), 2);
}

static void test_they_are_found_again(void **context)
{
    world *it = *context;
    assert_int_equal(run(it, 2), MR_OK);
    assert_int_equal(run(it, 2), MR_OK);
    expect_contents(it);
    assert_int_equal(atomic_load(&runs), 1);
}

static void test_a_source_that_ends_early_fails_its_task(void **context)
{
    world *it = *context;
    atomic_store(&beyond, 50);
    assert_int_not_equal(run(it, 2), MR_OK);
    assert_int_equal(it->told, 0);
    assert_non_null(strstr(it->failure, "shorter"));
}

static void test_an_op_that_fails_does_not_leave_moves_behind(void **context)
{
    world *it = *context;
    atomic_store(&fails, true);
    assert_int_equal(run(it, 1), MR_ERR_INPUT);
    assert_int_equal(it->told, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_contents_are_what_was_asked_for),
        TEST(test_they_are_found_again),
        TEST(test_a_source_that_ends_early_fails_its_task),
        TEST(test_an_op_that_fails_does_not_leave_moves_behind),
    };
    return cmocka_run_group_tests_name("moves", tests, NULL, NULL);
}
