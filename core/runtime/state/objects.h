/* SPDX-License-Identifier: MIT */
/*
 * Content by digest: STATE/objects/ab/cdef…. An object is complete or absent: bytes are written to STATE/tmp, hashed by the engine,
 * synced (in groups), made read-only, and renamed into place. Never changed afterwards. Safe for several threads and processes over one state folder.
 */
#ifndef MR_RUNTIME_OBJECTS_H
#define MR_RUNTIME_OBJECTS_H

#include "base/diag.h"
#include "base/hash.h"
#include <millrace/op.h>
#include <millrace/status.h>
#include <stdatomic.h>

#define MR_GC_LOCK "gc.lock" /* in the state folder: held to remove objects, or to make one new that is there */

typedef struct mr_objects mr_objects;
typedef struct mr_object_writer mr_object_writer;

/* Makes STATE/objects and STATE/tmp when missing; removes leftovers in tmp of processes that are gone. */
mr_status mr_objects_open(const char *state_dir, mr_diags *diags, mr_objects **ret_objects);
void mr_objects_close(mr_objects *objects);
/*
 * A name for this open store among all processes that ever had the state folder open, and whether the one with that name still has it open. The
 * kernel knows (a lock that it drops however the process ends), so neither ids that come again nor several containers are in the way.
 */
const char *mr_objects_owner(const mr_objects *objects);
bool mr_objects_owner_lives(const char *state_dir, const char *owner);

mr_status mr_objects_writer(mr_objects *objects, mr_diags *diags, mr_object_writer **ret_writer);
mr_status mr_object_write_at(mr_object_writer *writer, uint64_t offset, const void *data, size_t len, mr_diags *diags);
/* Where bytes are copied from: a file, what messages call it, and whether to stop (NULL: nobody asks for that). */
typedef struct mr_object_source {
    int fd;
    const char *name;
    const atomic_bool *cancel;
} mr_object_source;
/* As write_at with what these ranges of a file hold, one after the other. MR_ERR_INPUT: it ends before. The caller has no more to say than diags. */
mr_status mr_object_copy_at(mr_object_writer *writer, uint64_t offset, const mr_object_source *from, const mr_range *ranges, size_t count,
                            mr_diags *diags);
/* Hashes, syncs, renames into place; frees the writer also on error. An object that exists already is fine. */
mr_status mr_object_commit(mr_object_writer *take_writer, mr_diags *diags, char ret_digest[MR_DIGEST_TEXT], uint64_t *ret_size);
void mr_object_discard(mr_object_writer *writer); /* NULL is fine */

/* A descriptor for reading, the caller closes it. MR_ERR_NOT_FOUND without a diagnostic when absent. */
mr_status mr_objects_fd(mr_objects *objects, const char *digest, mr_diags *diags, int *ret_fd, uint64_t *ret_size);
bool mr_objects_has(mr_objects *objects, const char *digest, uint64_t size);
/*
 * For one who found it, and is about to rely on it without a result that names it: from now on it counts as new, so that it is not collected (gc.h)
 * while the run lives. False: it is not there.
 */
bool mr_objects_keep(mr_objects *objects, const char *digest, uint64_t size);
/* A new private folder under STATE/tmp; the caller removes it with mr_dir_remove and frees the text. */
mr_status mr_objects_scratch(mr_objects *objects, mr_diags *diags, char **ret_path);

#endif
