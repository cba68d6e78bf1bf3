/* SPDX-License-Identifier: MIT */
/* The tally of events, and the picture that is drawn of it. */
#include "cli/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)
enum { NODES_MAX = 40 };

static const mr_op work_op = {.name = "test.work", .cpu = 1};
static mr_node nodes[NODES_MAX];
static char names[NODES_MAX][16];
static mr_pipeline pipeline = {.nodes = nodes};

static void make_pipeline(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        snprintf(names[i], sizeof(names[i]), "node_%zu", i);
        nodes[i] = (mr_node){.name = names[i], .op = &work_op};
    }
    pipeline.node_count = count;
}

static void send(mr_tally *tally, mr_event event)
{
    mr_tally_add(tally, &event);
}

static void plan(mr_tally *tally, size_t node, uint64_t total)
{
    send(tally, (mr_event){.type = MR_EVENT_NODE_PLANNED, .node = names[node], .total = total});
}

static void begin(mr_tally *tally, size_t node, const char *item, int64_t at)
{
    send(tally, (mr_event){.type = MR_EVENT_TASK_STARTED, .node = names[node], .item = item, .time_us = at, .attempt = 1});
}

static void end(mr_tally *tally, size_t node, const char *item, const char *state, int64_t at, int64_t took)
{
    send(tally, (mr_event){.type = MR_EVENT_TASK_DONE, .node = names[node], .item = item, .state = state, .time_us = at, .elapsed_us = took});
}

/* The frame as text; the caller frees it. */
static char *draw(const mr_tally *tally, mr_screen screen, int64_t now, unsigned *ret_lines)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    *ret_lines = mr_frame_write(out, tally, &screen, now);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void check_shape(const char *text, unsigned lines, unsigned columns)
{
    unsigned counted = 0;
    for (const char *at = text; *at;) {
        unsigned used = 0;
        for (; *at && *at != '\n'; at++)
            used += ((unsigned char)*at & 0xc0) != 0x80;
        assert_true(used < columns); /* the last column stays free, so that no terminal wraps */
        counted++;
        at += *at == '\n';
    }
    assert_int_equal(counted, lines);
}

static void counts_what_happens(void **state)
{
    (void)state;
    mr_tally tally;
    make_pipeline(2);
    assert_true(mr_tally_init(&tally, &pipeline));
    send(&tally, (mr_event){.type = MR_EVENT_RUN_STARTED, .time_us = SECOND});
    plan(&tally, 0, 4);
    begin(&tally, 0, "0", 2 * SECOND);
    begin(&tally, 0, "1", 2 * SECOND);
    send(&tally, (mr_event){.type = MR_EVENT_TASK_PROGRESS, .node = names[0], .item = "1", .fraction = 0.5});
    end(&tally, 0, "0", "succeeded", 3 * SECOND, SECOND);
    end(&tally, 0, "2", "cached", 3 * SECOND, 0);
    const mr_tally_node *node = &tally.nodes[0];
    assert_int_equal(node->done, 2);
    assert_int_equal(node->cached, 1);
    assert_int_equal(node->running, 1);
    assert_true(node->fraction == 0.5);
    begin(&tally, 0, "1", 4 * SECOND); /* another attempt begins at nothing */
    assert_int_equal(node->running, 1);
    assert_true(node->fraction == 0);
    end(&tally, 0, "1", "failed", 5 * SECOND, SECOND);
    assert_int_equal(node->failed, 1);
    assert_int_equal(node->running, 0);
    mr_totals totals = mr_tally_totals(&tally);
    assert_int_equal(totals.tasks, 4);
    assert_int_equal(totals.done, 3);
    assert_true(totals.fraction == 3.0 / 5); /* the node that can't be counted yet weighs as one */
    mr_tally_clear(&tally);
}

static void ends_with_the_states_of_its_nodes(void **state)
{
    (void)state;
    static const char *const words[] = {"succeeded", "cached", "failed", "cancelled", "skipped"};
    static const mr_node_state states[] = {MR_NODE_SUCCEEDED, MR_NODE_SUCCEEDED, MR_NODE_FAILED, MR_NODE_CANCELLED, MR_NODE_SKIPPED};
    mr_tally tally;
    make_pipeline(5);
    assert_true(mr_tally_init(&tally, &pipeline));
    for (size_t i = 0; i < 5; i++) {
        send(&tally, (mr_event){.type = MR_EVENT_NODE_DONE, .node = names[i], .state = words[i], .time_us = SECOND});
        assert_int_equal(tally.nodes[i].state, states[i]);
    }
    send(&tally, (mr_event){.type = MR_EVENT_RUN_DONE, .state = "failed", .time_us = 2 * SECOND});
    assert_string_equal(tally.state, "failed");
    mr_tally_clear(&tally);
}

