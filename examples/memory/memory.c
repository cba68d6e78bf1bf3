/* SPDX-License-Identifier: MIT */
/*
 * A storage driver that keeps to memory: mem://NAME is a store of its own for as long as the process lives. For tests, and as the shortest driver
 * that keeps all that is promised in millrace/storage.h but durability.
 *
 * Objects are immutable and counted: a put makes a new one, which takes the old one's place in one step under the store's lock, so readers see the
 * old or the new bytes, whole. Opening a place twice gives the same objects.
 */
#define _POSIX_C_SOURCE 200809L
#include <millrace/plugin.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PLACES_MAX = 64, OBJECTS_MAX = 100000, NAME_MAX_BYTES = 255 };
#define BYTES_MAX (UINT64_C(1) << 30) /* of one place */

struct object {
    char *key;
    char *data;
    size_t len;
    int64_t changed_us;
    uint64_t serial; /* its tag */
};

/* A place outlives those who have it open. Objects are sorted by key. */
struct place {
    char name[NAME_MAX_BYTES + 1];
    struct object *objects;
    size_t count;
    uint64_t bytes;
    struct mr_storage *publisher; /* who has locked it */
};

struct mr_storage {
    const mr_storage_client *client;
    struct place *place;
};

struct mr_storage_put {
    mr_storage *store;
    struct object object;
    size_t room;
    uint32_t flags;
    int64_t expected;
    char *if_tag;
};

