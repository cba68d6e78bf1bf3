/* SPDX-License-Identifier: MIT */
/*
 * See sha256.h. Two at a time: both are brought to the start of a block, the blocks that both have are hashed together, and the rest goes to OpenSSL.
 *
 * Of the message schedule four words are kept at a time in a register, of the state two halves as the instructions want them: "Intel SHA Extensions",
 * July 2013. Where there are no such instructions, OpenSSL does it all.
 */
#define OPENSSL_SUPPRESS_DEPRECATED 1 /* for want of others with a known state */
#include "base/sha256.h"

#include <stdint.h>

#define BLOCK 64u

void mr_sha256_begin(mr_sha256 *hash)
{
    SHA256_Init(hash);
}

void mr_sha256_add(mr_sha256 *hash, const void *data, size_t len)
{
    SHA256_Update(hash, data, len);
}

void mr_sha256_end(mr_sha256 *hash, unsigned char ret_sum[MR_SHA256_SIZE])
{
    SHA256_Final(ret_sum, hash);
}

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

#define NEEDS __attribute__((target("sha,sse4.1,ssse3")))

typedef struct lane {
    __m128i abef, cdgh; /* the state */
    __m128i words[4];   /* the last 16 words of the schedule */
    const __m128i *from;
} lane;

static const uint32_t constants[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

/* h[] as OpenSSL has it, a to h, becomes the halves, and back. */
NEEDS static inline void load(lane *it, const SHA256_CTX *hash, const void *data)
{
    const __m128i low = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)&hash->h[0]), 0xB1);
    const __m128i high = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)&hash->h[4]), 0x1B);
    it->abef = _mm_alignr_epi8(low, high, 8);
    it->cdgh = _mm_blend_epi16(high, low, 0xF0);
    it->from = data;
}

NEEDS static inline void store(const lane *it, SHA256_CTX *hash)
{
    const __m128i low = _mm_shuffle_epi32(it->abef, 0x1B);
    const __m128i high = _mm_shuffle_epi32(it->cdgh, 0xB1);
    _mm_storeu_si128((__m128i *)&hash->h[0], _mm_blend_epi16(low, high, 0xF0));
    _mm_storeu_si128((__m128i *)&hash->h[4], _mm_alignr_epi8(high, low, 8));
}

/* The words of four rounds, with their constants: of the message at first, later made of those before. */
NEEDS static inline __m128i next_words(lane *it, unsigned step)
{
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i *now = &it->words[step & 3];
    const __m128i last = it->words[(step + 3) & 3];
    if (step < 4)
        *now = _mm_shuffle_epi8(_mm_loadu_si128(it->from + step), swap);
    else
        *now = _mm_sha256msg2_epu32(
            _mm_add_epi32(_mm_sha256msg1_epu32(*now, it->words[(step + 1) & 3]), _mm_alignr_epi8(last, it->words[(step + 2) & 3], 4)), last);
    return _mm_add_epi32(*now, _mm_load_si128((const __m128i *)constants + step));
}

NEEDS static void blocks_of_two(SHA256_CTX *one, const void *data, SHA256_CTX *other, const void *other_data, size_t count)
{
    lane a, b;
    load(&a, one, data);
    load(&b, other, other_data);
    for (; count > 0; count--, a.from += 4, b.from += 4) {
        const __m128i a_abef = a.abef, a_cdgh = a.cdgh, b_abef = b.abef, b_cdgh = b.cdgh;
#pragma GCC unroll 16
        for (unsigned step = 0; step < 16; step++) {
            const __m128i of_a = next_words(&a, step);
            const __m128i of_b = next_words(&b, step);
            a.cdgh = _mm_sha256rnds2_epu32(a.cdgh, a.abef, of_a);
            b.cdgh = _mm_sha256rnds2_epu32(b.cdgh, b.abef, of_b);
            a.abef = _mm_sha256rnds2_epu32(a.abef, a.cdgh, _mm_shuffle_epi32(of_a, 0x0E));
            b.abef = _mm_sha256rnds2_epu32(b.abef, b.cdgh, _mm_shuffle_epi32(of_b, 0x0E));
        }
        a.abef = _mm_add_epi32(a.abef, a_abef);
        a.cdgh = _mm_add_epi32(a.cdgh, a_cdgh);
        b.abef = _mm_add_epi32(b.abef, b_abef);
        b.cdgh = _mm_add_epi32(b.cdgh, b_cdgh);
    }
    store(&a, one);
    store(&b, other);
}

static int can_do_two(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSE4_1) || !(c & bit_SSSE3))
        return 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}

/* The counter of bits, in two halves. */
static void count_blocks(SHA256_CTX *hash, size_t count)
{
    const uint64_t bits = ((uint64_t)hash->Nh << 32 | hash->Nl) + (uint64_t)count * BLOCK * 8;
    hash->Nl = (SHA_LONG)bits;
    hash->Nh = (SHA_LONG)(bits >> 32);
}

/* Brings it to the start of a block, as far as there are bytes for it. */
static void fill_block(mr_sha256 *hash, const char **data, size_t *len)
{
    const size_t lacks = hash->num > 0 ? BLOCK - hash->num : 0;
    const size_t some = *len < lacks ? *len : lacks;
    mr_sha256_add(hash, *data, some);
    *data += some;
    *len -= some;
}

void mr_sha256_add_two(mr_sha256 *one, const void *data, size_t len, mr_sha256 *other, const void *other_data, size_t other_len)
{
    static _Atomic int known = -1; /* the same whoever asks */
    const char *a = data;
    const char *b = other_data;
    if (known < 0)
        known = can_do_two();
    if (known) {
        fill_block(one, &a, &len);
        fill_block(other, &b, &other_len);
        const size_t count = (len < other_len ? len : other_len) / BLOCK;
        if (count > 0) {
            blocks_of_two(one, a, other, b, count);
            count_blocks(one, count);
            count_blocks(other, count);
            a += count * BLOCK;
            b += count * BLOCK;
            len -= count * BLOCK;
            other_len -= count * BLOCK;
        }
    }
    mr_sha256_add(one, a, len);
    mr_sha256_add(other, b, other_len);
}

#else

void mr_sha256_add_two(mr_sha256 *one, const void *data, size_t len, mr_sha256 *other, const void *other_data, size_t other_len)
{
    mr_sha256_add(one, data, len);
    mr_sha256_add(other, other_data, other_len);
}

#endif
