/* SPDX-License-Identifier: MIT */
/* The parts of an info (docs/plugin-author/artifacts.md): what is said of each track, of chapters and tags. */
#include "probe.h"

#include <libavutil/display.h>
#include <libavutil/pixdesc.h>
#include <math.h>
#include <string.h>
#include "media/language.h"
#include "media/rate.h"

#define MAX_KEYFRAMES 20000
#define MAX_CHAPTERS  1000
#define MAX_TAGS      64
#define MAX_TAG_BYTES 1024
#define MAX_SAR       8.0 /* beyond, a sample aspect ratio is taken for a mistake */
#define SILENCE_DBFS  (-120.0)

static void set_text(json_t *object, const char *key, const char *value)
{
    size_t len = value ? strlen(value) : 0;
    if (len > 0 && len <= MAX_TAG_BYTES)
        json_object_set_new(object, key, json_string(value)); /* nothing where it isn't UTF-8 */
}

static void set_int(json_t *object, const char *key, int64_t value)
{
    json_object_set_new(object, key, json_integer(value));
}

static void set_ratio(json_t *object, const char *key, AVRational value)
{
    json_object_set_new(object, key, json_pack("[i,i]", value.num, value.den));
}

static const uint8_t *stream_side_data(const AVStream *stream, enum AVPacketSideDataType type, size_t *ret_size)
{
#if LIBAVFORMAT_VERSION_INT >= AV_VERSION_INT(60, 15, 100)
    const AVPacketSideData *side = av_packet_side_data_get(stream->codecpar->coded_side_data, stream->codecpar->nb_coded_side_data, type);
    *ret_size = side ? side->size : 0;
    return side ? side->data : NULL;
#else
    return av_stream_get_side_data(stream, type, ret_size);
#endif
}

/* ISO/IEC 14496-12, 8.2.2: (x, y) goes to (a·x + c·y, b·x + d·y), y downwards. As "mirror left to right, then turn clockwise". */
static void orientation(const probe_state *probe, const AVStream *stream, int *ret_rotation, bool *ret_mirror)
{
    const track_sample *sample = &probe->samplers[stream->index];
    int32_t matrix[9];
    size_t size = 0;
    const uint8_t *side = stream_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
    *ret_rotation = 0;
    *ret_mirror = false;
    if (side && size >= sizeof(matrix))
        memcpy(matrix, side, sizeof(matrix));
    else if (sample->has_display_matrix)
        memcpy(matrix, sample->display_matrix, sizeof(matrix));
    else
        return;
    double a = matrix[0];
    double b = matrix[1];
    double c = matrix[3];
    double d = matrix[4];
    double determinant = a * d - b * c;
    if (determinant == 0.0)
        return;
    if (determinant < 0.0) {
        *ret_mirror = true;
        a = -a;
        b = -b;
    }
    long quarter = lround(atan2(b, a) / (M_PI / 2.0));
    *ret_rotation = (int)(((quarter % 4) + 4) % 4) * 90;
}

static AVRational sample_aspect(const probe_state *probe, AVStream *stream)
{
    const track_sample *sample = &probe->samplers[stream->index];
    AVRational sar = stream->sample_aspect_ratio.num > 0 ? stream->sample_aspect_ratio : sample->sar;
    if (sar.num <= 0 || sar.den <= 0)
        sar = stream->codecpar->sample_aspect_ratio;
    if (sar.num <= 0 || sar.den <= 0 || av_q2d(sar) > MAX_SAR || av_q2d(sar) < 1.0 / MAX_SAR)
        return (AVRational){1, 1};
    av_reduce(&sar.num, &sar.den, sar.num, sar.den, INT32_MAX);
    return sar;
}

static int even(double size)
{
    return size < 2.0 ? 2 : (int)(size / 2.0 + 1e-9) * 2;
}

static void set_sizes(const probe_state *probe, AVStream *stream, json_t *video)
{
    const track_sample *sample = &probe->samplers[stream->index];
    AVRational sar = sample_aspect(probe, stream);
    int rotation;
    bool mirror;
    orientation(probe, stream, &rotation, &mirror);
    int width = even(round(sample->width * av_q2d(sar)));
    int height = even(sample->height);
    bool sideways = rotation == 90 || rotation == 270;
    set_int(video, "width", sample->width);
    set_int(video, "height", sample->height);
    set_ratio(video, "sar", sar);
    set_int(video, "rotation", rotation);
    json_object_set_new(video, "mirror", json_boolean(mirror));
    set_int(video, "display_width", sideways ? height : width);
    set_int(video, "display_height", sideways ? width : height);
}