/* One lock for all: what is done under it is short. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct place *places[PLACES_MAX];
static uint64_t last_serial;

static mr_status fail(mr_storage_error *error, mr_status status, const char *message)
{
    snprintf(error->message, sizeof(error->message), "%s", message);
    error->hint[0] = '\0';
    return status;
}

static mr_status no_memory(mr_storage_error *error)
{
    return fail(error, MR_ERR_NOMEM, "out of memory");
}

static mr_status not_found(mr_storage_error *error)
{
    return fail(error, MR_ERR_NOT_FOUND, "there is no such object");
}

static void tag_of(const struct object *object, char tag[MR_STORAGE_TAG_SIZE])
{
    snprintf(tag, MR_STORAGE_TAG_SIZE, "%llu", (unsigned long long)object->serial);
}

static int has_tag(const struct object *object, const char *tag)
{
    char own[MR_STORAGE_TAG_SIZE];
    tag_of(object, own);
    return strcmp(own, tag) == 0;
}

static void describe(const struct object *object, mr_storage_object *ret_object)
{
    ret_object->bytes = object->len;
    ret_object->changed_us = object->changed_us;
    tag_of(object, ret_object->tag);
}

/* Where the key is, or would be. Locked. */
static size_t position_of(const struct place *place, const char *key)
{
    size_t low = 0, high = place->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (strcmp(place->objects[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct object *find(const struct place *place, const char *key)
{
    const size_t at = position_of(place, key);
    return at < place->count && strcmp(place->objects[at].key, key) == 0 ? &place->objects[at] : NULL;
}

/* ---- places ---- */

/* Locked. NULL: there is no room for another. */
static struct place *find_place(const char *name)
{
    size_t i = 0;
    for (; i < PLACES_MAX && places[i]; i++) {
        if (strcmp(places[i]->name, name) == 0)
            return places[i];
    }
    struct place *place = i < PLACES_MAX ? calloc(1, sizeof(*place)) : NULL;
    if (place) {
        snprintf(place->name, sizeof(place->name), "%s", name);
        places[i] = place;
    }
    return place;
}

static mr_status memory_open(const mr_storage_client *client, const char *url, mr_storage **ret_store, mr_storage_error *error)
{
    const char *name = strstr(url, "://");
    *ret_store = NULL;
    if (!name || !name[3] || strlen(name + 3) > NAME_MAX_BYTES)
        return fail(error, MR_ERR_PARAM, "the address has no name, or one of more than 255 bytes");
    mr_storage *store = calloc(1, sizeof(*store));
    if (!store)
        return no_memory(error);
    pthread_mutex_lock(&lock);
    store->place = find_place(name + 3);
    pthread_mutex_unlock(&lock);
    store->client = client;
    if (!store->place) {
        free(store);
        return fail(error, MR_ERR_LIMIT, "there are 64 places already");
    }
    *ret_store = store;
    return MR_OK;
}

static void memory_close(mr_storage *store)
{
    if (!store)
        return;
    pthread_mutex_lock(&lock);
    if (store->place->publisher == store)
        store->place->publisher = NULL;
    pthread_mutex_unlock(&lock);
    free(store);
}

static mr_status memory_lock(mr_storage *store, mr_storage_error *error)
{
    pthread_mutex_lock(&lock);
    const int taken = store->place->publisher && store->place->publisher != store;
    if (!taken)
        store->place->publisher = store;
    pthread_mutex_unlock(&lock);
    return taken ? fail(error, MR_ERR_CONFLICT, "another publisher is at work there") : MR_OK;
}

/* ---- reading ---- */

static mr_status memory_head(mr_storage *store, const char *key, mr_storage_object *ret_object, mr_storage_error *error)
{
    pthread_mutex_lock(&lock);
    const struct object *object = find(store->place, key);
    if (object)
        describe(object, ret_object);
    pthread_mutex_unlock(&lock);
    return object ? MR_OK : not_found(error);
}

static mr_status memory_read(mr_storage *store, const char *key, const char *tag, uint64_t offset, void *buf, size_t len, size_t *ret_len,
                             mr_storage_error *error)
{
    mr_status status = MR_OK;
    *ret_len = 0;
    pthread_mutex_lock(&lock);
    const struct object *object = find(store->place, key);
    if (!object) {
        status = not_found(error);
    } else if (tag && !has_tag(object, tag)) {
        status = fail(error, MR_ERR_CONFLICT, "the object has become another one");
    } else if (offset < object->len) {
        *ret_len = object->len - (size_t)offset < len ? object->len - (size_t)offset : len;
        memcpy(buf, object->data + offset, *ret_len);
    }
    pthread_mutex_unlock(&lock);
    return status;
}

/* The first object behind a key, copied: visit() may call us. */
static char *next_key(mr_storage *store, const char *after, mr_storage_object *ret_object)
{
    char *key = NULL;
    pthread_mutex_lock(&lock);
    const struct place *place = store->place;
    size_t at = position_of(place, after);
    if (at < place->count && strcmp(place->objects[at].key, after) == 0)
        at++;
    if (at < place->count) {
        key = strdup(place->objects[at].key);
        describe(&place->objects[at], ret_object);
    }
    pthread_mutex_unlock(&lock);
    return key;
}

static mr_status memory_list(mr_storage *store, const char *prefix, const char *after,
                             mr_status (*visit)(void *context, const char *key, const mr_storage_object *object), void *context,
                             mr_storage_error *error)
{
    const size_t len = strlen(prefix);
    mr_status status = MR_OK;
    char *last = strdup(after ? after : "");
    if (!last)
        return no_memory(error);
    while (status == MR_OK) {
        mr_storage_object object = {.size = sizeof(object)};
        char *key = next_key(store, last, &object);
        free(last);
        last = key;
        if (!key)
            return MR_OK;
        if (strncmp(key, prefix, len) == 0)
            status = visit(context, key, &object);
    }
    free(last);
    return status;
}

/* ---- writing ---- */

static void memory_put_free(mr_storage_put *put)
{
    if (!put)
        return;
    free(put->object.key);
    free(put->object.data);
    free(put->if_tag);
    free(put);
}

static mr_status memory_put_new(mr_storage *store, const char *key, const mr_storage_put_options *options, mr_storage_put **ret_put,
                                mr_storage_error *error)
{
    mr_storage_put *put = calloc(1, sizeof(*put));
    *ret_put = NULL;
    if (!put)
        return no_memory(error);
    put->store = store;
    put->flags = options->flags;
    put->expected = options->bytes;
    put->object.key = strdup(key);
    put->if_tag = options->if_tag ? strdup(options->if_tag) : NULL;
    if (!put->object.key || (options->if_tag && !put->if_tag)) {
        memory_put_free(put);
        return no_memory(error);
    }
    *ret_put = put;
    return MR_OK;
}

static mr_status memory_put_write(mr_storage_put *put, const void *data, size_t len, mr_storage_error *error)
{
    struct object *object = &put->object;
    if (len > BYTES_MAX - object->len)
        return fail(error, MR_ERR_LIMIT, "the object is larger than 1 GiB");
    if (object->len + len > put->room) {
        const size_t room = (object->len + len) * 2;
        char *grown = realloc(object->data, room);
        if (!grown)
            return no_memory(error);
        object->data = grown;
        put->room = room;
    }
    if (len > 0)
        memcpy(object->data + object->len, data, len);
    object->len += len;
    return MR_OK;
}

/* Locked: puts the object in its place, which takes what it holds; *old is left to be freed. */
static mr_status replace(mr_storage_put *put, struct object *old, mr_storage_error *error)
{
    struct place *place = put->store->place;
    struct object *there = find(place, put->object.key);
    if ((put->flags & MR_PUT_NEW) && there)
        return fail(error, MR_ERR_CONFLICT, "there is one already");
    if (put->if_tag && (!there || !has_tag(there, put->if_tag)))
        return fail(error, MR_ERR_CONFLICT, "the object has become another one");
    if (place->bytes - (there ? there->len : 0) + put->object.len > BYTES_MAX || (!there && place->count == OBJECTS_MAX))
        return fail(error, MR_ERR_LIMIT, "the store is full: it holds 1 GiB, or 100,000 objects");
    if (there) {
        *old = *there;
    } else {
        struct object *grown = realloc(place->objects, (place->count + 1) * sizeof(*grown));
        if (!grown)
            return no_memory(error);
        place->objects = grown;
        const size_t at = position_of(place, put->object.key);
        memmove(grown + at + 1, grown + at, (place->count - at) * sizeof(*grown));
        place->count++;
        there = &grown[at];
    }
    *there = put->object;
    there->serial = ++last_serial;
    place->bytes += there->len - old->len;
    put->object = (struct object){0};
    return MR_OK;
}

static mr_status memory_put_commit(mr_storage_put *put, mr_storage_object *ret_object, mr_storage_error *error)
{
    struct object old = {0};
    struct timespec now;
    if (put->expected >= 0 && (uint64_t)put->expected != put->object.len)
        return fail(error, MR_ERR_IO, "it has another length than was said");
    char *key = strdup(put->object.key); /* the object takes the put's */
    if (!key)
        return no_memory(error);
    timespec_get(&now, TIME_UTC);
    put->object.changed_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    pthread_mutex_lock(&lock);
    mr_status status = replace(put, &old, error);
    if (status == MR_OK && ret_object)
        describe(find(put->store->place, key), ret_object);
    pthread_mutex_unlock(&lock);
    free(old.key);
    free(old.data);
    free(key);
    return status;
}

static mr_status memory_remove(mr_storage *store, const char *key, const char *tag, mr_storage_error *error)
{
    struct object old = {0};
    mr_status status = MR_OK;
    pthread_mutex_lock(&lock);
    struct place *place = store->place;
    struct object *there = find(place, key);
    if (!there) {
        status = not_found(error);
    } else if (tag && !has_tag(there, tag)) {
        status = fail(error, MR_ERR_CONFLICT, "the object has become another one");
    } else {
        old = *there;
        place->bytes -= old.len;
        place->count--;
        memmove(there, there + 1, (size_t)(place->objects + place->count - there) * sizeof(*there));
    }
    pthread_mutex_unlock(&lock);
    free(old.key);
    free(old.data);
    return status;
}

/* ---- tables ---- */

static const char *const schemes[] = {"mem", NULL};

static const mr_storage_driver driver = {
    .size = sizeof(mr_storage_driver),
    .flags = MR_STORAGE_CONDITIONS,
    .schemes = schemes,
    .open = memory_open,
    .close = memory_close,
    .head = memory_head,
    .read = memory_read,
    .list = memory_list,
    .put_new = memory_put_new,
    .put_write = memory_put_write,
    .put_commit = memory_put_commit,
    .put_free = memory_put_free,
    .remove = memory_remove,
    .lock = memory_lock,
};

static const mr_service service = {
    .size = sizeof(mr_service),
    .service_class = MR_SERVICE_STORAGE,
    .name = "memory.store",
    .summary = "objects that live as long as the process, mem://NAME",
    .table = &driver,
};

static const mr_service *const services[] = {&service, NULL};

MR_PLUGIN_EXPORT const mr_plugin mr_plugin_entry = {
    .size = sizeof(mr_plugin),
    .abi_major = MR_ABI_MAJOR,
    .abi_minor = MR_ABI_MINOR,
    .name = "memory",
    .version = "1.0.0",
    .summary = "a store that keeps to memory",
    .licence = "MIT",
    .services = services,
};
