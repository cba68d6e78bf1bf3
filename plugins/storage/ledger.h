/* SPDX-License-Identifier: MIT */
/*
 * What this and earlier runs published at a place: the object .millrace/published.jsonl, one object {digest, path, size} a line, with
 * {replaceable: true} for playlists, and {growing: true} where the file was to be replaced by a later one of the same run. A line is there before its
 * file appears, so that a killed run leaves nothing unknown: in .millrace/published.N.jsonl, short lists that are put anew for each line (objects
 * can't be appended to). At the end all is written into the one list, sorted, without what was removed. Only what stands in it is ever removed: other
 * people's files at the place are theirs.
 */
#ifndef STORAGE_LEDGER_H
#define STORAGE_LEDGER_H

#include "place.h"

#include <uthash.h>

typedef struct mr_ledger_entry {
    char *path;
    char *digest; /* "" when not known */
    uint64_t size;
    bool growing;
    bool current;      /* published by this run */
    bool whole_before; /* an earlier run published it, not growing, and this one has not touched it */
    bool replaceable;  /* names others */
    UT_hash_handle hh;
} mr_ledger_entry;

typedef struct mr_ledger {
    mr_ledger_entry *entries;
    size_t count;
    mr_place *place;
    char *tail; /* lines of the short list that is being filled */
    size_t tail_len;
    unsigned tail_lines;
    unsigned tail_number;
} mr_ledger;

enum { MR_LEDGER_MAX = 1000000 };

/* Where a status is an error, place->error says why. A line that can't be read (torn by a crash) is passed over. */
mr_status mr_ledger_open(mr_ledger *ledger, mr_place *place);
void mr_ledger_close(mr_ledger *ledger);
mr_ledger_entry *mr_ledger_find(const mr_ledger *ledger, const char *path); /* NULL: not known */
/* Notes that path is about to be published. */
mr_status mr_ledger_add(mr_ledger *ledger, const char *path, const char *digest, uint64_t size, bool growing, bool replaceable,
                        mr_ledger_entry **ret_entry);
void mr_ledger_remove(mr_ledger *ledger, mr_ledger_entry *entry);
/* Writes the list anew, sorted by path. */
mr_status mr_ledger_finish(mr_ledger *ledger);

#endif
