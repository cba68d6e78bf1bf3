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
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>

enum { FILES_MAX = 2000, BYTES_MAX = 64 << 20, DEPTH_MAX = 8, PATH_BYTES = 4096 };

typedef struct entry {
    mr_page_file file;
    char *path;
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
    *one =
        (entry){.file = {.type = type_of(path), .forms = {{.data = bytes, .len = len}}, .immutable = strncmp(path, "assets/", 7) == 0}, .path = copy};
    snprintf(one->file.forms[0].etag, sizeof(one->file.forms[0].etag), "\"%016llx\"", (unsigned long long)mark(bytes, len));
    HASH_ADD_KEYPTR(hh, page->files, one->path, strlen(one->path), one);
    page->bytes += len;
    return MR_OK;
}

/* ---- forms ---- */

static const struct {
    const char *ending;
    const char *coding;
} codings[MR_PAGE_FORMS] = {{"", NULL}, {".br", "br"}, {".gz", "gzip"}}; /* as forms of a file */

static entry *find(const mr_page *page, const char *path, size_t len)
{
    entry *found = NULL;
    HASH_FIND(hh, page->files, path, len, found);
    return found;
}

static void drop(mr_page *page, entry *one)
{
    HASH_DEL(page->files, one);
    free(one->path);
    for (size_t i = 0; i < MR_PAGE_FORMS; i++)
        free((void *)one->file.forms[i].data);
    free(one);
}

/* FILE.br becomes a form of FILE. */
static void join_form(mr_page *page, entry *one)
{
    const size_t len = strlen(one->path);
    for (size_t i = 1; i < MR_PAGE_FORMS; i++) {
        const size_t ending = strlen(codings[i].ending);
        entry *plain = len > ending && strcmp(one->path + len - ending, codings[i].ending) == 0 ? find(page, one->path, len - ending) : NULL;
        if (!plain)
            continue;
        plain->file.forms[i] = one->file.forms[0];
        plain->file.forms[i].coding = codings[i].coding;
        one->file.forms[0].data = NULL;
        drop(page, one);
        return;
    }
}

/* "api/v1/docs.html" is an address without its ending; "index.html" is the page itself, and the start of other ways to it. */
static void join_address(mr_page *page, entry *one)
{
    const size_t len = strlen(one->path);
    if (len <= 5 || strcmp(one->path + len - 5, ".html") != 0 || strcmp(one->path, "index.html") == 0)
        return;
    HASH_DEL(page->files, one);
    one->path[len - 5] = '\0';
    HASH_ADD_KEYPTR(hh, page->files, one->path, strlen(one->path), one);
}

static void join_all(mr_page *page)
{
    entry *one;
    entry *next;
    HASH_ITER (hh, page->files, one, next)
        join_form(page, one);
    HASH_ITER (hh, page->files, one, next)
        join_address(page, one);
}

/* Whether a list like "gzip;q=0.8, br, *;q=0" takes that coding. */
static bool takes(const char *accept, const char *coding)
{
    const size_t coding_len = strlen(coding);
    bool any = false;
    for (const char *at = accept; *at;) {
        at += strspn(at, ", \t");
        const size_t len = strcspn(at, ",");
        const size_t name = strcspn(at, ",; \t");
        const char *q = memchr(at, '=', len);
        const bool refused = q && strtod(q + 1, NULL) <= 0;
        if (name == coding_len && strncasecmp(at, coding, name) == 0)
            return !refused;
        any = any || (name == 1 && *at == '*' && !refused);
        at += len;
    }
    return any;
}

const mr_page_form *mr_page_choose(const mr_page_file *file, const char *accept)
{
    for (size_t i = 1; accept && i < MR_PAGE_FORMS; i++)
        if (file->forms[i].data && takes(accept, file->forms[i].coding))
            return &file->forms[i];
    return &file->forms[0];
}

/* ---- reading ---- */

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
    if (status == MR_OK)
        status = read_openapi(*ret_page, share_dir);
    join_all(*ret_page);
    return status;
}

void mr_page_close(mr_page *page)
{
    entry *one;
    entry *next;
    if (!page)
        return;
    HASH_ITER (hh, page->files, one, next)
        drop(page, one);
    free(page);
}

const mr_page_file *mr_page_find(const mr_page *page, const char *path)
{
    const char *name = path[0] ? path : "index.html";
    const entry *found = find(page, name, strlen(name));
    return found ? &found->file : NULL;
}
