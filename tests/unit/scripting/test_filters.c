/* SPDX-License-Identifier: MIT */
/* Frame filters in Lua: what they are asked and give, their mistakes with lines, and what a frame costs. */
#include "scripting/filters.h"

#include "base/arena.h"
#include "base/diag.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

struct mr_task {
    char message[1024];
    int cancelled;
};

static int told_to = -1; /* reports go there, too */

static void report(mr_task *task, mr_severity severity, const char *param, const char *hint, const char *fmt, ...)
{
    va_list args;
    (void)severity, (void)param, (void)hint;
    va_start(args, fmt);
    vsnprintf(task->message, sizeof(task->message), fmt, args);
    va_end(args);
    if (told_to >= 0 && write(told_to, task->message, strlen(task->message)) < 0)
        abort();
}

static int cancelled(const mr_task *task)
{
    return task->cancelled;
}

static const mr_host host = {.size = sizeof(mr_host), .report = report, .cancelled = cancelled};

static const char *const settings[] = {"drawtext.text", "crop.x", NULL};

static const char clock_script[] =
    "millrace.op{name = 'titles.other'}\n"
    "millrace.filter{\n"
    "  name = 'titles.clock',\n"
    "  settings = {'drawtext.text', 'crop.x'},\n"
    "  chain = function(params, video)\n"
    "    return 'crop=w=' .. video.height .. ',drawtext=text=x:fontsize=' .. params.size\n"
    "  end,\n"
    "  steer = function(frame, params, video)\n"
    "    return {['drawtext.text'] = string.format('%02d:%05.2f #%d', frame.time // 60, frame.time % 60, frame.number),\n"
    "            ['crop.x'] = frame.number % video.width}\n"
    "  end,\n"
    "}\n";

struct clock_params {
    int64_t size;
};

static void push_size(lua_State *lua, const mr_param *table, const void *params)
{
    (void)table;
    lua_createtable(lua, 0, 1);
    lua_pushinteger(lua, ((const struct clock_params *)params)->size);
    lua_setfield(lua, -2, "size");
}

typedef struct taken {
    mr_steering pub; /* first */
    char values[2][128];
    unsigned count;
} taken;

static mr_status take(const mr_steering *to, uint32_t setting, const char *value)
{
    taken *into = (taken *)to;
    assert_in_range(setting, 0, 1);
    snprintf(into->values[setting], sizeof(into->values[setting]), "%s", value);
    into->count++;
    return MR_OK;
}

typedef struct script {
    mr_arena *arena;
    mr_script_filter filter;
    mr_ops_script from;
    mr_task task;
    void *state;
} script;

static mr_status begin(script *it, const char *text)
{
    static const struct clock_params params = {.size = 48};
    const mr_video_format video = {.size = sizeof(video), .pixels = MR_PIXELS_YUV420P, .width = 1920, .height = 1080, .frame_rate = {25, 1}};
    mr_video_format out = video;
    mr_diags *diags = mr_diags_new();
    *it = (script){.arena = mr_arena_new(0)};
    it->filter =
        (mr_script_filter){.pub = {.version = 1, .name = "titles.clock", .settings = settings}, .script = &it->from, .push_params = push_size};
    it->filter.limits = (mr_script_limits){.time_us = 500000};
    it->filter.span = (mr_span){.file = "clock.lua", .line = 2, .col = 1, .len = 1};
    assert_int_equal(mr_bundle_of_text(it->arena, "clock.lua", text, strlen(text), diags, &it->from.bundle), MR_OK);
    mr_diags_free(diags);
    mr_script_filter_init(&it->filter);
    return it->filter.pub.open(&host, &it->task, &it->filter.pub, &params, &video, &out, &it->state);
}

static mr_status steer(script *it, int64_t number, taken *ret_taken)
{
    const mr_picture frame = {.size = sizeof(frame), .number = number, .time_us = number * 40000};
    *ret_taken = (taken){.pub = {.size = sizeof(mr_steering), .set = take}};
    return it->filter.pub.steer(it->state, &frame, &ret_taken->pub);
}

static void finish(script *it)
{
    it->filter.pub.close(it->state);
    mr_arena_free(it->arena);
}

static void test_steers(void **state)
{
    script it;
    taken got;
    (void)state;
    assert_int_equal(begin(&it, clock_script), MR_OK);
    assert_string_equal(it.filter.pub.chain(it.state), "crop=w=1080,drawtext=text=x:fontsize=48");
    assert_int_equal(steer(&it, 1930, &got), MR_OK);
    assert_string_equal(got.values[0], "01:17.20 #1930");
    assert_string_equal(got.values[1], "10");
    assert_int_equal(got.count, 2);
    assert_int_equal(steer(&it, 0, &got), MR_OK); /* in any order */
    assert_string_equal(got.values[0], "00:00.00 #0");
    finish(&it);
}

