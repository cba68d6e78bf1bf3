/* SPDX-License-Identifier: MIT */
/* Which addresses are public: the IANA IPv4 and IPv6 special-purpose address registries (RFC 6890 and its updates). Unknown families are not. */
#include "http/http.h"

#include <netinet/in.h>
#include <string.h>

static const struct {
    uint32_t network;
    int bits;
} special_v4[] = {
    {0x00000000, 8},  {0x0A000000, 8},  {0x64400000, 10}, {0x7F000000, 8},  {0xA9FE0000, 16}, {0xAC100000, 12}, {0xC0000000, 24}, {0xC0000200, 24},
    {0xC0586300, 24}, {0xC0A80000, 16}, {0xC6120000, 15}, {0xC6336400, 24}, {0xCB007100, 24}, {0xE0000000, 4},  {0xF0000000, 4},
};

static bool is_public_v4(uint32_t address)
{
    for (size_t i = 0; i < sizeof(special_v4) / sizeof(special_v4[0]); i++) {
        if (((address ^ special_v4[i].network) >> (32 - special_v4[i].bits)) == 0)
            return false;
    }
    return true;
}

static uint32_t word(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static bool is_public_v6(const uint8_t *address)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    static const uint8_t nat64[12] = {0, 0x64, 0xff, 0x9b};
    if (memcmp(address, mapped, 12) == 0 || memcmp(address, nat64, 12) == 0)
        return is_public_v4(word(address + 12));
    if (address[0] == 0x20 && address[1] == 0x02) /* 6to4: an IPv4 address inside */
        return is_public_v4(word(address + 2));
    bool global = (address[0] & 0xe0) == 0x20; /* 2000::/3 is all that has been given out */
    bool special = address[0] == 0x20 && address[1] == 0x01 && (address[2] < 0x02 || (address[2] == 0x0d && address[3] == 0xb8));
    return global && !special;
}

bool mr_address_is_public(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return is_public_v4(ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr));
    if (address->sa_family == AF_INET6)
        return is_public_v6(((const struct sockaddr_in6 *)(const void *)address)->sin6_addr.s6_addr);
    return false;
}
