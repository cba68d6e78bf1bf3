/* SPDX-License-Identifier: MIT */
/* See ledger.h. */
#define HASH_NONFATAL_OOM 1
#include "ledger.h"
#include "folder.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST  MR_STORAGE_NOTES "/published.jsonl"
#define TAILS MR_STORAGE_NOTES "/published."

enum { LINE_MAX_BYTES = 8192, LIST_MAX_BYTES = 512 << 20, TAIL_LINES = 64 };

static void entry_free(mr_ledger_entry *entry)
{
    if (!entry)
        return;
    free(entry->path);
    free(entry->digest);
    free(entry);
}

mr_ledger_entry *mr_ledger_find(const mr_ledger *ledger, const char *path)
{
    mr_ledger_entry *found = NULL;
    HASH_FIND_STR(ledger->entries, path, found);
    return found;
}

/* When memory is short the entry is not in the table: a table that could not grow drops what was being added. */
static mr_status insert(mr_ledger *ledger, mr_ledger_entry *entry)
{
    HASH_ADD_KEYPTR(hh, ledger->entries, entry->path, strlen(entry->path), entry);
    if (mr_ledger_find(ledger, entry->path) != entry) {
        entry_free(entry);
        return MR_ERR_NOMEM;
    }
    ledger->count++;
    return MR_OK;
}

static mr_status note(mr_ledger *ledger, const char *path, const char *digest, uint64_t size, bool growing, mr_ledger_entry **ret_entry)
{
    mr_ledger_entry *entry = mr_ledger_find(ledger, path);
    char *copy = strdup(digest);
    *ret_entry = entry;
    if (!copy)
        return MR_ERR_NOMEM;
    if (entry) {
        entry->growing = growing;
        free(entry->digest);
        entry->digest = copy;
        entry->size = size;
        return MR_OK;
    }
    entry = ledger->count < MR_LEDGER_MAX ? calloc(1, sizeof(*entry)) : NULL;
    if (!entry) {
        free(copy);
        snprintf(ledger->place->error.message, MR_STORAGE_WORDS, "more than %d files are published there", MR_LEDGER_MAX);
        return ledger->count < MR_LEDGER_MAX ? MR_ERR_NOMEM : MR_ERR_LIMIT;
    }
    entry->path = strdup(path);
    entry->digest = copy;
    entry->size = size;
    entry->growing = growing;
    if (!entry->path) {
        entry_free(entry);
        return MR_ERR_NOMEM;
    }
    *ret_entry = entry;
    return insert(ledger, entry);
}

/* ---- reading ---- */

static mr_status read_line(mr_ledger *ledger, const char *line, size_t len)
{
    mr_ledger_entry *entry;
    json_t *object = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
    const char *path = json_string_value(json_object_get(object, "path"));
    const char *digest = json_string_value(json_object_get(object, "digest"));
    json_int_t size = json_integer_value(json_object_get(object, "size"));
    bool growing = json_is_true(json_object_get(object, "growing"));
    mr_status status = MR_OK;
    if (path && digest && size >= 0 && mr_path_is_safe(path)) {
        status = note(ledger, path, digest, (uint64_t)size, growing, &entry);
        if (status == MR_OK) {
            entry->whole_before = !growing;
            entry->replaceable = json_is_true(json_object_get(object, "replaceable"));
        }
    }
    json_decref(object);
    return status;
}

static mr_status read_list(mr_ledger *ledger, const char *key)
{
    char *text = NULL;
    size_t len = 0;
    mr_status status = mr_place_read(ledger->place, key, LIST_MAX_BYTES, &text, &len);
    const char *line = text;
    for (const char *end; status == MR_OK && (end = memchr(line, '\n', len - (size_t)(line - text))) != NULL; line = end + 1) {
        if (end - line < LINE_MAX_BYTES)
            status = read_line(ledger, line, (size_t)(end - line));
    }
    free(text);
    return status == MR_ERR_NOT_FOUND ? MR_OK : status;
}

/* The number of a short list; 0: it is another object. */
static unsigned tail_number(const char *key)
{
    unsigned number = 0;
    int end = 0;
    return sscanf(key, TAILS "%6u.jsonl%n", &number, &end) == 1 && end > 0 && key[end] == '\0' ? number : 0;
}

static void name_tail(char key[64], unsigned number)
{
    snprintf(key, 64, TAILS "%06u.jsonl", number);
}

static mr_status find_last_tail(void *context, const char *key, const mr_storage_object *object)
{
    unsigned *last = context;
    const unsigned number = tail_number(key);
    (void)object;
    *last = number > *last ? number : *last;
    return MR_OK;
}

