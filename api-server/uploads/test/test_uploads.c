/* SPDX-License-Identifier: MIT */
/* Uploads without HTTP: what is durable, what a crash leaves, who may write, what expires. Rows are in memory; the server dies by being closed in the
 * middle. */
#include "api-server/uploads/file.h"
#include "api-server/uploads/test/memory_store.h"
#include "api-server/uploads/uploads.h"
#include "tests/unit/test.h"

#include <fcntl.h>
#include <ftw.h>
#include <openssl/evp.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SIZE   (3 * MR_UPLOAD_BLOCK + 777)
#define QUOTA  (1ll << 40)
#define WAIT_S 20 /* for what must come; a test that waits that long fails */

typedef struct world {
    char dir[64];
    memory_store store;
    mr_upload_store table;
    mr_uploads *uploads;
    atomic_int completed;
    int64_t passed; /* that were told last */
    int changed;
    mr_status may_change;
    unsigned char *data; /* SIZE bytes */
    unsigned char leaves[4][MR_UPLOAD_LEAF];
    unsigned char seen[4][MR_UPLOAD_LEAF]; /* of the upload that was completed last */
} world;

static void identify(void *context, const char *path, int64_t length, const unsigned char *leaves, size_t count, char ret_digest[MR_UPLOAD_DIGEST])
{
    world *it = context;
    (void)path;
    if (length == SIZE && count == 4)
        memcpy(it->seen, leaves, sizeof(it->seen));
    snprintf(ret_digest, MR_UPLOAD_DIGEST, "known");
}

static void completed(void *context, const mr_upload *upload, const char *path)
{
    world *it = context;
    (void)upload;
    assert_int_equal(access(path, R_OK), 0);
    atomic_fetch_add(&it->completed, 1);
}

static void passes(void *context, const mr_upload *upload, int64_t length, int64_t have)
{
    (void)upload;
    assert_true(have <= length);
    ((world *)context)->passed = have;
}

static mr_status changes(void *context, const mr_upload *upload)
{
    world *it = context;
    (void)upload;
    it->changed++;
    return it->may_change;
}

static void open_uploads(world *it)
{
    char why[512];
    const mr_uploads_options options = {.data_dir = it->dir,
                                        .max = 1 << 30,
                                        .store = it->table,
                                        .context = it,
                                        .identify = identify,
                                        .completed = completed,
                                        .passes = passes,
                                        .changes = changes};
    assert_int_equal(mr_uploads_open(&options, &it->uploads, why, sizeof(why)), MR_OK);
}

static int set_up(void **state)
{
    world *it = calloc(1, sizeof(*it));
    memcpy(it->dir, "/tmp/millrace-test-XXXXXX", sizeof("/tmp/millrace-test-XXXXXX"));
    assert_non_null(mkdtemp(it->dir));
    it->table = memory_store_table(&it->store);
    it->store.quota = QUOTA;
    it->data = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        it->data[i] = (unsigned char)(i * 2654435761u >> 13);
    for (size_t i = 0; i < 4; i++) {
        EVP_MD_CTX *hash = EVP_MD_CTX_new();
        EVP_DigestInit_ex(hash, EVP_sha256(), NULL);
        EVP_DigestUpdate(hash, "\0", 1);
        EVP_DigestUpdate(hash, it->data + i * MR_UPLOAD_BLOCK, i < 3 ? MR_UPLOAD_BLOCK : SIZE % MR_UPLOAD_BLOCK);
        EVP_DigestFinal_ex(hash, it->leaves[i], NULL);
        EVP_MD_CTX_free(hash);
    }
    open_uploads(it);
    *state = it;
    return 0;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

static int tear_down(void **state)
{
    world *it = *state;
    mr_uploads_close(it->uploads);
    memory_store_free(&it->store);
    nftw(it->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(it->data);
    free(it);
    return 0;
}

static mr_upload create(world *it)
{
    mr_refusal why = {0};
    mr_upload upload = {.length = SIZE, .video = "v_1", .owner = "u_1"};
    assert_true(mr_uploads_create(it->uploads, &upload, NULL, &why));
    return upload;
}

static mr_writer *begin(world *it, const mr_upload *upload, int64_t offset, bool whole, mr_refusal *why)
{
    const mr_write write = {.offset = offset, .length = SIZE - offset, .whole = whole};
    return mr_writer_begin(it->uploads, upload, &write, why);
}

static int64_t offset_of(world *it, const char *id)
{
    mr_upload upload;
    mr_refusal why = {0};
    assert_true(mr_uploads_find(it->uploads, id, "u_1", &upload, &why));
    return upload.offset;
}

static bool there(const world *it, const char *id, const char *tail)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/uploads/%s%s", it->dir, id, tail);
    return access(path, F_OK) == 0;
}

static void check_complete(world *it, const char *id)
{
    char path[256];
    unsigned char *got = malloc(SIZE + 1);
    snprintf(path, sizeof(path), "%s/uploads/%s", it->dir, id);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, got, SIZE + 1), SIZE);
    assert_memory_equal(got, it->data, SIZE);
    assert_memory_equal(it->seen, it->leaves, sizeof(it->seen));
    assert_int_equal(memory_row_of(&it->store, id, NULL)->upload.state, MR_UPLOAD_COMPLETE);
    assert_string_equal(memory_row_of(&it->store, id, NULL)->upload.digest, "known");
    assert_false(there(it, id, ".leaves"));
    close(fd);
    free(got);
}

