/* SPDX-License-Identifier: MIT */
/* See boxes.h. Sizes are 32 bits wide: no box here comes near 4 GiB. */
#include "media/boxes.h"

#include <stdlib.h>
#include <string.h>

enum { BOX_HEADER = 8 };

void mr_bytes_free(mr_bytes *bytes)
{
    if (!bytes)
        return;
    free(bytes->data);
    *bytes = (mr_bytes){0};
}

static uint8_t *bytes_grow(mr_bytes *bytes, size_t len)
{
    if (bytes->failed)
        return NULL;
    if (len > UINT32_MAX - bytes->len) {
        bytes->failed = true;
        return NULL;
    }
    if (bytes->len + len > bytes->capacity) {
        size_t capacity = bytes->capacity ? bytes->capacity : 1024;
        while (capacity < bytes->len + len)
            capacity *= 2;
        uint8_t *grown = realloc(bytes->data, capacity);
        if (!grown) {
            bytes->failed = true;
            return NULL;
        }
        bytes->data = grown;
        bytes->capacity = capacity;
    }
    uint8_t *at = bytes->data + bytes->len;
    bytes->len += len;
    return at;
}

void mr_bytes_put(mr_bytes *bytes, const void *data, size_t len)
{
    uint8_t *at = len ? bytes_grow(bytes, len) : NULL;
    if (at)
        memcpy(at, data, len);
}

void mr_bytes_zero(mr_bytes *bytes, size_t len)
{
    uint8_t *at = len ? bytes_grow(bytes, len) : NULL;
    if (at)
        memset(at, 0, len);
}

static void put_big_endian(mr_bytes *bytes, uint64_t value, unsigned size)
{
    uint8_t *at = bytes_grow(bytes, size);
    for (unsigned i = 0; at && i < size; i++)
        at[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
}

void mr_bytes_u8(mr_bytes *bytes, unsigned value)
{
    put_big_endian(bytes, value, 1);
}
void mr_bytes_u16(mr_bytes *bytes, unsigned value)
{
    put_big_endian(bytes, value, 2);
}
void mr_bytes_u32(mr_bytes *bytes, uint32_t value)
{
    put_big_endian(bytes, value, 4);
}
void mr_bytes_u64(mr_bytes *bytes, uint64_t value)
{
    put_big_endian(bytes, value, 8);
}
void mr_bytes_text(mr_bytes *bytes, const char *text)
{
    mr_bytes_put(bytes, text, strlen(text));
}

void mr_bytes_set_u32(mr_bytes *bytes, size_t offset, uint32_t value)
{
    for (unsigned i = 0; !bytes->failed && i < 4; i++)
        bytes->data[offset + i] = (uint8_t)(value >> (24 - 8 * i));
}

size_t mr_box_begin(mr_bytes *bytes, const char *type)
{
    size_t box = bytes->len;
    mr_bytes_u32(bytes, 0);
    mr_bytes_put(bytes, type, 4);
    return box;
}

size_t mr_full_box_begin(mr_bytes *bytes, const char *type, unsigned version, uint32_t flags)
{
    size_t box = mr_box_begin(bytes, type);
    mr_bytes_u32(bytes, (uint32_t)version << 24 | flags);
    return box;
}

void mr_box_end(mr_bytes *bytes, size_t box)
{
    mr_bytes_set_u32(bytes, box, (uint32_t)(bytes->len - box));
}

uint32_t mr_read_u32(const uint8_t *data)
{
    return (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
}

const uint8_t *mr_box_find(const uint8_t *data, size_t len, const char *type, size_t *ret_len)
{
    while (len >= BOX_HEADER) {
        size_t size = mr_read_u32(data);
        if (size < BOX_HEADER || size > len)
            return NULL;
        if (memcmp(data + 4, type, 4) == 0) {
            *ret_len = size;
            return data;
        }
        data += size;
        len -= size;
    }
    return NULL;
}

const uint8_t *mr_box_path(const uint8_t *data, size_t len, const char *path, size_t *ret_len)
{
    for (;;) {
        data = mr_box_find(data, len, path, &len);
        if (!data || path[4] == '\0') {
            *ret_len = len;
            return data;
        }
        path += 5;
        data += BOX_HEADER;
        len -= BOX_HEADER;
    }
}
