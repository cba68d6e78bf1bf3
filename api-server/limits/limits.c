/* SPDX-License-Identifier: MIT */
/* A table of sets of four, found by a keyed hash (nobody can choose who shares a set with whom), with a lock for every few of them. */
#include "api-server/limits/limits.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { SETS = 8192, WAYS = 4, LOCKS = 64 };

#define MINUTE_US INT64_C(60000000)

_Static_assert(crypto_shorthash_BYTES == sizeof(uint64_t), "a hash is a number");

typedef struct bucket {
    uint64_t whose;
    int64_t full_us; /* when it is full again; GCRA's "theoretical arrival time" */
} bucket;

struct mr_limits {
    uint32_t per_minute[MR_LIMIT_KINDS];
    unsigned char key[crypto_shorthash_KEYBYTES];
    pthread_mutex_t locks[LOCKS];
    bucket sets[SETS][WAYS];
};

mr_limits *mr_limits_new(const uint32_t per_minute[MR_LIMIT_KINDS])
{
    mr_limits *limits = sodium_init() >= 0 ? calloc(1, sizeof(*limits)) : NULL;
    if (!limits)
        return NULL;
    memcpy(limits->per_minute, per_minute, sizeof(limits->per_minute));
    crypto_shorthash_keygen(limits->key);
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_init(&limits->locks[i], NULL);
    return limits;
}

void mr_limits_free(mr_limits *limits)
{
    if (!limits)
        return;
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&limits->locks[i]);
    free(limits);
}

static uint64_t hash(const mr_limits *limits, mr_limit_kind kind, const char *whose)
{
    unsigned char text[320] = {(unsigned char)kind};
    unsigned char out[crypto_shorthash_BYTES];
    uint64_t number;
    const size_t len = strnlen(whose, sizeof(text) - 1);
    memcpy(text + 1, whose, len);
    crypto_shorthash(out, text, len + 1, limits->key);
    memcpy(&number, out, sizeof(number));
    return number | 1; /* 0 is an empty place */
}

static bucket *find(bucket set[WAYS], uint64_t whose)
{
    bucket *fullest = &set[0];
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].whose == whose)
            return &set[i];
        if (set[i].full_us < fullest->full_us)
            fullest = &set[i];
    }
    *fullest = (bucket){.whose = whose};
    return fullest;
}

static mr_limit_verdict take(bucket *from, uint32_t limit, int64_t now_us)
{
    const int64_t each_us = MINUTE_US / limit;
    const int64_t begin_us = from->full_us > now_us ? from->full_us : now_us;
    const int64_t left_us = now_us + MINUTE_US - begin_us; /* what is in it, as time */
    mr_limit_verdict verdict = {.limit = limit, .let_in = left_us >= each_us};
    if (verdict.let_in) {
        from->full_us = begin_us + each_us;
        verdict.remaining = (uint32_t)((left_us - each_us) / each_us);
        verdict.seconds = (uint32_t)((from->full_us - now_us + 999999) / 1000000);
    } else {
        verdict.seconds = (uint32_t)((each_us - left_us + 999999) / 1000000);
    }
    return verdict;
}

mr_limit_verdict mr_limits_take(mr_limits *limits, mr_limit_kind kind, const char *whose, int64_t now_us)
{
    const uint32_t limit = (unsigned)kind < MR_LIMIT_KINDS ? limits->per_minute[kind] : 0;
    if (limit == 0)
        return (mr_limit_verdict){.let_in = true};
    const uint64_t number = hash(limits, kind, whose);
    const size_t set = (size_t)(number >> 1) % SETS;
    pthread_mutex_lock(&limits->locks[set % LOCKS]);
    const mr_limit_verdict verdict = take(find(limits->sets[set], number), limit, now_us);
    pthread_mutex_unlock(&limits->locks[set % LOCKS]);
    return verdict;
}
