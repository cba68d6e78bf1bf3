/* SPDX-License-Identifier: MIT */
/*
 * The file that an upload is written to, and the leaves of its block tree, which are made on the way: the digest of every whole block of
 * MR_UPLOAD_BLOCK bytes, as core/base/block_tree.h has it (SHA-256 over a zero byte and the block), at 32 times its number in a file beside.
 *
 * A leaf that is all zeros is missing; what needs it reads the block again. So a leaf is written only when its block's bytes are, and both are synced
 * before anything counts.
 */
#ifndef MR_UPLOADS_FILE_H
#define MR_UPLOADS_FILE_H

#include "api-server/uploads/aside.h"

#include <millrace/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MR_UPLOAD_BLOCK = 262144,
    MR_UPLOAD_LEAF = 32,
    MR_UPLOAD_PATH = 64, /* of a file's name in the folder of uploads, with NUL */
};

typedef struct mr_upload_file {
    int fd;
    int leaves;  /* -1: none are made */
    int64_t at;  /* where the next byte goes */
    int64_t end; /* that is expected; -1: not known */
    int64_t allocated;
    int64_t flushed; /* up to here the disk was asked to write */
    int64_t keep;    /* bytes of the disk that are left free; the caller's, after open */
    int64_t begun;   /* where it was opened at */
    void *hash;      /* EVP_MD_CTX of the block that at is in */
    mr_aside *aside; /* hashes while this thread writes; NULL: not yet, or others have them all */
    unsigned small;  /* pieces, the last ones, that weren't worth it */
} mr_upload_file;

int64_t mr_disk_free(int fd); /* bytes; -1: not known */
/* Makes it, empty and durable. MR_ERR_CONFLICT: it is there. */
mr_status mr_upload_file_create(int folder, const char *name);
/* To go on at `at`. with_leaves: they are made from there on; at a place within a block its beginning is read for that. */
mr_status mr_upload_file_open(int folder, const char *name, int64_t at, int64_t end, bool with_leaves, mr_upload_file *ret_file);
/* MR_ERR_LIMIT: the disk is full, or has no more than is to be kept. MR_ERR_IO. */
mr_status mr_upload_file_write(mr_upload_file *file, const void *data, size_t len);
mr_status mr_upload_file_sync(mr_upload_file *file);      /* data, then leaves: durable */
void mr_upload_file_close(mr_upload_file *file);          /* twice is fine */
void mr_upload_file_remove(int folder, const char *name); /* with its leaves; not being there is fine */

/* Appends or inserts len bytes of one file into another, in the kernel where it can be, sharing blocks where the file system can. */
mr_status mr_upload_file_copy(int from, int64_t from_at, int to, int64_t to_at, int64_t len);
/* Whether both have the same len bytes there. MR_ERR_CONFLICT: they have not. */
mr_status mr_upload_file_compare(int a, int64_t a_at, int b, int64_t b_at, int64_t len);
/* Forgets the leaves of all blocks that [at, at + len) touches. */
mr_status mr_upload_file_forget(int folder, const char *name, int64_t at, int64_t len);
/* All leaves of the first length bytes; those that are missing, and that of a last block which is not whole, from the file. The caller frees. */
mr_status mr_upload_file_leaves(int folder, const char *name, int64_t length, unsigned char **ret_leaves, size_t *ret_count);

#endif
