/* SPDX-License-Identifier: MIT */
/*
 * What is looked up in the task store beside results: which content lies under a file, which files have the same bytes, what results were made
 * from. A connection of its own to STATE/tasks.db, for any thread.
 *
 * Nothing here is needed for a run to be right: what is lost (an unclean end may lose the last writes) is found out again. So these calls report
 * nothing; whoever asks goes on without an answer.
 */
#ifndef MR_RUNTIME_CATALOGUE_H
#define MR_RUNTIME_CATALOGUE_H

#include "base/block_tree.h"
#include "base/diag.h"
#include "base/json.h"

#define MR_CATALOGUE_LEAVES   256u   /* contents whose leaves are kept, the latest */
#define MR_CATALOGUE_CONTENTS 65536u /* contents whose digests are kept, the latest */
#define MR_CATALOGUE_TRACES   8u     /* results that are looked at for one pattern, the latest */
#define MR_CATALOGUE_RUNS     16u    /* runs of a pipeline that are looked at for what a task was made from, the latest */

typedef struct mr_catalogue mr_catalogue;

/* The store must have been opened, which makes the tables. */
mr_status mr_catalogue_open(const char *state_dir, mr_diags *diags, mr_catalogue **ret_catalogue);
void mr_catalogue_close(mr_catalogue *catalogue);

/* ---- sources ---- */

/* What is cheap to know of a file, and changes whenever its bytes do (but see source.c for how far that can be trusted). */
typedef struct mr_file_state {
    uint64_t device;
    uint64_t inode;
    uint64_t size;
    int64_t mtime_ns;
    int64_t ctime_ns;
} mr_file_state;

/* The key of a file that is as it was when it could be trusted. False: none. */
bool mr_catalogue_find_source(mr_catalogue *catalogue, const mr_file_state *state, char ret_key[MR_DIGEST_TEXT]);
/* Records key for the file, unless it has one already: *ret_key is what stands. trusted: from now on times tell when it changes. */
void mr_catalogue_claim_source(mr_catalogue *catalogue, const mr_file_state *state, bool trusted, const char *key, char ret_key[MR_DIGEST_TEXT]);
void mr_catalogue_set_source(mr_catalogue *catalogue, const mr_file_state *state, bool trusted, const char *key);
void mr_catalogue_forget_source(mr_catalogue *catalogue, const mr_file_state *state);
/* The same, and it stays so whatever happens: the file may get other bytes afterwards. MR_ERR_IO: it can't be promised. */
mr_status mr_catalogue_disown_source(mr_catalogue *catalogue, const mr_file_state *state);

/* ---- contents ---- */

bool mr_catalogue_knows_size(mr_catalogue *catalogue, uint64_t size);
bool mr_catalogue_find_content(mr_catalogue *catalogue, const char *digest, char ret_key[MR_DIGEST_TEXT]);
void mr_catalogue_add_content(mr_catalogue *catalogue, const char *key, const mr_block_tree *tree);
mr_block_tree *mr_catalogue_tree(mr_catalogue *catalogue, const char *key); /* NULL: not known. The caller frees */

/* ---- what results were made from ---- */

bool mr_catalogue_has_recipe(mr_catalogue *catalogue, const char *recipe); /* cheap; may be false although it has: add it then */
void mr_catalogue_add_recipe(mr_catalogue *catalogue, const char *recipe, const char *facts);
json_t *mr_catalogue_recipe(mr_catalogue *catalogue, const char *recipe); /* NULL: not known. New reference */
/* The facts of the result with that identity; *ret_there: there is such a result. New reference, NULL: none. */
json_t *mr_catalogue_facts(mr_catalogue *catalogue, const char *identity, bool *ret_there);
/* [{facts, outputs}, …]: the latest results of a pattern. NULL: none. New reference. */
json_t *mr_catalogue_traces(mr_catalogue *catalogue, const char *pattern);
/* [{identity, state, reason}, …]: what became of a task in the latest runs of the pipeline, latest first. NULL: nothing. New reference. */
json_t *mr_catalogue_history(mr_catalogue *catalogue, const char *pipeline, const char *node, const char *item);

#endif