/* What frames say goes before what the container says; "unknown" is left out. */
static void set_colours(const probe_state *probe, const AVStream *stream, json_t *video)
{
    const track_sample *sample = &probe->samplers[stream->index];
    const AVCodecParameters *codec = stream->codecpar;
    const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(sample->pixel_format);
    enum AVColorPrimaries primaries = sample->primaries != AVCOL_PRI_UNSPECIFIED ? sample->primaries : codec->color_primaries;
    enum AVColorTransferCharacteristic transfer = sample->transfer != AVCOL_TRC_UNSPECIFIED ? sample->transfer : codec->color_trc;
    enum AVColorSpace matrix = sample->matrix != AVCOL_SPC_UNSPECIFIED ? sample->matrix : codec->color_space;
    enum AVColorRange range = sample->range != AVCOL_RANGE_UNSPECIFIED ? sample->range : codec->color_range;
    bool full = range == AVCOL_RANGE_JPEG || (format && strncmp(format->name, "yuvj", 4) == 0) || (format && (format->flags & AV_PIX_FMT_FLAG_RGB));
    size_t size;
    bool static_hdr = sample->static_hdr || stream_side_data(stream, AV_PKT_DATA_MASTERING_DISPLAY_METADATA, &size) ||
                      stream_side_data(stream, AV_PKT_DATA_CONTENT_LIGHT_LEVEL, &size);
    const char *hdr = "none";
    if (transfer == AVCOL_TRC_ARIB_STD_B67)
        hdr = "hlg";
    else if (transfer == AVCOL_TRC_SMPTE2084)
        hdr = static_hdr ? "hdr10" : "pq";
    if (format) {
        set_text(video, "pixel_format", format->name);
        set_int(video, "bit_depth", format->comp[0].depth);
    }
    set_text(video, "range", full ? "full" : "limited");
    if (primaries != AVCOL_PRI_UNSPECIFIED)
        set_text(video, "primaries", av_color_primaries_name(primaries));
    if (transfer != AVCOL_TRC_UNSPECIFIED)
        set_text(video, "transfer", av_color_transfer_name(transfer));
    if (matrix != AVCOL_SPC_UNSPECIFIED)
        set_text(video, "matrix", av_color_space_name(matrix));
    set_text(video, "hdr", hdr);
}

/* Frames tell; where the decoder does not know of fields, the container. A quarter of the frames is enough: cameras mix. */
static const char *interlacing(const probe_state *probe, const AVStream *stream)
{
    const track_sample *sample = &probe->samplers[stream->index];
    if (sample->interlaced * 4 >= sample->frames && sample->interlaced > 0)
        return sample->bottom_first * 2 > sample->interlaced ? "bff" : "tff";
    if (stream->codecpar->codec_id == AV_CODEC_ID_H264 || stream->codecpar->codec_id == AV_CODEC_ID_MPEG2VIDEO)
        return "no";
    switch (stream->codecpar->field_order) {
    case AV_FIELD_TT:
    case AV_FIELD_BT: return "tff"; /* the second letter is what is displayed first */
    case AV_FIELD_BB:
    case AV_FIELD_TB: return "bff";
    default: return "no";
    }
}

static void set_codec(const AVCodecParameters *codec, json_t *track)
{
    set_text(track, "codec", avcodec_get_name(codec->codec_id));
    set_text(track, "profile", avcodec_profile_name(codec->codec_id, codec->profile));
    if (codec->level > 0)
        set_int(track, "level", codec->level);
}

static void set_bit_rate(const mr_scan *scan, const AVStream *stream, int64_t duration_us, json_t *track)
{
    uint64_t bytes = scan->tracks[stream->index].bytes;
    if (scan->complete && duration_us > 0 && bytes < UINT64_MAX / 16)
        set_int(track, "bit_rate", av_rescale((int64_t)bytes * 8, 1000000, duration_us));
    else if (stream->codecpar->bit_rate > 0)
        set_int(track, "bit_rate", stream->codecpar->bit_rate);
}

