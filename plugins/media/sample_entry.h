/* SPDX-License-Identifier: MIT */
/*
 * The sample entry (stsd child) of a track, which holds its codec's configuration record. libavformat knows how to build the record of every
 * codec, so it is made by its mp4 muxer; what would differ between chunks or builds (bit rates, the compressor's name) is taken out.
 */
#ifndef MR_MEDIA_SAMPLE_ENTRY_H
#define MR_MEDIA_SAMPLE_ENTRY_H

#include "media/boxes.h"
#include <libavcodec/avcodec.h>

/* Appends the entry. Negative AVERROR: the codec can't be put into MP4, or its parameters are not whole. */
int mr_sample_entry_write(const AVCodecParameters *codec, mr_bytes *out);
/* The children of a sample entry (avcC, colr, esds …): borrowed from entry. NULL: not a sample entry. */
const uint8_t *mr_sample_entry_children(const uint8_t *entry, size_t len, enum AVMediaType type, size_t *ret_len);

#endif
