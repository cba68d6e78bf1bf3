/* SPDX-License-Identifier: MIT */
/* notify.webhook against a real server: what is sent, signatures, attempts, what ends them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "op_host.h"
#include "server.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* 24 bytes: "0123456789abcdefghijklmn". */
#define SECRET       "whsec_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1u"
#define SECRET_BYTES "0123456789abcdefghijklmn"
#define STATE        "{\"run\":\"r1\",\"pipeline\":\"vod\",\"state\":\"succeeded\",\"outputs\":{\"hls\":[{\"path\":\"master.m3u8\"}]}}"

static const mr_op *op;

typedef struct script {
    const char *answers[8]; /* status line and headers of each answer; NULL: the connection is cut */
    size_t count;
    server_request requests[8];
} script;

static void play(int fd, const server_request *request, void *context)
{
    script *script = context;
    size_t n = request->number < script->count ? request->number : script->count - 1;
    if (request->number < 8)
        script->requests[request->number] = *request;
    if (script->answers[n])
        server_write(fd, "HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", script->answers[n]);
}

/* What the run says is in *ret_result; the number of requests is returned. */
static unsigned post_within(const mr_limits *limits, script *script, const char *more, const char *state, op_result *ret_result)
{
    char params[1024];
    server *server = server_start(play, script);
    const op_run_options options = {.run_state = state, .limits = limits};
    assert_non_null(server);
    snprintf(params, sizeof(params), "{url: 'http://127.0.0.1:%d/hook?token=t0ken', delay: 10ms%s}", server_port(server), more);
    *ret_result = op_run(op, params, NULL, 0, &options);
    unsigned count = server_count(server);
    server_stop(server);
    assert_null(strstr(ret_result->messages, "t0ken"));
    return count;
}

static unsigned post(script *script, const char *more, const char *state, op_result *ret_result)
{
    return post_within(NULL, script, more, state, ret_result);
}

static void check_signature(const server_request *request, const char *signature)
{
    char id[256], stamp[64], all[70000], expected[128] = "v1,";
    unsigned char mac[32];
    unsigned len = 0;
    server_header(request, "webhook-id", id, sizeof(id));
    server_header(request, "webhook-timestamp", stamp, sizeof(stamp));
    int size = snprintf(all, sizeof(all), "%s.%s.%s", id, stamp, request->body);
    assert_non_null(HMAC(EVP_sha256(), SECRET_BYTES, 24, (const unsigned char *)all, (size_t)size, mac, &len));
    EVP_EncodeBlock((unsigned char *)expected + 3, mac, 32);
    assert_string_equal(signature, expected);
    assert_in_range(strtoll(stamp, NULL, 10), time(NULL) - 60, time(NULL) + 1);
}

static void test_delivered(void **state)
{
    static script script = {.answers = {"204 No Content"}, .count = 1};
    char value[512];
    op_result result;
    (void)state;
    assert_int_equal(post(&script, ", secret: " SECRET, STATE, &result), 1);
    assert_int_equal(result.status, MR_OK);
    const server_request *request = &script.requests[0];
    assert_string_equal(request->method, "POST");
    assert_string_equal(request->path, "/hook?token=t0ken");
    assert_string_equal(server_header(request, "Content-Type", value, sizeof(value)), "application/json");
    assert_string_equal(server_header(request, "webhook-id", value, sizeof(value)), "test-effect-key");
    check_signature(request, server_header(request, "webhook-signature", value, sizeof(value)));
    json_t *body = json_loads(request->body, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(body, "type")), "run.succeeded");
    assert_string_equal(json_string_value(json_object_get(json_object_get(body, "data"), "pipeline")), "vod");
    assert_int_equal(strlen(json_string_value(json_object_get(body, "timestamp"))), strlen("2024-01-01T00:00:00Z"));
    json_decref(body);
    assert_string_equal(result.items[0].meta, "{\"attempts\":1,\"code\":204}");
    op_result_free(&result);
}

static void test_two_secrets(void **state)
{
    static script script = {.answers = {"200 OK"}, .count = 1};
    char value[512];
    op_result result;
    (void)state;
    assert_int_equal(post(&script, ", secret: '" SECRET " whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo='", STATE, &result), 1);
    server_header(&script.requests[0], "webhook-signature", value, sizeof(value));
    char *second = strchr(value, ' ');
    assert_non_null(second);
    *second = '\0';
    check_signature(&script.requests[0], value);
    assert_int_equal(strncmp(second + 1, "v1,", 3), 0);
    assert_string_not_equal(second + 1, value);
    op_result_free(&result);
}

static void test_unsigned(void **state)
{
    static script script = {.answers = {"200 OK"}, .count = 1};
    char value[64];
    op_result result;
    (void)state;
    assert_int_equal(post(&script, "", "{\"state\":\"failed\"}", &result), 1);
    assert_int_equal(result.status, MR_OK);
    assert_string_equal(server_header(&script.requests[0], "webhook-signature", value, sizeof(value)), "");
    assert_non_null(strstr(script.requests[0].body, "\"type\":\"run.failed\""));
    op_result_free(&result);
}

