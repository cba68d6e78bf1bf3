/* SPDX-License-Identifier: MIT */
/*
 * Storage drivers: services of the class "storage". A store holds objects (bytes under a key) at a place that a URL names, and the URL's scheme
 * chooses the driver: file:///srv/out, mem://test, s3://bucket/prefix. storage.publish writes to one, storage.fetch reads from one.
 *
 * Keys
 *   Relative paths of UTF-8 with '/' between their parts, none of which is empty, "." or ".."; at most MR_STORAGE_KEY_MAX bytes; no control
 *   characters. The caller has checked that. Keys below MR_STORAGE_NOTES are the callers' own notes: they are stored, but not for the public.
 *
 * What every driver promises
 *   - Atomic: a reader of a key sees the object before or the object after put_commit(), whole, never a mixture, and never less than all of it. What
 *     was not committed is never seen, whatever crashes.
 *   - Read your writes: after put_commit() and remove() have returned, head(), read() and list() of any client of the store tell of it.
 *   - Tags: an object's tag changes whenever its bytes do. Compare it; do not look into it.
 *   - Durable: what was committed with MR_PUT_DURABLE, and all that was committed before sync() or before such a put, survives a crash of the machine
 *     (drivers without MR_STORAGE_DURABLE: of nothing).
 *
 * Threads
 *   Functions with one mr_storage may be called from several threads at a time. Calls with one mr_storage_put don't overlap. Every function may
 * block; the ones that do ask mr_storage_client.cancelled at least every 100 ms, and return MR_ERR_CANCELLED.
 *
 * Errors
 *   A negative status that says what to do about it, and words in mr_storage_error: MR_ERR_NOT_FOUND, MR_ERR_CONFLICT (a condition does not hold),
 *   MR_ERR_UNAVAILABLE (worth another try; the driver has made its own), MR_ERR_LIMIT (the store is full, the object too large), MR_ERR_IO (refused),
 *   MR_ERR_PARAM (the URL), MR_ERR_UNSUPPORTED (a capability that it does not have).
 */
#ifndef MILLRACE_STORAGE_H
#define MILLRACE_STORAGE_H

#include "op.h"
#include "service.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MR_SERVICE_STORAGE "storage"
#define MR_STORAGE_NOTES   ".millrace" /* the first part of keys that are notes */

enum { MR_STORAGE_KEY_MAX = 1024, MR_STORAGE_TAG_SIZE = 96, MR_STORAGE_WORDS = 256 };

typedef struct mr_storage mr_storage;         /* the driver's: an open place */
typedef struct mr_storage_put mr_storage_put; /* the driver's: an object on its way */

/* What is wrong, in words: lower case, without the key and the URL, which the caller adds. */
typedef struct mr_storage_error {
    uint32_t size; /* sizeof(mr_storage_error) of the caller */
    uint32_t reserved;
    char message[MR_STORAGE_WORDS];
    char hint[MR_STORAGE_WORDS]; /* what to do; "": nothing to say */
} mr_storage_error;

/* Who opens a store. */
typedef struct mr_storage_client {
    uint32_t size; /* sizeof(mr_storage_client) of the caller */
    uint32_t reserved;
    void *context;
    int (*cancelled)(void *context); /* any thread; cheap; NULL: never */
} mr_storage_client;

typedef struct mr_storage_object {
    uint32_t size; /* sizeof(mr_storage_object) of the caller */
    uint32_t reserved;
    uint64_t bytes;
    int64_t changed_us;            /* since 1970; 0: not known */
    char tag[MR_STORAGE_TAG_SIZE]; /* "": the driver has none */
} mr_storage_object;

enum {
    MR_PUT_DURABLE = 1u << 0, /* it, and all that was committed before, is on stable storage before it is seen */
    MR_PUT_NEW = 1u << 1,     /* MR_ERR_CONFLICT at commit when there is an object (If-None-Match: *). Needs MR_STORAGE_CONDITIONS */
    MR_PUT_LINK = 1u << 2,    /* what put_fd gives never changes: the object may be that file itself, under another name */
};

typedef struct mr_storage_put_options {
    uint32_t size;             /* sizeof(mr_storage_put_options) of the caller */
    uint32_t flags;            /* MR_PUT_* */
    int64_t bytes;             /* how long it will be: another length is an error at commit; -1: not known */
    const char *content_type;  /* NULL: the driver's choice */
    const char *cache_control; /* NULL: none */
    const char *if_tag;        /* MR_ERR_CONFLICT at commit when the object's tag is another one (If-Match); NULL: any. Needs MR_STORAGE_CONDITIONS */
} mr_storage_put_options;

