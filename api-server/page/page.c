/* SPDX-License-Identifier: MIT */
/* Reads share/millrace/web and the document of the API, and finds files by their path. */
#include "api-server/page/page.h"

#include <errno.h>
#include <fcntl.h>
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>

enum { FILES_MAX = 2000, BYTES_MAX = 64 << 20, DEPTH_MAX = 8, PATH_BYTES = 4096 };

typedef struct entry {
    mr_page_file file;
    char *path;
    void *bytes;
    UT_hash_handle hh;
} entry;

struct mr_page {
    entry *files;
    size_t bytes;
};

static const struct {
    const char *ending;
    const char *type;
} types[] = {
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".json", "application/json"},
    {".webmanifest", "application/manifest+json"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".ico", "image/x-icon"},
    {".webp", "image/webp"},
    {".woff2", "font/woff2"},
    {".wasm", "application/wasm"},
    {".txt", "text/plain; charset=utf-8"},
    {".map", "application/json"},
    {".yaml", "application/yaml"}, /* RFC 9512 */
};

static const char *type_of(const char *path)
{
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof(types) / sizeof(*types); i++)
        if (strcmp(types[i].ending, dot) == 0)
            return types[i].type;
    return "application/octet-stream";
}

/* FNV-1a, 64 bits (draft-eastlake-fnv): tells one build from the next; nobody has an interest in a collision. */
static uint64_t mark(const unsigned char *data, size_t len)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ data[i]) * 1099511628211u;
    return hash;
}

static void *read_whole(const char *path, size_t len)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    char *bytes = fd >= 0 ? malloc(len + 1) : NULL;
    size_t have = 0;
    while (bytes && have < len) {
        const ssize_t got = read(fd, bytes + have, len - have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        have += (size_t)got;
    }
    if (fd >= 0)
        close(fd);
    if (bytes && have == len)
        return bytes;
    free(bytes);
    return NULL;
}

/* The file root/from is found as path. */
static mr_status add(mr_page *page, const char *root, const char *from, const char *path, size_t len)
{
    char whole[PATH_BYTES];
    const int used = snprintf(whole, sizeof(whole), "%s/%s", root, from);
    if (used < 0 || (size_t)used >= sizeof(whole) || page->bytes + len > BYTES_MAX || HASH_COUNT(page->files) >= FILES_MAX)
        return MR_OK; /* no page is like that */
    void *bytes = read_whole(whole, len);
    entry *one = bytes ? calloc(1, sizeof(*one)) : NULL;
    char *copy = one ? strdup(path) : NULL;
    if (!copy) {
        free(one);
        free(bytes);
        return bytes ? MR_ERR_NOMEM : MR_OK;
    }
    *one = (entry){
        .file = {.type = type_of(path), .data = bytes, .len = len, .immutable = strncmp(path, "assets/", 7) == 0}, .path = copy, .bytes = bytes};
    snprintf(one->file.etag, sizeof(one->file.etag), "\"%016llx\"", (unsigned long long)mark(bytes, len));
    HASH_ADD_KEYPTR(hh, page->files, one->path, strlen(one->path), one);
    page->bytes += len;
    return MR_OK;
}

/* scandir, not nftw: that has no place for a context. */
static mr_status read_folder(mr_page *page, const char *root, const char *below, int depth)
{
    char whole[PATH_BYTES];
    struct dirent **names = NULL;
    mr_status status = MR_OK;
    snprintf(whole, sizeof(whole), "%s%s%s", root, below[0] ? "/" : "", below);
    const int count = depth < DEPTH_MAX ? scandir(whole, &names, NULL, NULL) : 0;
    for (int i = 0; i < count; i++) {
        char path[PATH_BYTES];
        struct stat about;
        const int used = snprintf(path, sizeof(path), "%s%s%s", below, below[0] ? "/" : "", names[i]->d_name);
        const int whole_used = snprintf(whole, sizeof(whole), "%s/%s", root, path);
        const bool fits = used > 0 && (size_t)used < sizeof(path) && whole_used > 0 && (size_t)whole_used < sizeof(whole);
        if (names[i]->d_name[0] != '.' && fits && lstat(whole, &about) == 0 && status == MR_OK) {
            if (S_ISDIR(about.st_mode))
                status = read_folder(page, root, path, depth + 1);
            else if (S_ISREG(about.st_mode))
                status = add(page, root, path, path, (size_t)about.st_size);
        }
        free(names[i]);
    }
    free(names);
    return status;
}

/* What the API is: beside the page, found where a client looks for it. */
static mr_status read_openapi(mr_page *page, const char *share_dir)
{
    char path[PATH_BYTES];
    struct stat about;
    const int used = snprintf(path, sizeof(path), "%s/openapi.yaml", share_dir);
    if (used < 0 || (size_t)used >= sizeof(path) || stat(path, &about) != 0 || !S_ISREG(about.st_mode))
        return MR_OK;
    return add(page, share_dir, "openapi.yaml", "api/v1/openapi.yaml", (size_t)about.st_size);
}

mr_status mr_page_open(const char *share_dir, mr_page **ret_page)
{
    char root[PATH_BYTES];
    *ret_page = calloc(1, sizeof(**ret_page));
    if (!*ret_page)
        return MR_ERR_NOMEM;
    const int used = share_dir ? snprintf(root, sizeof(root), "%s/web", share_dir) : -1;
    if (used < 0 || (size_t)used >= sizeof(root))
        return MR_OK;
    mr_status status = read_folder(*ret_page, root, "", 0);
    return status == MR_OK ? read_openapi(*ret_page, share_dir) : status;
}

void mr_page_close(mr_page *page)
{
    entry *one;
    entry *next;
    if (!page)
        return;
    HASH_ITER (hh, page->files, one, next) {
        HASH_DEL(page->files, one);
        free(one->path);
        free(one->bytes);
        free(one);
    }
    free(page);
}

const mr_page_file *mr_page_find(const mr_page *page, const char *path)
{
    const entry *found = NULL;
    const char *name = path[0] ? path : "index.html";
    HASH_FIND_STR(page->files, name, found);
    return found ? &found->file : NULL;
}
