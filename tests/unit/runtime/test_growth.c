/* SPDX-License-Identifier: MIT */
/* Sources that still arrive: what is read when, what waits, and what comes of a writer who gives up. The bytes beyond the mark are always wrong ones.
 */
#include "base/block_tree.h"
#include "base/file.h"
#include "config/yaml.h"
#include "runtime/engine.h"

#include "../test.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PART  100000u
#define PARTS 12u
#define SIZE  (PART * PARTS)

/* ---- ops ---- */

static atomic_int parts_runs;
static atomic_int sum_runs;
static atomic_int told;   /* tasks of a node that waits for the others' end */
static atomic_bool no_fd; /* there must be no descriptor of the source */
static atomic_bool hides; /* sums say that all is well when a read was refused */

static mr_status run_parts(const mr_host *host, const mr_batch *batch)
{
    mr_task *task = batch->tasks[0].task;
    unsigned char head[100];
    char meta[32];
    size_t len = 0;
    atomic_fetch_add(&parts_runs, 1);
    const mr_artifact *source = host->input(task, 0, 0);
    mr_status status = host->read_at(task, source, 0, head, sizeof(head), &len);
    for (unsigned i = 0; (uint64_t)i * PART < source->size && status == MR_OK; i++) {
        snprintf(meta, sizeof(meta), "{\"index\":%u}", i);
        status = host->emit(task, 0, meta, NULL);
    }
    return status;
}

static mr_status sum_part(const mr_host *host, mr_task *task)
{
    const mr_artifact *source = host->input(task, 0, 0);
    json_t *part = json_loads(host->input(task, 1, 0)->meta, 0, NULL);
    const uint64_t from = (uint64_t)json_integer_value(json_object_get(part, "index")) * PART;
    unsigned char some[977];
    char meta[64];
    unsigned sum = 0;
    mr_status status = MR_OK;
    json_decref(part);
    assert_true(source->size == SIZE);
    for (uint64_t at = from; at < from + PART && status == MR_OK;) {
        size_t len = 0;
        const size_t want = from + PART - at < sizeof(some) ? (size_t)(from + PART - at) : sizeof(some);
        status = host->read_at(task, source, at, some, want, &len);
        assert_true(status != MR_OK || len == want); /* short is for the end alone */
        for (size_t i = 0; i < len; i++)
            sum = sum * 31 + some[i];
        at += len;
    }
    if (status == MR_NOT_YET && atomic_load(&hides))
        status = MR_OK;
    snprintf(meta, sizeof(meta), "{\"sum\":%u}", sum);
    return status == MR_OK ? host->emit(task, 0, meta, NULL) : status;
}

static mr_status run_sum(const mr_host *host, const mr_batch *batch)
{
    mr_task *task = batch->tasks[0].task;
    atomic_fetch_add(&sum_runs, 1);
    if (atomic_load(&no_fd) && host->content_fd(task, host->input(task, 0, 0)) >= 0)
        return MR_ERR_INTERNAL; /* what is read by it would not be waited for */
    return sum_part(host, task);
}

static mr_status run_tell(const mr_host *host, const mr_batch *batch)
{
    (void)host;
    (void)batch;
    atomic_fetch_add(&told, 1);
    return MR_OK;
}

static const mr_port source_in[] = {{"source", MR_TYPE_MEDIA, 0, "a file"}, {0}};
static const mr_port parts_out[] = {{"parts", MR_TYPE_CHUNK, MR_PORT_MANY, "ranges of it"}, {0}};
static const mr_port sum_in[] = {{"source", MR_TYPE_MEDIA, 0, "a file"}, {"part", MR_TYPE_CHUNK, 0, "a range of it"}, {0}};
static const mr_port sum_out[] = {{"sum", MR_TYPE_JSON, 0, "of its bytes"}, {0}};
static const mr_op op_parts = {.size = sizeof(mr_op),
                               .version = 1,
                               .name = "test.parts",
                               .summary = "parts",
                               .cpu = 1,
                               .memory_mb = 1,
                               .inputs = source_in,
                               .outputs = parts_out,
                               .run = run_parts};
static const mr_op op_sum = {.size = sizeof(mr_op),
                             .version = 1,
                             .name = "test.sum",
                             .summary = "sums",
                             .cpu = 1,
                             .memory_mb = 1,
                             .inputs = sum_in,
                             .outputs = sum_out,
                             .run = run_sum};
