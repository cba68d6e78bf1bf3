/* SPDX-License-Identifier: MIT */
/* See mp4.h. */
#include "media/mp4.h"

#include <string.h>

#define BOXES_MOST 65536 /* of fragments behind so many, the index is checked when libav has read them (input.c) */
#define BOX_HEADER 16    /* with a size of 64 bits */

uint64_t mr_mp4_number(const uint8_t *bytes, size_t count)
{
    uint64_t value = 0;
    for (size_t i = 0; i < count; i++)
        value = value << 8 | bytes[i];
    return value;
}

/* *ret_bytes: what there is at that place, as much as a box's header and the beginning of its content if the file is so long. */
static mr_status peek(mr_mp4 *in, uint64_t at, const uint8_t **ret_bytes, size_t *ret_len)
{
    if (at < in->buffer_at || at + BOX_HEADER + MR_MP4_HEAD > in->buffer_at + in->buffer_len) {
        in->buffer_at = at;
        mr_status status = in->host->read_at(in->task, in->source, at, in->buffer, MR_MP4_BUFFER, &in->buffer_len);
        if (status != MR_OK) {
            in->buffer_len = 0;
            return status;
        }
    }
    *ret_bytes = in->buffer + (at - in->buffer_at);
    *ret_len = in->buffer_len - (size_t)(at - in->buffer_at);
    return MR_OK;
}

mr_status mr_mp4_box_at(mr_mp4 *in, uint64_t at, uint64_t end, mr_mp4_box *ret_box)
{
    const uint8_t *bytes = NULL;
    size_t len = 0;
    if (at + 8 > end || in->boxes++ >= BOXES_MOST)
        return MR_END;
    mr_status status = peek(in, at, &bytes, &len);
    if (status != MR_OK || len < 8)
        return status == MR_OK ? MR_END : status;
    uint64_t size = mr_mp4_number(bytes, 4);
    size_t header = size == 1 ? 16 : 8;
    if (size == 1 && len >= 16)
        size = mr_mp4_number(bytes + 8, 8);
    else if (size == 0)
        size = end - at;
    if (size < header || len < header)
        return MR_END;
    *ret_box = (mr_mp4_box){.at = at, .content = at + header, .end = size > end - at ? end : at + size};
    memcpy(ret_box->type, bytes + 4, 4);
    ret_box->head_len = len - header < MR_MP4_HEAD ? len - header : MR_MP4_HEAD;
    memcpy(ret_box->head, bytes + header, ret_box->head_len);
    return MR_OK;
}

mr_status mr_mp4_read(mr_mp4 *in, uint64_t at, void *bytes, size_t len)
{
    uint8_t *to = bytes;
    while (len > 0) {
        size_t got = 0;
        mr_status status = in->host->read_at(in->task, in->source, at, to, len, &got);
        if (status != MR_OK || got == 0)
            return status == MR_OK ? MR_END : status;
        to += got;
        at += got;
        len -= got;
    }
    return MR_OK;
}
