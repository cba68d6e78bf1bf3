/* SPDX-License-Identifier: MIT */
/*
 * Whose request it is, behind proxies or not. X-Forwarded-For is what anybody may write; each proxy adds the address that it saw at the end. So it is
 * read from the end, and only as far as proxies of ours reach.
 */
#ifndef MR_LIMITS_CLIENT_H
#define MR_LIMITS_CLIENT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

enum { MR_PROXIES_MAX = 32, MR_ADDRESS_SIZE = INET6_ADDRSTRLEN };

typedef struct mr_proxies {
    size_t count;
    struct mr_network {
        struct in6_addr address; /* of IPv4: mapped */
        unsigned bits;
    } networks[MR_PROXIES_MAX];
} mr_proxies;

/* text: addresses and networks ("10.0.0.0/8"), with commas or blanks between; NULL: none. False: *ret_bad is where what isn't one begins. */
bool mr_proxies_read(const char *text, mr_proxies *ret_proxies, const char **ret_bad);
/* peer: the other end of the connection. forwarded: X-Forwarded-For, of several fields joined by commas; NULL: absent. */
void mr_client_address(const mr_proxies *proxies, const char *peer, const char *forwarded, char ret_address[MR_ADDRESS_SIZE]);
bool mr_proxies_hold(const mr_proxies *proxies, const char *address); /* whether it is one of them */
bool mr_address_is_loopback(const char *address);
/* Who shares limits: an IPv4 address, or the /64 that one customer has of IPv6. */
void mr_address_network(const char *address, char ret_network[MR_ADDRESS_SIZE]);

#endif
