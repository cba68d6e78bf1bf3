/* SPDX-License-Identifier: MIT */
/* Text of unknown origin made safe: valid UTF-8 without control characters. */
#ifndef TRANSCODE_UTF8_H
#define TRANSCODE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* The code point at text (len > 0 bytes are there) and its length; what is not UTF-8 is U+FFFD of one byte. */
uint32_t mr_utf8_next(const char *text, size_t len, size_t *ret_len);
/* Writes a code point (at most 4 bytes, no NUL); returns its length. */
size_t mr_utf8_put(uint32_t code, char out[4]);
/* One line: control characters become single spaces, none at the ends; cut at a whole character. out is always terminated. */
void mr_utf8_line(const char *text, size_t len, char *out, size_t size);

#endif