static json_t *keyframes(const probe_state *probe, const AVStream *stream)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < probe->scan.frame_count; i++) {
        const mr_scan_frame *frame = &probe->scan.frames[i];
        if (!(frame->flags & MR_FRAME_KEY) || (frame->flags & MR_FRAME_HIDDEN))
            continue;
        if (json_array_size(list) >= MAX_KEYFRAMES) {
            json_decref(list);
            return NULL;
        }
        json_array_append_new(list, json_integer(av_rescale_q(frame->pts, stream->time_base, AV_TIME_BASE_Q)));
    }
    return list;
}

/* Start, length and rate: from the packets, when all were read; from the header for what lies beyond the scan limit. */
static bool set_times(const probe_state *probe, const AVStream *stream, json_t *video)
{
    const AVRational hints[] = {stream->avg_frame_rate, stream->r_frame_rate};
    int64_t *times = NULL;
    size_t count = 0;
    if (mr_scan_times(&probe->scan, &times, &count) != MR_OK || count == 0) {
        av_free(times);
        return false;
    }
    mr_rate rate = mr_rate_find(times, count, stream->time_base, hints, 2);
    int64_t start_us = av_rescale_q(times[0], stream->time_base, AV_TIME_BASE_Q);
    int64_t end = mr_scan_end(&probe->scan, times, count, stream->time_base, rate.fps);
    int64_t duration_us = av_rescale_q(end, stream->time_base, AV_TIME_BASE_Q) - start_us;
    if (!probe->scan.complete && stream->duration != AV_NOPTS_VALUE)
        duration_us = av_rescale_q(stream->duration, stream->time_base, AV_TIME_BASE_Q);
    else if (!probe->scan.complete && probe->format->duration != AV_NOPTS_VALUE)
        duration_us = probe->format->duration;
    av_free(times);
    set_ratio(video, "frame_rate", rate.fps);
    json_object_set_new(video, "variable_rate", json_boolean(rate.variable));
    set_int(video, "start_us", start_us);
    set_int(video, "duration_us", duration_us);
    set_ratio(video, "time_base", stream->time_base);
    set_bit_rate(&probe->scan, stream, duration_us, video);
    return true;
}

json_t *probe_describe_video(const probe_state *probe)
{
    AVStream *stream = probe->format->streams[probe->video];
    json_t *video = json_object();
    if (!video)
        return NULL;
    set_int(video, "stream", stream->index);
    set_codec(stream->codecpar, video);
    set_sizes(probe, stream, video);
    set_colours(probe, stream, video);
    set_text(video, "interlaced", interlacing(probe, stream));
    if (!set_times(probe, stream, video)) {
        json_decref(video);
        return NULL;
    }
    json_t *list = probe->scan.complete ? keyframes(probe, stream) : NULL;
    if (list)
        json_object_set_new(video, "keyframes_us", list);
    return video;
}

/* BCP 47, or the words of the file; und when it says nothing, or nonsense. */
static void set_language(const AVStream *stream, json_t *track)
{
    const AVDictionaryEntry *entry = av_dict_get(stream->metadata, "language", NULL, 0);
    const char *value = entry ? entry->value : "";
    size_t len = strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");
    bool plausible = len >= 2 && len <= 35 && value[len] == '\0';
    set_text(track, "language", plausible ? mr_language_tag(value) : "und");
}

static void set_title(const AVStream *stream, json_t *track)
{
    const AVDictionaryEntry *entry = av_dict_get(stream->metadata, "title", NULL, 0);
    json_object_set_new(track, "title", json_string(""));
    if (entry)
        set_text(track, "title", entry->value);
}

static void set_loudness(const probe_state *probe, const track_sample *sample, json_t *audio)
{
    if (!sample->loudness || !probe->scan.complete)
        return;
    mr_loudness_meter_add(sample->loudness, NULL);
    mr_loudness_reading reading = mr_loudness_meter_read(sample->loudness);
    double lufs = fmax(reading.integrated, MR_SILENCE_LUFS);
    double peak = mr_peak_db(reading.true_peak, SILENCE_DBFS);
    if (reading.measured)
        json_object_set_new(audio, "loudness", json_pack("{s:f,s:f}", "i_lufs", round(lufs * 100.0) / 100.0, "tp_dbfs", round(peak * 100.0) / 100.0));
}

