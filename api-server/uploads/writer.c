/* SPDX-License-Identifier: MIT */
/*
 * Writers: from the pieces of a body to bytes that are durable. All that a writer does to its upload it does with live->lock held, so whoever takes
 * the upload from a silent one finds it between two pieces.
 */
#include "api-server/uploads/internal.h"

#include "api-server/base/id.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct mr_writer {
    mr_uploads *uploads;
    mr_live *live;
    mr_upload upload;
    mr_write write;
    mr_upload_part part; /* number 0: none */
    mr_upload_file file;
    int64_t most;      /* where the file may end */
    int64_t committed; /* up to here */
    int64_t commit_us; /* when that was */
    int64_t last_us;   /* when bytes came last */
    bool mine;         /* the upload, or the part's place, is this writer's */
    bool over_quota;   /* that is why it could not be committed */
};

static void bit_set(unsigned char *bits, int32_t number, bool on)
{
    const unsigned char bit = (unsigned char)(1u << (number % 8));
    bits[number / 8] = (unsigned char)(on ? bits[number / 8] | bit : bits[number / 8] & ~bit);
}

static bool bit_of(const unsigned char *bits, int32_t number)
{
    return bits[number / 8] >> (number % 8) & 1;
}

/* A part counts. */
static void fill_place(mr_live *live, const mr_upload_part *part)
{
    if (part->place == MR_PLACE_OWN)
        return;
    bit_set(live->filled, part->number, true);
    while (live->front < MR_UPLOAD_PARTS && bit_of(live->filled, live->front + 1))
        live->front++;
}

/* ---- committing ---- */

static mr_status commit(mr_writer *writer)
{
    mr_uploads *uploads = writer->uploads;
    mr_status status = mr_upload_file_sync(&writer->file);
    if (status == MR_OK) {
        writer->upload.expires_us = mr_uploads_now_us() + MR_UPLOAD_LIFE_US;
        status = uploads->options.store.advance(uploads->options.store.context, writer->upload.id, writer->file.at, writer->upload.expires_us);
        writer->over_quota = status == MR_ERR_LIMIT;
    }
    if (status != MR_OK)
        return status;
    writer->committed = writer->upload.offset = writer->file.at;
    writer->commit_us = mr_uploads_now_us();
    if (uploads->options.progress)
        uploads->options.progress(uploads->options.context, &writer->upload);
    return MR_OK;
}

static void say_passes(const mr_writer *writer, int64_t length, int64_t have)
{
    const mr_uploads_options *options = &writer->uploads->options;
    if (options->passes && have > 0 && have <= length)
        options->passes(options->context, &writer->upload, length, have);
}

/* Where what is dropped again goes with its file, what was written stays as it is. */
static void pass(mr_writer *writer)
{
    writer->committed = writer->file.at;
    writer->commit_us = mr_uploads_now_us();
    if (writer->upload.kind == MR_UPLOAD_PUT)
        say_passes(writer, writer->write.length, writer->file.at);
}

static bool refuse_status(const mr_writer *writer, mr_status status, mr_refusal *why)
{
    if (status != MR_OK && writer->over_quota)
        return mr_upload_refuse(why, 413, "quota-exceeded", "with what came for the same video beside it, this is more than the account's quota");
    return mr_upload_refuse_status(why, status, &writer->upload);
}

bool mr_writer_take_over(mr_live *live)
{
    mr_writer *writer = live->writer;
    if (!writer)
        return true;
    if (mr_uploads_now_us() - writer->last_us < MR_UPLOAD_SILENT_MS * 1000ll)
        return false;
    if (!writer->write.whole && writer->file.at > writer->committed)
        commit(writer); /* if it can't be: the client is told the offset before */
    writer->mine = false;
    live->writer = NULL;
    return true;
}

/* ---- beginning ---- */

