/* SPDX-License-Identifier: MIT */
/* The font of steered drawtext: named where none is, and nowhere else. */
#include "media/font.h"
#include "media_host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[] = "/tmp/millrace-font-XXXXXX";

static const char *scratch(mr_task *task)
{
    (void)task;
    return folder;
}

static void test_names_a_font(void **state)
{
    static const char *const without[] = {"drawtext=text=x", "drawtext=text=x:fontsize=10:fontcolor=white", "hflip,drawtext@a=text='a,b=c',vflip",
                                          "drawtext=text=a\\,b"};
    static const char *const others[] = {"hflip", "crop=10:10,eq=gamma=1.1", "drawtext=text=x:fontfile=/a/b.ttf", "drawtext=text=x:font=Serif",
                                         "hflip,drawtext=fontsize=3:font=Serif:text='a,b',vflip"};
    mr_task task = {0};
    mr_host host = media_host;
    char out[8192];
    (void)state;
    host.scratch = scratch;
    assert_non_null(mkdtemp(folder));
    mr_font_load();
    const char *name = mr_font_identity();
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_int_equal(mr_font_chain(&host, &task, others[i], out, sizeof(out)), MR_OK);
        assert_string_equal(out, others[i]);
    }
    assert_int_not_equal(mr_font_chain(&host, &task, others[1], out, 10), MR_OK);
    char path[256] = "";
    if (strcmp(name, "no font") != 0) {
        snprintf(path, sizeof(path), "%s/%.*s", folder, (int)strcspn(name + 5, " "), name + 5);
        for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++) {
            char expected[1024];
            struct stat info;
            const char *after = strchr(strstr(without[i], "drawtext"), '=') + 1;
            snprintf(expected, sizeof(expected), "%.*sfontfile='%s':%s", (int)(after - without[i]), without[i], path, after);
            assert_int_equal(mr_font_chain(&host, &task, without[i], out, sizeof(out)), MR_OK);
            assert_string_equal(out, expected);
            assert_true(stat(path, &info) == 0 && info.st_size > 1000);
        }
        unlink(path);
    } else {
        print_message("none of the usual fonts is here, so it was not tried whether one is named\n");
    }
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names_a_font)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
