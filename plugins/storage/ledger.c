/* SPDX-License-Identifier: MIT */
/* See ledger.h. */
#define HASH_NONFATAL_OOM 1
#include "ledger.h"
#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIST     "published.jsonl"
#define LIST_NEW "published.jsonl.new"

enum { LINE_MAX_BYTES = 8192 };

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
static int insert(mr_ledger *ledger, mr_ledger_entry *entry)
{
    HASH_ADD_KEYPTR(hh, ledger->entries, entry->path, strlen(entry->path), entry);
    if (mr_ledger_find(ledger, entry->path) != entry) {
        entry_free(entry);
        return -ENOMEM;
    }
    ledger->count++;
    return 0;
}

static int note(mr_ledger *ledger, const char *path, const char *digest, uint64_t size, bool growing, mr_ledger_entry **ret_entry)
{
    mr_ledger_entry *entry = mr_ledger_find(ledger, path);
    char *copy = strdup(digest);
    *ret_entry = entry;
    if (!copy)
        return -ENOMEM;
    if (entry) {
        entry->growing = growing;
        free(entry->digest);
        entry->digest = copy;
        entry->size = size;
        return 0;
    }
    entry = ledger->count < MR_LEDGER_MAX ? calloc(1, sizeof(*entry)) : NULL;
    if (!entry) {
        free(copy);
        return ledger->count < MR_LEDGER_MAX ? -ENOMEM : -EOVERFLOW;
    }
    entry->path = strdup(path);
    entry->digest = copy;
    entry->size = size;
    entry->growing = growing;
    if (!entry->path) {
        entry_free(entry);
        return -ENOMEM;
    }
    *ret_entry = entry;
    return insert(ledger, entry);
}

static int read_line(mr_ledger *ledger, const char *line, size_t len)
{
    mr_ledger_entry *entry;
    json_t *object = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
    const char *path = json_string_value(json_object_get(object, "path"));
    const char *digest = json_string_value(json_object_get(object, "digest"));
    json_int_t size = json_integer_value(json_object_get(object, "size"));
    bool growing = json_is_true(json_object_get(object, "growing"));
    int result = 0;
    if (path && digest && size >= 0 && mr_path_is_safe(path)) {
        result = note(ledger, path, digest, (uint64_t)size, growing, &entry);
        if (result == 0) {
            entry->whole_before = !growing;
            entry->replaceable = json_is_true(json_object_get(object, "replaceable"));
        }
    }
    json_decref(object);
    return result;
}

static int read_list(mr_ledger *ledger, int fd)
{
    char *line = NULL;
    size_t capacity = 0;
    int result = 0;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    FILE *in = copy >= 0 ? fdopen(copy, "r") : NULL;
    if (!in) {
        result = -errno;
        if (copy >= 0)
            close(copy);
        return result;
    }
    for (ssize_t len; result == 0 && (len = getline(&line, &capacity, in)) > 0;) {
        if (len <= LINE_MAX_BYTES && line[len - 1] == '\n')
            result = read_line(ledger, line, (size_t)len);
    }
    free(line);
    fclose(in);
    return result;
}

int mr_ledger_open(mr_ledger *ledger, int notes_fd)
{
    struct stat info;
    *ledger = (mr_ledger){.fd = openat(notes_fd, LIST, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0644)};
    if (ledger->fd < 0)
        return -errno;
    if (fstat(ledger->fd, &info) != 0 || !S_ISREG(info.st_mode))
        return -EEXIST;
    int result = read_list(ledger, ledger->fd);
    if (result == 0 && lseek(ledger->fd, 0, SEEK_END) < 0)
        result = -errno;
    /* A line that a crash tore must not swallow the first new one. */
    char last = '\n';
    if (result == 0 && info.st_size > 0 && (pread(ledger->fd, &last, 1, info.st_size - 1) != 1 || last != '\n') && write(ledger->fd, "\n", 1) != 1)
        result = -errno;
    return result;
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
    if (ledger->fd >= 0)
        close(ledger->fd);
    *ledger = (mr_ledger){.fd = -1};
}

static int write_line(int fd, const mr_ledger_entry *entry)
{
    json_t *object = json_pack("{s:s, s:s, s:I}", "digest", entry->digest, "path", entry->path, "size", (json_int_t)entry->size);
    if (object && ((entry->growing && json_object_set_new(object, "growing", json_true()) != 0) ||
                   (entry->replaceable && json_object_set_new(object, "replaceable", json_true()) != 0))) {
        json_decref(object);
        object = NULL;
    }
    char *text = object ? json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    int result = -ENOMEM;
    if (text) {
        size_t len = strlen(text);
        text[len] = '\n'; /* in place of the NUL: one write, so that lines stay whole */
        ssize_t written = write(fd, text, len + 1);
        result = written == (ssize_t)(len + 1) ? 0 : written < 0 ? -errno : -ENOSPC;
    }
    free(text);
    json_decref(object);
    return result;
}

int mr_ledger_add(mr_ledger *ledger, const char *path, const char *digest, uint64_t size, bool growing, bool replaceable, mr_ledger_entry **ret_entry)
{
    int result = note(ledger, path, digest, size, growing, ret_entry);
    if (result != 0)
        return result;
    (*ret_entry)->replaceable = replaceable;
    return write_line(ledger->fd, *ret_entry);
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

int mr_ledger_finish(mr_ledger *ledger, int notes_fd)
{
    int fd = openat(notes_fd, LIST_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    int result = fd < 0 ? -errno : 0;
    HASH_SORT(ledger->entries, compare_entries);
    for (const mr_ledger_entry *entry = ledger->entries; entry && result == 0; entry = entry->hh.next)
        result = write_line(fd, entry);
    if (result == 0 && (fdatasync(fd) != 0 || renameat(notes_fd, LIST_NEW, notes_fd, LIST) != 0))
        result = -errno;
    if (result != 0)
        unlinkat(notes_fd, LIST_NEW, 0);
    if (fd >= 0)
        close(fd);
    return result;
}
