/* SPDX-License-Identifier: MIT */
/* Captions as people have them, SubRip or WebVTT, to WebVTT that every player takes. */
#ifndef MR_VIDEOS_CAPTIONS_H
#define MR_VIDEOS_CAPTIONS_H

#include <millrace/status.h>
#include <stddef.h>

enum { MR_CAPTIONS_BYTES = 2 * 1024 * 1024 };

/* *ret_vtt: the caller's. MR_ERR_INPUT: why says what is wrong, with its line. */
mr_status mr_captions_read(const char *text, size_t len, char **ret_vtt, char *why, size_t why_size);

#endif