#define FILTER(body) "millrace.filter{name = 'titles.clock', chain = 'crop',\n  steer = function(frame, params, video)\n    " body "\n  end}\n"

static void test_mistakes(void **state)
{
    static const struct {
        const char *text;
        mr_status status;
        const char *words;
    } wrong[] = {
        {FILTER("return 7"), MR_ERR_PARAM, "steer must give a table"},
        {FILTER("return {['crop.x'] = 1}"), MR_ERR_PARAM, "no text or number for 'drawtext.text'"},
        {FILTER("return {['crop.x'] = 1, ['drawtext.text'] = {}}"), MR_ERR_PARAM, "no text or number for 'drawtext.text'"},
        {FILTER("return {['crop.y'] = 1, ['drawtext.text'] = 'a'}"), MR_ERR_PARAM, "'crop.y'"},
        {FILTER("return frame.nothing.at.all"), MR_ERR_PARAM, "clock.lua:3:"},
        {FILTER("while true do end"), MR_ERR_LIMIT, ""},
        {FILTER("local t = {} for i = 1, 1e9 do t[i] = {i} end"), MR_ERR_LIMIT, ""},
    };
    static const struct {
        const char *text;
        const char *words;
    } unusable[] = {
        {"return 1", "offers no filter 'titles.clock'"},
        {"millrace.filter{name = 'titles.clock', chain = 'crop'}", "needs a steer function"},
        {"millrace.filter{name = 'titles.clock', steer = function() end}", "needs a chain"},
        {"millrace.filter{name = 'titles.clock', steer = function() end, chain = function() return nil end}", "must be a text"},
        {"millrace.filter(", "clock.lua:1:"},
        {"os.exit(1)", "clock.lua:1:"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        script it;
        taken got;
        assert_int_equal(begin(&it, wrong[i].text), MR_OK);
        const mr_status status = steer(&it, 3, &got);
        if (status != wrong[i].status || !strstr(it.task.message, wrong[i].words))
            fail_msg("%s gave %d: %s", wrong[i].text, status, it.task.message);
        finish(&it);
    }
    for (size_t i = 0; i < sizeof(unusable) / sizeof(unusable[0]); i++) {
        script it;
        assert_int_equal(begin(&it, unusable[i].text), MR_ERR_PARAM);
        if (!strstr(it.task.message, unusable[i].words))
            fail_msg("%s gave: %s", unusable[i].text, it.task.message);
        finish(&it);
    }
}

static void test_is_cancelled(void **state)
{
    script it;
    taken got;
    (void)state;
    assert_int_equal(begin(&it, FILTER("while true do end")), MR_OK);
    it.task.cancelled = 1;
    assert_int_equal(steer(&it, 0, &got), MR_ERR_CANCELLED);
    finish(&it);
}

/* No instruction of Lua is run meanwhile: only the watch sees it. */
static void test_pattern_without_end(void **state)
{
    int status = 0;
    int pipes[2];
    char said[256] = "";
    (void)state;
    assert_int_equal(pipe(pipes), 0);
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        script it;
        taken got;
        told_to = pipes[1];
        if (begin(&it, FILTER("string.find(string.rep('a', 5000), string.rep('.-', 60) .. 'b')")) == MR_OK)
            steer(&it, 0, &got);
        _exit(0);
    }
    close(pipes[1]);
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    assert_true(read(pipes[0], said, sizeof(said) - 1) > 0);
    close(pipes[0]);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), MR_SCRIPT_STUCK);
    assert_non_null(strstr(said, "clock.lua:2: filter 'titles.clock' was ended: it was in one call of Lua's library"));
}

/* A picture of 1080 lines takes an encoder's 20 ms and more: 2 % of that are 400 µs. */
static void test_costs_little(void **state)
{
    enum { FRAMES = 5000 };
    struct timespec before, after;
    script it;
    taken got;
    (void)state;
    assert_int_equal(begin(&it, clock_script), MR_OK);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    for (int i = 0; i < FRAMES; i++)
        assert_int_equal(steer(&it, i, &got), MR_OK);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    finish(&it);
    const double us = ((double)(after.tv_sec - before.tv_sec) * 1e6 + (double)(after.tv_nsec - before.tv_nsec) / 1e3) / FRAMES;
    print_message("a frame: %.2f µs\n", us);
    assert_true(us < 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steers),       cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_is_cancelled), cmocka_unit_test(test_pattern_without_end),
        cmocka_unit_test(test_costs_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
