/* SPDX-License-Identifier: MIT */
/*
 * The tables of samples of an MP4 or QuickTime file (ISO/IEC 14496-12, 8.6 and 8.7), before libav makes an index of them: it takes memory for each
 * sample that a track says to have, and a track of a few hundred bytes can say so of billions. Only headers are read, and nothing is believed but
 * what is larger than it may be; what is merely broken is libav's to find.
 */
#include "media/limits.h"

#include <inttypes.h>
#include <string.h>

#define BOXES_MOST 65536 /* looked at: of fragments after so many, the index is checked when libav has read them (input.c) */
#define DEPTH_MOST 8
#define BOX_HEADER 16   /* with a size of 64 bits */
#define TABLE_HEAD 16   /* bytes looked at of a box's content: version and flags, three numbers */
#define BUFFER     4096 /* read at a time: the boxes of a track or a fragment are small, and lie one after the other */

typedef struct mp4_reader {
    const mr_host *host;
    mr_task *task;
    const mr_artifact *source;
    const char *name;
    const mr_limits *limits;
    uint32_t boxes;
    int64_t tracks;
    uint8_t buffer[BUFFER];
    uint64_t buffer_at;
    size_t buffer_len;
    /* of the track that is read */
    bool sound;
    bool unit_steps; /* one entry of time, and it steps by one: PCM, which libav indexes by chunk */
    uint64_t track_samples;
    uint64_t samples; /* of all tracks before it, and of fragments */
} mp4_reader;

typedef struct mp4_box {
    uint64_t content, end;
    uint8_t head[TABLE_HEAD]; /* of the content */
    size_t head_len;
    char type[5];
} mp4_box;

static uint64_t big_endian(const uint8_t *bytes, size_t count)
{
    uint64_t value = 0;
    for (size_t i = 0; i < count; i++)
        value = value << 8 | bytes[i];
    return value;
}

/* *ret_bytes: what there is at that place, as much as a box's header and the beginning of its content if the file is so long. */
static mr_status peek(mp4_reader *in, uint64_t at, const uint8_t **ret_bytes, size_t *ret_len)
{
    if (at < in->buffer_at || at + BOX_HEADER + TABLE_HEAD > in->buffer_at + in->buffer_len) {
        in->buffer_at = at;
        mr_status status = in->host->read_at(in->task, in->source, at, in->buffer, BUFFER, &in->buffer_len);
        if (status != MR_OK)
            return status;
    }
    *ret_bytes = in->buffer + (at - in->buffer_at);
    *ret_len = in->buffer_len - (size_t)(at - in->buffer_at);
    return MR_OK;
}

/* MR_END: no box there. */
static mr_status read_box(mp4_reader *in, uint64_t at, uint64_t end, mp4_box *box)
{
    const uint8_t *bytes = NULL;
    size_t len = 0;
    if (at + 8 > end || in->boxes++ >= BOXES_MOST)
        return MR_END;
    mr_status status = peek(in, at, &bytes, &len);
    if (status != MR_OK || len < 8)
        return status == MR_OK ? MR_END : status;
    uint64_t size = big_endian(bytes, 4);
    size_t header = size == 1 ? 16 : 8;
    if (size == 1 && len >= 16)
        size = big_endian(bytes + 8, 8);
    else if (size == 0)
        size = end - at;
    if (size < header || len < header)
        return MR_END;
    *box = (mp4_box){.content = at + header, .end = size > end - at ? end : at + size};
    memcpy(box->type, bytes + 4, 4);
    box->head_len = len - header < TABLE_HEAD ? len - header : TABLE_HEAD;
    memcpy(box->head, bytes + header, box->head_len);
    return MR_OK;
}

static mr_status refuse_table(const mp4_reader *in, const char *type, uint64_t count)
{
    in->host->report(in->task, MR_SEVERITY_ERROR, NULL, "copy or upload it again",
                     "'%s' is damaged: its table '%s' says that it has %" PRIu64 " entries, and the whole file has no room for them", in->name, type,
                     count);
    return MR_ERR_INPUT;
}

