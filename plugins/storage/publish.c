/* SPDX-License-Identifier: MIT */
/*
 * storage.publish: applies publications in the order in which they come, to any store that a driver knows (millrace/storage.h). An object appears
 * whole; before a playlist does, everything that came before it is durable. An object that is there already, with the same bytes, is left alone. At
 * the end, what earlier runs published here and this one did not is removed.
 */
#include "folder.h"
#include "ledger.h"
#include "place.h"
#include "storage.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COPY_STEP = 1 << 20 };

struct publisher {
    const mr_host *host;
    mr_task *task;
    const char *output; /* a folder's path, or the URL of a store */
    bool link;
    mr_place place;
    mr_ledger ledger;
    char *outputs[PUBLISH_OUT_PUBLISHED]; /* paths of the files whose role names an output */
    bool growing[PUBLISH_OUT_PUBLISHED];  /* what lies there is to be replaced by a later one */
    const char *content_type;             /* of the item at hand; NULL: it does not say */
    uint64_t written, unchanged, removed;
    uint64_t replaced; /* files that playlists of an earlier run may name, now with other bytes */
    uint8_t buffer[2][COPY_STEP / 2];
};

/* Passes on what the store has said. */
static mr_status refuse(const struct publisher *publisher, mr_status status, const char *path)
{
    const mr_storage_error *error = &publisher->place.error;
    if (status == MR_ERR_CANCELLED)
        return status;
    if (status == MR_ERR_NOMEM)
        publisher->host->report(publisher->task, MR_SEVERITY_ERROR, NULL, NULL, "can't publish '%s' in '%s': out of memory", path, publisher->output);
    else
        publisher->host->report(publisher->task, MR_SEVERITY_ERROR, NULL, error->hint[0] ? error->hint : NULL, "can't publish '%s' in '%s': %s", path,
                                publisher->output, error->message[0] ? error->message : "the store gave no reason");
    return status > 0 || status == MR_ERR_NOT_FOUND ? MR_ERR_IO : status;
}

/* By descriptor as far as the store can, else with what read_at gives. */
static mr_status copy_content(struct publisher *publisher, const mr_artifact *item, mr_storage_put *put, const char *path)
{
    const mr_storage_driver *driver = publisher->place.driver;
    uint64_t done = 0;
    const int from = driver->put_fd ? publisher->host->content_fd(publisher->task, item) : -1;
    mr_status status = from >= 0 ? driver->put_fd(put, from, 0, item->size, &done, &publisher->place.error) : MR_OK;
    if (status != MR_OK)
        return refuse(publisher, status, path);
    while (done < item->size) {
        size_t got = 0;
        status = publisher->host->read_at(publisher->task, item, done, publisher->buffer[0], sizeof(publisher->buffer[0]), &got);
        if (status != MR_OK)
            return status;
        if (got > 0)
            status = driver->put_write(put, publisher->buffer[0], got, &publisher->place.error);
        else
            status = MR_ERR_IO; /* shorter than it was said to be */
        if (status != MR_OK)
            return refuse(publisher, status, path);
        if (publisher->host->cancelled(publisher->task))
            return MR_ERR_CANCELLED;
        done += got;
    }
    return MR_OK;
}

/* Whether the object that is there holds the same bytes. */
static bool is_same(struct publisher *publisher, const mr_artifact *item, const char *path, const char *tag)
{
    mr_place *place = &publisher->place;
    for (uint64_t offset = 0; offset < item->size;) {
        size_t got = 0, there = 0;
        if (publisher->host->read_at(publisher->task, item, offset, publisher->buffer[0], sizeof(publisher->buffer[0]), &got) != MR_OK || got == 0)
            return false;
        if (place->driver->read(place->store, path, tag[0] ? tag : NULL, offset, publisher->buffer[1], got, &there, &place->error) != MR_OK ||
            there != got || memcmp(publisher->buffer[0], publisher->buffer[1], got) != 0)
            return false;
        offset += got;
    }
    return true;
}

enum presence { ABSENT, OTHER_BYTES, SAME_BYTES };

