/* SPDX-License-Identifier: MIT */
/* The sentences, and what the headers of an input ask for. See limits.h. */
#include "media/limits.h"
#include "media/input.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

typedef enum limit_unit { UNIT_NUMBER, UNIT_BYTES, UNIT_TIME, UNIT_RATIO } limit_unit;

static const struct {
    const char *name;
    size_t offset;
    limit_unit unit;
} table[] = {
    [MR_LIMIT_PICTURE_PIXELS] = {"picture_pixels", offsetof(mr_limits, picture_pixels), UNIT_NUMBER},
    [MR_LIMIT_PICTURE_SIDE] = {"picture_side", offsetof(mr_limits, picture_side), UNIT_NUMBER},
    [MR_LIMIT_FRAME_RATE] = {"frame_rate", offsetof(mr_limits, frame_rate), UNIT_NUMBER},
    [MR_LIMIT_PACKETS] = {"packets", offsetof(mr_limits, packets), UNIT_NUMBER},
    [MR_LIMIT_DURATION] = {"duration", offsetof(mr_limits, duration), UNIT_TIME},
    [MR_LIMIT_STREAMS] = {"streams", offsetof(mr_limits, streams), UNIT_NUMBER},
    [MR_LIMIT_SAMPLE_RATE] = {"sample_rate", offsetof(mr_limits, sample_rate), UNIT_NUMBER},
    [MR_LIMIT_CHANNELS] = {"channels", offsetof(mr_limits, channels), UNIT_NUMBER},
    [MR_LIMIT_CHAPTERS] = {"chapters", offsetof(mr_limits, chapters), UNIT_NUMBER},
    [MR_LIMIT_METADATA] = {"metadata_bytes", offsetof(mr_limits, metadata_bytes), UNIT_BYTES},
    [MR_LIMIT_DECODED] = {"decoded_ratio", offsetof(mr_limits, decoded_ratio), UNIT_RATIO},
};

const mr_limits *mr_limits_of(const mr_host *host, const mr_task *task)
{
    static const mr_limits standard = MR_LIMITS_STANDARD;
    const mr_limits *limits = host->size >= offsetof(mr_host, limits) + sizeof(host->limits) && host->limits ? host->limits(task) : NULL;
    return limits ? limits : &standard;
}

int64_t mr_limits_max_pixels(const mr_limits *limits)
{
    return limits->picture_pixels + INT64_C(128) * limits->picture_side; /* 64 more on either side */
}

static void write_amount(limit_unit unit, int64_t value, char *text, size_t size)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
    size_t power = 0;
    switch (unit) {
    case UNIT_BYTES:
        for (; value >= 10240 && power + 1 < sizeof(units) / sizeof(units[0]); power++)
            value /= 1024;
        snprintf(text, size, "%" PRId64 " %s", value, units[power]);
        break;
    case UNIT_TIME:
        if (value % INT64_C(3600000000) == 0)
            snprintf(text, size, "%" PRId64 " h", value / INT64_C(3600000000));
        else
            snprintf(text, size, "%g s", (double)value / 1e6);
        break;
    case UNIT_RATIO: snprintf(text, size, "%" PRId64 " times as much", value); break;
    default: snprintf(text, size, "%" PRId64, value); break;
    }
}

static void report(const mr_host *host, mr_task *task, mr_severity severity, mr_limit limit, const char *fmt, va_list args)
{
    char what[512];
    char allowed[64];
    char hint[160];
    const char *field = (const char *)mr_limits_of(host, task) + table[limit].offset;
    vsnprintf(what, sizeof(what), fmt, args);
    write_amount(table[limit].unit, *(const int64_t *)(const void *)field, allowed, sizeof(allowed));
    snprintf(hint, sizeof(hint), "where such media is wanted, raise limits.%s in config.yaml, or with --set limits.%s=…", table[limit].name,
             table[limit].name);
    host->report(task, severity, NULL, hint, "%s, more than limits.%s allows (%s)%s", what, table[limit].name, allowed,
                 severity == MR_SEVERITY_ERROR ? "" : ": that part is left out");
}

mr_status mr_limit_exceeded(const mr_host *host, mr_task *task, mr_limit limit, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    report(host, task, MR_SEVERITY_ERROR, limit, fmt, args);
    va_end(args);
    return MR_ERR_INPUT;
}

void mr_limit_left_out(const mr_host *host, mr_task *task, mr_limit limit, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    report(host, task, MR_SEVERITY_WARNING, limit, fmt, args);
    va_end(args);
}

/* --- headers --- */

mr_status mr_limits_check_picture(const mr_host *host, mr_task *task, const char *name, int64_t width, int64_t height)
{
    const mr_limits *limits = mr_limits_of(host, task);
    mr_limit limit = width > limits->picture_side || height > limits->picture_side ? MR_LIMIT_PICTURE_SIDE : MR_LIMIT_PICTURE_PIXELS;
    if (limit != MR_LIMIT_PICTURE_SIDE && width * height <= limits->picture_pixels)
        return MR_OK;
    return mr_limit_exceeded(host, task, limit, "the picture of '%s' is %" PRId64 "x%" PRId64, name, width, height);
}

static int channels_of(const AVCodecParameters *codec)
{
    return codec->ch_layout.nb_channels;
}

static mr_status check_sound(const mr_host *host, mr_task *task, const char *name, const AVStream *stream)
{
    const mr_limits *limits = mr_limits_of(host, task);
    if (stream->codecpar->sample_rate > limits->sample_rate)
        return mr_limit_exceeded(host, task, MR_LIMIT_SAMPLE_RATE, "the sound of '%s' has %d samples a second", name, stream->codecpar->sample_rate);
    if (channels_of(stream->codecpar) > limits->channels)
        return mr_limit_exceeded(host, task, MR_LIMIT_CHANNELS, "the sound of '%s' has %d channels", name, channels_of(stream->codecpar));
    return MR_OK;
}

