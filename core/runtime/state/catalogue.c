/* SPDX-License-Identifier: MIT */
/*
 * The lookups, as prepared statements under one lock. Writes are few (some for each source, one for each recipe), and are not synced: see the header.
 */
#include "runtime/state/catalogue.h"

#include "base/clock.h"
#include "base/file.h"
#include "runtime/state/store_internal.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define RECIPES 256u

enum {
    FIND_SOURCE,
    SET_SOURCE,
    FORGET_SOURCE,
    KNOWS_SIZE,
    FIND_CONTENT,
    ADD_CONTENT,
    DROP_LEAVES,
    DROP_CONTENTS,
    FIND_TREE,
    ADD_RECIPE,
    FIND_RECIPE,
    FIND_FACTS,
    FIND_TRACES,
    FIND_HISTORY,
    STATEMENTS
};

static const char *const statements[STATEMENTS] = {
    [FIND_SOURCE] = "SELECT key FROM sources WHERE device = ?1 AND inode = ?2 AND size = ?3 AND mtime_ns = ?4 AND ctime_ns = ?5 AND trusted = 1",
    [SET_SOURCE] = "INSERT OR REPLACE INTO sources (device, inode, size, mtime_ns, ctime_ns, trusted, key) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [FORGET_SOURCE] = "DELETE FROM sources WHERE device = ?1 AND inode = ?2",
    [KNOWS_SIZE] = "SELECT 1 FROM contents WHERE size = ?1 LIMIT 1",
    [FIND_CONTENT] = "SELECT key FROM contents WHERE digest = ?1 ORDER BY rowid LIMIT 1",
    [ADD_CONTENT] = "INSERT INTO contents (key, digest, size, made_us, leaves) VALUES (?1, ?2, ?3, ?4, ?5)"
                    " ON CONFLICT (key) DO UPDATE SET made_us = ?4, leaves = ?5 WHERE digest = ?2",
    [DROP_LEAVES] = "UPDATE contents SET leaves = NULL WHERE leaves IS NOT NULL"
                    " AND key NOT IN (SELECT key FROM contents WHERE leaves IS NOT NULL ORDER BY made_us DESC LIMIT ?1)",
    [DROP_CONTENTS] = "DELETE FROM contents WHERE rowid <= (SELECT max(rowid) FROM contents) - ?1",
    [FIND_TREE] = "SELECT leaves, digest FROM contents WHERE key = ?1",
    [ADD_RECIPE] = "INSERT OR IGNORE INTO recipes (recipe, facts) VALUES (?1, ?2)",
    [FIND_RECIPE] = "SELECT facts FROM recipes WHERE recipe = ?1",
    [FIND_FACTS] = "SELECT facts FROM results WHERE identity = ?1",
    [FIND_TRACES] = "SELECT facts, outputs FROM results WHERE pattern = ?1 ORDER BY made_us DESC LIMIT ?2",
    /* By rowid: from the last run backwards, until enough are found. */
    [FIND_HISTORY] =
        "SELECT t.identity, t.state, t.reason FROM (SELECT run, rowid AS place FROM runs WHERE pipeline = ?1 ORDER BY rowid DESC LIMIT ?4) r"
        " JOIN run_tasks t ON t.run = r.run AND t.node = ?2 AND t.item = ?3 ORDER BY r.place DESC",
};

struct mr_catalogue {
    pthread_mutex_t lock;
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    char recipes[RECIPES][MR_DIGEST_TEXT]; /* written or seen lately, each in the place that its digits give */
};

