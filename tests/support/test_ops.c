/* SPDX-License-Identifier: MIT */
/* See test_ops.h. Every type of param, every kind of port is here once, so that the language can be tested without plugins. */
#include "test_ops.h"
#include <stddef.h>

static mr_status never_runs(const mr_host *host, const mr_batch *batch)
{
    (void)host;
    (void)batch;
    return MR_ERR_INTERNAL;
}

#define OP(id, op_name, text, op_flags, in, out, op_params, op_size)                                                                                 \
    static const mr_op id = {.size = sizeof(mr_op),                                                                                                  \
                             .version = 1,                                                                                                           \
                             .name = (op_name),                                                                                                      \
                             .summary = (text),                                                                                                      \
                             .flags = (op_flags),                                                                                                    \
                             .cpu = 1,                                                                                                               \
                             .memory_mb = 64,                                                                                                        \
                             .inputs = (in),                                                                                                         \
                             .outputs = (out),                                                                                                       \
                             .params = (op_params),                                                                                                  \
                             .params_size = (op_size),                                                                                               \
                             .run = never_runs}

/* --- ports --- */

static const mr_port source_in[] = {{"source", MR_TYPE_MEDIA, 0, "the video"}, {0}};
static const mr_port source_info_in[] = {{"source", MR_TYPE_MEDIA, 0, "the video"}, {"info", MR_TYPE_JSON, 0, "what it is"}, {0}};
static const mr_port info_in[] = {{"info", MR_TYPE_JSON, 0, "what the source is"}, {0}};
static const mr_port chunk_in[] = {{"source", MR_TYPE_MEDIA, 0, "the video"}, {"chunk", MR_TYPE_CHUNK, 0, "the part"}, {0}};
static const mr_port video_in[] = {{"source", MR_TYPE_MEDIA, 0, "the video"},
                                   {"chunk", MR_TYPE_CHUNK, 0, "the part"},
                                   {"rung", MR_TYPE_JSON, 0, "the rendition"},
                                   {"analysis", MR_TYPE_JSON, MR_PORT_OPTIONAL, "first pass of that part"},
                                   {0}};
static const mr_port audio_in[] = {
    {"source", MR_TYPE_MEDIA, 0, "the video"}, {"chunk", MR_TYPE_CHUNK, 0, "the part"}, {"track", MR_TYPE_JSON, 0, "the track"}, {0}};
static const mr_port subtitles_in[] = {
    {"source", MR_TYPE_MEDIA, 0, "the video"}, {"track", MR_TYPE_JSON, 0, "the track"}, {"plan", MR_TYPE_JSON, 0, "the plan"}, {0}};
static const mr_port package_in[] = {{"plan", MR_TYPE_JSON, 0, "the plan"},
                                     {"segments", MR_TYPE_SEGMENT, MR_PORT_STREAMING, "segments as they are made"},
                                     {"images", MR_TYPE_IMAGE, MR_PORT_MANY | MR_PORT_OPTIONAL, "pictures to publish"},
                                     {0}};
static const mr_port publish_in[] = {{"files", MR_TYPE_FILE, MR_PORT_STREAMING, "what to publish"}, {0}};

static const mr_port probe_out[] = {{"info", MR_TYPE_JSON, 0, "what the source is"},
                                    {"audio_tracks", MR_TYPE_JSON, MR_PORT_MANY, "each sound track"},
                                    {"text_tracks", MR_TYPE_JSON, MR_PORT_MANY, "each text track"},
                                    {0}};
static const mr_port rungs_out[] = {{"rungs", MR_TYPE_JSON, MR_PORT_MANY, "the renditions"}, {0}};
static const mr_port plan_out[] = {{"plan", MR_TYPE_JSON, 0, "the whole"},
                                   {"chunks", MR_TYPE_CHUNK, MR_PORT_MANY, "parts of the picture"},
                                   {"audio_chunks", MR_TYPE_CHUNK, MR_PORT_MANY, "parts of the sound"},
                                   {0}};
static const mr_port stats_out[] = {{"stats", MR_TYPE_JSON, 0, "the first pass"}, {0}};
static const mr_port segments_out[] = {{"segments", MR_TYPE_SEGMENT, MR_PORT_MANY, "what was made"}, {0}};
static const mr_port image_out[] = {{"image", MR_TYPE_IMAGE, MR_PORT_OPTIONAL, "the picture"}, {0}};
static const mr_port storyboard_out[] = {
    {"images", MR_TYPE_IMAGE, MR_PORT_MANY, "the sheets"}, {"track", MR_TYPE_FILE, MR_PORT_OPTIONAL, "where each tile is"}, {0}};
static const mr_port files_out[] = {{"files", MR_TYPE_FILE, MR_PORT_MANY, "publications"}, {0}};
static const mr_port publish_out[] = {
    {"hls", MR_TYPE_FILE, MR_PORT_OPTIONAL, "the multivariant playlist"}, {"dash", MR_TYPE_FILE, MR_PORT_OPTIONAL, "the MPD"}, {0}};

/* --- params --- */

