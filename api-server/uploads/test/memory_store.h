/* SPDX-License-Identifier: MIT */
/* A store of uploads in memory, which does what store.h says but outlives nothing. Each call can be made to fail. */
#ifndef MR_UPLOADS_TEST_MEMORY_STORE_H
#define MR_UPLOADS_TEST_MEMORY_STORE_H

#include "api-server/uploads/store.h"

#include <pthread.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

enum { MEMORY_ROWS = 512, MEMORY_PARTS = 64 };

typedef struct memory_row {
    mr_upload upload;
    mr_upload_part parts[MEMORY_PARTS];
    size_t part_count;
} memory_row;

typedef struct memory_store {
    pthread_mutex_t lock;
    memory_row *rows[MEMORY_ROWS];
    int64_t quota;
    int fail; /* so many calls that write fail with MR_ERR_UNAVAILABLE, from now on */
    int commits;
} memory_store;

static memory_row *memory_row_of(memory_store *store, const char *id, size_t *ret_index)
{
    for (size_t i = 0; i < MEMORY_ROWS; i++) {
        if (store->rows[i] && strcmp(store->rows[i]->upload.id, id) == 0) {
            if (ret_index)
                *ret_index = i;
            return store->rows[i];
        }
    }
    return NULL;
}

static int64_t memory_left(const memory_store *store)
{
    int64_t left = store->quota;
    for (size_t i = 0; i < MEMORY_ROWS; i++) {
        const mr_upload *upload = store->rows[i] ? &store->rows[i]->upload : NULL;
        if (upload && (upload->role != MR_UPLOAD_FINAL || upload->state == MR_UPLOAD_COMPLETE))
            left -= upload->length > upload->offset ? upload->length : upload->offset;
    }
    return left;
}

/* With the lock; the row, or NULL with *ret_status. */
static memory_row *memory_begin(memory_store *store, const char *id, mr_status *ret_status)
{
    pthread_mutex_lock(&store->lock);
    *ret_status = MR_OK;
    if (store->fail > 0) {
        store->fail--;
        *ret_status = MR_ERR_UNAVAILABLE;
        return NULL;
    }
    store->commits++;
    memory_row *row = id ? memory_row_of(store, id, NULL) : NULL;
    if (id && !row)
        *ret_status = MR_ERR_NOT_FOUND;
    return row;
}

static mr_status memory_end(memory_store *store, mr_status status)
{
    pthread_mutex_unlock(&store->lock);
    return status;
}

static mr_status memory_create(void *context, const mr_upload *upload, const struct mr_video_fields *new_video, int64_t *ret_left)
{
    memory_store *store = context;
    (void)new_video; /* there are no videos here */
    mr_status status;
    memory_begin(store, NULL, &status);
    *ret_left = memory_left(store);
    if (status == MR_OK && upload->role != MR_UPLOAD_FINAL && upload->length > *ret_left)
        status = MR_ERR_LIMIT;
    for (size_t i = 0; status == MR_OK && i < MEMORY_ROWS; i++) {
        if (!store->rows[i]) {
            store->rows[i] = calloc(1, sizeof(memory_row));
            store->rows[i]->upload = *upload;
            return memory_end(store, MR_OK);
        }
    }
    return memory_end(store, status == MR_OK ? MR_ERR_UNAVAILABLE : status);
}

static mr_status memory_find(void *context, const char *id, mr_upload *ret_upload)
{
    memory_store *store = context;
    pthread_mutex_lock(&store->lock);
    const memory_row *row = memory_row_of(store, id, NULL);
    if (row)
        *ret_upload = row->upload;
    return memory_end(store, row ? MR_OK : MR_ERR_NOT_FOUND);
}

static mr_status memory_open_of_video(void *context, const char *video, char (*ret_ids)[MR_UPLOAD_ID], size_t most, size_t *ret_count)
{
    memory_store *store = context;
    *ret_count = 0;
    pthread_mutex_lock(&store->lock);
    for (size_t i = 0; i < MEMORY_ROWS && *ret_count < most; i++) {
        const mr_upload *upload = store->rows[i] ? &store->rows[i]->upload : NULL;
        if (upload && upload->state == MR_UPLOAD_OPEN && strcmp(upload->video, video) == 0)
            snprintf(ret_ids[(*ret_count)++], MR_UPLOAD_ID, "%s", upload->id);
    }
    return memory_end(store, MR_OK);
}

static mr_status memory_find_of_video(void *context, const char *video, mr_upload *ret_upload)
{
    memory_store *store = context;
    mr_status status = MR_ERR_NOT_FOUND;
    pthread_mutex_lock(&store->lock);
    for (size_t i = 0; i < MEMORY_ROWS; i++) {
        const mr_upload *upload = store->rows[i] ? &store->rows[i]->upload : NULL;
        if (upload && upload->state == MR_UPLOAD_COMPLETE && strcmp(upload->video, video) == 0) {
            *ret_upload = *upload;
            status = MR_OK;
        }
    }
    return memory_end(store, status);
}

static mr_status memory_advance(void *context, const char *id, int64_t offset, int64_t expires_us)
{
    memory_store *store = context;
    mr_status status;
    memory_row *row = memory_begin(store, id, &status);
    if (row && offset > row->upload.offset)
        row->upload.offset = offset;
    if (row)
        row->upload.expires_us = expires_us;
    return memory_end(store, status);
}

