/* SPDX-License-Identifier: MIT */
/* Requests with conditions and for parts: RFC 9110, sections 8.8, 13 and 14. */
#ifndef MR_PLAYBACK_RANGE_H
#define MR_PLAYBACK_RANGE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

typedef enum mr_range { MR_RANGE_WHOLE, MR_RANGE_PART, MR_RANGE_OUTSIDE } mr_range;

/* field: of Range; NULL: absent. What can't be read, other units and several ranges are passed over: the whole is a right answer to them. */
mr_range mr_range_read(const char *field, uint64_t size, uint64_t *ret_offset, uint64_t *ret_len);

/* An entity tag, with its quotation marks, in If-None-Match: compared weakly. */
bool mr_etag_listed(const char *field, const char *etag);
/* If-Range names the very state that there is. modified: of the file; now: to tell whether its date is fine enough to be trusted. */
bool mr_if_range_holds(const char *field, const char *etag, time_t modified, time_t now);
/* "Sat, 21 Nov 2026 12:00:00 GMT" */
enum { MR_HTTP_DATE_SIZE = 40 };
void mr_http_date(time_t time, char ret_text[static MR_HTTP_DATE_SIZE]);
bool mr_http_date_read(const char *text, time_t *ret_time); /* the preferred format alone */

#endif
