/* SPDX-License-Identifier: MIT */
/* A store that an op of this plugin has open, through whatever driver its URL chooses. */
#ifndef STORAGE_PLACE_H
#define STORAGE_PLACE_H

#include <millrace/storage.h>

typedef struct mr_place {
    const mr_host *host;
    mr_task *task;
    const mr_storage_driver *driver;
    mr_storage *store;
    mr_storage_client client;
    mr_storage_error error; /* what the last call that failed has said */
} mr_place;

/* Opens it; a URL without a scheme is a folder's path. MR_ERR_UNSUPPORTED: no driver knows the scheme, reported with param. Other errors:
 * place->error says why. */
mr_status mr_place_open(mr_place *place, const mr_host *host, mr_task *task, const char *url, const char *param);
void mr_place_close(mr_place *place);
bool mr_place_is_url(const char *text); /* "scheme://…" */

/* All of a small object, with a NUL behind it; MR_ERR_LIMIT when it is larger than most. The caller frees. */
mr_status mr_place_read(mr_place *place, const char *key, size_t most, char **ret_text, size_t *ret_len);
mr_status mr_place_write(mr_place *place, const char *key, const void *data, size_t len, uint32_t flags);

#endif