static mr_status open_file(mr_writer *writer, const char *name, int64_t at, int64_t end, bool with_leaves)
{
    const mr_status status = mr_upload_file_open(writer->uploads->folder, name, at, end, with_leaves, &writer->file);
    writer->file.keep = writer->uploads->options.keep_free;
    return status;
}

/* The one writer of an upload without parts. */
static bool begin_whole(mr_writer *writer, mr_refusal *why)
{
    const mr_upload_store *store = &writer->uploads->options.store;
    mr_upload *upload = &writer->upload;
    const mr_write *write = &writer->write;
    if (!mr_writer_take_over(writer->live))
        return mr_upload_refuse(why, 423, "upload-busy", "another request is writing to this upload");
    if (!mr_upload_refuse_status(why, store->find(store->context, upload->id, upload), upload)) /* the one before may have moved it */
        return false;
    if (upload->role == MR_UPLOAD_FINAL || upload->state != MR_UPLOAD_OPEN)
        return mr_upload_refuse(why, upload->role == MR_UPLOAD_FINAL ? 403 : 409, "upload-complete", "nothing can be added to this upload any more");
    if (write->offset != upload->offset)
        return mr_upload_refuse(why, 409, "wrong-offset", "the upload is at %" PRId64 ", not at %" PRId64, upload->offset, write->offset);
    writer->most = upload->length >= 0 ? upload->length : writer->uploads->options.max;
    if (write->length > writer->most - upload->offset)
        return mr_upload_refuse(why, 413, "upload-too-large", "%" PRId64 " bytes are more than the %" PRId64 " that are left of the upload's length",
                                write->length, writer->most - upload->offset);
    /* A body that may be dropped again must leave no leaves behind; a whole upload is dropped with them. */
    const bool with_leaves = !write->whole || upload->kind == MR_UPLOAD_PUT;
    writer->committed = upload->offset;
    return mr_upload_refuse_status(why, open_file(writer, upload->id, upload->offset, upload->length, with_leaves), upload);
}

static mr_status know_places(mr_writer *writer)
{
    const mr_upload_store *store = &writer->uploads->options.store;
    mr_upload_part *parts = NULL;
    size_t count = 0;
    if (writer->live->places_known)
        return MR_OK;
    const mr_status status = store->parts(store->context, writer->upload.id, &parts, &count);
    memset(writer->live->filled, 0, sizeof(writer->live->filled));
    writer->live->front = 0;
    for (size_t i = 0; i < count; i++) {
        bit_set(writer->live->places, parts[i].number, true);
        fill_place(writer->live, &parts[i]);
    }
    free(parts);
    writer->live->places_known = status == MR_OK;
    return status;
}

/* Regular parts are written where they will stay; those that come twice, or have another size, to a file of their own. */
static mr_status choose_place(mr_writer *writer)
{
    const mr_upload_store *store = &writer->uploads->options.store;
    const int64_t size = writer->part.size;
    int64_t part_size = writer->upload.part_size;
    mr_status status = know_places(writer);
    if (status == MR_OK && part_size == 0 && size >= MR_UPLOAD_PART_LEAST)
        status = store->set_part_size(store->context, writer->upload.id, size, &part_size);
    if (status != MR_OK)
        return status;
    writer->upload.part_size = part_size;
    if (part_size > 0 && size <= part_size && part_size % MR_UPLOAD_BLOCK == 0 && !bit_of(writer->live->places, writer->part.number) &&
        (writer->part.number - 1) * part_size + size <= writer->uploads->options.max) {
        writer->part.place = (writer->part.number - 1) * part_size;
        bit_set(writer->live->places, writer->part.number, true);
    }
    return MR_OK;
}