static void test_cuts_at_any_place(void **state)
{
    static const int64_t cuts[] = {1, MR_UPLOAD_BLOCK - 1, MR_UPLOAD_BLOCK, MR_UPLOAD_BLOCK + 1, 2 * MR_UPLOAD_BLOCK + 5, SIZE - 1, SIZE};
    world *it = *state;
    mr_refusal why = {0};
    const mr_upload upload = create(it);
    int64_t at = 0;
    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        mr_writer *writer = begin(it, &upload, at, false, &why);
        assert_non_null(writer);
        assert_true(mr_writer_add(writer, it->data + at, (size_t)(cuts[i] - at), &why));
        if (cuts[i] == SIZE)
            assert_true(mr_writer_end(writer, &why));
        mr_writer_free(writer);
        at = cuts[i];
        assert_int_equal(offset_of(it, upload.id), at);
        mr_uploads_close(it->uploads); /* a new server each time */
        open_uploads(it);
    }
    check_complete(it, upload.id);
    assert_int_equal(it->completed, 1);
}

static void test_one_writer_at_a_time(void **state)
{
    world *it = *state;
    mr_refusal why = {0};
    const mr_upload upload = create(it);
    mr_writer *first = begin(it, &upload, 0, false, &why);
    assert_null(begin(it, &upload, 0, false, &why));
    assert_int_equal(why.status, 423);
    assert_false(mr_uploads_remove(it->uploads, &upload, &why));
    assert_int_equal(why.status, 423);
    assert_true(mr_writer_add(first, it->data, 10, &why));
    mr_writer_free(first);
    assert_null(begin(it, &upload, 0, false, &why));
    assert_int_equal(why.status, 409);
    mr_writer *second = begin(it, &upload, 10, false, &why);
    assert_false(mr_writer_add(second, it->data, SIZE, &why)); /* more than is left */
    assert_int_equal(why.status, 413);
    mr_writer_free(second);
    assert_true(mr_uploads_remove(it->uploads, &upload, &why));
    assert_false(there(it, upload.id, ""));
    assert_false(there(it, upload.id, ".leaves"));
}

static void test_a_whole_counts_at_its_end_only(void **state)
{
    world *it = *state;
    mr_refusal why = {0};
    mr_upload upload = create(it);
    mr_writer *writer = begin(it, &upload, 0, true, &why);
    unsigned char *wrong = calloc(1, SIZE);
    assert_true(mr_writer_add(writer, wrong, SIZE, &why));
    mr_writer_free(writer); /* its checksum was wrong */
    free(wrong);
    assert_int_equal(offset_of(it, upload.id), 0);
    writer = begin(it, &upload, 0, false, &why);
    assert_true(mr_writer_add(writer, it->data, SIZE, &why) && mr_writer_end(writer, &why));
    mr_writer_free(writer);
    check_complete(it, upload.id);
    /* S3: without its end there is nothing, not even a row. */
    mr_upload put = {.length = SIZE, .video = "v_2", .owner = "u_1", .kind = MR_UPLOAD_PUT};
    assert_true(mr_uploads_create(it->uploads, &put, NULL, &why));
    writer = begin(it, &put, 0, true, &why);
    assert_true(mr_writer_add(writer, it->data, SIZE - 1, &why));
    mr_writer_free(writer);
    assert_null(memory_row_of(&it->store, put.id, NULL));
    assert_false(there(it, put.id, ""));
}

