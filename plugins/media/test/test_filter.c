/* SPDX-License-Identifier: MIT */
#include "media/filter.h"
#include "media_host.h"

#include <libavfilter/avfilter.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static mr_status check(const char *text, mr_task *task)
{
    *task = (mr_task){0};
    return mr_filter_check(&media_host, task, "filters", text, false);
}

static void test_plain_chains_pass(void **state)
{
    static const char *const chains[] = {
        NULL, "", "  ", "hflip", "crop=ih:ih", " crop = 100:100 , eq=gamma=1.1:contrast='1,2'", "scale=w=iw/2:h=-2\\,1,vflip", "unsharp"};
    mr_task task;
    (void)state;
    for (size_t i = 0; i < sizeof(chains) / sizeof(chains[0]); i++)
        assert_int_equal(check(chains[i], &task), MR_OK);
}

static void test_others_are_refused(void **state)
{
    static const struct {
        const char *chain;
        const char *word;
    } bad[] = {
        {"movie=/etc/passwd", "'movie'"},  {"amovie=x", "'amovie'"},        {"drawtext=textfile=/etc/passwd", "'drawtext'"},
        {"lut3d=file=x", "'lut3d'"},       {"subtitles=x", "'subtitles'"},  {"hflip,curves=psfile=x", "'curves'"},
        {"tmix=frames=3", "'tmix'"},       {"[a]hflip", "plain chain"},     {"hflip[b]", "plain chain"},
        {"hflip;vflip", "plain chain"},    {"hflip=[", "plain chain"},      {"hflip,", "plain chain"},
        {"eq=gamma='1.1", "plain chain"},  {"sendcmd=f=x", "'sendcmd'"},    {"hflip@name=1", "plain chain"},
        {"crop=1,movie=x", "'movie'"},     {"crop='1',movie=x", "'movie'"}, {"crop=\\',movie=x", "'movie'"},
        {"crop=a\\\\,movie=x", "'movie'"},
    };
    mr_task task;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(check(bad[i].chain, &task), MR_ERR_PARAM);
        assert_non_null(strstr(task.messages, bad[i].word));
    }
}

static void test_too_long_is_refused(void **state)
{
    char text[5000];
    mr_task task;
    (void)state;
    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(check(text, &task), MR_ERR_PARAM);
    text[0] = '\0';
    for (int i = 0; i < 33; i++)
        strncat(text, i ? ",hflip" : "hflip", sizeof(text) - strlen(text) - 1);
    assert_int_equal(check(text, &task), MR_ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_chains_pass),
        cmocka_unit_test(test_others_are_refused),
        cmocka_unit_test(test_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
