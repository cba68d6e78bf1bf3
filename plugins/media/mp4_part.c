/* SPDX-License-Identifier: MIT */
/*
 * See mp4_part.h. Invariant: a view is made only of a file whose structure was understood as a whole; whatever is unusual (fragments, metadata before
 * tracks, which has pictures that libav makes streams of, edits other than one) leaves it, or the track's table, as it is. Patches are in order and
 * don't overlap.
 */
#include "media/mp4_part.h"

#include <stdlib.h>
#include <string.h>

enum {
    TRACKS_MOST = 64,
    EDITS_MOST = 2,
    ELST_HEAD = 8,
    HEAD_BYTES = 16384, /* of a keyframe: parameter sets, what encoders say of themselves, and the header of a slice */
};

typedef struct movie_track {
    uint64_t media;                           /* place of the type of its 'mdia'; 0: none */
    int64_t edit_first, edit_duration, empty; /* ticks of its samples; of the movie; of the movie */
    mr_mp4_box table;
    uint32_t id;
    uint32_t timescale;
    bool has_table, is_sound, plain_edits;
} movie_track;

typedef struct movie {
    mr_mp4 in;
    movie_track tracks[TRACKS_MOST];
    size_t track_count;
    uint32_t timescale;
    bool unusual;
} movie;

static bool is(const mr_mp4_box *box, const char *type)
{
    return strcmp(box->type, type) == 0;
}

/* One edit that plays at the usual speed, after an empty one at most. */
static mr_status read_edits(movie *it, movie_track *track, const mr_mp4_box *box)
{
    uint8_t rows[EDITS_MOST * 20];
    const bool wide = box->head_len > 0 && box->head[0] == 1;
    const size_t row = wide ? 20 : 12;
    const uint64_t count = box->head_len >= ELST_HEAD ? mr_mp4_number(box->head + 4, 4) : UINT64_MAX;
    track->plain_edits = count <= EDITS_MOST && box->content + ELST_HEAD + count * row <= box->end;
    if (!track->plain_edits || count == 0)
        return MR_OK;
    mr_status status = mr_mp4_read(&it->in, box->content + ELST_HEAD, rows, count * row);
    bool found = false;
    for (size_t i = 0; status == MR_OK && i < count; i++) {
        const uint8_t *at = rows + i * row;
        const int64_t duration = (int64_t)mr_mp4_number(at, wide ? 8 : 4);
        const int64_t begin = wide ? (int64_t)mr_mp4_number(at + 8, 8) : (int32_t)mr_mp4_number(at + 4, 4);
        const bool sane = duration >= 0 && duration <= INT64_MAX / 4 && begin <= INT64_MAX / 4 && mr_mp4_number(at + row - 4, 4) == 0x10000;
        track->plain_edits = track->plain_edits && sane && !found && (begin >= 0 || (begin == -1 && count == 2));
        found = begin >= 0;
        if (found) {
            track->edit_first = begin;
            track->edit_duration = duration;
        } else {
            track->empty = duration;
        }
    }
    track->plain_edits = track->plain_edits && found;
    return status;
}

/* Everything in a track that says where its samples are. */
static mr_status read_track(movie *it, movie_track *track, uint64_t at, uint64_t end)
{
    mr_mp4_box box;
    mr_status status;
    while ((status = mr_mp4_box_at(&it->in, at, end, &box)) == MR_OK) {
        const bool wide = box.head_len > 0 && box.head[0] == 1;
        if (is(&box, "tkhd")) {
            uint8_t id[4] = {0};
            status = mr_mp4_read(&it->in, box.content + (wide ? 20 : 12), id, sizeof(id));
            track->id = (uint32_t)mr_mp4_number(id, sizeof(id));
        } else if (is(&box, "mdhd")) {
            uint8_t scale[4] = {0};
            status = mr_mp4_read(&it->in, box.content + (wide ? 20 : 12), scale, sizeof(scale));
            track->timescale = (uint32_t)mr_mp4_number(scale, sizeof(scale));
        } else if (is(&box, "hdlr") && box.head_len >= 12 && memcmp(box.head + 8, "soun", 4) == 0) {
            track->is_sound = true;
        } else if (is(&box, "elst")) {
            status = read_edits(it, track, &box);
        } else if (is(&box, "stbl")) {
            it->unusual = it->unusual || track->has_table;
            track->table = box;
            track->has_table = true;
        } else if (is(&box, "mdia") || is(&box, "minf") || is(&box, "edts")) {
            if (is(&box, "mdia")) {
                it->unusual = it->unusual || track->media;
                track->media = box.at + 4;
            }
            status = read_track(it, track, box.content, box.end);
        }
        if (status != MR_OK)
            return status;
        at = box.end;
    }
    return status == MR_END ? MR_OK : status;
}

