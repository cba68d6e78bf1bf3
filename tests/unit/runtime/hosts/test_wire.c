/* SPDX-License-Identifier: MIT */
/* Frames over a socket pair: what is sent arrives, and what a hostile end may send is refused. */
#include "../../test.h"
#include "runtime/hosts/wire.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct pair {
    mr_wire here;
    mr_wire there;
    mr_packer packer;
} pair;

static int begin(void **state)
{
    int sockets[2];
    pair *it = calloc(1, sizeof(*it));
    assert_non_null(it);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
    assert_int_equal(mr_wire_open(&it->here, sockets[0], false), MR_OK);
    assert_int_equal(mr_wire_open(&it->there, sockets[1], true), MR_OK);
    *state = it;
    return 0;
}

static int end(void **state)
{
    pair *it = *state;
    mr_wire_close(&it->here);
    mr_wire_close(&it->there);
    mr_packer_free(&it->packer);
    free(it);
    return 0;
}

static void fields_arrive(void **state)
{
    pair *it = *state;
    mr_frame frame;
    size_t len = 0;
    mr_pack_begin(&it->packer, 7);
    mr_pack_u32(&it->packer, UINT32_MAX);
    mr_pack_u64(&it->packer, UINT64_MAX - 1);
    mr_pack_i64(&it->packer, INT64_MIN);
    mr_pack_f64(&it->packer, -0.25);
    mr_pack_text(&it->packer, "täxt");
    mr_pack_text(&it->packer, NULL);
    mr_pack_bytes(&it->packer, "a\0b", 3);
    assert_int_equal(mr_wire_send(&it->here, &it->packer, -1, 1000), MR_OK);
    assert_int_equal(mr_wire_receive(&it->there, 1000, &frame), MR_OK);
    assert_int_equal(frame.type, 7);
    assert_int_equal(mr_frame_u32(&frame), UINT32_MAX);
    assert_true(mr_frame_u64(&frame) == UINT64_MAX - 1);
    assert_true(mr_frame_i64(&frame) == INT64_MIN);
    assert_true(fabs(mr_frame_f64(&frame) + 0.25) < 1e-12);
    assert_string_equal(mr_frame_text(&frame), "täxt");
    assert_string_equal(mr_frame_text(&frame), "");
    assert_false(mr_frame_done(&frame));
    assert_memory_equal(mr_frame_bytes(&frame, &len), "a\0b", 3);
    assert_int_equal(len, 3);
    assert_true(mr_frame_done(&frame));
}

