/* SPDX-License-Identifier: MIT */
/* Names of events and their JSON. */
#include "runtime/events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_json(const mr_event *event, const char *expected)
{
    json_t *json = mr_event_json(event);
    assert_non_null(json);
    char *text = mr_json_text(json);
    assert_string_equal(text, expected);
    free(text);
    json_decref(json);
}

static void test_every_type_has_a_name_of_its_own(void **context)
{
    (void)context;
    for (int i = MR_EVENT_RUN_STARTED; i <= MR_EVENT_RUN_DONE; i++)
        for (int k = MR_EVENT_RUN_STARTED; k < i; k++)
            assert_string_not_equal(mr_event_name((mr_event_type)i), mr_event_name((mr_event_type)k));
    assert_string_equal(mr_event_name(MR_EVENT_TASK_DONE), "task.done");
    assert_string_equal(mr_event_name((mr_event_type)99), "unknown");
}

static void test_a_task_that_is_done(void **context)
{
    (void)context;
    const mr_event event = {.type = MR_EVENT_TASK_DONE,
                            .seq = 7,
                            .time_us = 1000,
                            .run = "r1",
                            .node = "video",
                            .item = "3,1",
                            .state = "failed",
                            .reason = "no frames",
                            .attempt = 2,
                            .elapsed_us = 50};
    assert_json(&event,
                "{\"attempt\":2,\"cpu_us\":0,\"elapsed_us\":50,\"event\":\"task.done\",\"item\":\"3,1\",\"node\":\"video\",\"reason\":\"no frames\","
                "\"run\":\"r1\",\"seq\":7,\"state\":\"failed\",\"time_us\":1000}");
}

static void test_only_what_says_something(void **context)
{
    (void)context;
    const mr_event started = {.type = MR_EVENT_RUN_STARTED, .seq = 1, .run = "r1", .total = 12};
    assert_json(&started, "{\"event\":\"run.started\",\"run\":\"r1\",\"seq\":1,\"time_us\":0,\"total\":12}");
    const mr_event progress = {.type = MR_EVENT_TASK_PROGRESS, .seq = 2, .run = "r1", .node = "video", .item = ""};
    assert_json(&progress, "{\"event\":\"task.progress\",\"fraction\":0.0,\"item\":\"\",\"node\":\"video\",\"run\":\"r1\",\"seq\":2,\"time_us\":0}");
    const mr_event report = {.type = MR_EVENT_TASK_REPORT, .seq = 3, .node = "a", .severity = MR_SEVERITY_WARNING, .reason = "odd"};
    assert_json(&report, "{\"event\":\"task.report\",\"node\":\"a\",\"reason\":\"odd\",\"seq\":3,\"severity\":\"warning\",\"time_us\":0}");
}

static void test_detail_is_shared_not_taken(void **context)
{
    (void)context;
    json_t *detail = json_pack("{s:s}", "port", "info");
    const mr_event event = {.type = MR_EVENT_OUTPUT, .seq = 4, .node = "probe", .item = "", .detail = detail};
    assert_json(&event, "{\"detail\":{\"port\":\"info\"},\"event\":\"output\",\"item\":\"\",\"node\":\"probe\",\"seq\":4,\"time_us\":0}");
    assert_int_equal(detail->refcount, 1);
    json_decref(detail);
}

static void test_a_reason_that_is_not_utf8_costs_nothing_else(void **context)
{
    (void)context;
    const mr_event event = {.type = MR_EVENT_RUN_DONE, .seq = 5, .state = "failed", .reason = "can't read '\xff\xfe.mp4'"};
    assert_json(&event, "{\"event\":\"run.done\",\"reason\":\"can't read '\?\?.mp4'\",\"seq\":5,\"state\":\"failed\",\"time_us\":0}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_type_has_a_name_of_its_own),
        cmocka_unit_test(test_a_task_that_is_done),
        cmocka_unit_test(test_only_what_says_something),
        cmocka_unit_test(test_detail_is_shared_not_taken),
        cmocka_unit_test(test_a_reason_that_is_not_utf8_costs_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