static enum presence look(struct publisher *publisher, const mr_artifact *item, const char *path)
{
    mr_place *place = &publisher->place;
    mr_storage_object object = {.size = sizeof(object)};
    if (place->driver->head(place->store, path, &object, &place->error) != MR_OK)
        return ABSENT;
    return object.bytes == item->size && is_same(publisher, item, path, object.tag) ? SAME_BYTES : OTHER_BYTES;
}

static mr_status write_file(struct publisher *publisher, const mr_artifact *item, const char *path, bool replaceable)
{
    mr_place *place = &publisher->place;
    const mr_storage_put_options options = {.size = sizeof(options),
                                            .flags = replaceable       ? MR_PUT_DURABLE
                                                     : publisher->link ? MR_PUT_LINK
                                                                       : 0,
                                            .bytes = (int64_t)item->size,
                                            .content_type = publisher->content_type};
    mr_storage_put *put = NULL;
    mr_status status = place->driver->put_new(place->store, path, &options, &put, &place->error);
    if (status != MR_OK)
        return refuse(publisher, status, path);
    status = copy_content(publisher, item, put, path);
    if (status == MR_OK) {
        status = place->driver->put_commit(put, NULL, &place->error);
        if (status != MR_OK)
            refuse(publisher, status, path);
    }
    place->driver->put_free(put);
    publisher->written += status == MR_OK;
    return status;
}

/* Removes an object unless somebody has changed it: it has another size. MR_ERR_CONFLICT: somebody has. MR_ERR_NOT_FOUND: it is gone. */
static mr_status remove_own(struct publisher *publisher, const char *path, uint64_t size)
{
    mr_place *place = &publisher->place;
    mr_storage_object object = {.size = sizeof(object)};
    mr_status status = place->driver->head(place->store, path, &object, &place->error);
    if (status == MR_OK && object.bytes != size)
        return MR_ERR_CONFLICT;
    return status == MR_OK ? place->driver->remove(place->store, path, object.tag[0] ? object.tag : NULL, &place->error) : status;
}

/* A file is about to change under the playlists of an earlier run: from now on they would lie. Those that this run has made are not concerned. */
static void withdraw_playlists(struct publisher *publisher)
{
    mr_ledger_entry *entry, *next;
    HASH_ITER (hh, publisher->ledger.entries, entry, next) {
        if (!entry->replaceable || (entry->current && !entry->whole_before))
            continue;
        remove_own(publisher, entry->path, entry->size);
        entry->current = entry->whole_before = false;
    }
}

static mr_status publish(struct publisher *publisher, const mr_artifact *item, const char *path, bool replaceable, bool growing)
{
    mr_ledger_entry *entry = mr_ledger_find(&publisher->ledger, path);
    enum presence presence = look(publisher, item, path);
    /* A whole playlist of an earlier run stays true as long as nothing that it may name has changed: better than one that begins to grow anew. */
    if (growing && entry && entry->whole_before && presence != ABSENT && publisher->replaced == 0) {
        entry->current = entry->replaceable = true;
        return MR_OK;
    }
    if (entry && entry->current && !(entry->replaceable && replaceable)) {
        if (strcmp(entry->digest, item->digest) == 0 && item->digest[0])
            return MR_OK;
        publisher->host->report(publisher->task, MR_SEVERITY_ERROR, NULL, "give one of them another name", "two different files want to be '%s'",
                                path);
        return MR_ERR_CONFLICT;
    }
    mr_status status = mr_ledger_add(&publisher->ledger, path, item->digest, item->size, growing, replaceable, &entry);
    if (status != MR_OK)
        return refuse(publisher, status, path);
    entry->current = true;
    entry->whole_before = false;
    if (presence == SAME_BYTES) {
        publisher->unchanged++;
        return MR_OK;
    }
    if (presence == OTHER_BYTES && !replaceable && publisher->replaced++ == 0)
        withdraw_playlists(publisher);
    return write_file(publisher, item, path, replaceable);
}

