/* SPDX-License-Identifier: MIT */
/*
 * How fuzz_media changes a source. libav* is not built for the fuzzer, so what it covers is not seen: changes are aimed instead. Half of them are
 * libFuzzer's own; the others know that media are made of sizes, boxes and numbers: a box is repeated, left out, emptied, moved or given a size that
 * is hostile; a number somewhere becomes one at an edge; a range is zeroed or copied.
 */
#include "media/boxes.h"
#include <stdlib.h>
#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

enum { BOXES_MAX = 128, HEADER = 8 };

typedef struct place {
    size_t at, len;
} place;

typedef struct random_state {
    uint64_t state;
} random_state;

/* xorshift64* (Vigna, 2016). */
static size_t below(random_state *random, size_t limit)
{
    random->state ^= random->state >> 12;
    random->state ^= random->state << 25;
    random->state ^= random->state >> 27;
    return limit ? (size_t)((random->state * UINT64_C(2685821657736338717) >> 32) % limit) : 0;
}

static bool holds_boxes(const uint8_t *type)
{
    static const char containers[] = "moovtrakmdiaminfstbledtsmooftrafmvexdinfudta";
    for (size_t i = 0; i + 4 <= sizeof(containers) - 1; i += 4) {
        if (memcmp(containers + i, type, 4) == 0)
            return true;
    }
    return false;
}

static size_t list_boxes(const uint8_t *data, size_t from, size_t to, place *boxes, size_t count)
{
    while (to - from >= HEADER && count < BOXES_MAX) {
        size_t len = mr_read_u32(data + from);
        if (len < HEADER || len > to - from)
            break;
        boxes[count++] = (place){from, len};
        if (holds_boxes(data + from + 4))
            count = list_boxes(data, from + HEADER, from + len, boxes, count);
        from += len;
    }
    return count;
}

static void put_big_endian(uint8_t *data, uint64_t value, size_t width)
{
    for (size_t i = 0; i < width; i++)
        data[i] = (uint8_t)(value >> (8 * (width - 1 - i)));
}

static uint64_t edge_number(random_state *random)
{
    static const uint64_t edges[] = {0,      1,      2,       7,          8,        0x7f,       0x80,       0xff,      0x7fff,
                                     0x8000, 0xffff, 0x10000, 0x7fffffff, 1u << 31, 0xfffffff8, 0xffffffff, INT64_MAX, UINT64_MAX};
    return edges[below(random, sizeof(edges) / sizeof(edges[0]))];
}

static void set_number(random_state *random, uint8_t *data, size_t size)
{
    static const size_t widths[] = {1, 2, 4, 8};
    size_t width = widths[below(random, 4)];
    if (size >= width)
        put_big_endian(data + below(random, size - width + 1), edge_number(random), width);
}

static size_t remove_range(uint8_t *data, size_t size, place range)
{
    memmove(data + range.at, data + range.at + range.len, size - range.at - range.len);
    return size - range.len;
}

static size_t insert_copy(uint8_t *data, size_t size, size_t max_size, place range, size_t at)
{
    if (range.len > max_size - size)
        return size;
    uint8_t *copy = malloc(range.len ? range.len : 1);
    if (!copy)
        return size;
    memcpy(copy, data + range.at, range.len);
    memmove(data + at + range.len, data + at, size - at);
    memcpy(data + at, copy, range.len);
    free(copy);
    return size + range.len;
}

static size_t mutate_box(random_state *random, uint8_t *data, size_t size, size_t max_size, const place *boxes, size_t count)
{
    place box = boxes[below(random, count)];
    place other = boxes[below(random, count)];
    switch (below(random, 6)) {
    case 0: return remove_range(data, size, box);
    case 1: return insert_copy(data, size, max_size, box, other.at);
    case 2: memset(data + box.at + HEADER, 0, box.len - HEADER); return size;
    case 3: put_big_endian(data + box.at, edge_number(random), 4); return size;
    case 4: put_big_endian(data + box.at, box.len + below(random, 17) - 8, 4); return size;
    default: set_number(random, data + box.at + HEADER, box.len - HEADER); return size;
    }
}

static size_t mutate_range(random_state *random, uint8_t *data, size_t size, size_t max_size)
{
    place range = {.at = below(random, size)};
    range.len = below(random, size - range.at < 64 ? size - range.at : 64) + 1;
    switch (below(random, 6)) {
    case 0: return remove_range(data, size, range);
    case 1: return insert_copy(data, size, max_size, range, below(random, size));
    case 2: memset(data + range.at, 0, range.len); return size;
    case 3: return range.at + 1; /* the rest is cut off */
    case 4: data[range.at] ^= (uint8_t)(1u << below(random, 8)); return size;
    default: set_number(random, data, size); return size;
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
    random_state random = {.state = UINT64_C(0x9e3779b97f4a7c15) ^ seed};
    place boxes[BOXES_MAX];
    if (size < 16 || below(&random, 2) == 0)
        return LLVMFuzzerMutate(data, size, max_size);
    for (size_t n = below(&random, 4) + 1; n > 0 && size >= 16; n--) {
        size_t count = list_boxes(data, 0, size, boxes, 0);
        if (count > 1 && below(&random, 2) == 0)
            size = mutate_box(&random, data, size, max_size, boxes, count);
        else
            size = mutate_range(&random, data, size, max_size);
    }
    return size;
}