static void test_a_store_that_fails(void **state)
{
    world *it = *state;
    mr_refusal why = {0};
    const mr_upload upload = create(it);
    mr_writer *writer = begin(it, &upload, 0, false, &why);
    assert_true(mr_writer_add(writer, it->data, SIZE, &why));
    it->store.fail = 1; /* the offset can't be committed: nothing was acknowledged, and it is tried once more when the writer goes */
    assert_false(mr_writer_end(writer, &why));
    assert_int_equal(why.status, 503);
    mr_writer_free(writer);
    assert_int_equal(offset_of(it, upload.id), SIZE);
    assert_int_equal(it->completed, 0);
    /* All bytes are committed, but not that it is complete: the next start sees to it. */
    mr_uploads_close(it->uploads);
    open_uploads(it);
    check_complete(it, upload.id);
    assert_int_equal(it->completed, 1);
    it->store.fail = 1;
    mr_upload other = {.length = 5, .video = "v_3", .owner = "u_1"};
    assert_false(mr_uploads_create(it->uploads, &other, NULL, &why));
    assert_false(there(it, other.id, ""));
}

static void test_what_a_crash_leaves_is_removed(void **state)
{
    world *it = *state;
    static const char *const names[] = {"f_0000000000000000000000", "f_0000000000000000000000.leaves", "f_0000000000000000000000.77"};
    char path[256];
    const mr_upload upload = create(it);
    mr_uploads_close(it->uploads);
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s/uploads/%s", it->dir, names[i]);
        close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    }
    open_uploads(it);
    for (size_t i = 0; i < 3; i++)
        assert_false(there(it, names[i], ""));
    assert_true(there(it, upload.id, ""));
}

static void test_what_expired_goes(void **state)
{
    world *it = *state;
    mr_refusal why = {0};
    mr_upload found;
    const mr_upload upload = create(it);
    const mr_upload kept = create(it);
    mr_uploads_close(it->uploads); /* its janitor looks at the start */
    memory_row_of(&it->store, upload.id, NULL)->upload.expires_us = 1;
    open_uploads(it);
    assert_false(mr_uploads_find(it->uploads, upload.id, NULL, &found, &why));
    assert_true(why.status == 410 || why.status == 404); /* before, or after the janitor came */
    for (const time_t end = time(NULL) + WAIT_S; there(it, upload.id, "");) {
        assert_true(time(NULL) < end);
        sched_yield();
    }
    assert_true(there(it, kept.id, ""));
}

/* ---- parts ---- */

#define PART MR_UPLOAD_PART_LEAST

typedef struct part_ends {
    mr_upload upload;
    char etags[4][MR_UPLOAD_ETAG];
} part_ends;

/* Every byte of it is that. */
static void put_part(world *it, part_ends *to, int32_t number, int64_t size, int byte)
{
    mr_refusal why = {0};
    unsigned char *data = malloc((size_t)size);
    memset(data, byte, (size_t)size);
    assert_true(mr_uploads_find(it->uploads, to->upload.id, "u_1", &to->upload, &why));
    mr_writer *writer = mr_writer_begin(it->uploads, &to->upload, &(mr_write){.length = size, .part = number, .whole = true}, &why);
    assert_non_null(writer);
    assert_true(mr_writer_add(writer, data, (size_t)size, &why) && mr_writer_end(writer, &why));
    memcpy(to->etags[number], mr_writer_etag(writer), MR_UPLOAD_ETAG);
    mr_writer_free(writer);
    free(data);
}

static bool assemble(world *it, part_ends *of, mr_refusal *why)
{
    const mr_part_name names[] = {{1, of->etags[1]}, {2, of->etags[2]}, {3, of->etags[3]}};
    return mr_uploads_assemble(it->uploads, &of->upload, names, 3, why);
}