static mr_status note_output(struct publisher *publisher, const char *role, const char *path)
{
    static const char *const roles[] = {[PUBLISH_OUT_HLS] = "hls", [PUBLISH_OUT_DASH] = "dash", [PUBLISH_OUT_MEDIA] = "media"};
    for (size_t i = 0; role && i < PUBLISH_OUT_PUBLISHED; i++) {
        if (strcmp(role, roles[i]) != 0)
            continue;
        const mr_ledger_entry *entry = mr_ledger_find(&publisher->ledger, path);
        publisher->growing[i] = entry && entry->growing;
        if (publisher->outputs[i] && strcmp(publisher->outputs[i], path) == 0)
            continue;
        if (publisher->outputs[i]) {
            publisher->host->report(publisher->task, MR_SEVERITY_ERROR, NULL, "publish them with two pipelines, into two folders",
                                    "both '%s' and '%s' want to be the output '%s'", publisher->outputs[i], path, role);
            return MR_ERR_CONFLICT;
        }
        publisher->outputs[i] = strdup(path);
        if (!publisher->outputs[i])
            return refuse(publisher, MR_ERR_NOMEM, path);
    }
    return MR_OK;
}

static mr_status take_item(struct publisher *publisher, const mr_artifact *item)
{
    json_t *meta = json_loads(item->meta, JSON_REJECT_DUPLICATES, NULL);
    const char *path = json_string_value(json_object_get(meta, "path"));
    bool replaceable = json_is_true(json_object_get(meta, "replaceable"));
    mr_status status = MR_OK;
    publisher->content_type = json_string_value(json_object_get(meta, "content_type"));
    if (!path || !item->has_content) {
        publisher->host->report(publisher->task, MR_SEVERITY_ERROR, NULL, "segments are published through manifest.package",
                                "what came on 'files' has no %s: it is not a publication", path ? "content" : "'path' in its metadata");
        status = MR_ERR_INPUT;
    } else if (!mr_path_is_safe(path)) {
        publisher->host->report(publisher->task, MR_SEVERITY_ERROR, NULL, NULL, "'%s' is not a plain path inside the output folder", path);
        status = MR_ERR_INPUT;
    } else {
        status = publish(publisher, item, path, replaceable, json_is_true(json_object_get(meta, "growing")));
    }
    if (status == MR_OK)
        status = note_output(publisher, json_string_value(json_object_get(meta, "role")), path);
    json_decref(meta);
    return status;
}

static mr_status take_items(struct publisher *publisher)
{
    for (;;) {
        uint32_t port;
        const mr_artifact *item;
        mr_status status = publisher->host->next(publisher->task, &port, &item);
        if (status == MR_END)
            return MR_OK;
        if (status == MR_OK)
            status = take_item(publisher, item);
        if (status != MR_OK)
            return status;
    }
}

/* What earlier runs left and nothing names any more. A file that somebody changed since is theirs. */
static mr_status remove_stale(struct publisher *publisher)
{
    mr_ledger_entry *entry, *next;
    HASH_ITER (hh, publisher->ledger.entries, entry, next) {
        if (entry->current)
            continue;
        mr_status status = remove_own(publisher, entry->path, entry->size);
        if (status == MR_ERR_CONFLICT)
            publisher->host->report(publisher->task, MR_SEVERITY_NOTE, NULL, NULL, "'%s' of an earlier run was changed since, and is left there",
                                    entry->path);
        else if (status != MR_OK && status != MR_ERR_NOT_FOUND)
            return refuse(publisher, status, entry->path);
        publisher->removed += status == MR_OK;
        mr_ledger_remove(&publisher->ledger, entry);
    }
    return MR_OK;
}

