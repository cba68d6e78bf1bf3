/* SPDX-License-Identifier: MIT */
/*
 * What there is to package: renditions with their segments, and picture sheets. Filled from metadata in any order of arrival; sorted by
 * kind, order, source stream and path before anything is written, so that what is written depends on the segments alone.
 * Everything here comes from other ops, and through them from a hostile file: it is checked before it is kept.
 */
#ifndef MANIFEST_MODEL_H
#define MANIFEST_MODEL_H

#include <jansson.h>
#include <millrace/op.h>

enum {
    RENDITIONS_MAX = 256,
    SEGMENTS_MAX = 100000,       /* of one rendition: 27 hours of one second */
    SHEETS_MAX = 10000,          /* picture sheets of a storyboard */
    PATH_SIZE = 512,             /* of a rendition's folder */
    PLACE_SIZE = PATH_SIZE + 32, /* of a file in it */
    NAME_SIZE = 256,
};

typedef enum mr_kind { KIND_VIDEO, KIND_AUDIO, KIND_TEXT, KIND_MUXED, KIND_COUNT } mr_kind;

typedef struct mr_piece {
    int64_t start; /* media time, ticks of the rendition's timescale */
    int64_t duration;
    uint64_t size;
    uint32_t iframe_bytes; /* 0: not known */
    bool present;
} mr_piece;

typedef struct mr_rendition {
    mr_kind kind;
    char path[PATH_SIZE]; /* its folder in the published tree */
    /* from its init artifact */
    bool has_init;
    bool init_has_content;
    char init_digest[80];
    char init_ext[9];
    char codec[128];
    char codec_name[32];
    char name[NAME_SIZE];
    char language[36]; /* well-formed BCP 47, or "" when not known */
    int64_t order;
    int64_t timescale;
    int64_t priming; /* ticks of media time before presentation time 0 */
    int64_t max_bitrate;
    int64_t stream; /* the source's; -1: not known */
    int64_t width, height;
    mr_ratio fps;
    char video_range[8];
    int64_t channels, sample_rate;
    bool is_default, forced;
    /* its media segments */
    char ext[9];
    mr_piece *pieces;
    size_t count; /* the highest index that came, plus one */
    size_t capacity;
    size_t present; /* how many came */
    size_t prefix;  /* how many came without a hole, from the first on */
    /* text: the one file that holds everything */
    uint64_t whole_size;
    char whole_ext[9]; /* "": there is none */
    bool foreseen;     /* all pieces are there, as planned; those that did not come are not present */
    /* what has been published of it, kept by the fold */
    size_t grown;
    bool is_final;
} mr_rendition;

/* The picture sheets of a storyboard: PREFIX 00000 SUFFIX, PREFIX 00001 SUFFIX … */
typedef struct mr_storyboard {
    char prefix[PATH_SIZE];
    char suffix[16];
    char content_type[64];
    int64_t width, height, columns, rows, interval_us;
    uint64_t bytes;
    size_t count;
    bool *present;
    bool broken; /* sheets that don't fit a pattern: published, but not named in the MPD */
} mr_storyboard;

typedef struct mr_plan {
    int64_t duration_us;
    size_t segments[KIND_COUNT];    /* how many are planned; 0: not known */
    int64_t longest_us[KIND_COUNT]; /* the longest of them */
    int64_t *tracks;                /* sound tracks that will be encoded: numbers of source streams */
    int64_t *track_us;              /* and where each ends */
    int64_t *track_samples;         /* the same, in samples */
    size_t track_count;
    bool has_video;
    /* the same, one by one: start and length in ticks, of presentation time; for those that can be foreseen (foreseen.c) */
    struct {
        int64_t timescale;
        int64_t (*pieces)[2];
        size_t count;
    } foreseen[KIND_COUNT];
} mr_plan;

typedef struct mr_model {
    const mr_host *host; /* for words */
    mr_task *task;
    mr_plan plan;
    mr_rendition *renditions[RENDITIONS_MAX];
    size_t count;
    mr_storyboard storyboard;
} mr_model;

void model_free(mr_model *model);
/* These report what they refuse. The metadata is that of a segment, an image, the plan. */
mr_status model_read_plan(mr_model *model, const char *meta);
/* *ret_path (PLACE_SIZE) is where the content is published; "" when there is nothing (new) to publish. */
mr_status model_add_segment(mr_model *model, const mr_artifact *segment, char *ret_path, mr_rendition **ret_rendition);
mr_status model_add_image(mr_model *model, const mr_artifact *image, char *ret_path, char ret_type[64]);
/* By kind, order, size (pictures, the largest first), source stream and path. */
void model_sort(mr_model *model);
/* Everything is there and fits together; call after sorting. */
mr_status model_check(const mr_model *model);
/* foreseen.c. Keeps the plan's segments one by one; what is out of range was refused before. False: memory is short. */
bool plan_foresee(mr_plan *plan, mr_kind kind, const json_t *segments, int64_t timescale, int64_t unit);
/* After its init segment: fills in what the plan says of its media segments, where that is exact. MR_ERR_NOMEM. */
mr_status model_foresee(mr_model *model, mr_rendition *rendition);
/* At the end: what was foreseen of its tail and did not come is not counted. */
void model_trim(mr_rendition *rendition);
mr_status model_reserve(const mr_model *model, mr_rendition *rendition, size_t count); /* pieces */
const char *kind_name(mr_kind kind);
/* "" for a text rendition's playlist folder and the like never occurs: path is plain. */
bool path_is_plain(const char *path);

/* measure.c: numbers that manifests state. */
#define TIME_MAX_US (INT64_C(1) << 53) /* 285 years: sums and products of a few times stay within 64 bits */
/* ticks >= 0; later times are TIME_MAX_US, and refused by model_check. */
int64_t ticks_to_us(int64_t ticks, int64_t timescale);
/* Presentation time at which piece i begins, and at which piece count ends. */
int64_t piece_start_us(const mr_rendition *rendition, size_t i);
int64_t piece_end_us(const mr_rendition *rendition, size_t i);
/* What EXTINF says: how long piece i is in media time, priming included, so that the sum of those before it is its tfdt. */
int64_t piece_media_us(const mr_rendition *rendition, size_t i);
/* The longest segment among those planned and those made (first n), as the rounded seconds of EXT-X-TARGETDURATION. */
int64_t target_seconds(const mr_model *model, const mr_rendition *rendition, size_t n);
typedef struct mr_bitrate {
    int64_t peak, average;
} mr_bitrate;
/* RFC 8216, 4.3.4.2: of any contiguous segments that last between half and one and a half times the target. iframes: of the first samples alone. */
mr_bitrate rendition_bitrate(const mr_rendition *rendition, size_t n, int64_t target, bool iframes);
/* What it is meant to stay under, with a tenth for the container; a guess where nobody said. */
int64_t rendition_ceiling(const mr_rendition *rendition);
bool has_iframes(const mr_rendition *rendition);
int64_t presentation_us(const mr_model *model);

#endif