static bool begin_part(mr_writer *writer, mr_refusal *why)
{
    char name[MR_UPLOAD_PATH];
    uint32_t number = 0;
    writer->part = (mr_upload_part){.number = writer->write.part, .size = writer->write.length, .place = MR_PLACE_OWN};
    if (writer->part.number < 1 || writer->part.number > MR_UPLOAD_PARTS)
        return mr_upload_refuse(why, 400, "bad-part-number", "parts have numbers from 1 to %d", MR_UPLOAD_PARTS);
    if (writer->part.size < 0)
        return mr_upload_refuse(why, 411, "no-length", "a part must say its length");
    if (writer->part.size > writer->uploads->options.max)
        return mr_upload_refuse(why, 413, "upload-too-large", "the part is larger than an upload may be: %" PRId64 " bytes",
                                writer->uploads->options.max);
    mr_status status = mr_random_bytes(&number, sizeof(number)) ? choose_place(writer) : MR_ERR_UNAVAILABLE;
    writer->part.file = 1 + (int64_t)number;
    writer->most = writer->part.size + (writer->part.place > 0 ? writer->part.place : 0);
    if (status == MR_OK && writer->part.place >= 0) {
        status = open_file(writer, writer->upload.id, writer->part.place, writer->most, true);
    } else if (status == MR_OK) {
        mr_part_file_name(writer->upload.id, writer->part.file, name);
        status = mr_upload_file_create(writer->uploads->folder, name);
        if (status == MR_OK)
            status = open_file(writer, name, 0, writer->most, false);
    }
    return mr_upload_refuse_status(why, status, &writer->upload);
}

mr_writer *mr_writer_begin(mr_uploads *uploads, const mr_upload *upload, const mr_write *write, mr_refusal *why)
{
    mr_writer *writer = calloc(1, sizeof(*writer));
    mr_live *live = writer ? mr_live_get(uploads, upload->id) : NULL;
    if (!live) {
        free(writer);
        mr_upload_refuse_status(why, MR_ERR_NOMEM, upload);
        return NULL;
    }
    *writer = (mr_writer){.uploads = uploads, .live = live, .upload = *upload, .write = *write, .file = {.fd = -1, .leaves = -1}};
    writer->last_us = writer->commit_us = mr_uploads_now_us();
    pthread_mutex_lock(&live->lock);
    bool good = !live->closing ? (write->part ? begin_part(writer, why) : begin_whole(writer, why))
                               : mr_upload_refuse(why, 409, "upload-complete", "the upload is being completed or removed");
    if (write->part)
        live->writers++;
    else if (good)
        live->writer = writer;
    writer->mine = good || write->part;
    pthread_mutex_unlock(&live->lock);
    if (!good) {
        mr_writer_free(writer);
        return NULL;
    }
    return writer;
}

/* ---- writing ---- */

static bool add(mr_writer *writer, const void *data, size_t len, mr_refusal *why)
{
    if (!writer->mine)
        return mr_upload_refuse(why, 409, "upload-taken-over", "another request went on with this upload, since this one was silent");
    if ((int64_t)len > writer->most - writer->file.at)
        return mr_upload_refuse(why, 413, "upload-too-large", "the body has more bytes than the upload has left");
    writer->last_us = mr_uploads_now_us();
    mr_status status = mr_upload_file_write(&writer->file, data, len);
    const bool due = writer->file.at - writer->committed >= MR_UPLOAD_CHECKPOINT || writer->last_us - writer->commit_us >= MR_UPLOAD_CHECK_US;
    if (status == MR_OK && !writer->write.whole && due)
        status = commit(writer);
    else if (status == MR_OK && due && writer->part.number == 0)
        pass(writer);
    return refuse_status(writer, status, why);
}

bool mr_writer_add(mr_writer *writer, const void *data, size_t len, mr_refusal *why)
{
    pthread_mutex_lock(&writer->live->lock);
    const bool good = add(writer, data, len, why);
    pthread_mutex_unlock(&writer->live->lock);
    return good;
}

/* ---- ending ---- */

