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

struct mr_object_copying {
    mr_object_ranges what;
    uint64_t offset; /* in the object, of the first byte that is not written yet */
    size_t range;    /* the one at hand, */
    uint64_t done;   /* and how much of it was asked for */
    size_t used;     /* of buf: read, or asked for in parts; 0: there are no more */
    struct iovec parts[PARTS];
    size_t count;
    uint64_t at, next; /* in the file: of the first part, and behind the last one */
    mr_status status;
    char buf[STEP + GAP]; /* GAP for what is passed over */
};

typedef mr_object_copying copy;

static mr_status say(const copy *it, mr_status status, const char *what, const char *why)
{
    mr_error(it->what.diags, "source", (mr_span){0}, "can't read %s: %s", what, why);
    return status;
}

/* Reads what is in parts, all of it. */
static mr_status read_parts(copy *it)
{
    struct iovec *part = it->parts;
    while (it->count > 0) {
        const ssize_t got = preadv(it->what.from.fd, part, (int)it->count, (off_t)it->at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return say(it, MR_ERR_IO, it->what.from.name, strerrordesc_np(errno));
        if (got == 0)
            return say(it, MR_ERR_INPUT, it->what.from.name, "it has become shorter meanwhile");
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

/* The next step's bytes. */
static void fill(copy *it)
{
    const mr_object_ranges *what = &it->what;
    it->used = 0;
    while (it->range < what->count && it->used < STEP && it->status == MR_OK) {
        const mr_range *range = &what->ranges[it->range];
        const uint64_t left = range->size - it->done;
        const size_t len = left < STEP - it->used ? (size_t)left : STEP - it->used;
        if (len > 0)
            it->status = add_part(it, range->offset + it->done, len);
        it->done += len;
        if (it->done == range->size) {
            it->range++;
            it->done = 0;
        }
    }
    if (it->status == MR_OK)
        it->status = read_parts(it);
    if (it->status == MR_OK && what->from.cancel && atomic_load(what->from.cancel))
        it->status = MR_ERR_CANCELLED;
}

mr_object_copying *mr_object_copy_begin(const mr_object_ranges *what)
{
    copy *it = malloc(sizeof(*it));
    if (!it)
        return NULL;
    it->what = *what;
    it->offset = what->offset;
    it->range = it->count = 0;
    it->done = it->at = it->next = 0;
    it->status = MR_OK;
    fill(it);
    return it;
}

bool mr_object_copy_has_more(const mr_object_copying *copying)
{
    return copying->status == MR_OK && copying->used > 0;
}

static void next(copy *it, mr_status written)
{
    it->status = written;
    it->offset += it->used;
    if (written == MR_OK)
        fill(it);
}

static mr_object_bytes bytes_of(const copy *it)
{
    return (mr_object_bytes){.writer = it->what.writer, .offset = it->offset, .data = it->buf, .len = it->used, .diags = it->what.diags};
}

void mr_object_copy_step(mr_object_copying *one, mr_object_copying *other)
{
    if (!other) {
        next(one, mr_object_write_at(one->what.writer, one->offset, one->buf, one->used, one->what.diags));
        return;
    }
    mr_object_bytes of_one = bytes_of(one);
    mr_object_bytes of_other = bytes_of(other);
    mr_object_write_two(&of_one, &of_other);
    next(one, of_one.status);
    next(other, of_other.status);
}

mr_status mr_object_copy_end(mr_object_copying *take_copying)
{
    const mr_status status = take_copying->status;
    free(take_copying);
    return status;
}

mr_status mr_object_copy(const mr_object_ranges *what)
{
    copy *it = mr_object_copy_begin(what);
    if (!it)
        return MR_ERR_NOMEM;
    while (mr_object_copy_has_more(it))
        mr_object_copy_step(it, NULL);
    return mr_object_copy_end(it);
}