static mr_status memory_set_length(void *context, const char *id, int64_t length, int64_t *ret_left)
{
    memory_store *store = context;
    mr_status status;
    memory_row *row = memory_begin(store, id, &status);
    *ret_left = memory_left(store);
    if (row && length > *ret_left + row->upload.offset)
        return memory_end(store, MR_ERR_LIMIT);
    if (row)
        row->upload.length = length;
    return memory_end(store, status);
}

static mr_status memory_set_part_size(void *context, const char *id, int64_t part_size, int64_t *ret_part_size)
{
    memory_store *store = context;
    mr_status status;
    memory_row *row = memory_begin(store, id, &status);
    if (row && row->upload.part_size == 0)
        row->upload.part_size = part_size;
    if (row)
        *ret_part_size = row->upload.part_size;
    return memory_end(store, status);
}

static mr_status memory_complete(void *context, const mr_upload *upload)
{
    memory_store *store = context;
    mr_status status;
    memory_row *row = memory_begin(store, upload->id, &status);
    if (row) {
        row->upload = *upload;
        row->part_count = 0;
    }
    return memory_end(store, status);
}

static mr_status memory_remove(void *context, const char *id)
{
    memory_store *store = context;
    mr_status status;
    size_t index = 0;
    memory_row *row = memory_begin(store, id, &status);
    if (row && row->upload.state == MR_UPLOAD_COMPLETE)
        return memory_end(store, MR_ERR_CONFLICT);
    if (row && memory_row_of(store, id, &index)) {
        free(row);
        store->rows[index] = NULL;
    }
    return memory_end(store, status);
}

static mr_status memory_part_put(void *context, const char *id, const mr_upload_part *part, int64_t expires_us, mr_upload_part *ret_old,
                                 int *ret_replaced)
{
    memory_store *store = context;
    mr_status status;
    memory_row *row = memory_begin(store, id, &status);
    size_t at = 0;
    *ret_replaced = 0;
    if (!row)
        return memory_end(store, status);
    while (at < row->part_count && row->parts[at].number < part->number)
        at++;
    *ret_replaced = at < row->part_count && row->parts[at].number == part->number;
    if (*ret_replaced)
        *ret_old = row->parts[at];
    else if (row->part_count == MEMORY_PARTS)
        return memory_end(store, MR_ERR_LIMIT);
    else
        memmove(&row->parts[at + 1], &row->parts[at], (row->part_count++ - at) * sizeof(*part));
    row->parts[at] = *part;
    row->upload.expires_us = expires_us;
    row->upload.offset = 0;
    for (size_t i = 0; i < row->part_count; i++)
        row->upload.offset += row->parts[i].size;
    return memory_end(store, MR_OK);
}

static mr_status memory_parts(void *context, const char *id, mr_upload_part **ret_parts, size_t *ret_count)
{
    memory_store *store = context;
    pthread_mutex_lock(&store->lock);
    const memory_row *row = memory_row_of(store, id, NULL);
    *ret_parts = NULL;
    *ret_count = 0;
    if (row) {
        *ret_parts = malloc((row->part_count + 1) * sizeof(**ret_parts));
        memcpy(*ret_parts, row->parts, row->part_count * sizeof(**ret_parts));
        *ret_count = row->part_count;
    }
    return memory_end(store, row ? MR_OK : MR_ERR_NOT_FOUND);
}

static mr_status memory_expired(void *context, int64_t now_us, char (*ret_ids)[MR_UPLOAD_ID], size_t most, size_t *ret_count, int64_t *ret_next_us)
{
    memory_store *store = context;
    *ret_count = 0;
    *ret_next_us = INT64_MAX;
    pthread_mutex_lock(&store->lock);
    for (size_t i = 0; i < MEMORY_ROWS; i++) {
        const mr_upload *upload = store->rows[i] ? &store->rows[i]->upload : NULL;
        if (!upload || upload->state != MR_UPLOAD_OPEN)
            continue;
        if (upload->expires_us <= now_us && *ret_count < most)
            memcpy(ret_ids[(*ret_count)++], upload->id, MR_UPLOAD_ID);
        else if (upload->expires_us < *ret_next_us)
            *ret_next_us = upload->expires_us;
    }
    return memory_end(store, MR_OK);
}

static mr_upload_store memory_store_table(memory_store *store)
{
    pthread_mutex_init(&store->lock, NULL);
    return (mr_upload_store){.context = store,
                             .create = memory_create,
                             .find = memory_find,
                             .find_of_video = memory_find_of_video,
                             .open_of_video = memory_open_of_video,
                             .advance = memory_advance,
                             .set_length = memory_set_length,
                             .set_part_size = memory_set_part_size,
                             .complete = memory_complete,
                             .remove = memory_remove,
                             .part_put = memory_part_put,
                             .parts = memory_parts,
                             .expired = memory_expired};
}

static void memory_store_free(memory_store *store)
{
    for (size_t i = 0; i < MEMORY_ROWS; i++)
        free(store->rows[i]);
    pthread_mutex_destroy(&store->lock);
}

#endif