static mr_status read_movie(movie *it, const mr_mp4_box *moov)
{
    mr_mp4_box box;
    mr_status status;
    for (uint64_t at = moov->content; (status = mr_mp4_box_at(&it->in, at, moov->end, &box)) == MR_OK; at = box.end) {
        if (is(&box, "mvhd")) {
            uint8_t scale[4] = {0};
            status = mr_mp4_read(&it->in, box.content + (box.head_len > 0 && box.head[0] == 1 ? 20 : 12), scale, sizeof(scale));
            it->timescale = (uint32_t)mr_mp4_number(scale, sizeof(scale));
        } else if (is(&box, "trak") && it->track_count < TRACKS_MOST) {
            movie_track *track = &it->tracks[it->track_count++];
            track->plain_edits = true; /* none */
            status = read_track(it, track, box.content, box.end);
        } else if (is(&box, "trak") || is(&box, "mvex") || is(&box, "cmov") || ((is(&box, "udta") || is(&box, "meta")) && it->track_count == 0)) {
            it->unusual = true;
        }
        if (status != MR_OK)
            return status == MR_END ? MR_OK : status;
    }
    return status == MR_END ? MR_OK : status;
}

/* Tracks can be told apart by their ids. */
static bool has_ids(const movie *it)
{
    for (size_t i = 0; i < it->track_count; i++) {
        for (size_t k = 0; k < i; k++)
            if (it->tracks[k].id == it->tracks[i].id)
                return false;
        if (it->tracks[i].id == 0 || it->tracks[i].id > INT32_MAX)
            return false;
    }
    return true;
}

static mr_status find_movie(movie *it, uint64_t size)
{
    mr_mp4_box box;
    mr_status status;
    for (uint64_t at = 0; (status = mr_mp4_box_at(&it->in, at, size, &box)) == MR_OK; at = box.end) {
        if (is(&box, "moov"))
            return read_movie(it, &box);
        it->unusual = it->unusual || is(&box, "moof") || is(&box, "meta");
    }
    return status == MR_END ? MR_OK : status;
}

static bool add_patch(mr_mp4_view *view, mr_mp4_patch patch)
{
    mr_mp4_patch *grown = view->patches;
    if ((view->count & (view->count + 1)) == 0) /* at 0, 1, 3, 7 …: room is one less than a power of two */
        grown = realloc(grown, (2 * view->count + 1) * sizeof(*grown));
    if (!grown) {
        free(patch.bytes);
        return false;
    }
    view->patches = grown;
    size_t i = view->count++;
    for (; i > 0 && grown[i - 1].at > patch.at; i--)
        grown[i] = grown[i - 1];
    grown[i] = patch;
    return true;
}

static mr_status blank_others(const movie *it, size_t wanted, mr_mp4_view *view)
{
    for (size_t i = 0; i < it->track_count; i++) {
        if (i == wanted || !it->tracks[i].media)
            continue;
        uint8_t *type = malloc(4);
        if (!type)
            return MR_ERR_NOMEM;
        memcpy(type, "free", 4);
        if (!add_patch(view, (mr_mp4_patch){.at = it->tracks[i].media, .bytes = type, .len = 4}))
            return MR_ERR_NOMEM;
    }
    return MR_OK;
}

static mr_status cut_sound(movie *it, const movie_track *track, const mr_media_part *part, mr_mp4_view *view)
{
    if (!track->is_sound || !track->has_table || !track->plain_edits || track->timescale == 0 || it->timescale == 0 || part->to_us <= part->from_us)
        return MR_OK;
    const int64_t empty = (int64_t)((double)track->empty / it->timescale * track->timescale);
    const double length = (double)track->edit_duration / it->timescale * track->timescale;
    const mr_mp4_sound sound = {.table = track->table,
                                .timescale = track->timescale,
                                .shift = empty - track->edit_first,
                                .first = track->edit_first,
                                .end = track->edit_duration > 0 && length < 1e18 ? track->edit_first + (int64_t)length : INT64_MAX,
                                .from_us = part->from_us,
                                .to_us = part->to_us};
    mr_mp4_patch patch = {0};
    mr_status status = mr_mp4_sound_cut(&it->in, &sound, &patch, &view->cut);
    if (status != MR_OK || !patch.bytes)
        return status;
    return add_patch(view, patch) ? MR_OK : MR_ERR_NOMEM;
}

