/* SPDX-License-Identifier: MIT */
/*
 * What media may ask for (millrace/limits.h), kept where it is opened and where it is decoded: input.c and decoder.c use this, so every op that
 * reads through them does. What goes beyond is refused with MR_ERR_INPUT and one sentence: what is asked for, the setting, what it allows.
 */
#ifndef MR_MEDIA_LIMITS_H
#define MR_MEDIA_LIMITS_H

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <millrace/op.h>

typedef enum mr_limit {
    MR_LIMIT_PICTURE_PIXELS,
    MR_LIMIT_PICTURE_SIDE,
    MR_LIMIT_FRAME_RATE,
    MR_LIMIT_PACKETS,
    MR_LIMIT_DURATION,
    MR_LIMIT_STREAMS,
    MR_LIMIT_SAMPLE_RATE,
    MR_LIMIT_CHANNELS,
    MR_LIMIT_CHAPTERS,
    MR_LIMIT_METADATA,
    MR_LIMIT_DECODED,
} mr_limit;

/* The operator's; the defaults from a host that has none to tell. */
const mr_limits *mr_limits_of(const mr_host *host, const mr_task *task);

/* What libav's decoders may be told (max_pixels): they count what they round a picture's sides up to. Exact is the check of each frame. */
int64_t mr_limits_max_pixels(const mr_limits *limits);

/* Reports "FMT…, more than limits.… allows (…)" and returns MR_ERR_INPUT. */
mr_status mr_limit_exceeded(const mr_host *host, mr_task *task, mr_limit limit, const char *fmt, ...) MR_PRINTF(4, 5);
/* The same as a warning: what goes beyond is left out, and the rest is of use. */
void mr_limit_left_out(const mr_host *host, mr_task *task, mr_limit limit, const char *fmt, ...) MR_PRINTF(4, 5);

/* What the headers ask for. To be called when the container is open, and again when its streams were found. */
mr_status mr_limits_check_headers(const mr_host *host, mr_task *task, const char *name, const AVFormatContext *format);
mr_status mr_limits_check_picture(const mr_host *host, mr_task *task, const char *name, int64_t width, int64_t height);
/* So many pictures lie within seconds, which is at most one. */
mr_status mr_limits_check_rate(const mr_host *host, mr_task *task, const char *name, int64_t pictures, double seconds);
mr_status mr_limits_check_duration(const mr_host *host, mr_task *task, const char *name, int64_t duration_us);
/* An index of so many packets: more than there may be, or more than the source has bytes? */
mr_status mr_limits_check_index(const mr_host *host, mr_task *task, const char *name, uint64_t packets, uint64_t source_bytes);
/* May so much come out of so much? */
mr_status mr_limits_check_decoded(const mr_host *host, mr_task *task, const char *name, uint64_t input_bytes, uint64_t decoded_bytes);

/* Before libav reads an MP4: tables of samples that are larger than there may be samples, or than the file; tracks without end. */
mr_status mr_limits_check_mp4(const mr_host *host, mr_task *task, const mr_artifact *source, const char *name);

/*
 * Watches one decoder: pictures that grow on the way, tiny packets that make terabytes, pictures without end in one second.
 */
typedef struct mr_decode_guard {
    const mr_host *host;
    mr_task *task;
    const AVFormatContext *format;
    const AVStream *stream;
    uint64_t fed;     /* bytes given to the decoder */
    uint64_t decoded; /* bytes that came out */
    uint64_t frames;
    unsigned int refused; /* pictures in a row that the decoder did not begin, because of their size */
    int width, height;    /* of the last of them; 0: not known */
    int64_t second_us;    /* begin of the second that is counted */
    int64_t latest_us;
    int64_t in_second; /* pictures that lie in it, one after the other */
} mr_decode_guard;

/* Before avcodec_open2(): sets what the decoder itself looks at. */
void mr_guard_init(mr_decode_guard *guard, const mr_host *host, mr_task *task, const AVFormatContext *format, const AVStream *stream,
                   AVCodecContext *codec);
/* After avcodec_send_packet(), or with NULL after avcodec_receive_frame() that gave no frame. averror: what it returned. */
mr_status mr_guard_packet(mr_decode_guard *guard, const AVCodecContext *codec, const AVPacket *packet, int averror);
/* After a frame came out. us: when it is shown, AV_NOPTS_VALUE: not known. */
mr_status mr_guard_frame(mr_decode_guard *guard, const AVFrame *frame, int64_t us);
/* At the end: were the last pictures too large? Refuses when there were no others. */
mr_status mr_guard_end(const mr_decode_guard *guard);

#endif
