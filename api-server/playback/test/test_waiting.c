/* SPDX-License-Identifier: MIT */
/* Viewers who ask for what is not made yet, over a real connection: the task is raised, the answer comes with the file, or when there is no hope. */
#include "api-server/playback/followed.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct world {
    char dir[64];
    mr_platform_host host;
    mr_playback *playback;
    mr_http_server *http;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char demanded[256]; /* the last one */
    int demands;
} world;

/* The platform's pointer is the test's world. */
static mr_status demand(mr_platform *platform, const char *run, const char *node, const char *item)
{
    world *it = (world *)platform;
    pthread_mutex_lock(&it->lock);
    snprintf(it->demanded, sizeof(it->demanded), "%s %s %s", run, node, item);
    it->demands++;
    pthread_cond_broadcast(&it->changed);
    pthread_mutex_unlock(&it->lock);
    return MR_OK;
}

typedef struct asked {
    mr_playback_wait *wait;
} asked;

static void begin(void *context, mr_exchange *exchange, mr_lane *ret_lane, uint64_t *ret_body_max)
{
    (void)context;
    (void)ret_lane;
    (void)ret_body_max;
    mr_http_set_state(exchange, calloc(1, sizeof(asked)));
}

static void answer(void *context, mr_exchange *exchange)
{
    world *it = context;
    asked *state = mr_http_state(exchange);
    mr_playback_answer(it->playback, exchange, mr_http_path(exchange) + 1, &state->wait);
}

static void ended(void *context, mr_exchange *exchange)
{
    world *it = context;
    asked *state = mr_http_state(exchange);
    mr_playback_ended(it->playback, state->wait);
    free(state);
}

static int set_up(void **context)
{
    char why[256];
    world *it = calloc(1, sizeof(*it));
    memcpy(it->dir, "/tmp/millrace-test-XXXXXX", sizeof("/tmp/millrace-test-XXXXXX"));
    assert_non_null(mkdtemp(it->dir));
    pthread_mutex_init(&it->lock, NULL);
    pthread_cond_init(&it->changed, NULL);
    it->host = (mr_platform_host){.size = sizeof(it->host), .platform = (mr_platform *)it, .data_dir = it->dir, .run_demand = demand};
    assert_int_equal(mr_playback_open(&it->host, why, sizeof(why), &it->playback), MR_OK);
    const mr_http_options options = {
        .listen = "127.0.0.1:0", .lanes = {1, 1, 1}, .handler = {.context = it, .begin = begin, .answer = answer, .ended = ended}};
    assert_int_equal(mr_http_open(&options, why, sizeof(why), &it->http), MR_OK);
    *context = it;
    return 0;
}

static int tear_down(void **context)
{
    static const char *const files[] = {"media/v_1/1/video/720p/00000.m4s",
                                        "media/v_1/1/video/720p/00007.m4s",
                                        "media/v_1/1/master.m3u8",
                                        "media/v_1/1/manifest.mpd",
                                        "media/v_1/1/storyboard.vtt",
                                        "media/v_1/1/run.json",
                                        "media/v_1/1/link.mp4",
                                        "media/v_1/1/video/720p",
                                        "media/v_1/1/video",
                                        "media/v_1/1",
                                        "captions/v_1/de.vtt",
                                        "captions/v_1",
                                        "captions",
                                        "media/v_1",
                                        "media",
                                        ""};
    world *it = *context;
    char path[256];
    mr_http_close(it->http, 0);
    mr_playback_close(it->playback);
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        snprintf(path, sizeof(path), "%s/%s", it->dir, files[i]);
        remove(path);
    }
    assert_int_not_equal(access(it->dir, F_OK), 0);
    free(it);
    return 0;
}

