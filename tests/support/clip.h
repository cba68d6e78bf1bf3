/* SPDX-License-Identifier: MIT */
/* Clips for tests, made by the ffmpeg command from its own sources (testsrc2, sine): small, and gone when the program ends. */
#ifndef CLIP_H
#define CLIP_H

#include <stdbool.h>
#include <stddef.h>

/* A path in a private folder of this program, removed with all in it at exit. Borrowed until the next call. */
const char *clip_path(const char *name);
/* Makes the clip NAME: ffmpeg ARGS… PATH. args are separated by single spaces; "@other" stands for clip_path("other"). False with a message. */
bool clip_make(const char *name, const char *args);
/* Copies the clip's bytes from skip on, keep of them at most (0: all). */
bool clip_cut(const char *name, const char *from, size_t skip, size_t keep);
/* One clip's bytes after another's. */
bool clip_join(const char *name, const char *first, const char *second);
/* A folder of real media by other people: MILLRACE_MEDIA, or ../shared/media beside the source tree; NULL (with a line that says so) when absent. */
const char *clip_real_media(const char *source_root);

#endif
