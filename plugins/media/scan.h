/* SPDX-License-Identifier: MIT */
/*
 * Reading a source from one end to the other, packets only: what is really there, whatever its headers promise.
 * The packets of an MP4 are those of its tables, as far as the file goes: where nothing more is to be learnt from what is in them, their bytes are
 * not read, so that gigabytes take no longer than their tables. The result is the same.
 * A "frame" below is one packet of the picture track in decoding order, with what is known about it without decoding.
 */
#ifndef MR_MEDIA_SCAN_H
#define MR_MEDIA_SCAN_H

#include "media/input.h"

enum {
    MR_FRAME_KEY = 1u << 0,
    MR_FRAME_HIDDEN = 1u << 1,  /* makes no picture of its own: second field, alternate reference, empty packet (never a key), cut by an edit list */
    MR_FRAME_GUESSED = 1u << 2, /* had no presentation time: it is the decoding time, or a guess */
    MR_FRAME_GRADUAL = 1u << 3, /* a keyframe by its mark only: the picture becomes whole over the frames that follow (intra refresh) */
};

typedef struct mr_scan_frame {
    int64_t pts;      /* ticks of the stream's time base */
    int64_t duration; /* ticks; 0: not known */
    uint32_t flags;   /* MR_FRAME_* */
    uint32_t size;    /* bytes of the packet */
} mr_scan_frame;

/* A place on the way through a track: about one for each second of it. */
typedef struct mr_scan_mark {
    int64_t us;
    int64_t from;  /* place in the file: reading that begins there meets the keyframe before the mark; 0: not known */
    int64_t until; /* what is shown before us lies before this place */
} mr_scan_mark;

typedef struct mr_scan_track {
    uint64_t packets, bytes;
    int64_t
        first_us; /* earliest presentation time, and the latest end; AV_NOPTS_VALUE without packets. Priming and padding of sound are not counted */
    int64_t end_us;
    mr_scan_mark *marks; /* Matroska and MPEG-TS only: the index of others tells as much */
    size_t mark_count;
} mr_scan_track;

typedef struct mr_scan {
    mr_scan_track *tracks; /* by stream index */
    unsigned int track_count;
    int video; /* the stream of frames; -1: none */
    mr_scan_frame *frames;
    size_t frame_count;
    bool complete;      /* false: stopped at max_bytes */
    bool restarts;      /* the clock of a track starts anew on the way: several recordings in one file */
    int64_t restart_us; /* … after this time */
    bool belied;        /* a packet that the tables list as a keyframe is none; the scan ended there. Only with each_key */
} mr_scan;

typedef struct mr_scan_options {
    int video;          /* stream whose frames are listed; -1: none */
    uint64_t max_bytes; /* stops after so much of the file; 0: at its end */
    /* Called with each packet of picture and sound, before it is counted; NULL: nobody. Anything but MR_OK ends the scan with it. */
    mr_status (*packet)(void *opaque, AVPacket *packet);
    /* Does it still look at what is in them? Asked after each packet; NULL: it never does. */
    bool (*wants_data)(void *opaque);
    void *opaque;
    /* Where packets are taken from tables: each keyframe that they list is looked at, and is one only if it says so itself (mr_scan.belied). */
    bool each_key;
} mr_scan_options;

/* Reads format to its end. Subtitles and data are not read. Progress is reported within [0, 1]. */
mr_status mr_scan_run(const mr_host *host, mr_task *task, AVFormatContext *format, const mr_scan_options *options, mr_scan *ret_scan);
void mr_scan_free(mr_scan *scan);

/* Which bytes hold what of a track is shown from one time to the other. No end where the scan didn't come past it; not known without marks. */
mr_media_bounds mr_scan_bounds(const mr_scan *scan, int stream, int64_t from_us, int64_t to_us);

/* The presentation times of the frames that make pictures, sorted, each once: ticks. *ret_times is freed with av_free. */
mr_status mr_scan_times(const mr_scan *scan, int64_t **ret_times, size_t *ret_count);
/* When the last of them ends: ticks. Its duration is believed within reason, else it is a frame's. times as from mr_scan_times; count > 0. */
int64_t mr_scan_end(const mr_scan *scan, const int64_t *times, size_t count, AVRational time_base, AVRational fps);

#endif