static void make_folders(const world *it)
{
    static const char *const folders[] = {"media/v_1", "media/v_1/1", "media/v_1/1/video", "media/v_1/1/video/720p"};
    char path[256];
    for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
        snprintf(path, sizeof(path), "%s/%s", it->dir, folders[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
}

/* As storage does: beside its place, then renamed. */
static void publish(const world *it, const char *path, const char *content)
{
    char beside[256], place[256];
    snprintf(beside, sizeof(beside), "%s/media/v_1/1/new", it->dir);
    snprintf(place, sizeof(place), "%s/media/%s", it->dir, path);
    FILE *file = fopen(beside, "w");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
    assert_int_equal(rename(beside, place), 0);
}

static int ask(const world *it, const char *path, const char *fields)
{
    char request[512];
    const struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(mr_http_port(it->http)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
    const int len = snprintf(request, sizeof(request), "GET /%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n", path, fields);
    assert_int_equal(write(fd, request, (size_t)len), len);
    return fd;
}

/* The whole answer; its status is returned. */
static int hear(int fd, char *text, size_t size)
{
    size_t len = 0;
    ssize_t got;
    while ((got = read(fd, text + len, size - 1 - len)) > 0)
        len += (size_t)got;
    text[len] = '\0';
    close(fd);
    assert_int_equal(strncmp(text, "HTTP/1.1 ", 9), 0);
    return (int)strtol(text + 9, NULL, 10);
}

static int get(const world *it, const char *path, const char *fields, char *text, size_t size)
{
    return hear(ask(it, path, fields), text, size);
}

static void tell_output(const world *it, const char *node, const char *item, const char *type, const char *meta)
{
    char event[1024];
    snprintf(event, sizeof(event), "{\"event\":\"output\",\"node\":\"%s\",\"item\":\"%s\",\"detail\":{\"type\":\"%s\",\"meta\":%s}}", node, item,
             type, meta);
    mr_playback_event(it->playback, "run1", event);
}

static void tell_chunks(const world *it)
{
    tell_output(it, "plan", "", "chunk", "{\"kind\":\"video\",\"index\":0,\"segments\":[{\"index\":0},{\"index\":1}]}");
    tell_output(it, "plan", "", "chunk", "{\"kind\":\"video\",\"index\":1,\"segments\":[{\"index\":2},{},{},{},{},{}]}");
    tell_output(it, "init", "0,2", "segment", "{\"role\":\"init\",\"kind\":\"video\",\"rendition\":\"video/720p\"}");
}

/* The first media segment says what makes them. */
static void tell_media(const world *it)
{
    tell_output(it, "video", "0,2", "segment", "{\"role\":\"init\",\"kind\":\"video\",\"rendition\":\"video/720p\"}");
    tell_output(it, "video", "0,2", "segment", "{\"role\":\"media\",\"kind\":\"video\",\"rendition\":\"video/720p\",\"index\":0}");
}

static void tell_plan(const world *it)
{
    tell_chunks(it);
    tell_media(it);
}

/* Until the viewer is on the list: the demand comes just before. All that the tests ask for is one segment. */
static void await_demand(world *it)
{
    char demanded[sizeof(it->demanded)];
    pthread_mutex_lock(&it->lock);
    while (it->demands == 0)
        pthread_cond_wait(&it->changed, &it->lock);
    memcpy(demanded, it->demanded, sizeof(demanded));
    pthread_mutex_unlock(&it->lock);
    assert_string_equal(demanded, "run1 video 1,2");
}

static void test_what_is_there_is_served(void **context)
{
    world *it = *context;
    char text[4096], field[256];
    make_folders(it);
    publish(it, "v_1/1/video/720p/00000.m4s", "0123456789");
    publish(it, "v_1/1/master.m3u8", "#EXTM3U\n");
    publish(it, "v_1/1/run.json", "{}");
    assert_int_equal(get(it, "v_1/1/video/720p/00000.m4s", "", text, sizeof(text)), 200);
    assert_non_null(strstr(text, "\r\n\r\n0123456789"));
    assert_non_null(strstr(text, "Content-Type: video/iso.segment\r\n"));
    assert_non_null(strstr(text, "immutable"));
    assert_non_null(strstr(text, "Access-Control-Allow-Origin: *\r\n"));
    const char *etag = strstr(text, "ETag: ");
    assert_non_null(etag);
    snprintf(field, sizeof(field), "If-None-Match: %.*s\r\n", (int)strcspn(etag + 6, "\r"), etag + 6);
    assert_int_equal(get(it, "v_1/1/video/720p/00000.m4s", field, text, sizeof(text)), 304);
    assert_int_equal(get(it, "v_1/1/video/720p/00000.m4s", "Range: bytes=2-4\r\n", text, sizeof(text)), 206);
    assert_non_null(strstr(text, "Content-Range: bytes 2-4/10\r\n"));
    assert_non_null(strstr(text, "\r\n\r\n234"));
    assert_null(strstr(text, "2345"));
    assert_int_equal(get(it, "v_1/1/video/720p/00000.m4s", "Range: bytes=2-4\r\nIf-Range: \"other\"\r\n", text, sizeof(text)), 200);
    assert_int_equal(get(it, "v_1/1/video/720p/00000.m4s", "Range: bytes=10-\r\n", text, sizeof(text)), 416);
    assert_non_null(strstr(text, "Content-Range: bytes */10\r\n"));
    assert_null(strstr(text, "immutable"));
    assert_int_equal(get(it, "v_1/1/master.m3u8", "", text, sizeof(text)), 200);
    assert_non_null(strstr(text, "max-age=60"));
    publish(it, "v_1/1/storyboard.vtt", "WEBVTT\n");
    assert_int_equal(get(it, "v_1/1/storyboard.vtt", "", text, sizeof(text)), 200);
    assert_non_null(strstr(text, "max-age=60")); /* it grows while it is made */
    snprintf(field, sizeof(field), "%s/captions/v_1", it->dir);
    assert_int_equal(mkdir(field, 0700), 0);
    publish(it, "../captions/v_1/de.vtt", "WEBVTT\n");
    assert_int_equal(get(it, "v_1/captions/de.vtt", "", text, sizeof(text)), 200);
    assert_non_null(strstr(text, "Content-Type: text/vtt"));
    assert_int_equal(get(it, "v_1/captions/en.vtt", "", text, sizeof(text)), 404);
    assert_true(mr_playback_has(it->playback, "media/v_1/1", "master.m3u8"));
    assert_false(mr_playback_has(it->playback, "media/v_1/1", "poster.jpg"));
    assert_false(mr_playback_has(it->playback, "media/v_1/1", "../1/master.m3u8"));
    assert_int_equal(mr_playback_run_is(it->playback, "run1", "media/v_1/1"), MR_OK);
    assert_int_equal(get(it, "v_1/1/master.m3u8", "", text, sizeof(text)), 200);
    assert_non_null(strstr(text, "max-age=1\r\n"));
}

static void test_nothing_else_is_served(void **context)
{
    world *it = *context;
    char text[4096], link[256];
    make_folders(it);
    publish(it, "v_1/1/run.json", "{}");
    snprintf(link, sizeof(link), "%s/media/v_1/1/link.mp4", it->dir);
    assert_int_equal(symlink("/etc/passwd", link), 0);
    static const char *const paths[] = {"v_1/1/run.json",
                                        "v_1/1/link.mp4",
                                        "v_1/1/video/720p",
                                        "v_1/1/none.mp4",
                                        "v_1/2/a.mp4",
                                        "v_1/1/%2e%2e/%2e%2e/a.mp4",
                                        "v_1/1/video/720p/00000.m4s",
                                        "v_1/1/run.json/a.mp4"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
        assert_in_range(get(it, paths[i], "", text, sizeof(text)), 400, 404); /* the HTTP library refuses the way up itself */
    /* A run that knows nothing of them makes no difference. */
    assert_int_equal(mr_playback_run_is(it->playback, "run1", "media/v_1/1"), MR_OK);
    tell_plan(it);
    static const char *const unplanned[] = {
        "v_1/1/video/720p/00008.m4s", "v_1/1/video/1080p/00000.m4s", "v_1/1/video/720p/0.m4s", "v_1/1/video/720p/init.mp4", "v_1/1/run.json",
        "v_1/11/video/720p/00000.m4s"};
    for (size_t i = 0; i < sizeof(unplanned) / sizeof(*unplanned); i++)
        assert_int_equal(get(it, unplanned[i], "", text, sizeof(text)), 404);
    assert_int_equal(it->demands, 0);
}

static void test_a_segment_is_demanded_and_waited_for(void **context)
{
    world *it = *context;
    char text[4096];
    make_folders(it);
    tell_plan(it); /* events may come before it is said where the run publishes */
    assert_int_equal(mr_playback_run_is(it->playback, "run1", "media/v_1/1"), MR_OK);
    const int fd = ask(it, "v_1/1/video/720p/00007.m4s", "");
    const int other = ask(it, "v_1/1/video/720p/00007.m4s", "Range: bytes=0-1\r\n");
    await_demand(it);
    publish(it, "v_1/1/video/720p/00007.m4s", "seven");
    assert_int_equal(hear(fd, text, sizeof(text)), 200);
    const char *origin = strstr(text, "Access-Control-Allow-Origin: *\r\n");
    assert_non_null(origin);
    assert_null(strstr(origin + 1, "Access-Control-Allow-Origin")); /* browsers refuse it twice */
    assert_non_null(strstr(text, "\r\n\r\nseven"));
    assert_int_equal(hear(other, text, sizeof(text)), 206);
}

/* Playlists are there before anything is encoded: who asks for a segment then waits, and its task is raised when it is known. */
static void test_a_segment_is_demanded_late(void **context)
{
    world *it = *context;
    char text[4096];
    make_folders(it);
    tell_chunks(it);
    assert_int_equal(mr_playback_run_is(it->playback, "run1", "media/v_1/1"), MR_OK);
    const int fd = ask(it, "v_1/1/video/720p/00007.m4s", "");
    tell_media(it);
    await_demand(it);
    publish(it, "v_1/1/video/720p/00007.m4s", "seven");
    assert_int_equal(hear(fd, text, sizeof(text)), 200);
    assert_int_equal(it->demands, 1);
}

/* Its folder is made after the viewer asked. */
static void test_a_manifest_is_waited_for(void **context)
{
    world *it = *context;
    char text[4096];
    assert_int_equal(mr_playback_run_is(it->playback, "run1", "media/v_1/1"), MR_OK);
    const int fd = ask(it, "v_1/1/master.m3u8", "");
    make_folders(it);
    publish(it, "v_1/1/master.m3u8", "#EXTM3U\n");
    assert_int_equal(hear(fd, text, sizeof(text)), 200);
    assert_int_equal(it->demands, 0);
}

/* A video is said to be playable as soon as its first manifest is made: it counts as there before it is in its place. */
static void test_a_manifest_that_was_made_is_there(void **context)
{
    world *it = *context;
    make_folders(it);
    assert_int_equal(mr_playback_run_is(it->playback, "run1", "media/v_1/1"), MR_OK);
    assert_false(mr_playback_has(it->playback, "media/v_1/1", "master.m3u8"));
    mr_playback_event(it->playback, "run1",
                      "{\"event\":\"output\",\"detail\":{\"type\":\"file\",\"meta\":{\"role\":\"hls\",\"path\":\"master.m3u8\"}}}");
    assert_true(mr_playback_has(it->playback, "media/v_1/1", "master.m3u8"));
    assert_false(mr_playback_has(it->playback, "media/v_1/1", "manifest.mpd"));
    assert_false(mr_playback_has(it->playback, "media/v_1/2", "master.m3u8"));
    publish(it, "v_1/1/manifest.mpd", "<MPD/>");
    assert_true(mr_playback_has(it->playback, "media/v_1/1", "manifest.mpd"));
    mr_playback_event(it->playback, "run1", "{\"event\":\"run.done\",\"run\":\"run1\",\"state\":\"failed\"}");
    assert_false(mr_playback_has(it->playback, "media/v_1/1", "master.m3u8"));
}

static void test_nobody_waits_for_a_run_that_ended(void **context)
{
    world *it = *context;
    char text[4096];
    make_folders(it);
    tell_plan(it);
    assert_int_equal(mr_playback_run_is(it->playback, "run1", "media/v_1/1"), MR_OK);
    const int fd = ask(it, "v_1/1/video/720p/00002.m4s", "");
    await_demand(it);
    mr_playback_event(it->playback, "run1", "{\"event\":\"run.done\",\"run\":\"run1\",\"state\":\"failed\"}");
    assert_int_equal(hear(fd, text, sizeof(text)), 404);
    /* One that ended before it was said where it publishes is not followed either. */
    mr_playback_event(it->playback, "run2", "{\"event\":\"output\",\"detail\":{}}");
    mr_playback_event(it->playback, "run2", "{\"event\":\"run.done\",\"run\":\"run2\"}");
    assert_int_equal(mr_playback_run_is(it->playback, "run2", "media/v_1/1"), MR_OK);
    assert_int_equal(get(it, "v_1/1/master.m3u8", "", text, sizeof(text)), 404);
}

/* Of whom nobody ever says where they publish: they don't take the room of others. */
static void test_runs_of_nobody_are_forgotten(void **context)
{
    world *it = *context;
    char name[32], event[96], text[4096];
    for (int i = 0; i < MR_PLAYBACK_RUNS + 10; i++) {
        snprintf(name, sizeof(name), "nobodys%d", i);
        snprintf(event, sizeof(event), "{\"event\":\"run.done\",\"run\":\"%s\"}", name);
        mr_playback_event(it->playback, name, "{\"event\":\"output\",\"detail\":{}}");
        mr_playback_event(it->playback, name, event);
    }
    make_folders(it);
    tell_plan(it);
    assert_int_equal(mr_playback_run_is(it->playback, "run1", "media/v_1/1"), MR_OK);
    const int fd = ask(it, "v_1/1/video/720p/00007.m4s", "");
    await_demand(it);
    publish(it, "v_1/1/video/720p/00007.m4s", "seven");
    assert_int_equal(hear(fd, text, sizeof(text)), 200);
}

static void test_a_server_that_stops_lets_them_go(void **context)
{
    world *it = *context;
    char text[4096];
    make_folders(it);
    tell_plan(it);
    assert_int_equal(mr_playback_run_is(it->playback, "run1", "media/v_1/1"), MR_OK);
    const int fd = ask(it, "v_1/1/video/720p/00002.m4s", "");
    await_demand(it);
    mr_playback_drain(it->playback);
    assert_int_equal(hear(fd, text, sizeof(text)), 503);
    assert_non_null(strstr(text, "Retry-After: 2\r\n"));
    assert_int_equal(get(it, "v_1/1/video/720p/00003.m4s", "", text, sizeof(text)), 503);
}

/* They go away while they wait: nothing is left of them. */
static void test_viewers_may_leave(void **context)
{
    world *it = *context;
    char text[4096];
    make_folders(it);
    tell_plan(it);
    assert_int_equal(mr_playback_run_is(it->playback, "run1", "media/v_1/1"), MR_OK);
    for (int i = 0; i < 20; i++)
        close(ask(it, "v_1/1/video/720p/00007.m4s", ""));
    const int fd = ask(it, "v_1/1/video/720p/00007.m4s", "");
    await_demand(it);
    publish(it, "v_1/1/video/720p/00007.m4s", "seven");
    assert_int_equal(hear(fd, text, sizeof(text)), 200);
}

static void test_hostile_events_are_passed_over(void **context)
{
    static const char *const events[] = {"\"output\"", "not json \"output\"", "{\"event\":\"output\"}", "{\"event\":\"output\",\"detail\":[]}"};
    static const char *const chunks[] = {"{\"kind\":\"video\",\"index\":-1,\"segments\":[{\"index\":0}]}", "{\"kind\":7,\"index\":1,\"segments\":7}",
                                         "{\"kind\":\"video\",\"index\":99999999999,\"segments\":[{\"index\":0}]}",
                                         "{\"kind\":\"video\",\"index\":1,\"segments\":[]}", "[]"};
    world *it = *context;
    char text[4096];
    for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++)
        mr_playback_event(it->playback, "run1", events[i]);
    for (size_t i = 0; i < sizeof(chunks) / sizeof(*chunks); i++)
        tell_output(it, "plan", "", "chunk", chunks[i]);
    tell_output(it, "video", "", "segment", "{\"kind\":\"video\",\"rendition\":\"video/240p\"}"); /* no chunk's */
    tell_output(it, "video", "0,0", "segment", "{\"kind\":\"video\",\"rendition\":7}");
    assert_int_equal(mr_playback_run_is(it->playback, "run1", "media/v_1/1"), MR_OK);
    assert_int_equal(get(it, "v_1/1/video/240p/00000.m4s", "", text, sizeof(text)), 404);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_there_is_served),
        TEST(test_nothing_else_is_served),
        TEST(test_a_segment_is_demanded_and_waited_for),
        TEST(test_a_segment_is_demanded_late),
        TEST(test_a_manifest_is_waited_for),
        TEST(test_a_manifest_that_was_made_is_there),
        TEST(test_nobody_waits_for_a_run_that_ended),
        TEST(test_runs_of_nobody_are_forgotten),
        TEST(test_a_server_that_stops_lets_them_go),
        TEST(test_viewers_may_leave),
        TEST(test_hostile_events_are_passed_over),
    };
    return cmocka_run_group_tests_name("waiting", tests, NULL, NULL);
}
