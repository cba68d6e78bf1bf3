/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "../test.h"
#include <string.h>

static void times_as_in_rfc_3339(void **state)
{
    (void)state;
    char text[32];
    mr_time_text(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    mr_time_text(1700000000123456, text);
    assert_string_equal(text, "2023-11-14T22:13:20.123Z");
    mr_time_text(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999Z");
    mr_time_text(INT64_MAX, text);
    assert_string_equal(text, "invalid time");
    mr_time_text(INT64_MIN, text);
    assert_string_equal(text, "invalid time");
}

static void durations_for_people(void **state)
{
    (void)state;
    static const struct {
        int64_t us;
        const char *text;
    } cases[] = {
        {0, "0ms"},
        {499, "0ms"},
        {12000, "12ms"},
        {999499, "999ms"},
        {999500, "1.0s"},
        {4200000, "4.2s"},
        {59949999, "59.9s"},
        {59950000, "1m00s"},
        {185000000, "3m05s"},
        {3599499999, "59m59s"},
        {3599500000, "1h00m"},
        {3720000000, "1h02m"},
        {360000000000, "100h00m"},
        {-4200000, "-4.2s"},
        {INT64_MIN, "-2562047788h01m"},
    };
    char text[32];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        mr_duration_text(cases[i].us, text, sizeof(text));
        assert_string_equal(text, cases[i].text);
    }
    mr_duration_text(3720000000, text, 3); /* too little room: cut, never past its end */
    assert_string_equal(text, "1h");
}

static void clocks_go_forward(void **state)
{
    (void)state;
    int64_t now = mr_now_us();
    int64_t cpu = mr_thread_cpu_us();
    while (mr_thread_cpu_us() == cpu)
        ; /* asking is the work */
    assert_true(mr_now_us() > now);
    assert_true(mr_wall_us() > (int64_t)1600000000 * 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_as_in_rfc_3339),
        cmocka_unit_test(durations_for_people),
        cmocka_unit_test(clocks_go_forward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