static void check_byte(const world *it, const char *id, int64_t at, int byte)
{
    char path[256];
    unsigned char got = 0;
    snprintf(path, sizeof(path), "%s/uploads/%s", it->dir, id);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(pread(fd, &got, 1, at), 1);
    assert_int_equal(got, byte);
    close(fd);
}

static part_ends begin_parts(world *it)
{
    mr_refusal why = {0};
    mr_upload announced = {.length = 2 * PART + 10, .video = "v_1", .owner = "u_1"};
    part_ends parts = {.upload = {.length = -1, .video = "v_1", .owner = "u_1", .kind = MR_UPLOAD_MULTIPART}};
    assert_true(mr_uploads_create(it->uploads, &announced, NULL, &why));
    assert_true(mr_uploads_create(it->uploads, &parts.upload, NULL, &why));
    return parts;
}

static void test_parts_from_the_first_are_told(void **state)
{
    world *it = *state;
    mr_refusal why = {0};
    part_ends parts = begin_parts(it);
    put_part(it, &parts, 2, PART, 'b');
    assert_int_equal(it->passed, 0);
    put_part(it, &parts, 1, PART, 'a');
    assert_int_equal(it->passed, 2 * PART);
    mr_uploads_close(it->uploads); /* another server */
    open_uploads(it);
    it->passed = 0;
    put_part(it, &parts, 2, PART, 'b'); /* its answer was lost */
    assert_int_equal(it->passed, 2 * PART);
    put_part(it, &parts, 3, 10, 'c');
    assert_true(assemble(it, &parts, &why));
    assert_int_equal(it->changed, 0);
    check_byte(it, parts.upload.id, PART, 'b');
    check_byte(it, parts.upload.id, 2 * PART, 'c');
}

static void test_parts_that_change_are_told(void **state)
{
    world *it = *state;
    mr_refusal why = {0};
    part_ends parts = begin_parts(it);
    put_part(it, &parts, 1, PART, 'a');
    put_part(it, &parts, 2, PART, 'b');
    put_part(it, &parts, 3, 10, 'c');
    put_part(it, &parts, 2, PART, 'x');
    mr_uploads_close(it->uploads); /* a third one of that number must not be written where the first lies */
    open_uploads(it);
    put_part(it, &parts, 2, PART, 'y');
    check_byte(it, parts.upload.id, PART, 'b');
    it->may_change = MR_ERR_IO;
    assert_false(assemble(it, &parts, &why));
    assert_int_equal(it->changed, 1);
    check_byte(it, parts.upload.id, PART, 'b');
    it->may_change = MR_OK;
    assert_true(assemble(it, &parts, &why));
    assert_int_equal(it->changed, 2);
    check_byte(it, parts.upload.id, PART, 'y');
}

static void test_parts_that_are_left_out_are_told(void **state)
{
    world *it = *state;
    mr_refusal why = {0};
    part_ends parts = begin_parts(it);
    put_part(it, &parts, 1, PART, 'a');
    put_part(it, &parts, 2, PART, 'b');
    it->may_change = MR_ERR_IO;
    const mr_part_name second = {2, parts.etags[2]};
    assert_false(mr_uploads_assemble(it->uploads, &parts.upload, &second, 1, &why));
    check_byte(it, parts.upload.id, 0, 'a');
    it->may_change = MR_OK;
    assert_true(mr_uploads_assemble(it->uploads, &parts.upload, &second, 1, &why));
    assert_int_equal(it->changed, 2);
    check_byte(it, parts.upload.id, 0, 'b');
}

static void test_another_users(void **state)
{
    world *it = *state;
    mr_refusal why = {0};
    mr_upload found;
    const mr_upload upload = create(it);
    assert_false(mr_uploads_find(it->uploads, upload.id, "u_2", &found, &why));
    assert_int_equal(why.status, 404);
    assert_true(mr_uploads_find(it->uploads, upload.id, NULL, &found, &why));
    assert_false(mr_uploads_find(it->uploads, "../../etc/passwd", NULL, &found, &why));
    assert_int_equal(why.status, 404);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_cuts_at_any_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_writer_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_whole_counts_at_its_end_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_store_that_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_a_crash_leaves_is_removed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_expired_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_parts_from_the_first_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_parts_that_change_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_parts_that_are_left_out_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_another_users, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
