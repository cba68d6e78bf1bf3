/* SPDX-License-Identifier: MIT */
/*
 * Boxes of ISO/IEC 14496-12: a growing buffer that is written big-endian, boxes whose size is set when they end, and a search in
 * bytes that somebody else made. A failed allocation is remembered and asked for once, at the end.
 */
#ifndef MR_MEDIA_BOXES_H
#define MR_MEDIA_BOXES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct mr_bytes {
    uint8_t *data;
    size_t len;
    size_t capacity;
    bool failed; /* memory ran out, or the box grew beyond 4 GiB: what is in data is not whole */
} mr_bytes;

void mr_bytes_free(mr_bytes *bytes);
void mr_bytes_put(mr_bytes *bytes, const void *data, size_t len);
void mr_bytes_zero(mr_bytes *bytes, size_t len);
void mr_bytes_u8(mr_bytes *bytes, unsigned value);
void mr_bytes_u16(mr_bytes *bytes, unsigned value);
void mr_bytes_u32(mr_bytes *bytes, uint32_t value);
void mr_bytes_u64(mr_bytes *bytes, uint64_t value);
void mr_bytes_text(mr_bytes *bytes, const char *text);                 /* without its NUL */
void mr_bytes_set_u32(mr_bytes *bytes, size_t offset, uint32_t value); /* of what is written already */

/* Begins a box of a four-letter type; what is written until mr_box_end(…, what this returned) is in it. */
size_t mr_box_begin(mr_bytes *bytes, const char *type);
size_t mr_full_box_begin(mr_bytes *bytes, const char *type, unsigned version, uint32_t flags);
void mr_box_end(mr_bytes *bytes, size_t box);

/* A box in bytes: the first child of that type at the top level of data. NULL: none, or the sizes are broken. *ret_len and the
 * result are those of the whole box, header included. */
const uint8_t *mr_box_find(const uint8_t *data, size_t len, const char *type, size_t *ret_len);
/* Follows a path of types ("moov/trak/mdia") through plain boxes. */
const uint8_t *mr_box_path(const uint8_t *data, size_t len, const char *path, size_t *ret_len);
uint32_t mr_read_u32(const uint8_t *data);

#endif
