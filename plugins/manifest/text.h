/* SPDX-License-Identifier: MIT */
/* Text in the making: a string that grows, remembers that memory ran out, and knows the escapes of the formats written here. */
#ifndef MANIFEST_TEXT_H
#define MANIFEST_TEXT_H

#include <millrace/op.h>

#define utstring_oom() return /* the caller notices: see append() in text.c */
#include <utstring.h>

typedef struct mr_text {
    UT_string string;
    bool failed; /* memory ran out: the text is not whole */
} mr_text;

void text_init(mr_text *out);
void text_free(mr_text *out);
void text_add(mr_text *out, const char *fmt, ...) MR_PRINTF(2, 3);
/*
 * What may stand inside an HLS quoted-string (RFC 8216, 4.2): control characters become spaces, quotes and apostrophes typographic ones (an
 * apostrophe is allowed, but some readers take it for a quote). Cut where size is too small.
 */
void text_make_quotable(char *buf, size_t size, const char *value);
/* XML character data or attribute value: markup is escaped; what XML 1.0 can't hold becomes a space. */
void text_add_xml(mr_text *out, const char *value);
/* A relative URL of a plain path: everything but unreserved characters (RFC 3986, 2.3) and '/' as %XX. */
void text_add_url(mr_text *out, const char *path);
/* Seconds with six decimals. */
void text_add_seconds(mr_text *out, int64_t us);

#endif
