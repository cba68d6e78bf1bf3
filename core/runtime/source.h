/* SPDX-License-Identifier: MIT */
/*
 * Sources: files that a run reads, and what stands for their bytes in identities, their key. docs/adr/0011 says why it is like this.
 *
 *   - The file is as it was when its key was recorded (device, inode, size, times): the key, at once.
 *   - A small file, or one whose size is that of a content that was read before (a moved, copied, touched file): its digest is made first, with
 *     all slots. The key is that of the content, if it was seen before, else the digest.
 *   - Else a key of its own at once, and the digest alongside on a thread of low priority. Once it is known, it leads to the same key.
 *   - One that still arrives (growth.c): a key of its own at once, which the file keeps. Its writer brings the digest at the end (mr_source_learn).
 *
 * A source that changes while it is read is found out: see mr_source_check.
 */
#ifndef MR_RUNTIME_SOURCE_H
#define MR_RUNTIME_SOURCE_H

#include "base/diag.h"
#include "runtime/state/catalogue.h"

#define MR_SOURCE_FIRST  (32ull << 20) /* bytes up to which a file is read before work starts: some hundredths of a second */
#define MR_SOURCE_BEHIND 2u            /* files of a process that are hashed alongside at a time; others wait for a later run */
#define MR_SOURCE_LAST   1000000ll     /* microseconds that the end of a run waits for a digest that is nearly done, at the pace so far … */
#define MR_SOURCE_PART   8             /* … and no more than that part of what it took until then … */
#define MR_SOURCE_LITTLE (64ull << 20) /* … or with no more bytes than that left */

typedef struct mr_source mr_source;

typedef struct mr_source_options {
    mr_catalogue *catalogue;
    const char *input; /* the pipeline's name for it */
    const char *path;  /* for messages */
    uint32_t jobs;     /* threads that may hash before work starts */
    bool first;        /* hash it first, whatever its size */
    bool planning;     /* nothing is recorded but digests, and nothing goes on alongside */
    bool grows;        /* bytes still arrive … */
    uint64_t length;   /* … until it has so many */
} mr_source_options;

/* fd is borrowed for the source's life. MR_ERR_INPUT: it changes or can't be read (said). MR_ERR_LIMIT: too large to hash is no error. */
mr_status mr_source_open(const mr_source_options *options, int fd, mr_diags *diags, mr_source **ret_source);
/* Stops the hashing; with finish, when little is left, after it is done. NULL is fine. */
void mr_source_close(mr_source *source, bool finish);

/*
 * Who wrote a file, and made the leaves of its block tree on the way, says so: it is known by its digest before any run has opened it. The writer
 * must be as trusted as the engine. MR_ERR_PARAM: that many leaves are not those of so many bytes; MR_ERR_CONFLICT: nor are they the file's.
 */
mr_status mr_source_learn(mr_catalogue *catalogue, int fd, uint64_t length, const unsigned char *leaves, size_t count,
                          char ret_digest[MR_DIGEST_TEXT]);

/* It will not become what it was to be: nothing that was made of the file is found by it any more, whatever happens. MR_ERR_IO: not promised. */
mr_status mr_source_disown(mr_catalogue *catalogue, int fd);

/* One that grew is whole, and has its leaves when they are known: from now on it is watched as any other. Any thread, often. */
void mr_source_has_grown(mr_source *source);

const char *mr_source_key(const mr_source *source);
uint64_t mr_source_size(const mr_source *source);
/*
 * Is it still what was opened? Any thread, often. When its times say otherwise and its digest is known, it is read again: a renamed or touched file
 * is the same. MR_ERR_CONFLICT: it changed, or can't be shown not to have; *ret_why is what was seen (malloc()ed, may be NULL). It stays so.
 */
mr_status mr_source_check(mr_source *source, char **ret_why);
/* Do the two contents have the same blocks, as far as blocks says ("0-3,7")? key: of the other. False when either is not known by its blocks. */
bool mr_source_same_blocks(mr_source *source, const char *key, const char *blocks);

#endif