static bool end_part(mr_writer *writer, mr_refusal *why)
{
    mr_uploads *uploads = writer->uploads;
    const mr_upload_store *store = &uploads->options.store;
    mr_upload_part old;
    int replaced = 0;
    if (writer->file.at != writer->most)
        return mr_upload_refuse(why, 400, "incomplete-body", "the part has fewer bytes than it said");
    mr_status status = mr_upload_file_sync(&writer->file);
    writer->part.modified_us = mr_uploads_now_us();
    if (writer->part.place < 0 && bit_of(writer->live->filled, writer->part.number))
        writer->part.place = MR_PLACE_LATER;
    if (status == MR_OK && !mr_upload_make_etag(writer->part.etag, ""))
        status = MR_ERR_UNAVAILABLE;
    if (status == MR_OK)
        status = store->part_put(store->context, writer->upload.id, &writer->part, writer->part.modified_us + MR_UPLOAD_LIFE_US, &old, &replaced);
    if (status == MR_ERR_LIMIT)
        return mr_upload_refuse(why, 413, "quota-exceeded", "the parts are more than the account's quota");
    if (status != MR_OK)
        return mr_upload_refuse_status(why, status, &writer->upload);
    if (replaced && old.place < 0)
        mr_upload_remove_parts(uploads, writer->upload.id, &old, 1);
    fill_place(writer->live, &writer->part);
    say_passes(writer, writer->upload.length, writer->live->front * writer->upload.part_size); /* not with the last, which is shorter */
    return true;
}

static bool end_whole(mr_writer *writer, mr_refusal *why)
{
    mr_upload *upload = &writer->upload;
    if (!writer->mine)
        return mr_upload_refuse(why, 409, "upload-taken-over", "another request went on with this upload, since this one was silent");
    if (!refuse_status(writer, commit(writer), why))
        return false;
    if (upload->offset != upload->length || upload->role == MR_UPLOAD_PARTIAL)
        return true;
    mr_upload_file_close(&writer->file);
    writer->live->closing = mr_upload_finish(writer->uploads, upload, why);
    return writer->live->closing;
}

/* Lock held. Whoever comes next need not wait for this request's answer to be out. */
static void release(mr_writer *writer)
{
    if (writer->mine && writer->write.part)
        writer->live->writers--;
    else if (writer->mine)
        writer->live->writer = NULL;
    writer->mine = false;
}

bool mr_writer_end(mr_writer *writer, mr_refusal *why)
{
    pthread_mutex_lock(&writer->live->lock);
    const bool good = writer->part.number ? end_part(writer, why) : end_whole(writer, why);
    if (good)
        release(writer);
    pthread_mutex_unlock(&writer->live->lock);
    return good;
}

const mr_upload *mr_writer_upload(const mr_writer *writer)
{
    return &writer->upload;
}

const char *mr_writer_etag(const mr_writer *writer)
{
    return writer->part.etag;
}

/* Its place is free again, or its file goes. */
static void drop_part(mr_writer *writer)
{
    if (writer->part.place >= 0)
        bit_set(writer->live->places, writer->part.number, false);
    else if (writer->part.file)
        mr_upload_remove_parts(writer->uploads, writer->upload.id, &writer->part, 1);
}

void mr_writer_free(mr_writer *writer)
{
    if (!writer)
        return;
    mr_live *live = writer->live;
    mr_refusal why;
    const bool dropped = writer->mine && writer->upload.kind == MR_UPLOAD_PUT; /* S3: it counts as a whole, or not at all */
    pthread_mutex_lock(&live->lock);
    if (writer->mine && writer->part.number)
        drop_part(writer);
    if (writer->mine && !writer->write.whole && writer->file.at > writer->committed)
        commit(writer); /* a cut connection keeps what has come */
    release(writer);
    mr_upload_file_close(&writer->file);
    pthread_mutex_unlock(&live->lock);
    if (dropped)
        mr_uploads_remove(writer->uploads, &writer->upload, &why);
    mr_live_put(writer->uploads, live);
    free(writer);
}
