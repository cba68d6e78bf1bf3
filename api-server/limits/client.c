/* SPDX-License-Identifier: MIT */
/* Addresses as 128 bits, IPv4 mapped into them (RFC 4291, 2.5.5.2). */
#include "api-server/limits/client.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool read_address(const char *text, struct in6_addr *ret)
{
    struct in_addr four;
    if (inet_pton(AF_INET6, text, ret) == 1)
        return true;
    if (inet_pton(AF_INET, text, &four) != 1)
        return false;
    memset(ret, 0, sizeof(*ret));
    ret->s6_addr[10] = ret->s6_addr[11] = 0xff;
    memcpy(ret->s6_addr + 12, &four, sizeof(four));
    return true;
}

static void write_address(const struct in6_addr *address, char ret_text[MR_ADDRESS_SIZE])
{
    const bool four = IN6_IS_ADDR_V4MAPPED(address);
    if (!inet_ntop(four ? AF_INET : AF_INET6, four ? address->s6_addr + 12 : address->s6_addr, ret_text, MR_ADDRESS_SIZE))
        ret_text[0] = '\0';
}

static bool is_in(const struct mr_network *network, const struct in6_addr *address)
{
    const unsigned bytes = network->bits / 8;
    const unsigned rest = network->bits % 8;
    const unsigned mask = rest ? 0xffu << (8 - rest) & 0xff : 0;
    return memcmp(network->address.s6_addr, address->s6_addr, bytes) == 0 &&
           (rest == 0 || ((network->address.s6_addr[bytes] ^ address->s6_addr[bytes]) & mask) == 0);
}

static bool hold(const mr_proxies *proxies, const struct in6_addr *address)
{
    for (size_t i = 0; i < proxies->count; i++) {
        if (is_in(&proxies->networks[i], address))
            return true;
    }
    return false;
}

static bool read_network(const char *at, size_t len, struct mr_network *ret)
{
    char text[64];
    if (len >= sizeof(text))
        return false;
    memcpy(text, at, len);
    text[len] = '\0';
    char *slash = strchr(text, '/');
    if (slash)
        *slash++ = '\0';
    if (!read_address(text, &ret->address))
        return false;
    const unsigned most = IN6_IS_ADDR_V4MAPPED(&ret->address) ? 32 : 128;
    ret->bits = 128;
    if (!slash)
        return true;
    char *end = NULL;
    const unsigned long bits = strtoul(slash, &end, 10);
    ret->bits = (unsigned)(bits + 128 - most);
    return *slash >= '0' && *slash <= '9' && *end == '\0' && bits <= most;
}

bool mr_proxies_read(const char *text, mr_proxies *ret_proxies, const char **ret_bad)
{
    static const char between[] = ", \t";
    ret_proxies->count = 0;
    for (const char *at = text ? text + strspn(text, between) : ""; *at; at += strspn(at, between)) {
        const size_t len = strcspn(at, between);
        *ret_bad = at;
        if (ret_proxies->count == MR_PROXIES_MAX || !read_network(at, len, &ret_proxies->networks[ret_proxies->count]))
            return false;
        ret_proxies->count++;
        at += len;
    }
    return true;
}

bool mr_proxies_hold(const mr_proxies *proxies, const char *address)
{
    struct in6_addr bits;
    return read_address(address, &bits) && hold(proxies, &bits);
}

bool mr_address_is_loopback(const char *address)
{
    struct in6_addr bits;
    return read_address(address, &bits) && (IN6_IS_ADDR_LOOPBACK(&bits) || (IN6_IS_ADDR_V4MAPPED(&bits) && bits.s6_addr[12] == 127));
}

void mr_address_network(const char *address, char ret_network[MR_ADDRESS_SIZE])
{
    struct in6_addr bits = {0};
    const size_t len = strnlen(address, MR_ADDRESS_SIZE - 1);
    if (len > 0 && !memchr(address, ':', len)) { /* IPv4: itself */
        memcpy(ret_network, address, len);
        ret_network[len] = '\0';
        return;
    }
    if (!read_address(address, &bits)) {
        snprintf(ret_network, MR_ADDRESS_SIZE, "%s", "?");
        return;
    }
    if (!IN6_IS_ADDR_V4MAPPED(&bits))
        memset(bits.s6_addr + 8, 0, 8);
    write_address(&bits, ret_network);
}

/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]:80", with blanks around. */
static bool read_forwarded(const char *at, size_t len, struct in6_addr *ret)
{
    char text[64];
    while (len > 0 && (*at == ' ' || *at == '\t')) {
        at++;
        len--;
    }
    while (len > 0 && (at[len - 1] == ' ' || at[len - 1] == '\t'))
        len--;
    if (len == 0 || len >= sizeof(text))
        return false;
    memcpy(text, at, len);
    text[len] = '\0';
    char *colon = strchr(text, ':');
    char *bracket = text[0] == '[' ? strchr(text, ']') : NULL;
    if (bracket)
        *bracket = '\0';
    else if (colon && !strchr(colon + 1, ':'))
        *colon = '\0';
    return read_address(bracket ? text + 1 : text, ret);
}

void mr_client_address(const mr_proxies *proxies, const char *peer, const char *forwarded, char ret_address[MR_ADDRESS_SIZE])
{
    struct in6_addr client = {0};
    size_t len = forwarded ? strlen(forwarded) : 0;
    if (!read_address(peer, &client)) {
        snprintf(ret_address, MR_ADDRESS_SIZE, "%s", "");
        return;
    }
    while (len > 0 && hold(proxies, &client)) {
        size_t start = len;
        struct in6_addr before;
        while (start > 0 && forwarded[start - 1] != ',')
            start--;
        if (!read_forwarded(forwarded + start, len - start, &before))
            break; /* what a proxy of ours didn't write */
        client = before;
        len = start > 0 ? start - 1 : 0;
    }
    write_address(&client, ret_address);
}
