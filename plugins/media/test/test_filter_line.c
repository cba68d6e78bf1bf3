/* SPDX-License-Identifier: MIT */
/* Filters of plugins, over pictures whose luma is their number: what comes out says which pictures were looked at. */
#include "media/filter_line.h"
#include "media_host.h"

#include <libavutil/imgutils.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { WIDTH = 64, HEIGHT = 32, FRAMES = 40, LINES_MAX = 8 };

/* ---- where pictures come from ---- */

typedef struct pictures {
    int64_t next;
    int64_t end;
    int64_t wide_from; /* from here on twice as wide; 0: never */
    int stands_for;    /* frames for which each picture is shown */
    AVFrame *last;
} pictures;

static mr_status give(void *context, AVFrame *frame, int64_t *ret_number, bool *ret_repeat)
{
    pictures *from = context;
    if (from->next >= from->end)
        return MR_END;
    *ret_number = from->next;
    *ret_repeat = from->last->buf[0] && from->next % from->stands_for != 0;
    if (!*ret_repeat) {
        const int shown = (int)(from->next - from->next % from->stands_for);
        av_frame_unref(from->last);
        from->last->format = AV_PIX_FMT_YUV420P;
        from->last->width = from->wide_from && from->next >= from->wide_from ? WIDTH * 2 : WIDTH;
        from->last->height = HEIGHT;
        assert_true(av_frame_get_buffer(from->last, 0) >= 0);
        for (int y = 0; y < HEIGHT; y++)
            memset(from->last->data[0] + y * from->last->linesize[0], shown * 4, (size_t)from->last->width);
        for (int plane = 1; plane < 3; plane++) {
            for (int y = 0; y < HEIGHT / 2; y++)
                memset(from->last->data[plane] + y * from->last->linesize[plane], 128, (size_t)from->last->width / 2);
        }
        /* The right half tells left from right, for what is cut out. */
        for (int y = 0; y < HEIGHT; y++)
            memset(from->last->data[0] + y * from->last->linesize[0] + from->last->width / 2, 250, (size_t)from->last->width / 2);
    }
    from->next++;
    assert_true(av_frame_ref(frame, from->last) >= 0);
    return MR_OK;
}

/* ---- filters ---- */

static int applied;
static int opened;

static mr_status open_any(const mr_host *host, mr_task *task, const mr_frame_filter *filter, const void *params, const mr_video_format *in,
                          mr_video_format *out, void **ret_state)
{
    (void)host, (void)task, (void)filter, (void)params;
    assert_int_equal(in->pixels, MR_PIXELS_YUV420P);
    assert_int_equal(out->width, in->width);
    opened++;
    *ret_state = NULL;
    return MR_OK;
}

static mr_status open_half(const mr_host *host, mr_task *task, const mr_frame_filter *filter, const void *params, const mr_video_format *in,
                           mr_video_format *out, void **ret_state)
{
    out->width = in->width / 2;
    return open_any(host, task, filter, params, in, &(mr_video_format){.width = in->width}, ret_state);
}

static mr_status open_refuses(const mr_host *host, mr_task *task, const mr_frame_filter *filter, const void *params, const mr_video_format *in,
                              mr_video_format *out, void **ret_state)
{
    (void)filter, (void)params, (void)in, (void)out, (void)ret_state;
    host->report(task, MR_SEVERITY_ERROR, NULL, NULL, "not on a Sunday");
    return MR_ERR_PARAM;
}

static void fill(const mr_plane *plane, int value)
{
    for (int y = 0; y < plane->height; y++)
        memset(plane->data + y * plane->stride, value, (size_t)plane->width);
}

/* The mean of the window; for which frames it was called. */
static mr_status mean(void *state, const mr_frame_window *window, const mr_picture *out)
{
    int sum = 0;
    (void)state;
    if (window->count == 0)
        return MR_ERR_INTERNAL;
    for (uint32_t i = 0; i < window->count; i++) {
        sum += window->frames[i]->plane[0].data[0];
        assert_int_equal(window->frames[i]->number, window->frames[window->at]->number + i - window->at);
    }
    assert_int_equal(out->number, window->frames[window->at]->number);
    assert_int_equal(out->time_us, out->number * 40000);
    applied++;
    fill(&out->plane[0], sum / (int)window->count);
    fill(&out->plane[1], 128);
    fill(&out->plane[2], 128);
    return MR_OK;
}