mr_status mr_mp4_view_make(const mr_host *host, mr_task *task, const mr_artifact *source, const mr_media_part *part, mr_mp4_view *ret_view)
{
    *ret_view = (mr_mp4_view){0};
    movie *it = calloc(1, sizeof(*it));
    if (!it)
        return MR_ERR_NOMEM;
    it->in = (mr_mp4){.host = host, .task = task, .source = source};
    mr_status status = find_movie(it, source->size);
    const size_t wanted = (size_t)(part->stream < 0 ? TRACKS_MOST : part->stream);
    if (status == MR_OK && !it->unusual && wanted < it->track_count && has_ids(it)) {
        ret_view->track_id = (int)it->tracks[wanted].id;
        status = blank_others(it, wanted, ret_view);
        if (status == MR_OK)
            status = cut_sound(it, &it->tracks[wanted], part, ret_view);
    }
    free(it);
    if (status == MR_END) /* it ends where a box should be: libav's to find */
        status = MR_OK;
    if (status != MR_OK || ret_view->count == 0)
        mr_mp4_view_free(ret_view);
    return status;
}

void mr_mp4_view_free(mr_mp4_view *view)
{
    for (size_t i = 0; i < view->count; i++)
        free(view->patches[i].bytes);
    free(view->patches);
    *view = (mr_mp4_view){0};
}

static int by_offset(const void *a, const void *b)
{
    const uint64_t left = ((const mr_range *)a)->offset;
    const uint64_t right = ((const mr_range *)b)->offset;
    return (left > right) - (left < right);
}

/* Where the keyframes of a track begin that the index lists, in the order of their places. The caller frees. */
static mr_status list_heads(AVStream *stream, mr_range **ret_heads, size_t *ret_count)
{
    const int entries = stream ? avformat_index_get_entries_count(stream) : 0;
    *ret_count = 0;
    *ret_heads = reallocarray(NULL, (size_t)entries + 1, sizeof(**ret_heads));
    if (!*ret_heads)
        return MR_ERR_NOMEM;
    for (int i = 0; i < entries; i++) {
        const AVIndexEntry *entry = avformat_index_get_entry(stream, i);
        if ((entry->flags & AVINDEX_KEYFRAME) && entry->pos >= 0 && entry->size > 0)
            (*ret_heads)[(*ret_count)++] = (mr_range){(uint64_t)entry->pos, (uint64_t)(entry->size < HEAD_BYTES ? entry->size : HEAD_BYTES)};
    }
    qsort(*ret_heads, *ret_count, sizeof(**ret_heads), by_offset);
    return MR_OK;
}

/* Zeros from one place to another, around what is kept; *next: the first of it that may lie there. */
static bool blank(mr_mp4_view *view, uint64_t at, uint64_t end, const mr_range *kept, size_t kept_count, size_t *next)
{
    bool good = true;
    while (*next < kept_count && kept[*next].offset + kept[*next].size <= at)
        (*next)++;
    for (size_t i = *next; i < kept_count && kept[i].offset < end && good; i++) {
        const uint64_t behind = kept[i].offset + kept[i].size;
        if (kept[i].offset > at)
            good = add_patch(view, (mr_mp4_patch){.at = at, .len = kept[i].offset - at});
        at = behind > at ? behind : at;
    }
    return good && (at >= end || add_patch(view, (mr_mp4_patch){.at = at, .len = end - at}));
}

mr_status mr_mp4_view_empty(const mr_host *host, mr_task *task, const mr_artifact *source, AVStream *keys_of, mr_mp4_view *view)
{
    mr_mp4 *in = malloc(sizeof(*in));
    mr_mp4_box box;
    mr_range *heads = NULL;
    size_t count = 0;
    size_t next = 0;
    mr_status status = in ? list_heads(keys_of, &heads, &count) : MR_ERR_NOMEM;
    if (in)
        *in = (mr_mp4){.host = host, .task = task, .source = source};
    for (uint64_t at = 0; status == MR_OK && (status = mr_mp4_box_at(in, at, source->size, &box)) == MR_OK; at = box.end) {
        if (is(&box, "mdat") && !blank(view, box.content, box.end, heads, count, &next))
            status = MR_ERR_NOMEM;
    }
    free(heads);
    free(in);
    return status == MR_END ? MR_OK : status;
}

/* The first patch that ends behind a place; NULL: none does. */
static const mr_mp4_patch *patch_at(const mr_mp4_view *view, uint64_t at)
{
    size_t low = 0;
    size_t high = view->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (view->patches[middle].at + view->patches[middle].len > at)
            high = middle;
        else
            low = middle + 1;
    }
    return low < view->count ? &view->patches[low] : NULL;
}

size_t mr_mp4_view_read(const mr_mp4_view *view, uint64_t at, void *bytes, size_t *len)
{
    const mr_mp4_patch *patch = patch_at(view, at);
    if (!patch)
        return 0;
    if (at < patch->at) {
        *len = patch->at - at < *len ? (size_t)(patch->at - at) : *len;
        return 0;
    }
    const uint64_t offset = at - patch->at;
    const size_t count = patch->len - offset < *len ? (size_t)(patch->len - offset) : *len;
    if (patch->bytes)
        memcpy(bytes, patch->bytes + offset, count);
    else
        memset(bytes, 0, count);
    return count;
}
