/* SPDX-License-Identifier: MIT */
/* The field Cookie (RFC 6265, 4.2.1). */
#ifndef MR_ROUTES_COOKIE_H
#define MR_ROUTES_COOKIE_H

#include <stdbool.h>
#include <stddef.h>

#define MR_REFRESH_COOKIE "mr_refresh"

/* The value of the first cookie of that name. False: absent (field may be NULL), empty, or longer than size. */
bool mr_cookie_find(const char *field, const char *name, char *ret_value, size_t size);

#endif
