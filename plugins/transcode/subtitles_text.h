/* SPDX-License-Identifier: MIT */
/* Subtitle text as WebVTT cue text (https://www.w3.org/TR/webvtt1/#cue-text). Whatever comes in, what comes out is safe in a WebVTT file. */
#ifndef TRANSCODE_SUBTITLES_TEXT_H
#define TRANSCODE_SUBTITLES_TEXT_H

#include <stddef.h>

enum { MR_CUE_TEXT = 4096, MR_CUE_SETTINGS = 128 };

/*
 * Both give valid UTF-8 without control characters, empty lines or "-->", every tag closed, at most MR_CUE_TEXT bytes with the NUL (longer text is
 * cut at a character), and return its length. Entities that WebVTT knows stay as they are.
 */
/* ASS dialogue, as libavcodec's decoders give it for SRT, mov_text and the rest: italics, bold, underline and line breaks are kept, drawings dropped.
 */
size_t mr_cue_from_ass(const char *text, size_t len, char out[MR_CUE_TEXT]);
/* WebVTT cue text: known tags are kept, others and time stamps dropped. */
size_t mr_cue_from_webvtt(const char *text, size_t len, char out[MR_CUE_TEXT]);
/* "line:0 align:start": settings that WebVTT knows, but for regions, which are not kept. */
void mr_cue_settings(const char *text, size_t len, char out[MR_CUE_SETTINGS]);
/* The text field of an ASS event line as decoders give it ("ReadOrder,Layer,Style,Name,MarginL,MarginR,MarginV,Effect,Text"). */
const char *mr_ass_text(const char *event);

#endif