json_t *probe_describe_audio(probe_state *probe, const AVStream *stream)
{
    track_sample *sample = &probe->samplers[stream->index];
    const mr_scan_track *scanned = &probe->scan.tracks[stream->index];
    char layout[128] = "";
    json_t *audio = json_object();
    if (!audio)
        return NULL;
    int64_t start_us = sample->first_us != AV_NOPTS_VALUE ? sample->first_us : 0;
    int64_t end_us = scanned->end_us != AV_NOPTS_VALUE ? scanned->end_us : start_us;
    int64_t duration_us = end_us > start_us ? end_us - start_us : 0;
    if (!probe->scan.complete && stream->duration != AV_NOPTS_VALUE)
        duration_us = av_rescale_q(stream->duration, stream->time_base, AV_TIME_BASE_Q);
    else if (!probe->scan.complete && probe->format->duration != AV_NOPTS_VALUE)
        duration_us = probe->format->duration;
    set_int(audio, "stream", stream->index);
    set_codec(stream->codecpar, audio);
    set_int(audio, "sample_rate", sample->sample_rate);
    set_int(audio, "channels", sample->layout.nb_channels);
    if (av_channel_layout_describe(&sample->layout, layout, sizeof(layout)) > 0)
        set_text(audio, "layout", layout);
    set_language(stream, audio);
    set_title(stream, audio);
    json_object_set_new(audio, "default", json_boolean(stream->disposition & AV_DISPOSITION_DEFAULT));
    set_int(audio, "start_us", start_us);
    set_int(audio, "duration_us", duration_us);
    set_bit_rate(&probe->scan, stream, duration_us, audio);
    set_loudness(probe, sample, audio);
    return audio;
}

bool probe_is_webvtt(const AVCodecParameters *codec)
{
    if (codec->codec_id == AV_CODEC_ID_WEBVTT)
        return true;
    return codec->codec_id == AV_CODEC_ID_NONE && codec->extradata_size >= 6 && memcmp(codec->extradata, "WEBVTT", 6) == 0;
}

json_t *probe_describe_text(const AVStream *stream)
{
    json_t *text = json_object();
    if (!text)
        return NULL;
    set_int(text, "stream", stream->index);
    set_text(text, "codec", probe_is_webvtt(stream->codecpar) ? "webvtt" : avcodec_get_name(stream->codecpar->codec_id));
    set_language(stream, text);
    set_title(stream, text);
    json_object_set_new(text, "default", json_boolean(stream->disposition & AV_DISPOSITION_DEFAULT));
    json_object_set_new(text, "forced", json_boolean(stream->disposition & AV_DISPOSITION_FORCED));
    return text;
}

json_t *probe_chapters(const AVFormatContext *format)
{
    json_t *list = json_array();
    for (unsigned int i = 0; list && i < format->nb_chapters && i < MAX_CHAPTERS; i++) {
        const AVChapter *chapter = format->chapters[i];
        const AVDictionaryEntry *title = av_dict_get(chapter->metadata, "title", NULL, 0);
        int64_t start_us = av_rescale_q(chapter->start, chapter->time_base, AV_TIME_BASE_Q);
        int64_t end_us = av_rescale_q(chapter->end, chapter->time_base, AV_TIME_BASE_Q);
        if (start_us < 0 || end_us < start_us)
            continue;
        json_t *item = json_pack("{s:I,s:I,s:s}", "start_us", (json_int_t)start_us, "end_us", (json_int_t)end_us, "title", "");
        if (item && title)
            set_text(item, "title", title->value);
        json_array_append_new(list, item);
    }
    return list;
}

/* Not the container's own bookkeeping, and not where somebody was when they filmed. */
static bool is_tag_for_people(const char *key)
{
    static const char *const others[] = {"major_brand", "minor_version", "compatible_brands", NULL};
    for (size_t i = 0; others[i]; i++) {
        if (strcmp(key, others[i]) == 0)
            return false;
    }
    return !strcasestr(key, "location") && strlen(key) <= 64;
}

json_t *probe_tags(const AVDictionary *metadata)
{
    json_t *tags = json_object();
    const AVDictionaryEntry *entry = NULL;
    while (tags && json_object_size(tags) < MAX_TAGS && (entry = av_dict_get(metadata, "", entry, AV_DICT_IGNORE_SUFFIX))) {
        if (is_tag_for_people(entry->key))
            set_text(tags, entry->key, entry->value);
    }
    return tags;
}