static const mr_op op_tell = {
    .size = sizeof(mr_op), .version = 1, .name = "test.tell", .summary = "tells", .flags = MR_OP_EFFECT, .cpu = 1, .memory_mb = 1, .run = run_tell};
static const mr_op_entry entries[] = {{&op_parts, "test"}, {&op_sum, "test"}, {&op_tell, "test"}};
static const mr_op_set ops = {.entries = entries, .count = 3};

static const char pipeline[] = "millrace: 1\nname: sums\ninputs: {source: {type: media, help: a file}}\nnodes:\n"
                               "  parts: {op: test.parts, in: {source: inputs.source}}\n"
                               "  sum: {op: test.sum, each: {part: parts.parts}, in: {source: inputs.source}}\n"
                               "  tell: {op: test.tell, trigger: always}\n"
                               "outputs: {sums: sum.sum}\n";

/* ---- a world: a file that grows, an engine, a run ---- */

typedef struct world {
    char dir[64];
    char *state;
    char *file;
    unsigned char *right;
    mr_engine *engine;
    mr_arena *arena;
    mr_diags *diags;
    mr_bound bound;
    mr_run *run;
    pthread_mutex_t lock; /* what events say */
    pthread_cond_t heard;
    unsigned done[3]; /* sums that succeeded, were found, ended otherwise */
    unsigned bad;     /* events that tell of a failure */
    bool over;
} world;

static void on_event(void *context, const mr_event *event)
{
    world *it = context;
    pthread_mutex_lock(&it->lock);
    if (event->type == MR_EVENT_TASK_DONE && strcmp(event->node, "sum") == 0)
        it->done[strcmp(event->state, "succeeded") == 0 ? 0 : strcmp(event->state, "cached") == 0 ? 1 : 2]++;
    it->bad += event->type == MR_EVENT_TASK_RETRY || event->type == MR_EVENT_TASK_REPORT || (event->state && strcmp(event->state, "failed") == 0);
    it->over = it->over || event->type == MR_EVENT_RUN_DONE;
    pthread_cond_broadcast(&it->heard);
    pthread_mutex_unlock(&it->lock);
}

static void open_engine(world *it)
{
    const mr_engine_options options = {.state_dir = it->state, .jobs = 2};
    assert_int_equal(mr_engine_open(&options, NULL, &it->engine), MR_OK);
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
    it->right = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        it->right[i] = (unsigned char)(i * 2654435761u >> 13);
    pthread_mutex_init(&it->lock, NULL);
    pthread_cond_init(&it->heard, NULL);
    it->arena = mr_arena_new(0);
    it->diags = mr_diags_new();
    atomic_store(&hides, false);
    atomic_store(&no_fd, false);
    assert_int_equal(mr_yaml_read(it->arena, "test.yaml", pipeline, strlen(pipeline), &mr_yaml_limits_default, it->diags, &root), MR_OK);
    assert_int_equal(mr_pipeline_check(it->arena, "test.yaml", root, &ops, it->diags, &model), MR_OK);
    assert_int_equal(mr_pipeline_bind(it->arena, model, NULL, 0, it->diags, &it->bound), MR_OK);
    open_engine(it);
    *context = it;
    return 0;
}

static int tear_down(void **context)
{
    world *it = *context;
    mr_run_free(it->run);
    mr_engine_close(it->engine);
    mr_bound_clear(&it->bound);
    mr_diags_free(it->diags);
    mr_arena_free(it->arena);
    mr_dir_remove(it->dir, NULL);
    pthread_mutex_destroy(&it->lock);
    pthread_cond_destroy(&it->heard);
    free(it->right);
    free(it->state);
    free(it->file);
    free(it);
    return 0;
}