static void reach_two(const mr_frame_filter *filter, const void *params, mr_reach *ret_reach)
{
    (void)filter, (void)params;
    ret_reach->back = 2;
    ret_reach->ahead = 2;
}

/* Only the first sample: the others have to be there already. */
static mr_status touch(void *state, const mr_frame_window *window, const mr_picture *out)
{
    (void)state;
    assert_ptr_equal(window->frames[window->at]->plane[0].data, out->plane[0].data);
    assert_int_equal(out->number, -1);
    out->plane[0].data[0] = 7;
    applied++;
    return MR_OK;
}

static mr_status fails(void *state, const mr_frame_window *window, const mr_picture *out)
{
    (void)state, (void)window, (void)out;
    return MR_ERR_INPUT;
}

static const char *crop_chain(void *state)
{
    (void)state;
    return "crop@window=w=32:h=32:x=0:y=0";
}

/* The left half for even frames, the right one for odd ones. */
static mr_status pan(void *state, const mr_picture *frame, const mr_steering *to)
{
    (void)state;
    assert_int_equal(frame->planes, 0);
    return to->set(to, 0, frame->number % 2 ? "32" : "0");
}

static mr_status pan_once(void *state, const mr_picture *frame, const mr_steering *to)
{
    return frame->number == 0 ? pan(state, frame, to) : MR_OK;
}

static const char *const crop_settings[] = {"crop@window.x", NULL};
static const char *const wrong_settings[] = {"crop@window.nothing", NULL};
static const char *const fixed_settings[] = {"crop@window.keep_aspect", NULL};

#define FILTER(text) .size = sizeof(mr_frame_filter), .version = 1, .name = text, .open = open_any
static const mr_frame_filter mean_filter = {FILTER("test.mean"), .apply = mean, .reach = reach_two};
static const mr_frame_filter own_filter = {FILTER("test.own"), .apply = mean};
static const mr_frame_filter touch_filter = {FILTER("test.touch"), .apply = touch, .flags = MR_FILTER_IN_PLACE | MR_FILTER_STILL};
static const mr_frame_filter half_filter = {.size = sizeof(mr_frame_filter), .version = 1, .name = "test.half", .open = open_half, .apply = mean};
static const mr_frame_filter refusing_filter = {
    .size = sizeof(mr_frame_filter), .version = 1, .name = "test.refusing", .open = open_refuses, .apply = mean};
static const mr_frame_filter failing_filter = {FILTER("test.failing"), .apply = fails};
static const mr_frame_filter pan_filter = {FILTER("test.pan"), .chain = crop_chain, .settings = crop_settings, .steer = pan};
static const mr_frame_filter once_filter = {FILTER("test.once"), .chain = crop_chain, .settings = crop_settings, .steer = pan_once};
static const mr_frame_filter wrong_filter = {FILTER("test.wrong"), .chain = crop_chain, .settings = wrong_settings, .steer = pan};
static const mr_frame_filter fixed_filter = {FILTER("test.fixed"), .chain = crop_chain, .settings = fixed_settings, .steer = pan};

/* ---- a line at work ---- */

typedef struct run {
    mr_task task;
    pictures from;
    mr_filter_use uses[LINES_MAX];
    const mr_filter_use *items[LINES_MAX];
    mr_filters filters;
    mr_chunk chunk;
    mr_picture_kind kind;
    mr_filter_line *line;
    AVFrame *frame;
} run;

static void add(run *it, const mr_frame_filter *filter, const char *chain)
{
    it->uses[it->filters.count] = (mr_filter_use){.size = sizeof(mr_filter_use), .filter = filter, .chain = chain};
    it->items[it->filters.count] = &it->uses[it->filters.count];
    it->filters.items = it->items;
    it->filters.count++;
}

