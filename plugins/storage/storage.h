/* SPDX-License-Identifier: MIT */
/* The storage plugin: its ops and their params. */
#ifndef STORAGE_STORAGE_H
#define STORAGE_STORAGE_H

#include <millrace/op.h>

typedef struct mr_fetch_params {
    const char *url, *digest;
    int64_t max_size, timeout, attempts;
    bool allow_private;
} mr_fetch_params;

typedef struct mr_publish_params {
    bool link;
} mr_publish_params;

enum { PUBLISH_IN_FILES };
enum { PUBLISH_OUT_HLS, PUBLISH_OUT_DASH, PUBLISH_OUT_MEDIA, PUBLISH_OUT_PUBLISHED };
enum { FETCH_OUT_MEDIA };

mr_status mr_publish_run(const mr_host *host, const mr_batch *batch);
mr_status mr_fetch_run(const mr_host *host, const mr_batch *batch);

#endif