static void tells_what_is_left(void **state)
{
    (void)state;
    mr_tally tally;
    make_pipeline(1);
    assert_true(mr_tally_init(&tally, &pipeline));
    send(&tally, (mr_event){.type = MR_EVENT_RUN_STARTED, .time_us = SECOND});
    assert_int_equal(mr_tally_remaining_us(&tally, 9 * SECOND), -1); /* how many tasks there are is not known */
    plan(&tally, 0, 10);
    assert_int_equal(mr_tally_remaining_us(&tally, 9 * SECOND), -1); /* nor how long one takes */
    for (int i = 0; i < 4; i++) {
        char item[8];
        snprintf(item, sizeof(item), "%d", i);
        begin(&tally, 0, item, (1 + 2 * i) * SECOND);
        end(&tally, 0, item, "succeeded", (3 + 2 * i) * SECOND, 2 * SECOND);
    }
    assert_int_equal(mr_tally_remaining_us(&tally, 9 * SECOND), 12 * SECOND); /* six more of two seconds, one at a time */
    mr_tally_clear(&tally);
}

static void fits_any_screen(void **state)
{
    (void)state;
    mr_tally tally;
    make_pipeline(NODES_MAX);
    assert_true(mr_tally_init(&tally, &pipeline));
    send(&tally, (mr_event){.type = MR_EVENT_RUN_STARTED, .time_us = SECOND});
    for (size_t i = 0; i < 30; i++) {
        plan(&tally, i, 3);
        begin(&tally, i, "0", SECOND);
    }
    for (unsigned columns = 1; columns < 200; columns += 7) {
        for (unsigned rows = 1; rows < 60; rows += 3) {
            for (int utf8 = 0; utf8 < 2; utf8++) {
                unsigned lines;
                char *text = draw(&tally, (mr_screen){columns, rows, false, utf8 != 0}, 5 * SECOND, &lines);
                check_shape(text, lines, columns > 1 ? columns : 2);
                assert_true(lines < (rows > 2 ? rows : 2));
                free(text);
            }
        }
    }
    mr_tally_clear(&tally);
}

static void gathers_what_has_no_room(void **state)
{
    (void)state;
    mr_tally tally;
    unsigned lines;
    make_pipeline(NODES_MAX);
    assert_true(mr_tally_init(&tally, &pipeline));
    for (size_t i = 0; i < 20; i++)
        send(&tally, (mr_event){.type = MR_EVENT_NODE_DONE, .node = names[i], .state = "succeeded", .time_us = SECOND});
    plan(&tally, 20, 3);
    begin(&tally, 20, "0", SECOND);
    char *text = draw(&tally, (mr_screen){80, 24, false, false}, 5 * SECOND, &lines);
    assert_int_equal(lines, 4);
    assert_non_null(strstr(text, "20 of 40 nodes ended"));
    assert_non_null(strstr(text, "> node_20"));
    assert_non_null(strstr(text, "19 waiting"));
    assert_null(strstr(text, "node_5 "));
    free(text);
    mr_tally_clear(&tally);
}

static void colours_only_when_asked(void **state)
{
    (void)state;
    mr_tally tally;
    unsigned lines;
    make_pipeline(3);
    assert_true(mr_tally_init(&tally, &pipeline));
    begin(&tally, 1, "", SECOND);
    char *plain = draw(&tally, (mr_screen){80, 24, false, true}, 5 * SECOND, &lines);
    char *coloured = draw(&tally, (mr_screen){80, 24, true, true}, 5 * SECOND, &lines);
    assert_null(strchr(plain, '\033'));
    assert_non_null(strstr(coloured, "\033[36m"));
    free(plain);
    free(coloured);
    mr_tally_clear(&tally);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_what_happens), cmocka_unit_test(ends_with_the_states_of_its_nodes), cmocka_unit_test(tells_what_is_left),
        cmocka_unit_test(fits_any_screen),     cmocka_unit_test(gathers_what_has_no_room),          cmocka_unit_test(colours_only_when_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
