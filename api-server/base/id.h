/* SPDX-License-Identifier: MIT */
/* Ids that nobody can guess: a letter for what they name, and 128 random bits in base62 ("v_0aBc…", 24 bytes). */
#ifndef MR_SERVER_BASE_ID_H
#define MR_SERVER_BASE_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/random.h>

enum { MR_ID_SIZE = 32, MR_ID_DIGITS = 22 }; /* bytes for an id and its NUL; digits after the letter and '_' */

/* False: the kernel has no random bytes to give (yet). */
static inline bool mr_random_bytes(void *to, size_t len)
{
    unsigned char *at = to;
    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);
        if (got < 0)
            return false;
        at += got;
        len -= (size_t)got;
    }
    return true;
}

/* The id of these bits. */
static inline void mr_id_of(char letter, unsigned __int128 number, char ret_id[MR_ID_SIZE])
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    ret_id[0] = letter;
    ret_id[1] = '_';
    for (size_t i = 0; i < MR_ID_DIGITS; i++) {
        ret_id[2 + i] = digits[(size_t)(number % 62)];
        number /= 62;
    }
    ret_id[2 + MR_ID_DIGITS] = '\0';
}

static inline bool mr_id_make(char letter, char ret_id[MR_ID_SIZE])
{
    unsigned __int128 number = 0;
    if (!mr_random_bytes(&number, sizeof(number)))
        return false;
    mr_id_of(letter, number, ret_id);
    return true;
}

/* Whether somebody's text has the form of an id of that letter. */
static inline bool mr_id_is(const char *text, char letter)
{
    if (!text || text[0] != letter || text[1] != '_')
        return false;
    for (size_t i = 2; i < 2 + MR_ID_DIGITS; i++) {
        const char c = text[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')))
            return false;
    }
    return text[2 + MR_ID_DIGITS] == '\0';
}

#endif