/* Busy, broken, then well: the same id each time. */
static void test_attempts(void **state)
{
    static script script = {.answers = {"503 Busy", NULL, "429 Slow down\r\nRetry-After: 0", "200 OK"}, .count = 4};
    char first[128], last[128];
    op_result result;
    (void)state;
    assert_int_equal(post(&script, "", STATE, &result), 4);
    assert_int_equal(result.status, MR_OK);
    server_header(&script.requests[0], "webhook-id", first, sizeof(first));
    server_header(&script.requests[3], "webhook-id", last, sizeof(last));
    assert_string_equal(first, last);
    op_result_free(&result);
}

static void expect(const char *answer, const char *more, unsigned count, mr_status status, const char *words)
{
    static script script;
    op_result result;
    script.answers[0] = answer;
    script.count = 1;
    assert_int_equal(post(&script, more, STATE, &result), count);
    assert_int_equal(result.status, status);
    if (!strstr(result.messages, words))
        fail_msg("'%s' is not in: %s", words, result.messages);
    op_result_free(&result);
}

static void test_gives_up(void **state)
{
    (void)state;
    expect("500 No", ", attempts: 3", 3, MR_ERR_UNAVAILABLE, "answered 500 (attempts: 3)");
    expect("404 No", "", 1, MR_ERR_PARAM, "answered 404 (attempts: 1)");
    expect("410 Gone", "", 1, MR_ERR_PARAM, "is gone (410)");
    expect("302 Found\r\nLocation: http://127.0.0.1:1/", "", 1, MR_ERR_PARAM, "answered with a redirect");
    expect("200 OK", ", allow_private: false", 0, MR_ERR_PARAM, "at an address that is not public");
    expect("200 OK", ", secret: short", 0, MR_ERR_PARAM, "the secret is not");
    expect("200 OK", ", secret: 'whsec_!!!!'", 0, MR_ERR_PARAM, "the secret is not");
}

static void test_settings_are_above_params(void **state)
{
    static script script = {.answers = {"200 OK"}, .count = 1};
    mr_limits limits = MR_LIMITS_STANDARD;
    op_result result;
    (void)state;
    limits.public_only = 1;
    assert_int_equal(post_within(&limits, &script, ", allow_private: true", STATE, &result), 0);
    assert_int_equal(result.status, MR_ERR_PARAM);
    assert_non_null(strstr(result.messages, "'network: any'"));
    op_result_free(&result);
}

static void test_retry_after(void **state)
{
    static script script = {.answers = {"503 Busy\r\nRetry-After: 1", "200 OK"}, .count = 2};
    struct timespec before, after;
    op_result result;
    (void)state;
    clock_gettime(CLOCK_MONOTONIC, &before);
    assert_int_equal(post(&script, "", STATE, &result), 2);
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_true(after.tv_sec * 1000 + after.tv_nsec / 1000000 - before.tv_sec * 1000 - before.tv_nsec / 1000000 >= 1000);
    op_result_free(&result);
}

/* A date two seconds ahead; at least one second is left when it is read. */
static void test_retry_after_date(void **state)
{
    static script script = {.count = 2};
    static char answer[128];
    struct tm parts;
    time_t then = time(NULL) + 2;
    op_result result;
    (void)state;
    assert_non_null(gmtime_r(&then, &parts));
    assert_true(strftime(answer, sizeof(answer), "503 Busy\r\nRetry-After: %a, %d %b %Y %H:%M:%S GMT", &parts) > 0);
    script.answers[0] = answer;
    script.answers[1] = "200 OK";
    assert_int_equal(post(&script, "", STATE, &result), 2);
    assert_int_equal(result.status, MR_OK);
    assert_true(time(NULL) >= then - 1);
    op_result_free(&result);
}

static void test_events(void **state)
{
    static script script = {.answers = {"200 OK"}, .count = 1};
    op_result result;
    (void)state;
    assert_int_equal(post(&script, ", events: [run.failed]", STATE, &result), 0);
    assert_int_equal(result.status, MR_OK);
    assert_int_equal(result.count, 0);
    op_result_free(&result);
}

static void test_nobody_there(void **state)
{
    op_result result = op_run(op, "{url: 'http://127.0.0.1:1/', attempts: 2, delay: 10ms}", NULL, 0, NULL);
    (void)state;
    assert_int_equal(result.status, MR_ERR_UNAVAILABLE);
    assert_non_null(strstr(result.messages, "can't tell http://127.0.0.1:1/"));
    op_result_free(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delivered),        cmocka_unit_test(test_two_secrets), cmocka_unit_test(test_unsigned),
        cmocka_unit_test(test_attempts),         cmocka_unit_test(test_gives_up),    cmocka_unit_test(test_settings_are_above_params),
        cmocka_unit_test(test_retry_after),      cmocka_unit_test(test_events),      cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_retry_after_date),
    };
    op = op_load(PLUGIN, "notify.webhook");
    return op ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
