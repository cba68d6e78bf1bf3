/* SPDX-License-Identifier: MIT */
/*
 * Services: drivers behind an interface of the engine. A plugin lists them in mr_plugin.services; each is of one class, and brings that class's
 * table.
 *
 *     class       its table             chosen by
 *     "storage"   mr_storage_driver     the scheme of a URL (millrace/storage.h)
 *     "server"    mr_server_driver      there is one: the first that is found (millrace/server.h; since 1.3)
 */
#ifndef MILLRACE_SERVICE_H
#define MILLRACE_SERVICE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mr_service {
    uint32_t size; /* sizeof(mr_service) */
    uint32_t reserved;
    const char *service_class; /* "storage", "server" */
    const char *name;          /* "plugin.driver": memory.store */
    const char *summary;       /* one sentence in lower case, no full stop */
    const char *help;          /* paragraphs for the reference page; NULL: none */
    const void *table;         /* of the class; begins with its size */
} mr_service;

#ifdef __cplusplus
}
#endif
#endif