static uint64_t dictionary_bytes(const AVDictionary *dictionary)
{
    uint64_t bytes = 0;
    for (const AVDictionaryEntry *entry = NULL; (entry = av_dict_get(dictionary, "", entry, AV_DICT_IGNORE_SUFFIX));)
        bytes += strlen(entry->key) + strlen(entry->value);
    return bytes;
}

static uint64_t metadata_bytes(const AVFormatContext *format)
{
    uint64_t bytes = dictionary_bytes(format->metadata);
    for (unsigned int i = 0; i < format->nb_streams; i++) {
        const AVStream *stream = format->streams[i];
        bytes += dictionary_bytes(stream->metadata) + (uint64_t)stream->codecpar->extradata_size;
        bytes += stream->attached_pic.size > 0 ? (uint64_t)stream->attached_pic.size : 0;
    }
    for (unsigned int i = 0; i < format->nb_chapters; i++)
        bytes += dictionary_bytes(format->chapters[i]->metadata);
    return bytes;
}

mr_status mr_limits_check_index(const mr_host *host, mr_task *task, const char *name, uint64_t packets, uint64_t source_bytes)
{
    if (packets > (uint64_t)mr_limits_of(host, task)->packets)
        return mr_limit_exceeded(host, task, MR_LIMIT_PACKETS, "the index of '%s' lists %" PRIu64 " packets", name, packets);
    if (packets <= source_bytes)
        return MR_OK;
    host->report(task, MR_SEVERITY_ERROR, NULL, "copy or upload it again",
                 "'%s' is damaged: its index lists %" PRIu64 " packets, and the whole file has %" PRIu64 " bytes", name, packets, source_bytes);
    return MR_ERR_INPUT;
}

/* Entries of the demuxer's own index: packets that it says there are. */
static uint64_t indexed_packets(const AVFormatContext *format)
{
    uint64_t count = 0;
    for (unsigned int i = 0; i < format->nb_streams; i++)
        count += (uint64_t)avformat_index_get_entries_count(format->streams[i]);
    return count;
}

mr_status mr_limits_check_headers(const mr_host *host, mr_task *task, const char *name, const AVFormatContext *format)
{
    const mr_limits *limits = mr_limits_of(host, task);
    mr_status status = MR_OK;
    if (format->nb_streams > limits->streams)
        return mr_limit_exceeded(host, task, MR_LIMIT_STREAMS, "'%s' has %u streams", name, format->nb_streams);
    if (format->nb_chapters > limits->chapters)
        return mr_limit_exceeded(host, task, MR_LIMIT_CHAPTERS, "'%s' has %u chapters", name, format->nb_chapters);
    status = mr_limits_check_index(host, task, name, indexed_packets(format), mr_media_size(format));
    uint64_t bytes = metadata_bytes(format);
    if (status == MR_OK && bytes > (uint64_t)limits->metadata_bytes)
        return mr_limit_exceeded(host, task, MR_LIMIT_METADATA, "'%s' has %" PRIu64 " MiB of tags, attached pictures and codec headers", name,
                                 bytes >> 20);
    for (unsigned int i = 0; status == MR_OK && i < format->nb_streams; i++) {
        const AVStream *stream = format->streams[i];
        if (stream->codecpar->codec_type == AVMEDIA_TYPE_VIDEO)
            status = mr_limits_check_picture(host, task, name, stream->codecpar->width, stream->codecpar->height);
        else if (stream->codecpar->codec_type == AVMEDIA_TYPE_AUDIO)
            status = check_sound(host, task, name, stream);
    }
    return status;
}

/* --- what was measured --- */

mr_status mr_limits_check_rate(const mr_host *host, mr_task *task, const char *name, int64_t pictures, double seconds)
{
    int64_t most = mr_limits_of(host, task)->frame_rate;
    if (pictures <= most + most / 8 + 2) /* timestamps are rounded, and bunched where a recorder stuttered */
        return MR_OK;
    return mr_limit_exceeded(host, task, MR_LIMIT_FRAME_RATE, "'%s' has %.0f pictures a second", name,
                             (double)(pictures - 1) / (seconds > 1e-6 ? seconds : 1e-6));
}

mr_status mr_limits_check_duration(const mr_host *host, mr_task *task, const char *name, int64_t duration_us)
{
    if (duration_us <= mr_limits_of(host, task)->duration)
        return MR_OK;
    return mr_limit_exceeded(host, task, MR_LIMIT_DURATION, "'%s' is %.0f s long", name, (double)duration_us / 1e6);
}

mr_status mr_limits_check_decoded(const mr_host *host, mr_task *task, const char *name, uint64_t input_bytes, uint64_t decoded_bytes)
{
    const mr_limits *limits = mr_limits_of(host, task);
    uint64_t allowed;
    char input[64];
    char output[64];
    if (decoded_bytes <= (uint64_t)limits->decoded_floor || __builtin_mul_overflow((uint64_t)limits->decoded_ratio, input_bytes, &allowed) ||
        decoded_bytes <= allowed)
        return MR_OK;
    write_amount(UNIT_BYTES, (int64_t)(input_bytes < INT64_MAX ? input_bytes : INT64_MAX), input, sizeof(input));
    write_amount(UNIT_BYTES, (int64_t)(decoded_bytes < INT64_MAX ? decoded_bytes : INT64_MAX), output, sizeof(output));
    return mr_limit_exceeded(host, task, MR_LIMIT_DECODED, "%s of '%s' decode to %s", input, name, output);
}