/* Right up to there, and wrong behind it, as far as the file is to go. */
static void put(world *it, size_t have, size_t end)
{
    unsigned char *data = malloc(end + 1);
    int fd = open(it->file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    memset(data, 0xa5, end);
    memcpy(data, it->right, have);
    assert_int_equal(pwrite(fd, data, end, 0), end);
    close(fd);
    free(data);
}

static void grow(world *it, size_t have)
{
    put(it, have, have + PART < SIZE ? have + PART : SIZE);
    assert_int_equal(mr_engine_source_grew(it->engine, it->file, SIZE, have), MR_OK);
}

static mr_status try_start(world *it, bool rehearsal)
{
    const mr_run_input input = {.name = "source", .path = it->file};
    const mr_run_options options = {.inputs = &input, .input_count = 1, .rehearsal = rehearsal, .reader = on_event, .reader_context = it};
    memset(it->done, 0, sizeof(it->done));
    it->bad = 0;
    it->over = false;
    atomic_store(&told, 0);
    atomic_store(&sum_runs, 0);
    atomic_store(&parts_runs, 0);
    return mr_run_start(it->engine, &it->bound, &options, it->diags, &it->run);
}

static void start(world *it)
{
    assert_int_equal(try_start(it, false), MR_OK);
}

static void wait_done(world *it, unsigned count)
{
    pthread_mutex_lock(&it->lock);
    while (it->done[0] + it->done[1] < count)
        pthread_cond_wait(&it->heard, &it->lock);
    assert_int_equal(it->done[0] + it->done[1], count);
    assert_false(it->over);
    pthread_mutex_unlock(&it->lock);
}

static unsigned expected_sum(const world *it, unsigned part)
{
    unsigned sum = 0;
    for (size_t i = (size_t)part * PART; i < (size_t)(part + 1) * PART; i++)
        sum = sum * 31 + it->right[i];
    return sum;
}

/* The run comes to a good end, and what it made is right. */
static void finish(world *it)
{
    assert_int_equal(mr_run_wait(it->run, it->diags), MR_OK);
    json_t *outputs = mr_run_outputs(it->run);
    const json_t *sums = json_object_get(outputs, "sums");
    assert_int_equal(json_array_size(sums), PARTS);
    for (unsigned i = 0; i < PARTS; i++)
        assert_int_equal(json_integer_value(json_object_get(json_array_get(sums, i), "sum")), expected_sum(it, i));
    json_decref(outputs);
    assert_int_equal(it->bad, 0);
    assert_int_equal(atomic_load(&told), 1);
    mr_run_free(it->run);
    it->run = NULL;
}

static void learn(world *it)
{
    unsigned char leaves[MR_BLOCK_LEAF * (SIZE / MR_BLOCK_SIZE + 1)];
    char digest[MR_DIGEST_TEXT];
    const size_t count = mr_block_count(SIZE);
    for (size_t i = 0; i < count; i++) {
        const size_t from = i * MR_BLOCK_SIZE;
        mr_block_leaf(it->right + from, SIZE - from < MR_BLOCK_SIZE ? SIZE - from : MR_BLOCK_SIZE, leaves + i * MR_BLOCK_LEAF);
    }
    assert_int_equal(mr_engine_learn_source(it->engine, it->file, SIZE, leaves, count, digest), MR_OK);
}

static void whole(world *it)
{
    grow(it, SIZE);
    learn(it);
    assert_int_equal(mr_engine_source_over(it->engine, it->file, true), MR_OK);
}

/* ---- tests ---- */

static void test_parts_are_made_as_they_arrive(void **context)
{
    world *it = *context;
    grow(it, 100);
    start(it);
    for (unsigned part = 1; part <= PARTS; part++) {
        grow(it, part * PART - 1);
        grow(it, part * PART);
        wait_done(it, part);
    }
    assert_int_equal(atomic_load(&told), 0); /* the writer may still give up */
    whole(it);
    finish(it);
    assert_int_equal(atomic_load(&parts_runs), 1);
}

static void test_steps_of_any_size(void **context)
{
    world *it = *context;
    uint32_t seed = 5;
    size_t have = 1;
    grow(it, have);
    start(it);
    while (have < SIZE) {
        seed = seed * 1664525u + 1013904223u;
        have += 1 + (seed >> 12) % (2 * PART);
        grow(it, have < SIZE ? have : SIZE);
        if (seed >> 31)
            wait_done(it, have < SIZE ? (unsigned)(have / PART) : PARTS);
    }
    whole(it);
    finish(it);
}

/* What has come is all there is for who reads the whole; parts of it are made for the run to come, and what is not there is left to that. */
static void test_a_rehearsal(void **context)
{
    world *it = *context;
    const unsigned parts[] = {3, 8};
    for (unsigned i = 0; i < 2; i++) {
        grow(it, parts[i] * PART + 10);
        assert_int_equal(try_start(it, true), MR_OK);
        assert_int_equal(mr_run_wait(it->run, it->diags), MR_OK);
        assert_int_equal(it->done[0], parts[i] - (i ? parts[i - 1] : 0));
        assert_int_equal(it->done[1], i ? parts[i - 1] : 0);
        assert_int_equal(it->done[2], 1);
        assert_int_equal(it->bad, 0);
        assert_int_equal(atomic_load(&parts_runs), 1); /* nothing of what it says is kept */
        assert_int_equal(atomic_load(&told), 0);
        mr_run_free(it->run);
        it->run = NULL;
    }
    whole(it);
    assert_int_equal(try_start(it, true), MR_ERR_UNSUPPORTED); /* nothing arrives */
    start(it);
    finish(it);
    assert_int_equal(it->done[1], parts[1]);
    assert_int_equal(atomic_load(&parts_runs), 1);
}

static void test_all_there_before_it_begins(void **context)
{
    world *it = *context;
    grow(it, SIZE);
    start(it);
    wait_done(it, PARTS);
    whole(it);
    finish(it);
    assert_int_equal(atomic_load(&sum_runs), PARTS);
}

/* Nothing is asked for a second time as long as it is not there. */
static void test_what_waits_does_not_poll(void **context)
{
    world *it = *context;
    grow(it, 3 * PART);
    start(it);
    wait_done(it, 3);
    grow(it, 3 * PART + 1); /* less than anybody waits for */
    grow(it, 4 * PART);
    wait_done(it, 4);
    assert_true(atomic_load(&sum_runs) <= (int)(4 + 2 * PARTS)); /* a part asks for the bytes in front of it once, and then goes on */
    whole(it);
    finish(it);
}

static void test_a_refused_read_is_never_a_result(void **context)
{
    world *it = *context;
    atomic_store(&hides, true);
    grow(it, 5 * PART + 17);
    start(it);
    wait_done(it, 5);
    grow(it, 6 * PART + 17);
    wait_done(it, 6);
    whole(it);
    finish(it);
}

static void test_no_descriptor_of_what_is_not_whole(void **context)
{
    world *it = *context;
    atomic_store(&no_fd, true);
    grow(it, SIZE - 1);
    start(it);
    wait_done(it, PARTS - 1);
    atomic_store(&no_fd, false);
    whole(it);
    finish(it);
}

static void test_what_was_made_meanwhile_is_found_again(void **context)
{
    world *it = *context;
    grow(it, 4 * PART);
    start(it);
    wait_done(it, 4);
    whole(it);
    finish(it);
    start(it); /* of the file as it is now */
    assert_int_equal(mr_run_wait(it->run, it->diags), MR_OK);
    assert_int_equal(atomic_load(&sum_runs), 0);
    assert_int_equal(atomic_load(&parts_runs), 0);
    assert_int_equal(it->done[1], PARTS);
}

static void test_the_same_content_again_under_another_name(void **context)
{
    world *it = *context;
    char *other = mr_path_join(it->dir, "other.mp4");
    grow(it, 2 * PART);
    start(it);
    wait_done(it, 2);
    whole(it);
    finish(it);
    assert_int_equal(rename(it->file, other), 0);
    put(it, SIZE, SIZE);
    start(it);
    assert_int_equal(mr_run_wait(it->run, it->diags), MR_OK);
    assert_int_equal(atomic_load(&sum_runs), 0);
    free(other);
}

/* Without it nobody can tell that a file is the same one as before. */
static bool has_time_of_birth(const char *path)
{
    struct statx info;
    const bool has = statx(AT_FDCWD, path, 0, STATX_BTIME, &info) == 0 && (info.stx_mask & STATX_BTIME);
    if (!has)
        printf("this file system does not tell when a file was made: what an interrupted run had is made anew\n");
    return has;
}

static void test_an_interrupted_run_finds_what_it_had(void **context)
{
    world *it = *context;
    grow(it, 7 * PART);
    start(it);
    wait_done(it, 7);
    mr_run_cancel(it->run);
    assert_int_equal(mr_run_wait(it->run, it->diags), MR_ERR_CANCELLED);
    mr_run_free(it->run);
    mr_engine_close(it->engine);
    open_engine(it);
    grow(it, 7 * PART);
    start(it);
    wait_done(it, 7);
    assert_int_equal(it->done[1], has_time_of_birth(it->file) ? 7 : 0);
    whole(it);
    finish(it);
}

static void test_a_writer_that_gives_up(void **context)
{
    world *it = *context;
    grow(it, 2 * PART);
    start(it);
    wait_done(it, 2);
    assert_int_equal(mr_engine_source_over(it->engine, it->file, false), MR_OK);
    assert_int_equal(mr_run_wait(it->run, it->diags), MR_ERR_INPUT);
    assert_non_null(strstr(mr_diags_first(it->diags)->message, "given up"));
    assert_int_equal(it->done[0], 2);
    assert_int_equal(mr_engine_source_over(it->engine, it->file, true), MR_ERR_NOT_FOUND);
}

/* All is made, and only the last word is missing. */
static void test_a_writer_that_gives_up_at_the_end(void **context)
{
    world *it = *context;
    grow(it, SIZE);
    start(it);
    wait_done(it, PARTS);
    assert_int_equal(mr_engine_source_over(it->engine, it->file, false), MR_OK);
    assert_int_equal(mr_run_wait(it->run, it->diags), MR_ERR_INPUT);
    assert_int_equal(atomic_load(&told), 1); /* it is told how the run ended, which is badly */
}

static void test_cancelled_while_all_wait(void **context)
{
    world *it = *context;
    grow(it, 100);
    start(it);
    mr_run_cancel(it->run);
    assert_int_equal(mr_run_wait(it->run, it->diags), MR_ERR_CANCELLED);
    mr_run_free(it->run);
    it->run = NULL;
    grow(it, SIZE); /* nobody is there any more */
}

static void test_what_a_writer_may_say(void **context)
{
    world *it = *context;
    put(it, PART, PART);
    assert_int_equal(mr_engine_source_grew(it->engine, "/nowhere/clip.mp4", SIZE, 1), MR_ERR_NOT_FOUND);
    assert_int_equal(mr_engine_source_grew(it->engine, it->file, SIZE, SIZE + 1), MR_ERR_PARAM);
    assert_int_equal(mr_engine_source_grew(it->engine, it->file, SIZE, PART + 1), MR_ERR_CONFLICT);
    assert_int_equal(mr_engine_source_over(it->engine, it->file, true), MR_ERR_NOT_FOUND);
    assert_int_equal(mr_engine_source_grew(it->engine, it->file, SIZE, PART), MR_OK);
    assert_int_equal(mr_engine_source_grew(it->engine, it->file, SIZE, 5), MR_OK); /* late news */
    assert_int_equal(mr_engine_source_grew(it->engine, it->file, SIZE + 1, PART), MR_ERR_CONFLICT);
    start(it);
    wait_done(it, 1);
    assert_int_equal(mr_engine_source_over(it->engine, it->file, true), MR_OK); /* which it is not */
    assert_int_equal(mr_run_wait(it->run, it->diags), MR_ERR_INPUT);
}

/* The file stays, and gets other bytes: what was made of those before is not taken for what is made of these. */
static void test_what_was_given_up_counts_for_nothing(void **context)
{
    world *it = *context;
    for (int anew = 0; anew < 2; anew++) {
        for (size_t i = 0; i < SIZE; i++)
            it->right[i] ^= 0x55;
        grow(it, 7 * PART);
        assert_int_equal(try_start(it, true), MR_OK);
        assert_int_equal(mr_run_wait(it->run, it->diags), MR_OK);
        mr_run_free(it->run);
        assert_int_equal(it->done[0], 7);
        if (anew) { /* and when it is another engine that is told so */
            mr_engine_close(it->engine);
            open_engine(it);
        }
        assert_int_equal(mr_engine_source_over(it->engine, it->file, false), anew ? MR_ERR_NOT_FOUND : MR_OK);
    }
    for (size_t i = 0; i < SIZE; i++)
        it->right[i] ^= 0x33;
    whole(it);
    start(it);
    finish(it);
    assert_int_equal(it->done[1], 0);
    assert_int_equal(it->done[0], PARTS);
}

#define in_world(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(test_parts_are_made_as_they_arrive),
        in_world(test_steps_of_any_size),
        in_world(test_a_rehearsal),
        in_world(test_all_there_before_it_begins),
        in_world(test_what_waits_does_not_poll),
        in_world(test_a_refused_read_is_never_a_result),
        in_world(test_no_descriptor_of_what_is_not_whole),
        in_world(test_what_was_made_meanwhile_is_found_again),
        in_world(test_the_same_content_again_under_another_name),
        in_world(test_an_interrupted_run_finds_what_it_had),
        in_world(test_a_writer_that_gives_up),
        in_world(test_a_writer_that_gives_up_at_the_end),
        in_world(test_cancelled_while_all_wait),
        in_world(test_what_a_writer_may_say),
        in_world(test_what_was_given_up_counts_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