typedef enum mr_presign_method { MR_PRESIGN_GET = 0, MR_PRESIGN_PUT = 1 } mr_presign_method;

enum {
    MR_STORAGE_DURABLE = 1u << 0,    /* outlives the process and the machine's crashes */
    MR_STORAGE_CONDITIONS = 1u << 1, /* MR_PUT_NEW, if_tag */
    MR_STORAGE_HEADERS = 1u << 2,    /* keeps content_type and cache_control */
};

typedef struct mr_storage_driver {
    uint32_t size;              /* sizeof(mr_storage_driver) */
    uint32_t flags;             /* MR_STORAGE_* */
    const char *const *schemes; /* lower case, without "://"; ends with NULL */

    /* The place that url names, made where missing. client is valid until close(). */
    mr_status (*open)(const mr_storage_client *client, const char *url, mr_storage **ret_store, mr_storage_error *error);
    void (*close)(mr_storage *store); /* NULL is fine; no put is open */

    /* Reading. */
    mr_status (*head)(mr_storage *store, const char *key, mr_storage_object *ret_object, mr_storage_error *error);
    /* Up to len bytes at offset; *ret_len is short at the end only. tag: MR_ERR_CONFLICT when the object has become another one; NULL: any. */
    mr_status (*read)(mr_storage *store, const char *key, const char *tag, uint64_t offset, void *buf, size_t len, size_t *ret_len,
                      mr_storage_error *error);
    /* Every object whose key begins with prefix and sorts behind after (NULL: all), by the bytes of its key, until visit returns other than MR_OK,
     * which is returned. Objects put or removed meanwhile may or may not be among them. */
    mr_status (*list)(mr_storage *store, const char *prefix, const char *after,
                      mr_status (*visit)(void *context, const char *key, const mr_storage_object *object), void *context, mr_storage_error *error);

    /* Writing: put_new, put_write any number of times, put_commit; put_free in any case, which drops what was not committed. */
    mr_status (*put_new)(mr_storage *store, const char *key, const mr_storage_put_options *options, mr_storage_put **ret_put,
                         mr_storage_error *error);
    mr_status (*put_write)(mr_storage_put *put, const void *data, size_t len, mr_storage_error *error);
    /* The same from a descriptor, which it may share instead of copying, at offset. Fewer bytes may be taken than len (*ret_len; 0: none can be: use
     * put_write). NULL: it has no better way. */
    mr_status (*put_fd)(mr_storage_put *put, int fd, uint64_t offset, uint64_t len, uint64_t *ret_len, mr_storage_error *error);
    mr_status (*put_commit)(mr_storage_put *put, mr_storage_object *ret_object, mr_storage_error *error); /* ret_object may be NULL */
    void (*put_free)(mr_storage_put *put);                                                                /* NULL is fine */
    /* tag: MR_ERR_CONFLICT when the object is another one; NULL: any. MR_ERR_NOT_FOUND: there is none. */
    mr_status (*remove)(mr_storage *store, const char *key, const char *tag, mr_storage_error *error);
    mr_status (*sync)(mr_storage *store, mr_storage_error *error); /* NULL: puts are durable (or never are) as they are committed */

    /* Keeps other publishers away from this place until close(): MR_ERR_CONFLICT when one is at work. NULL: the driver can't. */
    mr_status (*lock)(mr_storage *store, mr_storage_error *error);

    /*
     * Large objects in parts that are sent in any order, on several threads, and sent again alone when one fails. Parts are numbered from 0 and, but
     * for the last, have part_bytes, which the driver names for an object of so many bytes; they come in through put_part() in place of put_write().
     * NULL: the driver takes objects in one piece.
     */
    uint64_t (*part_bytes)(mr_storage *store, uint64_t object_bytes);
    mr_status (*put_part)(mr_storage_put *put, uint32_t number, const void *data, size_t len, mr_storage_error *error);

    /* A URL that lets whoever has it get, or put, this object for so many seconds, without further rights. text has at most size bytes with the NUL.
     * NULL: the driver can't. */
    mr_status (*presign)(mr_storage *store, mr_presign_method method, const char *key, int64_t seconds, char *text, size_t size,
                         mr_storage_error *error);
    /* Where a browser finds the object when the store is public; else NULL, or MR_ERR_NOT_FOUND. */
    mr_status (*public_url)(mr_storage *store, const char *key, char *text, size_t size, mr_storage_error *error);
} mr_storage_driver;

#ifdef __cplusplus
}
#endif
#endif