/* Tables of stbl: how many bytes an entry has, and where its number of entries stands behind version and flags. */
static mr_status check_table(mp4_reader *in, const mp4_box *box)
{
    static const struct {
        const char *type;
        unsigned int entry;
    } tables[] = {{"stts", 8}, {"ctts", 8}, {"stsc", 12}, {"stco", 4}, {"co64", 8}, {"stss", 4}, {"stps", 4}};
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        if (strcmp(box->type, tables[i].type) != 0 || box->head_len < 8)
            continue;
        uint64_t count = big_endian(box->head + 4, 4);
        if (i == 0 && count == 1 && box->head_len >= 16)
            in->unit_steps = big_endian(box->head + 12, 4) == 1;
        return count * tables[i].entry > in->source->size ? refuse_table(in, box->type, count) : MR_OK;
    }
    if ((strcmp(box->type, "stsz") != 0 && strcmp(box->type, "stz2") != 0) || box->head_len < 12)
        return MR_OK;
    uint64_t size = big_endian(box->head + 4, 4);
    uint64_t count = big_endian(box->head + 8, 4);
    bool compact = box->type[3] == '2';
    uint64_t bits = compact ? size & 0xff : size == 0 ? 32 : 0; /* of each entry; none where all samples are of one size */
    in->track_samples = count;
    return count * bits / 8 > in->source->size ? refuse_table(in, box->type, count) : MR_OK;
}

static mr_status add_samples(mp4_reader *in, uint64_t count)
{
    in->samples += count;
    return mr_limits_check_index(in->host, in->task, in->name, in->samples, in->source->size);
}

static bool is_container(const char *type)
{
    static const char *const containers[] = {"moov", "trak", "mdia", "minf", "stbl", "moof", "traf"};
    for (size_t i = 0; i < sizeof(containers) / sizeof(containers[0]); i++)
        if (strcmp(type, containers[i]) == 0)
            return true;
    return false;
}

static mr_status walk(mp4_reader *in, uint64_t at, uint64_t end, unsigned int depth);

static mr_status look_into(mp4_reader *in, const mp4_box *box, unsigned int depth)
{
    mr_status status = MR_OK;
    bool is_track = strcmp(box->type, "trak") == 0;
    if (is_track) {
        in->tracks++;
        in->sound = in->unit_steps = false;
        in->track_samples = 0;
    }
    /* QuickTime has a second one further in, of the data. */
    if (strcmp(box->type, "hdlr") == 0 && box->head_len >= 12 && memcmp(box->head + 8, "soun", 4) == 0)
        in->sound = true;
    if (is_container(box->type) && depth < DEPTH_MOST)
        status = walk(in, box->content, box->end, depth + 1);
    else if (strcmp(box->type, "trun") == 0 && box->head_len >= 8)
        status = add_samples(in, big_endian(box->head + 4, 4));
    else if (depth > 0)
        status = check_table(in, box);
    if (status == MR_OK && is_track && !(in->sound && in->unit_steps))
        status = add_samples(in, in->track_samples);
    return status;
}

static mr_status walk(mp4_reader *in, uint64_t at, uint64_t end, unsigned int depth)
{
    mp4_box box;
    mr_status status;
    while ((status = read_box(in, at, end, &box)) == MR_OK) {
        status = look_into(in, &box, depth);
        if (status != MR_OK)
            return status;
        at = box.end;
    }
    return status == MR_END ? MR_OK : status;
}

mr_status mr_limits_check_mp4(const mr_host *host, mr_task *task, const mr_artifact *source, const char *name)
{
    mp4_reader in = {.host = host, .task = task, .source = source, .name = name, .limits = mr_limits_of(host, task)};
    mr_status status = walk(&in, 0, source->size, 0);
    if (status == MR_OK && in.tracks > in.limits->streams)
        status = mr_limit_exceeded(host, task, MR_LIMIT_STREAMS, "'%s' has %" PRId64 " streams", name, in.tracks);
    return status;
}
