/* SPDX-License-Identifier: MIT */
/* The storage driver that is always there: a local folder, file:///srv/out or a plain path. */
#ifndef STORAGE_LOCAL_H
#define STORAGE_LOCAL_H

#include <millrace/storage.h>

extern const mr_storage_driver mr_local_driver;
extern const mr_service mr_local_service;

#endif