static void start(run *it, int64_t number)
{
    it->task.limits = (mr_limits)MR_LIMITS_STANDARD;
    it->chunk.fps = (AVRational){25, 1};
    it->kind = (mr_picture_kind){AV_PIX_FMT_YUV420P, AVCOL_PRI_BT709, AVCOL_TRC_BT709, AVCOL_SPC_BT709, "SDR"};
    it->frame = av_frame_alloc();
    it->from.last = av_frame_alloc();
    it->from.end = it->from.end ? it->from.end : FRAMES;
    it->from.stands_for = it->from.stands_for ? it->from.stands_for : 1;
    applied = opened = 0;
    assert_int_equal(mr_filter_line_new(&media_host, &it->task, &it->filters, 0, &it->chunk, &it->kind, give, &it->from, &it->line), MR_OK);
    it->from.next = number > mr_filter_line_back(it->line) ? number - mr_filter_line_back(it->line) : 0;
    mr_filter_line_begin(it->line, number);
}

static mr_status next(run *it, bool *ret_repeat)
{
    av_frame_unref(it->frame);
    return mr_filter_line_next(it->line, it->frame, ret_repeat);
}

static void finish(run *it)
{
    mr_filter_line_free(it->line);
    av_frame_free(&it->frame);
    av_frame_free(&it->from.last);
}

static int expected_mean(int64_t number)
{
    int sum = 0, count = 0;
    for (int64_t i = number - 2; i <= number + 2; i++) {
        if (i < 0 || i >= FRAMES)
            continue;
        sum += (int)i * 4;
        count++;
    }
    return sum / count;
}

/* Whatever number it begins with, a number has the same picture. */
static void test_looks_around(void **state)
{
    static const int64_t begins[] = {0, 1, 2, 7, 37, 39};
    (void)state;
    for (size_t b = 0; b < sizeof(begins) / sizeof(begins[0]); b++) {
        run it = {0};
        bool repeat;
        add(&it, &mean_filter, NULL);
        start(&it, begins[b]);
        for (int64_t number = begins[b]; number < FRAMES; number++) {
            assert_int_equal(next(&it, &repeat), MR_OK);
            assert_int_equal(it.frame->data[0][0], expected_mean(number));
            assert_int_equal(it.frame->data[0][WIDTH - 1], expected_mean(number));
            assert_false(repeat);
        }
        assert_int_equal(next(&it, &repeat), MR_END);
        assert_int_equal(applied, FRAMES - begins[b]);
        finish(&it);
    }
}

static void test_filters_in_a_row(void **state)
{
    int whole[FRAMES];
    (void)state;
    for (int64_t begin = 0; begin < FRAMES; begin += 9) {
        run it = {0};
        bool repeat;
        add(&it, &mean_filter, NULL);
        add(&it, NULL, "negate");
        add(&it, &mean_filter, NULL);
        start(&it, begin);
        assert_int_equal(mr_filter_line_back(it.line), 4);
        assert_int_equal(mr_filter_line_ahead(it.line), 4);
        for (int64_t number = begin; number < FRAMES; number++) {
            assert_int_equal(next(&it, &repeat), MR_OK);
            if (begin == 0)
                whole[number] = it.frame->data[0][0];
            assert_int_equal(it.frame->data[0][0], whole[number]);
        }
        finish(&it);
    }
    assert_int_equal(whole[20], 255 - 20 * 4);
}

/* Pictures that stand for several frames: drawn on once where the time does not matter, and once a frame where it does. */
static void test_pictures_that_stand(void **state)
{
    (void)state;
    for (int timed = 0; timed < 2; timed++) {
        run it = {.from = {.stands_for = 4}};
        bool repeat;
        add(&it, timed ? &own_filter : &touch_filter, NULL);
        start(&it, 0);
        for (int number = 0; number < FRAMES; number++) {
            assert_int_equal(next(&it, &repeat), MR_OK);
            assert_int_equal(repeat, !timed && number % 4 != 0);
            assert_int_equal(it.frame->data[0][0], timed ? number / 4 * 16 : 7);
            assert_int_equal(it.frame->data[0][1], number / 4 * 16);
            assert_int_not_equal(it.from.last->data[0][0], 7); /* what the source still holds is not written to */
            if (number == 0)
                assert_int_equal(it.from.last->data[0][0], 0);
        }
        assert_int_equal(applied, timed ? FRAMES : FRAMES / 4);
        finish(&it);
    }
}