struct rung {
    int64_t height;
    int64_t max_bitrate;
};
static const mr_param rung_fields[] = {
    MR_INT(struct rung, height, .flags = MR_PARAM_REQUIRED, .min = "16", .max = "8192", .help = "height of the picture"),
    MR_BITRATE(struct rung, max_bitrate, .help = "ceiling"),
    MR_PARAM_END,
};
struct ladder {
    mr_list rungs;
};
static const mr_param ladder_params[] = {
    MR_LIST(struct ladder, rungs, .fields = rung_fields, .item_size = sizeof(struct rung), .max = "16", .help = "the renditions wanted"),
    MR_PARAM_END,
};
struct plan {
    int64_t segment_duration;
    mr_ratio frame_rate;
};
static const mr_param plan_params[] = {
    MR_DURATION(struct plan, segment_duration, .standard = "4s", .min = "1s", .max = "15s", .help = "length of a segment"),
    MR_RATIO(struct plan, frame_rate, .help = "frames per second, when it is to be changed"),
    MR_PARAM_END,
};
struct video {
    int32_t codec;
    const char *preset;
    double quality;
    bool deinterlace;
    int64_t max_bitrate;
    int64_t buffer;
    mr_list filters;
    const char *options;
};
static const char *const codecs[] = {"h264", "hevc", "av1", NULL};
static const mr_param video_params[] = {
    MR_CHOICE(struct video, codec, .standard = "h264", .choices = codecs, .help = "the codec"),
    MR_TEXT(struct video, preset, .standard = "medium", .max = "32", .help = "the encoder's speed"),
    MR_NUMBER(struct video, quality, .standard = "0.5", .min = "0", .max = "1", .help = "wanted quality"),
    MR_BOOL(struct video, deinterlace, .standard = "true", .help = "whether interlaced pictures are made whole"),
    MR_BITRATE(struct video, max_bitrate, .standard = "5M", .min = "16k", .help = "ceiling"),
    MR_SIZE(struct video, buffer, .standard = "1MiB", .help = "decoder buffer"),
    MR_LIST(struct video, filters, .item_type = MR_PARAM_TYPE_TEXT, .help = "further filters"),
    MR_JSON(struct video, options, .help = "options for the encoder as they are"),
    MR_PARAM_END,
};
struct package {
    mr_list formats;
};
static const mr_param package_params[] = {
    MR_LIST(struct package, formats, .item_type = MR_PARAM_TYPE_TEXT, .help = "hls and dash"),
    MR_PARAM_END,
};
struct webhook {
    const char *url;
    const char *secret;
};
static const mr_param webhook_params[] = {
    MR_URL(struct webhook, url, .flags = MR_PARAM_REQUIRED, .help = "where to"),
    MR_TEXT(struct webhook, secret, .flags = MR_PARAM_SECRET | MR_PARAM_SILENT, .help = "key of the signature"),
    MR_PARAM_END,
};

OP(manifest_package, "manifest.package", "makes playlists", 0, package_in, files_out, package_params, sizeof(struct package));
OP(notify_webhook, "notify.webhook", "tells a server", MR_OP_EFFECT, NULL, NULL, webhook_params, sizeof(struct webhook));
OP(probe_media, "probe.media", "looks into a file", 0, source_in, probe_out, NULL, 0);
OP(segment_plan, "segment.plan", "plans segments", 0, source_info_in, plan_out, plan_params, sizeof(struct plan));
OP(storage_publish, "storage.publish", "publishes files", MR_OP_EFFECT, publish_in, publish_out, NULL, 0);
OP(thumbnail_poster, "thumbnail.poster", "picks one picture", 0, source_info_in, image_out, NULL, 0);
OP(thumbnail_storyboard, "thumbnail.storyboard", "makes sheets of small pictures", 0, source_info_in, storyboard_out, NULL, 0);
OP(transcode_analyse, "transcode.analyse", "looks ahead", 0, chunk_in, stats_out, NULL, 0);
OP(transcode_audio, "transcode.audio", "encodes sound", 0, audio_in, segments_out, NULL, 0);
OP(transcode_ladder, "transcode.ladder", "chooses renditions", 0, info_in, rungs_out, ladder_params, sizeof(struct ladder));
OP(transcode_subtitles, "transcode.subtitles", "converts subtitles", 0, subtitles_in, segments_out, NULL, 0);
OP(transcode_video, "transcode.video", "encodes pictures", 0, video_in, segments_out, video_params, sizeof(struct video));

static const mr_op_entry entries[] = {
    {&manifest_package, "manifest"},      {&notify_webhook, "notify"},         {&probe_media, "probe"},
    {&segment_plan, "segment"},           {&storage_publish, "storage"},       {&thumbnail_poster, "thumbnail"},
    {&thumbnail_storyboard, "thumbnail"}, {&transcode_analyse, "transcode"},   {&transcode_audio, "transcode"},
    {&transcode_ladder, "transcode"},     {&transcode_subtitles, "transcode"}, {&transcode_video, "transcode"},
};
const mr_op_set test_ops = {.entries = entries, .count = sizeof(entries) / sizeof(entries[0])};
