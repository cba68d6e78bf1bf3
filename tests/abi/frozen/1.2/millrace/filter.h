/* SPDX-License-Identifier: MIT */
/*
 * Frame filters: per-frame work between decoding and scaling, offered by plugins and named in pipelines:
 *
 *     filters: [{use: overlay.logo, with: {opacity: 0.5}}, "eq=contrast=1.1"]
 *
 * Ops that read pictures (transcode.video, transcode.analyse, transcode.file) have a param of the type MR_PARAM_TYPE_FILTERS and call what is in it.
 * A plugin that offers filters lists them in mr_plugin.filters; it needs to know nothing of codecs and containers.
 *
 * What a filter gets
 *   Upright, progressive pictures on the grid of frames of the output, in the colours that encoders are given: 4:2:0, BT.709 in 8 bits, or BT.2020
 *   in 10 bits where HDR is kept. One picture comes out for each that goes in, and the size may differ.
 *
 * One of two kinds
 *   - A filter with apply() makes pixels.
 *   - A filter with steer() never sees pixels: it names a chain of libavfilter, and sets some of its options for each frame.
 *
 * Pure
 *   A video is made in chunks, in any order, by several processes, and a chunk again when it failed. So a picture that comes out is a function of the
 *   params, of the frame's number and time, and of the pictures that reach() asks for, and of nothing else: no clock, no chance, nothing remembered
 *   from frame to frame but what could be computed anew (tables, scratch memory). A filter that must remember says that it needs the whole: it gets
 *   all frames from the first to the last in one go, and only ops that work on the whole take it. The filter's name and version, its plugin's name
 * and version, its toolchain and its params are part of the identity of what is made with it: raise the version when its pictures change.
 *
 * Where it runs and on which thread
 *   In the task host of the op that uses it (op.h, "Where it runs"): it has no files, no network; what it needs besides params, load() has brought.
 *   Calls with one state never overlap and come from one thread; several states live at the same time on several threads.
 *
 * Memory
 *   The caller owns all pictures. Strides are positive; no alignment is promised but that of a sample. Pointers are valid during the call only.
 */
#ifndef MILLRACE_FILTER_H
#define MILLRACE_FILTER_H

#include "op.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MR_FRAME_PLANES = 4, MR_FILTER_REACH_MAX = 32 /* frames before and after, each */ };

typedef enum mr_pixels {
    MR_PIXELS_END = 0,       /* ends a list of formats */
    MR_PIXELS_YUV420P = 1,   /* planes Y, U, V; 8 bits a sample */
    MR_PIXELS_YUV420P10 = 2, /* planes Y, U, V; 10 bits in 16, native byte order */
} mr_pixels;

/* What all pictures of a video have in common. */
typedef struct mr_video_format {
    uint32_t size;   /* sizeof(mr_video_format) of the caller */
    uint32_t pixels; /* mr_pixels */
    int32_t width;
    int32_t height;
    mr_ratio frame_rate; /* of the grid */
    /* Code points of ITU-T H.273; the range is limited. */
    int32_t primaries;
    int32_t transfer;
    int32_t matrix;
    int32_t reserved;
} mr_video_format;

/* One plane: rows of samples, top to bottom. */
typedef struct mr_plane {
    uint8_t *data;  /* of pictures that are read: not to be written to */
    int64_t stride; /* bytes from one row to the next */
    int32_t width;  /* samples */
    int32_t height; /* rows */
} mr_plane;

/* A picture. */
typedef struct mr_picture {
    uint32_t size; /* sizeof(mr_picture) of the caller */
    uint32_t planes;
    int64_t number;                  /* on the grid of the whole video: 0 is its first frame; -1 for filters with MR_FILTER_STILL */
    int64_t time_us;                 /* when it is shown, from the start of the video; -1 for filters with MR_FILTER_STILL */
    mr_plane plane[MR_FRAME_PLANES]; /* for steer(): empty */
} mr_picture;

/* What apply() may look at. Near the ends of the video there are fewer frames than reach() asked for. */
typedef struct mr_frame_window {
    uint32_t size; /* sizeof(mr_frame_window) of the caller */
    uint32_t count;
    const mr_picture *const *frames; /* in order, without gaps */
    uint32_t at;                     /* the index of the frame that is due */
    uint32_t reserved;
} mr_frame_window;