static mr_status emit(const struct publisher *publisher, uint32_t port, json_t *take_meta)
{
    char *text = take_meta ? json_dumps(take_meta, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    mr_status status = text ? publisher->host->emit(publisher->task, port, text, NULL) : MR_ERR_NOMEM;
    free(text);
    json_decref(take_meta);
    return status;
}

static mr_status tell(const struct publisher *publisher)
{
    mr_status status = MR_OK;
    json_int_t files = 0, bytes = 0;
    for (const mr_ledger_entry *entry = publisher->ledger.entries; entry; entry = entry->hh.next) {
        files++;
        bytes += (json_int_t)entry->size;
    }
    for (uint32_t i = 0; i < PUBLISH_OUT_PUBLISHED && status == MR_OK; i++) {
        if (publisher->outputs[i])
            status = emit(publisher, i, json_pack("{s:s}", "path", publisher->outputs[i]));
    }
    if (status == MR_OK)
        status = emit(publisher, PUBLISH_OUT_PUBLISHED,
                      json_pack("{s:I, s:I, s:I, s:I, s:I}", "files", files, "bytes", bytes, "written", (json_int_t)publisher->written, "unchanged",
                                (json_int_t)publisher->unchanged, "removed", (json_int_t)publisher->removed));
    return status;
}

static mr_status open_place(struct publisher *publisher)
{
    const mr_host *host = publisher->host;
    publisher->output = host->output_url(publisher->task);
    if (!publisher->output) {
        host->report(publisher->task, MR_SEVERITY_ERROR, NULL, "name one with --output DIR", "there is no output folder to publish to");
        return MR_ERR_PARAM;
    }
    mr_place *place = &publisher->place;
    mr_status status = mr_place_open(place, host, publisher->task, publisher->output, NULL);
    if (status != MR_OK)
        return place->driver ? refuse(publisher, status, MR_STORAGE_NOTES) : status;
    status = place->driver->lock ? place->driver->lock(place->store, &place->error) : MR_OK;
    if (status == MR_ERR_CONFLICT) {
        host->report(publisher->task, MR_SEVERITY_ERROR, NULL, "wait for the other run; within a pipeline, connect all files to one node",
                     "another storage.publish is at work in '%s'", publisher->output);
        return status;
    }
    if (status == MR_OK)
        status = mr_ledger_open(&publisher->ledger, place);
    return status == MR_OK ? MR_OK : refuse(publisher, status, MR_STORAGE_NOTES);
}

static mr_status finish(struct publisher *publisher)
{
    mr_place *place = &publisher->place;
    mr_status status = place->driver->sync ? place->driver->sync(place->store, &place->error) : MR_OK;
    if (status != MR_OK)
        return refuse(publisher, status, ".");
    status = remove_stale(publisher);
    if (status != MR_OK)
        return status;
    status = mr_ledger_finish(&publisher->ledger);
    return status == MR_OK ? tell(publisher) : refuse(publisher, status, MR_STORAGE_NOTES "/published.jsonl");
}

/*
 * The run does not come to its end here. What was published stays, but nobody is shown the way into a stream that has stopped growing: a later run
 * opens it again. (A publisher that is killed can't do this; its playlists have no end mark.)
 */
static void close_entrances(struct publisher *publisher)
{
    mr_place *place = &publisher->place;
    for (size_t i = 0; i < PUBLISH_OUT_PUBLISHED; i++) {
        const char *path = publisher->outputs[i];
        if (path && publisher->growing[i])
            place->driver->remove(place->store, path, NULL, &place->error);
    }
}

mr_status mr_publish_run(const mr_host *host, const mr_batch *batch)
{
    mr_status status = MR_OK;
    for (uint32_t i = 0; i < batch->count; i++) {
        struct publisher *publisher = calloc(1, sizeof(*publisher));
        if (!publisher)
            return MR_ERR_NOMEM;
        publisher->host = host;
        publisher->task = batch->tasks[i].task;
        publisher->link = ((const mr_publish_params *)batch->tasks[i].params)->link;
        status = open_place(publisher);
        if (status == MR_OK)
            status = take_items(publisher);
        if (status == MR_OK)
            status = finish(publisher);
        if (status != MR_OK)
            close_entrances(publisher);
        mr_ledger_close(&publisher->ledger);
        mr_place_close(&publisher->place);
        for (size_t k = 0; k < PUBLISH_OUT_PUBLISHED; k++)
            free(publisher->outputs[k]);
        free(publisher);
        host->finish(batch->tasks[i].task, status);
    }
    return status;
}