static void send_raw(const mr_wire *wire, const void *data, size_t len)
{
    assert_int_equal(send(wire->fd, data, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void send_head(const mr_wire *wire, uint32_t length, uint32_t type)
{
    const uint32_t head[2] = {length, type};
    send_raw(wire, head, sizeof(head));
}

static void frames_come_in_pieces_and_in_heaps(void **state)
{
    pair *it = *state;
    mr_frame frame;
    send_head(&it->here, 4, 1);
    assert_int_equal(mr_wire_receive(&it->there, 0, &frame), MR_NOT_YET);
    send_raw(&it->here, "ab", 2);
    assert_int_equal(mr_wire_receive(&it->there, 0, &frame), MR_NOT_YET);
    send_raw(&it->here, "cd", 2);
    send_head(&it->here, 0, 2);
    send_head(&it->here, 0, 3);
    for (uint32_t type = 1; type <= 3; type++) {
        assert_int_equal(mr_wire_receive(&it->there, 0, &frame), MR_OK);
        assert_int_equal(frame.type, type);
    }
    assert_int_equal(mr_wire_receive(&it->there, 0, &frame), MR_NOT_YET);
}

static void a_frame_over_the_limit_is_refused_before_it_is_read(void **state)
{
    pair *it = *state;
    mr_frame frame;
    send_head(&it->here, MR_FRAME_MAX + 1, 1);
    assert_int_equal(mr_wire_receive(&it->there, 0, &frame), MR_ERR_LIMIT);
    assert_true(it->there.in_room < 1u << 20);
}

static void memory_of_a_large_frame_is_given_back(void **state)
{
    pair *it = *state;
    mr_frame frame;
    const size_t large = 8u << 20;
    char *zeros = calloc(1, large);
    assert_non_null(zeros);
    send_head(&it->here, (uint32_t)large, 1);
    for (size_t sent = 0; sent < large;) {
        ssize_t count = send(it->here.fd, zeros + sent, large - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count > 0)
            sent += (size_t)count;
        if (sent < large)
            assert_int_equal(mr_wire_receive(&it->there, 0, &frame), MR_NOT_YET);
    }
    free(zeros);
    assert_int_equal(mr_wire_receive(&it->there, 1000, &frame), MR_OK);
    assert_int_equal(frame.left, large);
    send_head(&it->here, 0, 2);
    assert_int_equal(mr_wire_receive(&it->there, 1000, &frame), MR_OK);
    assert_int_equal(mr_wire_receive(&it->there, 0, &frame), MR_NOT_YET);
    assert_true(it->there.in_room < 1u << 20);
}

static void fields_that_are_not_there_make_a_frame_bad(void **state)
{
    pair *it = *state;
    mr_frame frame;
    /* A text that claims more than there is, one without its NUL, one with a NUL inside; a number that is none; a payload that goes on. */
    static const struct {
        const char *bytes;
        uint32_t len;
    } bad[] = {{"\xff\xff\xff\xff"
                "abc",
                7},
               {"\3\0\0\0abcd", 8},
               {"\3\0\0\0a\0c", 8},
               {"\0\0", 2},
               {"\1\0\0\0a\0z", 7}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        send_head(&it->here, bad[i].len, 1);
        send_raw(&it->here, bad[i].bytes, bad[i].len);
        assert_int_equal(mr_wire_receive(&it->there, 1000, &frame), MR_OK);
        mr_frame_text(&frame);
        assert_false(mr_frame_done(&frame));
    }
    const double infinite = HUGE_VAL;
    send_head(&it->here, sizeof(infinite), 1);
    send_raw(&it->here, &infinite, sizeof(infinite));
    assert_int_equal(mr_wire_receive(&it->there, 1000, &frame), MR_OK);
    mr_frame_f64(&frame);
    assert_false(mr_frame_done(&frame));
}

static void the_end_of_the_other_is_seen(void **state)
{
    pair *it = *state;
    mr_frame frame;
    send_head(&it->here, 8, 1);
    mr_wire_close(&it->here);
    assert_int_equal(mr_wire_receive(&it->there, 1000, &frame), MR_END);
    mr_pack_begin(&it->packer, 1);
    assert_int_equal(mr_wire_send(&it->there, &it->packer, -1, 1000), MR_END);
}

static void who_does_not_read_does_not_block(void **state)
{
    pair *it = *state;
    mr_status status = MR_OK;
    char some[4096] = {0};
    for (int i = 0; i < 10000 && status == MR_OK; i++) {
        mr_pack_begin(&it->packer, 1);
        mr_pack_bytes(&it->packer, some, sizeof(some));
        status = mr_wire_send(&it->here, &it->packer, -1, 0);
    }
    assert_int_equal(status, MR_ERR_LIMIT);
}

static void descriptors_travel_one_way_only(void **state)
{
    pair *it = *state;
    mr_frame frame;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    mr_pack_begin(&it->packer, 1);
    assert_int_equal(mr_wire_send(&it->here, &it->packer, fd, 1000), MR_OK);
    assert_int_equal(mr_wire_receive(&it->there, 1000, &frame), MR_OK);
    int got = mr_wire_take_fd(&it->there);
    assert_true(got >= 0 && got != fd);
    assert_int_equal(mr_wire_take_fd(&it->there), -1);
    close(got);
    mr_pack_begin(&it->packer, 2);
    assert_int_equal(mr_wire_send(&it->there, &it->packer, fd, 1000), MR_OK);
    assert_int_equal(mr_wire_receive(&it->here, 1000, &frame), MR_OK);
    assert_int_equal(mr_wire_take_fd(&it->here), -1);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(fields_arrive, begin, end),
        cmocka_unit_test_setup_teardown(frames_come_in_pieces_and_in_heaps, begin, end),
        cmocka_unit_test_setup_teardown(a_frame_over_the_limit_is_refused_before_it_is_read, begin, end),
        cmocka_unit_test_setup_teardown(memory_of_a_large_frame_is_given_back, begin, end),
        cmocka_unit_test_setup_teardown(fields_that_are_not_there_make_a_frame_bad, begin, end),
        cmocka_unit_test_setup_teardown(the_end_of_the_other_is_seen, begin, end),
        cmocka_unit_test_setup_teardown(who_does_not_read_does_not_block, begin, end),
        cmocka_unit_test_setup_teardown(descriptors_travel_one_way_only, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
