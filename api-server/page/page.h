/* SPDX-License-Identifier: MIT */
/*
 * The files of the web page, in memory: they are few and small, and read once. Immutable after mr_page_open(), so any thread may ask.
 */
#ifndef MR_PAGE_PAGE_H
#define MR_PAGE_PAGE_H

#include <millrace/status.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct mr_page mr_page;

/* One form of a file: as it is, or compressed by who built the page (FILE.br, FILE.gz beside FILE). */
typedef struct mr_page_form {
    const char *coding; /* as in Content-Encoding; NULL: as it is */
    const void *data;   /* NULL: there is no such form */
    size_t len;
    char etag[24]; /* with its quotes */
} mr_page_form;

enum { MR_PAGE_FORMS = 3 };

typedef struct mr_page_file {
    const char *type;                  /* "text/css; charset=utf-8" */
    mr_page_form forms[MR_PAGE_FORMS]; /* the first: as it is; the others, the smallest first */
    bool immutable;                    /* its name changes with what is in it */
} mr_page_file;

/* share_dir/web, and share_dir/openapi.yaml as api/v1/openapi.yaml; NULL, or nothing there: a page without files. "api/v1/docs.html" is found as
 * "api/v1/docs". MR_ERR_NOMEM */
mr_status mr_page_open(const char *share_dir, mr_page **ret_page);
void mr_page_close(mr_page *page); /* NULL is fine */
/* path: "assets/index-4f3a.js"; "": the page itself. NULL: there is none. */
const mr_page_file *mr_page_find(const mr_page *page, const char *path);
/* The best of its forms for a request's Accept-Encoding (RFC 9110, 12.5.3; NULL: absent). */
const mr_page_form *mr_page_choose(const mr_page_file *file, const char *accept);

#endif
