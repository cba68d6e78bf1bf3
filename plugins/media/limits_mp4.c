/* SPDX-License-Identifier: MIT */
/*
 * The tables of samples of an MP4 or QuickTime file (ISO/IEC 14496-12, 8.6 and 8.7), before libav makes an index of them: it takes memory for each
 * sample that a track says to have, and a track of a few hundred bytes can say so of billions. Only headers are read, and nothing is believed but
 * what is larger than it may be; what is merely broken is libav's to find.
 */
#include "media/limits.h"
#include "media/mp4.h"

#include <inttypes.h>
#include <string.h>

#define DEPTH_MOST 8

typedef struct mp4_reader {
    mr_mp4 mp4;
    const char *name;
    const mr_limits *limits;
    int64_t tracks;
    /* of the track that is read */
    bool sound;
    bool unit_steps; /* one entry of time, and it steps by one: PCM, which libav indexes by chunk */
    uint64_t track_samples;
    uint64_t samples; /* of all tracks before it, and of fragments */
} mp4_reader;

static mr_status refuse_table(const mp4_reader *in, const char *type, uint64_t count)
{
    in->mp4.host->report(in->mp4.task, MR_SEVERITY_ERROR, NULL, "copy or upload it again",
                         "'%s' is damaged: its table '%s' says that it has %" PRIu64 " entries, and the whole file has no room for them", in->name,
                         type, count);
    return MR_ERR_INPUT;
}

/* Tables of stbl: how many bytes an entry has, and where its number of entries stands behind version and flags. */
static mr_status check_table(mp4_reader *in, const mr_mp4_box *box)
{
    static const struct {
        const char *type;
        unsigned int entry;
    } tables[] = {{"stts", 8}, {"ctts", 8}, {"stsc", 12}, {"stco", 4}, {"co64", 8}, {"stss", 4}, {"stps", 4}};
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        if (strcmp(box->type, tables[i].type) != 0 || box->head_len < 8)
            continue;
        uint64_t count = mr_mp4_number(box->head + 4, 4);
        if (i == 0 && count == 1 && box->head_len >= 16)
            in->unit_steps = mr_mp4_number(box->head + 12, 4) == 1;
        return count * tables[i].entry > in->mp4.source->size ? refuse_table(in, box->type, count) : MR_OK;
    }
    if ((strcmp(box->type, "stsz") != 0 && strcmp(box->type, "stz2") != 0) || box->head_len < 12)
        return MR_OK;
    uint64_t size = mr_mp4_number(box->head + 4, 4);
    uint64_t count = mr_mp4_number(box->head + 8, 4);
    bool compact = box->type[3] == '2';
    uint64_t bits = compact ? size & 0xff : size == 0 ? 32 : 0; /* of each entry; none where all samples are of one size */
    in->track_samples = count;
    return count * bits / 8 > in->mp4.source->size ? refuse_table(in, box->type, count) : MR_OK;
}

static mr_status add_samples(mp4_reader *in, uint64_t count)
{
    in->samples += count;
    return mr_limits_check_index(in->mp4.host, in->mp4.task, in->name, in->samples, in->mp4.source->size);
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

static mr_status look_into(mp4_reader *in, const mr_mp4_box *box, unsigned int depth)
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
        status = add_samples(in, mr_mp4_number(box->head + 4, 4));
    else if (depth > 0)
        status = check_table(in, box);
    if (status == MR_OK && is_track && !(in->sound && in->unit_steps))
        status = add_samples(in, in->track_samples);
    return status;
}

static mr_status walk(mp4_reader *in, uint64_t at, uint64_t end, unsigned int depth)
{
    mr_mp4_box box;
    mr_status status;
    while ((status = mr_mp4_box_at(&in->mp4, at, end, &box)) == MR_OK) {
        status = look_into(in, &box, depth);
        if (status != MR_OK)
            return status;
        at = box.end;
    }
    return status == MR_END ? MR_OK : status;
}

mr_status mr_limits_check_mp4(const mr_host *host, mr_task *task, const mr_artifact *source, const char *name)
{
    mp4_reader in = {.mp4 = {.host = host, .task = task, .source = source}, .name = name, .limits = mr_limits_of(host, task)};
    mr_status status = walk(&in, 0, source->size, 0);
    if (status == MR_OK && in.tracks > in.limits->streams)
        status = mr_limit_exceeded(host, task, MR_LIMIT_STREAMS, "'%s' has %" PRId64 " streams", name, in.tracks);
    return status;
}
