/* SPDX-License-Identifier: MIT */
/*
 * Ranges of a file into an object. Samples of one track lie with little between them: what they span is read at once, and what does not belong to
 * them goes nowhere. Each piece is small enough to be hashed and written while it is in the processor's cache.
 */
#include "runtime/state/objects.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#define STEP  ((size_t)64 << 10) /* written and hashed at a time, by this thread */
#define GAP   ((size_t)8 << 10)  /* bytes that are cheaper to read than to pass over */
#define PARTS 64                 /* of one read */

typedef struct copy {
    mr_object_writer *writer;
    uint64_t offset; /* in the object, of the first byte that is not written yet */
    const mr_object_source *from;
    mr_diags *diags;
    char *buf;   /* STEP bytes, then GAP for what is passed over */
    size_t used; /* of buf: read, or asked for in parts */
    struct iovec parts[PARTS];
    size_t count;
    uint64_t at, next; /* in the file: of the first part, and behind the last one */
} copy;

static mr_status say(const copy *it, mr_status status, const char *what, const char *why)
{
    mr_error(it->diags, "source", (mr_span){0}, "can't read %s: %s", what, why);
    return status;
}

/* Reads what is in parts, all of it. */
static mr_status read_parts(copy *it)
{
    struct iovec *part = it->parts;
    while (it->count > 0) {
        const ssize_t got = preadv(it->from->fd, part, (int)it->count, (off_t)it->at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return say(it, MR_ERR_IO, it->from->name, strerrordesc_np(errno));
        if (got == 0)
            return say(it, MR_ERR_INPUT, it->from->name, "it has become shorter meanwhile");
        it->at += (uint64_t)got;
        size_t left = (size_t)got;
        for (; it->count > 0 && left >= part->iov_len; part++, it->count--)
            left -= part->iov_len;
        if (left > 0) {
            part->iov_base = (char *)part->iov_base + left;
            part->iov_len -= left;
        }
    }
    return MR_OK;
}

static mr_status write_out(copy *it)
{
    mr_status status = read_parts(it);
    if (status == MR_OK && it->from->cancel && atomic_load(it->from->cancel))
        status = MR_ERR_CANCELLED;
    if (status == MR_OK)
        status = mr_object_write_at(it->writer, it->offset, it->buf, it->used, it->diags);
    it->offset += it->used;
    it->used = 0;
    return status;
}

/* len bytes more, for which there is room in buf. */
static mr_status add_part(copy *it, uint64_t offset, size_t len)
{
    const uint64_t gap = offset - it->next;
    mr_status status = MR_OK;
    if (it->count > 0 && (offset < it->next || gap > GAP || it->count + 2 > PARTS))
        status = read_parts(it);
    if (it->count == 0)
        it->at = it->next = offset;
    else if (gap > 0)
        it->parts[it->count++] = (struct iovec){.iov_base = it->buf + STEP, .iov_len = (size_t)gap};
    it->parts[it->count++] = (struct iovec){.iov_base = it->buf + it->used, .iov_len = len};
    it->used += len;
    it->next = offset + len;
    return status;
}

mr_status mr_object_copy_at(mr_object_writer *writer, uint64_t offset, const mr_object_source *from, const mr_range *ranges, size_t count,
                            mr_diags *diags)
{
    copy it = {.writer = writer, .offset = offset, .from = from, .diags = diags, .buf = malloc(STEP + GAP)};
    mr_status status = it.buf ? MR_OK : MR_ERR_NOMEM;
    for (size_t i = 0; i < count && status == MR_OK; i++) {
        for (uint64_t done = 0; done < ranges[i].size && status == MR_OK;) {
            const uint64_t left = ranges[i].size - done;
            const size_t len = left < STEP - it.used ? (size_t)left : STEP - it.used;
            status = add_part(&it, ranges[i].offset + done, len);
            done += len;
            if (status == MR_OK && it.used == STEP)
                status = write_out(&it);
        }
    }
    if (status == MR_OK && it.used > 0)
        status = write_out(&it);
    free(it.buf);
    return status;
}
