/* SPDX-License-Identifier: MIT */
/* See place.h. */
#include "place.h"
#include "local.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool mr_place_is_url(const char *text)
{
    size_t len = 0;
    while (isalnum((unsigned char)text[len]) || (len > 0 && text[len] && strchr("+-.", text[len])))
        len++;
    return len > 0 && isalpha((unsigned char)text[0]) && strncmp(text + len, "://", 3) == 0;
}

static int is_cancelled(void *context)
{
    const mr_place *place = context;
    return place->host->cancelled(place->task);
}

static const mr_storage_driver *find_driver(const mr_host *host, mr_task *task, const char *url)
{
    if (!mr_place_is_url(url) || strncmp(url, "file:", 5) == 0)
        return &mr_local_driver;
    const mr_service *service = host->service ? host->service(task, MR_SERVICE_STORAGE, url) : NULL;
    return service ? service->table : NULL;
}

mr_status mr_place_open(mr_place *place, const mr_host *host, mr_task *task, const char *url, const char *param)
{
    *place = (mr_place){.host = host, .task = task, .driver = find_driver(host, task, url)};
    place->error.size = sizeof(place->error);
    place->client = (mr_storage_client){.size = sizeof(place->client), .context = place, .cancelled = is_cancelled};
    if (place->driver)
        return place->driver->open(&place->client, url, &place->store, &place->error);
    host->report(task, MR_SEVERITY_ERROR, param, "load a plugin that serves it: 'millrace plugins' lists those that are here",
                 "no storage driver knows addresses like '%.*s://…'", (int)strcspn(url, ":"), url);
    return MR_ERR_UNSUPPORTED;
}

void mr_place_close(mr_place *place)
{
    if (place->store)
        place->driver->close(place->store);
    place->store = NULL;
}

mr_status mr_place_read(mr_place *place, const char *key, size_t most, char **ret_text, size_t *ret_len)
{
    mr_storage_object object = {.size = sizeof(object)};
    *ret_text = NULL;
    *ret_len = 0;
    mr_status status = place->driver->head(place->store, key, &object, &place->error);
    if (status != MR_OK)
        return status;
    if (object.bytes > most)
        return MR_ERR_LIMIT;
    char *text = malloc((size_t)object.bytes + 1);
    if (!text)
        return MR_ERR_NOMEM;
    while (status == MR_OK && *ret_len < object.bytes) {
        size_t got = 0;
        status = place->driver->read(place->store, key, object.tag[0] ? object.tag : NULL, *ret_len, text + *ret_len, (size_t)object.bytes - *ret_len,
                                     &got, &place->error);
        *ret_len += got;
        if (got == 0)
            break;
    }
    if (status != MR_OK) {
        free(text);
        return status;
    }
    text[*ret_len] = '\0';
    *ret_text = text;
    return MR_OK;
}

mr_status mr_place_write(mr_place *place, const char *key, const void *data, size_t len, uint32_t flags)
{
    const mr_storage_put_options options = {.size = sizeof(options), .flags = flags, .bytes = (int64_t)len};
    mr_storage_put *put = NULL;
    mr_status status = place->driver->put_new(place->store, key, &options, &put, &place->error);
    if (status == MR_OK && len > 0)
        status = place->driver->put_write(put, data, len, &place->error);
    if (status == MR_OK)
        status = place->driver->put_commit(put, NULL, &place->error);
    place->driver->put_free(put);
    return status;
}
