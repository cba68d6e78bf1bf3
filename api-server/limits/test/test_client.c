/* SPDX-License-Identifier: MIT */
#include "api-server/limits/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void the_client_is_who_our_proxies_saw(void **state)
{
    static const struct {
        const char *trusted, *peer, *forwarded, *client;
    } cases[] = {
        {NULL, "192.0.2.1", NULL, "192.0.2.1"},
        {NULL, "192.0.2.1", "127.0.0.1", "192.0.2.1"}, /* anybody may write that */
        {"127.0.0.1", "127.0.0.1", "198.51.100.7", "198.51.100.7"},
        {"127.0.0.1", "::ffff:127.0.0.1", "198.51.100.7", "198.51.100.7"},
        {"127.0.0.1", "127.0.0.1", "127.0.0.1, 198.51.100.7", "198.51.100.7"}, /* the first is the client's own word */
        {"127.0.0.1, 10.0.0.0/8", "127.0.0.1", "203.0.113.9, 198.51.100.7, 10.1.2.3", "198.51.100.7"},
        {"10.0.0.0/8", "10.200.0.1", "198.51.100.7:4711", "198.51.100.7"},
        {"::1", "::1", "[2001:db8::5]:443", "2001:db8::5"},
        {"::1", "::1", "2001:db8::5", "2001:db8::5"},
        {"127.0.0.1", "127.0.0.1", "198.51.100.7, unknown", "127.0.0.1"},
        {"127.0.0.1", "127.0.0.1", ",,", "127.0.0.1"},
        {"127.0.0.1", "127.0.0.1", "", "127.0.0.1"},
        {"10.0.0.0/9", "10.128.0.1", "198.51.100.7", "10.128.0.1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        mr_proxies proxies;
        const char *bad = NULL;
        char client[MR_ADDRESS_SIZE];
        assert_true(mr_proxies_read(cases[i].trusted, &proxies, &bad));
        mr_client_address(&proxies, cases[i].peer, cases[i].forwarded, client);
        assert_string_equal(client, cases[i].client);
    }
}

static void lists_of_proxies_are_checked(void **state)
{
    static const char *const bad[] = {"localhost", "10.0.0.0/33", "::1/129", "10.0.0.0/", "10.0.0.0/x", "10.0.0.0/-1", "1.2.3", "127.0.0.1;::1"};
    mr_proxies proxies;
    const char *at = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_false(mr_proxies_read(bad[i], &proxies, &at));
        assert_ptr_equal(at, bad[i]);
    }
    assert_true(mr_proxies_read(" 127.0.0.1,::1 10.0.0.0/8, ", &proxies, &at));
    assert_int_equal(proxies.count, 3);
    assert_true(mr_proxies_hold(&proxies, "10.9.8.7"));
    assert_false(mr_proxies_hold(&proxies, "11.9.8.7"));
    assert_true(mr_proxies_read("0.0.0.0/0", &proxies, &at));
    assert_true(mr_proxies_hold(&proxies, "11.9.8.7"));
    assert_false(mr_proxies_hold(&proxies, "2001:db8::1"));
}

static void loopback_is_known_in_all_its_forms(void **state)
{
    static const char *const yes[] = {"127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"};
    static const char *const no[] = {"", "128.0.0.1", "10.0.0.1", "::", "::2", "::ffff:10.0.0.1", "127.0.0.1.example", "localhost"};
    char network[MR_ADDRESS_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof(yes) / sizeof(*yes); i++)
        assert_true(mr_address_is_loopback(yes[i]));
    for (size_t i = 0; i < sizeof(no) / sizeof(*no); i++)
        assert_false(mr_address_is_loopback(no[i]));
    mr_address_network("2001:db8:1:2:3:4:5:6", network);
    assert_string_equal(network, "2001:db8:1:2::");
    mr_address_network("192.0.2.7", network);
    assert_string_equal(network, "192.0.2.7");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_client_is_who_our_proxies_saw),
        cmocka_unit_test(lists_of_proxies_are_checked),
        cmocka_unit_test(loopback_is_known_in_all_its_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