/* How far apply() looks. */
typedef struct mr_reach {
    uint32_t size; /* sizeof(mr_reach) of the caller */
    uint32_t back; /* frames before the one that is due, at most MR_FILTER_REACH_MAX */
    uint32_t ahead;
    uint32_t whole; /* 1: it remembers, and needs all frames from the first on */
} mr_reach;

/* Where steer() puts its values. */
typedef struct mr_steering mr_steering;
struct mr_steering {
    uint32_t size;
    uint32_t reserved;
    /* setting: its index in mr_frame_filter.settings. The text is copied. MR_ERR_LIMIT: longer than 4,096 bytes. */
    mr_status (*set)(const mr_steering *to, uint32_t setting, const char *value);
};

enum {
    MR_FILTER_IN_PLACE = 1u << 0, /* frames[at] and out share their planes, where the size stays: what is not written stays as it was */
    MR_FILTER_STILL = 1u << 1,    /* does not look at number and time: a picture that is shown for several frames is filtered once */
};

typedef struct mr_frame_filter mr_frame_filter;
struct mr_frame_filter {
    uint32_t size;       /* sizeof(mr_frame_filter) */
    uint32_t version;    /* part of the identity of what is made with it */
    const char *name;    /* "plugin.noun": overlay.logo */
    const char *summary; /* one sentence in lower case, no full stop */
    const char *help;    /* paragraphs for the reference page; NULL: none */
    uint32_t flags;
    uint32_t reserved;
    const mr_param *params; /* what may stand under 'with'; ends with MR_PARAM_END; NULL: none. No param of a filter is a list of filters */
    size_t params_size;
    const uint32_t *pixels; /* the mr_pixels that it takes; ends with MR_PIXELS_END; NULL: all. Others are converted for it, and back */

    /* How far it looks with these params; ret_reach is zeroed. Any thread; also where pipelines are checked. NULL: at the frame that is due alone. */
    void (*reach)(const mr_frame_filter *filter, const void *params, mr_reach *ret_reach);
    /*
     * Prepares for pictures like 'in'. 'out' is the same, and a filter with apply() may change its width and height, which must be even and at least
     * 16. What is wrong is reported with host->report (param: of the filter's own table, or NULL). params stay valid until close().
     */
    mr_status (*open)(const mr_host *host, mr_task *task, const mr_frame_filter *filter, const void *params, const mr_video_format *in,
                      mr_video_format *out, void **ret_state);
    void (*close)(void *state); /* NULL: nothing to free. Not called when open() failed */
    /* Fills all planes of out, which has the frame's number and time. An error ends the task: report why. NULL: steer() does it. */
    mr_status (*apply)(void *state, const mr_frame_window *window, const mr_picture *out);

    /* Filters without apply(). The chain, as under 'filters' in a pipeline, and drawtext beside: asked once after open(); it lives as long as state.
     */
    const char *(*chain)(void *state);
    /*
     * The options that are set for each frame, as "filter.option", or "filter@name.option" where the chain has that filter more than once
     * ("crop.x", "drawtext.text"); ends with NULL. Each must be one that can change while the filter runs.
     */
    const char *const *settings;
    /* Gives every setting its value for this frame. */
    mr_status (*steer)(void *state, const mr_picture *frame, const mr_steering *to);

    /* The libraries whose version decides what comes out; part of the identity. NULL: none. */
    const char *(*toolchain)(void);
};

/* What an op finds in a param of the type MR_PARAM_TYPE_FILTERS: one entry of the list, checked. */
typedef struct mr_filter_use {
    uint32_t size; /* sizeof(mr_filter_use) of the engine */
    uint32_t reserved;
    const char *chain;             /* a chain of libavfilter as it is written; NULL: it is a plugin's */
    const mr_frame_filter *filter; /* NULL: it is a chain */
    const char *plugin;            /* the filter's plugin with its version, "overlay 1.0.0" */
    const void *params;            /* the filter's struct, filled */
    const char *key;               /* equal for two entries that make the same of the same pictures */
} mr_filter_use;

#ifdef __cplusplus
}
#endif
#endif