static void test_sizes(void **state)
{
    run it = {.from = {.wide_from = 20}};
    bool repeat;
    (void)state;
    add(&it, &mean_filter, NULL);
    add(&it, &half_filter, NULL);
    start(&it, 0);
    for (int number = 0; number < FRAMES; number++) {
        assert_int_equal(next(&it, &repeat), MR_OK);
        assert_int_equal(it.frame->width, number < 20 ? WIDTH / 2 : WIDTH);
        assert_int_equal(it.frame->height, HEIGHT);
    }
    assert_int_equal(opened, 4); /* each filter for each size */
    assert_int_equal(next(&it, &repeat), MR_END);
    finish(&it);
}

static void test_steers(void **state)
{
    run it = {0};
    bool repeat;
    (void)state;
    add(&it, &pan_filter, NULL);
    start(&it, 3);
    for (int number = 3; number < FRAMES; number++) {
        assert_int_equal(next(&it, &repeat), MR_OK);
        assert_int_equal(it.frame->width, 32);
        assert_in_range(it.frame->data[0][0], number % 2 ? 249 : number * 4, number % 2 ? 250 : number * 4);
    }
    finish(&it);
}

static const char *title_chain(void *state)
{
    (void)state;
    return "drawtext=text=x:fontsize=24:fontcolor=white:x=0:y=0";
}

/* Words on odd frames; what libavfilter would take for its own is written as it is. */
static mr_status title(void *state, const mr_picture *frame, const mr_steering *to)
{
    (void)state;
    return to->set(to, 0, frame->number % 2 ? "%{n}" : " ");
}

static const char *const title_settings[] = {"drawtext.text", NULL};
static const mr_frame_filter title_filter = {FILTER("test.title"), .chain = title_chain, .settings = title_settings, .steer = title};

static int bright(const AVFrame *frame)
{
    int count = 0;
    for (int y = 0; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH / 2; x++)
            count += frame->data[0][y * frame->linesize[0] + x] > 225;
    }
    return count;
}

static void test_writes(void **state)
{
    run it = {0};
    bool repeat;
    (void)state;
    add(&it, &title_filter, NULL);
    start(&it, 0);
    for (int number = 0; number < 6; number++) {
        if (next(&it, &repeat) != MR_OK) {
            print_message("drawtext is not usable here, so it was not tried: %s", it.task.messages);
            break;
        }
        assert_true(number % 2 ? bright(it.frame) > 40 : bright(it.frame) == 0);
    }
    finish(&it);
}

static void refuses(const mr_frame_filter *filter, const char *chain, mr_status status, const char *words)
{
    run it = {0};
    bool repeat;
    mr_status got = MR_OK;
    add(&it, filter, chain);
    start(&it, 0);
    for (int number = 0; number < 3 && got == MR_OK; number++)
        got = next(&it, &repeat);
    assert_int_equal(got, status);
    if (!strstr(it.task.messages, words))
        fail_msg("'%s' is not in: %s", words, it.task.messages);
    finish(&it);
}

static void test_mistakes(void **state)
{
    (void)state;
    refuses(&refusing_filter, NULL, MR_ERR_PARAM, "not on a Sunday");
    refuses(&failing_filter, NULL, MR_ERR_INPUT, "");
    refuses(&once_filter, NULL, MR_ERR_INPUT, "did not set 'crop@window.x' for frame 1");
    refuses(&wrong_filter, NULL, MR_ERR_PARAM, "the filter has no such option");
    refuses(&fixed_filter, NULL, MR_ERR_PARAM, "can't change while the filter runs");
    refuses(NULL, "crop=w=nonsense", MR_ERR_PARAM, "can't be used on pictures");
}

/* The chains in front of the first filter of a plugin are for the graph that is there anyway. */
static void test_lead(void **state)
{
    char text[32];
    run it = {0};
    (void)state;
    add(&it, NULL, "hflip");
    add(&it, NULL, "negate,vflip");
    add(&it, &own_filter, NULL);
    add(&it, NULL, "hue");
    assert_int_equal(mr_filters_lead(&it.filters, text, sizeof(text)), 2);
    assert_string_equal(text, "hflip,negate,vflip");
    assert_int_equal(mr_filters_lead(&it.filters, text, 10), SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_looks_around),
        cmocka_unit_test(test_filters_in_a_row),
        cmocka_unit_test(test_pictures_that_stand),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_steers),
        cmocka_unit_test(test_writes),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_lead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