mr_status mr_catalogue_open(const char *state_dir, mr_diags *diags, mr_catalogue **ret_catalogue)
{
    mr_catalogue *catalogue = calloc(1, sizeof(*catalogue));
    mr_autofree char *dir = realpath(state_dir, NULL);
    mr_autofree char *path = dir ? mr_path_join(dir, "tasks.db") : NULL;
    *ret_catalogue = NULL;
    if (!catalogue || !path) {
        free(catalogue);
        return MR_ERR_NOMEM;
    }
    pthread_mutex_init(&catalogue->lock, NULL);
    mr_status status = mr_store_connect(path, diags, &catalogue->db);
    int code = status == MR_OK ? sqlite3_exec(catalogue->db, "PRAGMA synchronous = NORMAL", NULL, NULL, NULL) : SQLITE_OK;
    for (int i = 0; i < STATEMENTS && status == MR_OK && code == SQLITE_OK; i++)
        code = sqlite3_prepare_v3(catalogue->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT, &catalogue->statements[i], NULL);
    if (code != SQLITE_OK)
        status = mr_store_error(diags, path, sqlite3_extended_errcode(catalogue->db), sqlite3_errmsg(catalogue->db));
    if (status != MR_OK) {
        mr_catalogue_close(catalogue);
        return status;
    }
    *ret_catalogue = catalogue;
    return MR_OK;
}

void mr_catalogue_close(mr_catalogue *catalogue)
{
    if (!catalogue)
        return;
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(catalogue->statements[i]);
    sqlite3_close(catalogue->db);
    pthread_mutex_destroy(&catalogue->lock);
    free(catalogue);
}

/* ---- statements: begin() takes the lock, end() lets it go ---- */

static sqlite3_stmt *begin(mr_catalogue *catalogue, int which)
{
    pthread_mutex_lock(&catalogue->lock);
    return catalogue->statements[which];
}

static void end(mr_catalogue *catalogue, sqlite3_stmt *statement)
{
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    pthread_mutex_unlock(&catalogue->lock);
}

/* What is bound outlives the statement: it is the caller's, who waits. */
static void bind_text(sqlite3_stmt *statement, int index, const char *text)
{
    sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC);
}

static void bind_state(sqlite3_stmt *statement, const mr_file_state *state)
{
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)state->device);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)state->inode);
    sqlite3_bind_int64(statement, 3, (sqlite3_int64)state->size);
    sqlite3_bind_int64(statement, 4, state->mtime_ns);
    sqlite3_bind_int64(statement, 5, state->ctime_ns);
}

/* The first column of the first row. */
static bool read_key(sqlite3_stmt *statement, char ret_key[MR_DIGEST_TEXT])
{
    const char *text = sqlite3_step(statement) == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
    const bool good = text && text[0] && strlen(text) < MR_DIGEST_TEXT;
    if (good)
        memcpy(ret_key, text, strlen(text) + 1);
    return good;
}

static json_t *json_column(sqlite3_stmt *statement, int column)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    return text ? json_loadb(text, (size_t)sqlite3_column_bytes(statement, column), 0, NULL) : NULL;
}

/* ---- sources ---- */

bool mr_catalogue_find_source(mr_catalogue *catalogue, const mr_file_state *state, char ret_key[MR_DIGEST_TEXT])
{
    sqlite3_stmt *find = begin(catalogue, FIND_SOURCE);
    bind_state(find, state);
    const bool found = read_key(find, ret_key);
    end(catalogue, find);
    return found;
}

void mr_catalogue_set_source(mr_catalogue *catalogue, const mr_file_state *state, bool trusted, const char *key)
{
    sqlite3_stmt *set = begin(catalogue, SET_SOURCE);
    bind_state(set, state);
    sqlite3_bind_int(set, 6, trusted);
    bind_text(set, 7, key);
    sqlite3_step(set);
    end(catalogue, set);
}

