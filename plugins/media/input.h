/* SPDX-License-Identifier: MIT */
/*
 * Opening media for reading. The bytes come through the engine (read_at), never from a path or a network: references inside a file to other
 * files ("file:///etc/passwd" in a playlist, concat, image patterns) lead nowhere. Only the demuxers listed in input.c are open.
 * Every failure is reported to the task in one sentence that names what is wrong with the source.
 */
#ifndef MR_MEDIA_INPUT_H
#define MR_MEDIA_INPUT_H

#include "media/bounds.h"

#include <libavformat/avformat.h>
#include <millrace/op.h>
#include <stdbool.h>

/* Opens and finds the streams; of H.264 in MP4 not always the pixel format, which decoders know (streams.h). MR_ERR_INPUT: not media, broken beyond
 * use, or asking for more than limits.* allow (limits.h). *ret_format is closed with mr_media_close. */
mr_status mr_media_open(const mr_host *host, mr_task *task, const mr_artifact *source, AVFormatContext **ret_format);
/*
 * What of a source somebody reads who knows it already (probe.media's info): one stream, and of that what lies between two times. The other streams
 * are there, but may be of no kind and without packets; of the sound of a long MP4 only the packets from from_us to to_us (of the stream, and seconds
 * more) are sure to be there, and reading on is MR_ERR_INTERNAL. Memory and time to open it don't grow with the length of the whole then.
 */
typedef struct mr_media_part {
    int stream;
    int64_t from_us, to_us; /* to_us <= from_us: all of it */
    bool headers_suffice;   /* where the container's headers say what a decoder needs, as those of MP4 do, no packet is decoded to find it out: the
                               stream may lack a pixel format, a start time and a guess at the frame rate */
    mr_media_bounds bounds; /* where known: the source ends with them. What they don't hold yet of one that still arrives is asked for first */
} mr_media_part;
mr_status mr_media_open_part(const mr_host *host, mr_task *task, const mr_artifact *source, const mr_media_part *part, AVFormatContext **ret_format);
/* From now on what samples of an MP4 hold is not read: packets have times, places, sizes and flags from the tables, and zeros for data. What libav's
 * parsers find out by looking into packets (AC-3, VP9 …) is not right then. With keys_of, a stream, the beginning of each of its samples that is
 * listed as a keyframe is there. MR_ERR_UNSUPPORTED: another container. */
mr_status mr_media_skip_samples(AVFormatContext *format, int keys_of);
void mr_media_close(AVFormatContext **format); /* NULL and *NULL are fine */

/* The next packet of any stream that is not discarded; *packet is unreferenced first. MR_END: no more (also where a file is cut off: what is damaged
 * is passed over, as players do). Otherwise why the bytes did not come: MR_NOT_YET, MR_ERR_IO, MR_ERR_CANCELLED …, already reported by the host. */
mr_status mr_media_read(AVFormatContext *format, AVPacket *packet);
/*
 * Asks for the last byte that decoding a stream up to that time reads, where the container's index tells which it is (MP4): of a source that still
 * arrives, who would stop half-way (MR_NOT_YET) stops before any work.
 */
mr_status mr_media_ask_ahead(const AVFormatContext *format, int stream, int64_t until_us);
/* What the byte source answered last, where libav only says "error" or "end": MR_OK, or the status that read_at gave. */
mr_status mr_media_source_status(const AVFormatContext *format);

/* The source's name for messages, and its size in bytes. */
const char *mr_media_name(const AVFormatContext *format);
/* Reports that the source can't be used, in a sentence that begins with its name ("is damaged: …"), and gives MR_ERR_INPUT. */
mr_status mr_media_refuse(const AVFormatContext *format, const char *hint, const char *what);
uint64_t mr_media_size(const AVFormatContext *format);

/* A libav error as a status, reported to the task: "what: <libav's words>". AVERROR_EXIT after a cancel gives MR_ERR_CANCELLED, quietly. */
mr_status mr_media_error(const mr_host *host, mr_task *task, int averror, const char *what);
/* After libav said ENOMEM. Not short: more was asked for than anybody has, by what the source says of itself; it is damaged or hostile. */
bool mr_media_memory_is_short(void);
/* Quiets libav's own log once (process-wide, that is how libav has it). Errors and warnings go to the host that mr_media_open was called with, which
 * keeps the last ones (log_line); nothing of it is printed. Called by mr_media_open. */
void mr_media_quiet(void);
void mr_media_log_to(const mr_host *host); /* the same, and from now on this is the host */

#endif
