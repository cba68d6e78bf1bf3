/* SPDX-License-Identifier: MIT */
/* What a track is called: by people in a player's menu, and in the published tree. */
#ifndef TRANSCODE_TRACK_NAME_H
#define TRANSCODE_TRACK_NAME_H

#include <stddef.h>

enum { MR_TRACK_NAME = 160, MR_TRACK_FOLDER = 96 };

/* The language's name in that language: "de" -> "Deutsch", "pt-BR" -> "Português (BR)"; NULL: not known. */
const char *mr_language_name(const char *tag, char *buf, size_t size);

/*
 * The name for people: the title when there is one, else the language, else what ("Audio", "Subtitles"); of several tracks of one language the second
 * has " 2" after it (ordinal 1). extra, when not NULL, follows in brackets ("5.1").
 */
void mr_track_name(const char *title, const char *language, const char *what, int ordinal, const char *extra, char ret_name[MR_TRACK_NAME]);

/*
 * The rendition's folder: "audio/en-2ch", and "audio/en-2ch-2" for the second track of that language. Lower case; where other
 * characters than letters, digits and '-' had to go, the stream number makes the folder unique.
 */
void mr_track_folder(const char *kind, const char *language, const char *suffix, int ordinal, int stream, char ret_folder[MR_TRACK_FOLDER]);

#endif
