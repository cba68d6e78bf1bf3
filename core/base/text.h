/* SPDX-License-Identifier: MIT */
/* UTF-8 and text from strangers: decoding, and showing it without letting it act on a terminal. */
#ifndef MR_BASE_TEXT_H
#define MR_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the character that text begins with (1 … 4), its code point in *ret_code; 0: not valid UTF-8 (RFC 3629), or len is 0. */
size_t mr_utf8_next(const char *text, size_t len, uint32_t *ret_code);
bool mr_utf8_valid(const char *text, size_t len);
/* Columns that a character takes in a terminal: 0 (combining), 1 or 2 (East Asian wide, emoji). */
unsigned mr_utf8_columns(uint32_t code);
/*
 * Shows the character that text begins with: as it is, or escaped when it is a control character, a direction override or an
 * invalid byte ("\n", "\x1b", "<U+202E>"). Returns the bytes taken from text (0 at its end); out holds the NUL-terminated result.
 */
#define MR_TEXT_SHOWN 16
size_t mr_text_show(const char *text, size_t len, char out[MR_TEXT_SHOWN], unsigned *ret_columns);
/* A whole text shown; cut at size with "…". Returns out, always valid UTF-8. size is at least MR_TEXT_SHOWN. */
char *mr_text_show_all(const char *text, size_t len, char *out, size_t size);

#endif