/* Another process may claim the same file at the same moment: both must go on with one key. */
void mr_catalogue_claim_source(mr_catalogue *catalogue, const mr_file_state *state, bool trusted, const char *key, char ret_key[MR_DIGEST_TEXT])
{
    pthread_mutex_lock(&catalogue->lock);
    const bool begun = sqlite3_exec(catalogue->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK;
    sqlite3_stmt *find = catalogue->statements[FIND_SOURCE];
    sqlite3_stmt *set = catalogue->statements[SET_SOURCE];
    bind_state(find, state);
    if (!read_key(find, ret_key)) {
        snprintf(ret_key, MR_DIGEST_TEXT, "%s", key);
        bind_state(set, state);
        sqlite3_bind_int(set, 6, trusted);
        bind_text(set, 7, key);
        sqlite3_step(set);
    }
    sqlite3_reset(find);
    sqlite3_clear_bindings(find);
    sqlite3_reset(set);
    sqlite3_clear_bindings(set);
    if (begun && sqlite3_exec(catalogue->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
        sqlite3_exec(catalogue->db, "ROLLBACK", NULL, NULL, NULL);
    pthread_mutex_unlock(&catalogue->lock);
}

void mr_catalogue_forget_source(mr_catalogue *catalogue, const mr_file_state *state)
{
    sqlite3_stmt *forget = begin(catalogue, FORGET_SOURCE);
    sqlite3_bind_int64(forget, 1, (sqlite3_int64)state->device);
    sqlite3_bind_int64(forget, 2, (sqlite3_int64)state->inode);
    sqlite3_step(forget);
    end(catalogue, forget);
}

mr_status mr_catalogue_disown_source(mr_catalogue *catalogue, const mr_file_state *state)
{
    sqlite3_stmt *forget = begin(catalogue, FORGET_SOURCE);
    sqlite3_bind_int64(forget, 1, (sqlite3_int64)state->device);
    sqlite3_bind_int64(forget, 2, (sqlite3_int64)state->inode);
    bool good = sqlite3_exec(catalogue->db, "PRAGMA synchronous = FULL", NULL, NULL, NULL) == SQLITE_OK;
    good = good && sqlite3_step(forget) == SQLITE_DONE;
    sqlite3_reset(forget); /* a pragma is not heard while a statement is under way */
    sqlite3_exec(catalogue->db, "PRAGMA synchronous = NORMAL", NULL, NULL, NULL);
    end(catalogue, forget);
    return good ? MR_OK : MR_ERR_IO;
}

/* ---- contents ---- */

bool mr_catalogue_knows_size(mr_catalogue *catalogue, uint64_t size)
{
    sqlite3_stmt *find = begin(catalogue, KNOWS_SIZE);
    sqlite3_bind_int64(find, 1, (sqlite3_int64)size);
    const bool known = sqlite3_step(find) == SQLITE_ROW;
    end(catalogue, find);
    return known;
}

bool mr_catalogue_find_content(mr_catalogue *catalogue, const char *digest, char ret_key[MR_DIGEST_TEXT])
{
    sqlite3_stmt *find = begin(catalogue, FIND_CONTENT);
    bind_text(find, 1, digest);
    const bool found = read_key(find, ret_key);
    end(catalogue, find);
    return found;
}

static void drop_old(mr_catalogue *catalogue, int which, uint32_t kept)
{
    sqlite3_stmt *drop = begin(catalogue, which);
    sqlite3_bind_int64(drop, 1, kept);
    sqlite3_step(drop);
    end(catalogue, drop);
}

void mr_catalogue_add_content(mr_catalogue *catalogue, const char *key, const mr_block_tree *tree)
{
    void *leaves = NULL;
    size_t len = 0;
    if (mr_block_tree_export(tree, &leaves, &len) != MR_OK)
        return;
    sqlite3_stmt *add = begin(catalogue, ADD_CONTENT);
    bind_text(add, 1, key);
    bind_text(add, 2, mr_block_tree_digest(tree));
    sqlite3_bind_int64(add, 3, (sqlite3_int64)mr_block_tree_length(tree));
    sqlite3_bind_int64(add, 4, mr_wall_us());
    sqlite3_bind_blob64(add, 5, leaves, len, SQLITE_STATIC);
    sqlite3_step(add);
    end(catalogue, add);
    free(leaves);
    drop_old(catalogue, DROP_LEAVES, MR_CATALOGUE_LEAVES);
    drop_old(catalogue, DROP_CONTENTS, MR_CATALOGUE_CONTENTS);
}

mr_block_tree *mr_catalogue_tree(mr_catalogue *catalogue, const char *key)
{
    mr_block_tree *tree = NULL;
    sqlite3_stmt *find = begin(catalogue, FIND_TREE);
    bind_text(find, 1, key);
    if (sqlite3_step(find) == SQLITE_ROW) {
        const void *leaves = sqlite3_column_blob(find, 0);
        const char *digest = (const char *)sqlite3_column_text(find, 1);
        if (leaves && digest && mr_block_tree_import(leaves, (size_t)sqlite3_column_bytes(find, 0), &tree) == MR_OK &&
            strcmp(mr_block_tree_digest(tree), digest) != 0) {
            mr_block_tree_free(tree);
            tree = NULL;
        }
    }
    end(catalogue, find);
    return tree;
}

/* ---- what results were made from ---- */

static char *recipe_place(mr_catalogue *catalogue, const char *recipe)
{
    const char *digits = strchr(recipe, ':');
    return catalogue->recipes[digits ? strtoul((char[]){digits[1], digits[2], '\0'}, NULL, 16) % RECIPES : 0];
}

bool mr_catalogue_has_recipe(mr_catalogue *catalogue, const char *recipe)
{
    pthread_mutex_lock(&catalogue->lock);
    const bool has = strcmp(recipe_place(catalogue, recipe), recipe) == 0;
    pthread_mutex_unlock(&catalogue->lock);
    return has;
}

void mr_catalogue_add_recipe(mr_catalogue *catalogue, const char *recipe, const char *facts)
{
    sqlite3_stmt *add = begin(catalogue, ADD_RECIPE);
    bind_text(add, 1, recipe);
    bind_text(add, 2, facts);
    if (sqlite3_step(add) == SQLITE_DONE)
        snprintf(recipe_place(catalogue, recipe), MR_DIGEST_TEXT, "%s", recipe);
    end(catalogue, add);
}

json_t *mr_catalogue_recipe(mr_catalogue *catalogue, const char *recipe)
{
    sqlite3_stmt *find = begin(catalogue, FIND_RECIPE);
    bind_text(find, 1, recipe);
    json_t *facts = sqlite3_step(find) == SQLITE_ROW ? json_column(find, 0) : NULL;
    end(catalogue, find);
    return facts;
}

json_t *mr_catalogue_facts(mr_catalogue *catalogue, const char *identity, bool *ret_there)
{
    sqlite3_stmt *find = begin(catalogue, FIND_FACTS);
    bind_text(find, 1, identity);
    *ret_there = sqlite3_step(find) == SQLITE_ROW;
    json_t *facts = *ret_there ? json_column(find, 0) : NULL;
    end(catalogue, find);
    return facts;
}

json_t *mr_catalogue_traces(mr_catalogue *catalogue, const char *pattern)
{
    json_t *traces = NULL;
    sqlite3_stmt *find = begin(catalogue, FIND_TRACES);
    bind_text(find, 1, pattern);
    sqlite3_bind_int64(find, 2, MR_CATALOGUE_TRACES);
    while (sqlite3_step(find) == SQLITE_ROW && (traces || (traces = json_array()))) {
        json_t *facts = json_column(find, 0);
        json_t *outputs = json_column(find, 1);
        if (facts && outputs)
            json_array_append_new(traces, json_pack("{s:O, s:O}", "facts", facts, "outputs", outputs));
        json_decref(facts);
        json_decref(outputs);
    }
    end(catalogue, find);
    return traces;
}

json_t *mr_catalogue_history(mr_catalogue *catalogue, const char *pipeline, const char *node, const char *item)
{
    json_t *history = NULL;
    sqlite3_stmt *find = begin(catalogue, FIND_HISTORY);
    bind_text(find, 1, pipeline);
    bind_text(find, 2, node);
    bind_text(find, 3, item);
    sqlite3_bind_int64(find, 4, MR_CATALOGUE_RUNS);
    while (sqlite3_step(find) == SQLITE_ROW && (history || (history = json_array()))) {
        json_array_append_new(history, json_pack("{s:s*, s:s, s:s*}", "identity", (const char *)sqlite3_column_text(find, 0), "state",
                                                 (const char *)sqlite3_column_text(find, 1), "reason", (const char *)sqlite3_column_text(find, 2)));
    }
    end(catalogue, find);
    return history;
}
