/* SPDX-License-Identifier: MIT */
/* When what has come of an upload is worked on again: as chunks come, at a bounded cost, and not for ever when it can't be read. */
#include "api-server/videos/internal.h"
#include "api-server/videos/test/platform.h"

#include <fcntl.h>

enum { KIB = 1024, LENGTH = 4096 * KIB };

static const char source[] = "upload.mkv";

static mr_status fake_grew(mr_platform *it, const char *path, uint64_t length, uint64_t have)
{
    (void)it, (void)path, (void)length, (void)have;
    return MR_OK;
}

typedef struct upload {
    house in;
    char video[MR_ID_SIZE];
    char path[96];
    char run[32]; /* the last that was started */
} upload;

static void begin(upload *it)
{
    static const unsigned char head[600] = {0x1a, 0x45, 0xdf, 0xa3};
    make_house(&it->in, 1000);
    it->in.host.source_grew = fake_grew;
    it->in.videos->options.early_runs = 4;
    add_video(&it->in.at, it->in.at.bob, "arrives", MR_VISIBILITY_PRIVATE, it->video);
    snprintf(it->path, sizeof(it->path), "%s/%s", it->in.at.dir, source);
    const int fd = open(it->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, head, sizeof(head)), sizeof(head));
    close(fd);
}

static void end(upload *it)
{
    unlink(it->path);
    end_house(&it->in);
}

/* So many KiB have come: whether that is looked at. */
static bool starts_at(upload *it, int64_t have)
{
    const size_t before = it->in.platform.starts;
    mr_videos_upload_grew(it->in.videos, it->video, source, LENGTH, have * KIB);
    mr_videos_look_at_rehearsals(it->in.videos); /* what the worker does when it is woken */
    snprintf(it->run, sizeof(it->run), "r%zu", it->in.platform.runs);
    return it->in.platform.starts > before;
}

static void task(upload *it, const char *item, const char *state, int64_t cpu_us)
{
    char text[192];
    snprintf(text, sizeof(text), "{\"event\":\"task.done\",\"run\":\"%s\",\"node\":\"n\",\"item\":\"%s\",\"state\":\"%s\",\"cpu_us\":%lld}", it->run,
             item, state, (long long)cpu_us);
    mr_videos_event(it->in.videos, it->run, text);
}

/* The last one ends: it has found so many chunks whole, and read the beginning for so long. */
static void ends(upload *it, int chunks, int64_t reading_us, const char *state)
{
    char text[64];
    task(it, "", "succeeded", reading_us);
    for (int i = 0; i < chunks; i++) {
        snprintf(text, sizeof(text), "%d,0", i);
        task(it, text, i + 1 < chunks ? "cached" : "succeeded", 1000000);
    }
    snprintf(text, sizeof(text), "%d,0", chunks);
    task(it, text, "skipped", 0); /* it reads what has not come */
    end_run(&it->in, it->run, state);
    snprintf(text, sizeof(text), "{\"event\":\"run.closed\",\"run\":\"%s\"}", it->run);
    mr_videos_event(it->in.videos, it->run, text);
}

static void test_the_next_one_follows_a_chunk(void **unused)
{
    upload it = {0};
    (void)unused;
    begin(&it);
    assert_false(starts_at(&it, 127));
    assert_true(starts_at(&it, 128));
    assert_false(starts_at(&it, 640)); /* one at a time */
    ends(&it, 0, 0, "succeeded");
    assert_true(starts_at(&it, 800)); /* enough has come meanwhile */
    ends(&it, 4, 0, "succeeded");     /* 200 KiB each */
    assert_false(starts_at(&it, 999));
    assert_true(starts_at(&it, 1000));
    ends(&it, 4, 0, "succeeded"); /* they become longer: nothing was to be done */
    assert_false(starts_at(&it, 1399));
    assert_true(starts_at(&it, 1400));
    ends(&it, 5, 0, "succeeded"); /* 600 KiB were one */
    assert_false(starts_at(&it, 1999));
    assert_true(starts_at(&it, 2000));
    ends(&it, 25, 0, "succeeded"); /* short ones are not waited for one by one */
    assert_false(starts_at(&it, 2127));
    assert_true(starts_at(&it, 2128));
    ends(&it, 26, 0, "succeeded");
    assert_false(starts_at(&it, 4096)); /* complete: the run for the whole has it */
    end(&it);
}

static void test_reading_has_a_share(void **unused)
{
    upload it = {0};
    (void)unused;
    begin(&it);
    assert_true(starts_at(&it, 128));
    ends(&it, 4, 3600000000ll, "succeeded"); /* an hour: for ten hours there is none */
    assert_false(starts_at(&it, 4000));
    end(&it);
}

static void test_what_can_not_be_read_is_left(void **unused)
{
    upload it = {0};
    (void)unused;
    begin(&it);
    assert_true(starts_at(&it, 128));
    ends(&it, 0, 0, "failed"); /* too little for its first picture, perhaps */
    assert_false(starts_at(&it, 255));
    assert_true(starts_at(&it, 256));
    ends(&it, 1, 0, "succeeded");
    for (int64_t have = 800; have < 4000; have *= 2) {
        assert_true(starts_at(&it, have));
        ends(&it, 0, 0, "failed");
    }
    assert_false(starts_at(&it, 4000));
    end(&it);
}

static void test_who_stops_it_means_it(void **unused)
{
    upload it = {0};
    (void)unused;
    begin(&it);
    assert_true(starts_at(&it, 128));
    ends(&it, 1, 0, "cancelled");
    assert_false(starts_at(&it, 4000));
    end(&it);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_next_one_follows_a_chunk),
        cmocka_unit_test(test_reading_has_a_share),
        cmocka_unit_test(test_what_can_not_be_read_is_left),
        cmocka_unit_test(test_who_stops_it_means_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