mr_status mr_ledger_open(mr_ledger *ledger, mr_place *place)
{
    char key[64];
    unsigned last = 0;
    *ledger = (mr_ledger){.place = place};
    mr_status status = read_list(ledger, LIST);
    if (status == MR_OK)
        status = place->driver->list(place->store, TAILS, NULL, find_last_tail, &last, &place->error);
    for (unsigned i = 1; i <= last && status == MR_OK; i++) {
        name_tail(key, i);
        status = read_list(ledger, key);
    }
    ledger->tail_number = last + 1;
    return status;
}

void mr_ledger_close(mr_ledger *ledger)
{
    mr_ledger_entry *entry = ledger->entries;
    HASH_CLEAR(hh, ledger->entries); /* the table goes, the entries still know their next */
    while (entry) {
        mr_ledger_entry *next = entry->hh.next;
        entry_free(entry);
        entry = next;
    }
    free(ledger->tail);
    *ledger = (mr_ledger){0};
}

/* ---- writing ---- */

/* With its end; NULL: memory is short. The caller frees. */
static char *line_of(const mr_ledger_entry *entry)
{
    json_t *object = json_pack("{s:s, s:s, s:I}", "digest", entry->digest, "path", entry->path, "size", (json_int_t)entry->size);
    if (object && ((entry->growing && json_object_set_new(object, "growing", json_true()) != 0) ||
                   (entry->replaceable && json_object_set_new(object, "replaceable", json_true()) != 0))) {
        json_decref(object);
        object = NULL;
    }
    char *text = object ? json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    char *line = NULL;
    if (text && asprintf(&line, "%s\n", text) < 0)
        line = NULL;
    free(text);
    json_decref(object);
    return line;
}

/* The short list with one line more, put anew. */
static mr_status add_line(mr_ledger *ledger, const mr_ledger_entry *entry)
{
    char key[64];
    char *line = line_of(entry);
    const size_t len = line ? strlen(line) : 0;
    char *grown = line ? realloc(ledger->tail, ledger->tail_len + len) : NULL;
    if (!grown) {
        free(line);
        return MR_ERR_NOMEM;
    }
    memcpy(grown + ledger->tail_len, line, len);
    free(line);
    ledger->tail = grown;
    ledger->tail_len += len;
    name_tail(key, ledger->tail_number);
    mr_status status = mr_place_write(ledger->place, key, ledger->tail, ledger->tail_len, 0);
    if (++ledger->tail_lines == TAIL_LINES) {
        ledger->tail_number++;
        ledger->tail_lines = 0;
        ledger->tail_len = 0;
    }
    return status;
}

mr_status mr_ledger_add(mr_ledger *ledger, const char *path, const char *digest, uint64_t size, bool growing, bool replaceable,
                        mr_ledger_entry **ret_entry)
{
    const mr_ledger_entry *known = mr_ledger_find(ledger, path);
    const bool told =
        known && known->size == size && known->growing == growing && known->replaceable == replaceable && strcmp(known->digest, digest) == 0;
    mr_status status = note(ledger, path, digest, size, growing, ret_entry);
    if (status != MR_OK)
        return status;
    (*ret_entry)->replaceable = replaceable;
    return told ? MR_OK : add_line(ledger, *ret_entry);
}

void mr_ledger_remove(mr_ledger *ledger, mr_ledger_entry *entry)
{
    HASH_DEL(ledger->entries, entry);
    ledger->count--;
    entry_free(entry);
}

static int compare_entries(const mr_ledger_entry *a, const mr_ledger_entry *b)
{
    return strcmp(a->path, b->path);
}

static mr_status drop_tails(mr_ledger *ledger)
{
    const mr_place *place = ledger->place;
    char key[64];
    mr_status status = MR_OK;
    for (unsigned i = 1; i <= ledger->tail_number && status == MR_OK; i++) {
        name_tail(key, i);
        status = place->driver->remove(place->store, key, NULL, &ledger->place->error);
        status = status == MR_ERR_NOT_FOUND ? MR_OK : status;
    }
    return status;
}

mr_status mr_ledger_finish(mr_ledger *ledger)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    HASH_SORT(ledger->entries, compare_entries);
    for (const mr_ledger_entry *entry = ledger->entries; entry && out; entry = entry->hh.next) {
        char *line = line_of(entry);
        if (!line || fputs(line, out) == EOF) {
            fclose(out);
            out = NULL;
        }
        free(line);
    }
    if (!out || fclose(out) != 0) {
        free(text);
        return MR_ERR_NOMEM;
    }
    mr_status status = mr_place_write(ledger->place, LIST, text, len, MR_PUT_DURABLE);
    free(text);
    return status == MR_OK ? drop_tails(ledger) : status;
}
