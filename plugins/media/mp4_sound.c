/* SPDX-License-Identifier: MIT */
/*
 * The sample table of a sound track, cut (mp4_part.h). Kept are the samples from the beginning to a little behind the start of the edit, which decide
 * how many samples a player skips, and those that are wanted with room to either side. The last one before the gap lasts until the gap's end, so
 * that each has the time that it has in the whole table. Tables are read a few KiB at a time, and once.
 */
#include "media/boxes.h"
#include "media/mp4_part.h"

#include <libavutil/mathematics.h>
#include <stdlib.h>
#include <string.h>

enum {
    WHOLE_SAMPLES = 8192, /* a table of so many is small enough */
    ROOM_S = 10,          /* kept before and after what is wanted … */
    ROOM_SAMPLES = 256,   /* … and so many at least */
    HEAD_S = 3,           /* kept at the beginning of the edit: libav looks a second before it */
    STSD_MOST = 65536,
    ROWS = 512, /* of a table, read at a time */
    ROW_MOST = 12,
};

/* Rows of numbers, read in order. */
typedef struct row_table {
    mr_mp4 *in;
    uint64_t at; /* of the first row */
    uint64_t count;
    uint64_t loaded, loaded_count; /* the rows in bytes */
    size_t row;
    uint8_t bytes[ROWS * ROW_MOST];
} row_table;

typedef struct sample_table {
    row_table times, chunks, sizes, offsets;
    mr_mp4_box description;
    uint64_t samples;
    bool plain;
} sample_table;

typedef struct kept_range {
    uint64_t first, end; /* samples */
} kept_range;

/* How the cut table is made: its parts, while the chunks of the whole one go by. */
typedef struct cut_table {
    mr_bytes chunk_rows, sizes, offsets;
    uint32_t chunk_rows_count, chunk_count;
    uint32_t per_chunk, description; /* of the last row */
} cut_table;

static mr_status row_at(row_table *table, uint64_t index, const uint8_t **ret_row)
{
    if (index >= table->count)
        return MR_END;
    if (index < table->loaded || index >= table->loaded + table->loaded_count) {
        const uint64_t count = table->count - index < ROWS ? table->count - index : ROWS;
        mr_status status = mr_mp4_read(table->in, table->at + index * table->row, table->bytes, count * table->row);
        if (status != MR_OK)
            return status;
        table->loaded = index;
        table->loaded_count = count;
    }
    *ret_row = table->bytes + (index - table->loaded) * table->row;
    return MR_OK;
}

static bool take_table(mr_mp4 *in, const mr_mp4_box *box, size_t head, size_t row, row_table *table)
{
    if (table->in || box->head_len < head)
        return false;
    *table = (row_table){.in = in, .at = box->content + head, .count = mr_mp4_number(box->head + head - 4, 4), .row = row};
    return table->count <= (box->end - table->at) / row;
}

/* Not plain: anything that says more of samples than where, when and how large they are. */
static bool take_box(mr_mp4 *in, const mr_mp4_box *box, sample_table *table)
{
    if (strcmp(box->type, "stts") == 0)
        return take_table(in, box, 8, 8, &table->times);
    if (strcmp(box->type, "stsc") == 0)
        return take_table(in, box, 8, 12, &table->chunks);
    if (strcmp(box->type, "stsz") == 0)
        return take_table(in, box, 12, 4, &table->sizes) && mr_mp4_number(box->head + 4, 4) == 0;
    if (strcmp(box->type, "stco") == 0)
        return take_table(in, box, 8, 4, &table->offsets);
    if (strcmp(box->type, "co64") == 0)
        return take_table(in, box, 8, 8, &table->offsets);
    if (strcmp(box->type, "stsd") == 0 && table->description.end == 0 && box->end - box->at <= STSD_MOST) {
        table->description = *box;
        return true;
    }
    const bool roll = box->head_len >= 8 && memcmp(box->head + 4, "roll", 4) == 0; /* how long a decoder needs: nobody asks */
    return strcmp(box->type, "free") == 0 || strcmp(box->type, "skip") == 0 ||
           ((strcmp(box->type, "sgpd") == 0 || strcmp(box->type, "sbgp") == 0) && roll);
}

static mr_status read_tables(mr_mp4 *in, const mr_mp4_box *stbl, sample_table *table)
{
    mr_mp4_box box;
    mr_status status;
    table->plain = stbl->content - stbl->at == 8;
    for (uint64_t at = stbl->content; (status = mr_mp4_box_at(in, at, stbl->end, &box)) == MR_OK; at = box.end)
        table->plain = table->plain && take_box(in, &box, table);
    table->samples = table->sizes.count;
    table->plain = table->plain && table->times.in && table->chunks.in && table->sizes.in && table->offsets.in && table->description.end;
    return status == MR_END ? MR_OK : status;
}

/* Are the times those of all samples, and can they be added up? */
static mr_status check_times(sample_table *table)
{
    const int64_t most = INT64_C(1) << 52;
    uint64_t samples = 0;
    int64_t time = 0;
    const uint8_t *row;
    for (uint64_t i = 0; i < table->times.count && table->plain; i++) {
        mr_status status = row_at(&table->times, i, &row);
        if (status != MR_OK)
            return status;
        const uint64_t count = mr_mp4_number(row, 4);
        const uint64_t step = mr_mp4_number(row + 4, 4);
        samples += count;
        table->plain = step > 0 && step <= INT32_MAX && count * step <= (uint64_t)(most - time);
        time += table->plain ? (int64_t)(count * step) : 0;
    }
    table->plain = table->plain && samples == table->samples;
    return MR_OK;
}

/* How many samples begin before a time (of samples). */
static mr_status samples_before(sample_table *table, int64_t ticks, uint64_t *ret_count)
{
    int64_t time = 0;
    const uint8_t *row;
    *ret_count = 0;
    for (uint64_t i = 0; i < table->times.count && time < ticks; i++) {
        mr_status status = row_at(&table->times, i, &row);
        if (status != MR_OK)
            return status;
        const int64_t count = (int64_t)mr_mp4_number(row, 4);
        const int64_t step = (int64_t)mr_mp4_number(row + 4, 4);
        const int64_t before = (ticks - time + step - 1) / step;
        *ret_count += (uint64_t)FFMIN(count, before);
        time += count * step;
    }
    return MR_OK;
}

static int64_t clamped(int64_t us, uint32_t timescale, int64_t shift, int64_t more_s)
{
    const int64_t bound = INT64_C(1) << 52;
    const int64_t within = us < -bound ? -bound : us > bound ? bound : us;
    return av_rescale(within, timescale, 1000000) - shift + more_s * timescale;
}

/* *ret_count: 0: the table stays whole; 1, 2: these are kept. */
static mr_status choose(sample_table *table, const mr_mp4_sound *sound, kept_range ranges[2], size_t *ret_count)
{
    uint64_t head = 0;
    uint64_t first = 0;
    uint64_t end = 0;
    const int64_t from = clamped(sound->from_us, sound->timescale, sound->shift, -ROOM_S);
    const int64_t to = clamped(sound->to_us, sound->timescale, sound->shift, ROOM_S);
    *ret_count = 0;
    mr_status status = samples_before(table, sound->first + HEAD_S * (int64_t)sound->timescale, &head);
    if (status == MR_OK)
        status = samples_before(table, from, &first);
    if (status == MR_OK)
        status = samples_before(table, to, &end);
    if (status != MR_OK || from >= sound->end - ROOM_S * (int64_t)sound->timescale)
        return status; /* behind the edit: what libav finds there depends on all before */
    head = FFMIN(head + ROOM_SAMPLES, table->samples);
    first = first > ROOM_SAMPLES ? first - ROOM_SAMPLES : 0;
    end = FFMIN(end + ROOM_SAMPLES, table->samples);
    const bool apart = first > head;
    ranges[0] = (kept_range){0, apart ? head : FFMAX(head, end)};
    ranges[1] = (kept_range){first, end};
    const uint64_t kept = ranges[0].end + (apart && end > first ? end - first : 0);
    if ((!apart || end > first) && kept <= table->samples / 4 * 3)
        *ret_count = apart ? 2 : 1;
    return MR_OK;
}

static bool is_kept(const kept_range *ranges, size_t count, uint64_t sample, uint64_t *ret_end)
{
    for (size_t i = 0; i < count; i++) {
        if (sample < ranges[i].end) {
            *ret_end = sample < ranges[i].first ? ranges[i].first : ranges[i].end;
            return sample >= ranges[i].first;
        }
    }
    *ret_end = UINT64_MAX;
    return false;
}

/* The bytes of samples, one after the other; kept: listed as well. */
static mr_status add_sizes(sample_table *table, uint64_t first, uint64_t end, bool kept, cut_table *cut, uint64_t *offset)
{
    const uint8_t *row;
    for (uint64_t i = first; i < end; i++) {
        mr_status status = row_at(&table->sizes, i, &row);
        if (status != MR_OK)
            return status;
        *offset += mr_mp4_number(row, 4);
        if (kept)
            mr_bytes_put(&cut->sizes, row, 4);
    }
    return MR_OK;
}

static void add_chunk(cut_table *cut, uint64_t offset, size_t offset_size, uint32_t samples, uint32_t description)
{
    if (offset_size == 8)
        mr_bytes_u64(&cut->offsets, offset);
    else
        mr_bytes_u32(&cut->offsets, (uint32_t)offset);
    cut->chunk_count++;
    if (samples == cut->per_chunk && description == cut->description)
        return;
    cut->per_chunk = samples;
    cut->description = description;
    cut->chunk_rows_count++;
    mr_bytes_u32(&cut->chunk_rows, cut->chunk_count);
    mr_bytes_u32(&cut->chunk_rows, samples);
    mr_bytes_u32(&cut->chunk_rows, description);
}

/* One chunk of the whole table, which begins with that sample: what is kept of it becomes chunks of the cut one. */
static mr_status cut_chunk(sample_table *table, const kept_range *ranges, size_t range_count, uint64_t chunk, uint64_t sample, const uint8_t *how,
                           cut_table *cut)
{
    const uint64_t end = sample + mr_mp4_number(how + 4, 4);
    const uint8_t *row;
    uint64_t until;
    if (!is_kept(ranges, range_count, sample, &until) && until >= end)
        return MR_OK;
    mr_status status = row_at(&table->offsets, chunk, &row);
    uint64_t offset = status == MR_OK ? mr_mp4_number(row, table->offsets.row) : 0;
    while (status == MR_OK && sample < end) {
        const bool kept = is_kept(ranges, range_count, sample, &until);
        until = FFMIN(until, end);
        if (kept)
            add_chunk(cut, offset, table->offsets.row, (uint32_t)(until - sample), (uint32_t)mr_mp4_number(how + 8, 4));
        else if (until == end)
            break;
        status = add_sizes(table, sample, until, kept, cut, &offset);
        sample = until;
    }
    return status;
}

/* *ret_samples: that the chunks hold, as many as there are when the tables agree. */
static mr_status cut_chunks(sample_table *table, const kept_range *ranges, size_t range_count, cut_table *cut, uint64_t *ret_samples)
{
    uint8_t how[12];
    const uint8_t *row;
    uint64_t sample = 0;
    uint64_t chunk = 0;
    mr_status status = MR_OK;
    for (uint64_t i = 0; status == MR_OK && i < table->chunks.count; i++) {
        status = row_at(&table->chunks, i, &row);
        if (status == MR_OK) {
            memcpy(how, row, sizeof(how));
            if (mr_mp4_number(how, 4) != chunk + 1)
                break;
            status = i + 1 < table->chunks.count ? row_at(&table->chunks, i + 1, &row) : MR_OK;
        }
        const uint64_t end = i + 1 < table->chunks.count && status == MR_OK ? mr_mp4_number(row, 4) - 1 : table->offsets.count;
        if (end > table->offsets.count || mr_mp4_number(how + 4, 4) == 0)
            break;
        for (; status == MR_OK && chunk < end; chunk++) {
            if (sample + mr_mp4_number(how + 4, 4) > table->samples)
                break;
            status = cut_chunk(table, ranges, range_count, chunk, sample, how, cut);
            sample += mr_mp4_number(how + 4, 4);
        }
    }
    *ret_samples = sample;
    return status;
}

static void add_time(mr_bytes *rows, uint32_t *count, uint64_t samples, int64_t step)
{
    mr_bytes_u32(rows, (uint32_t)samples);
    mr_bytes_u32(rows, (uint32_t)step);
    (*count)++;
}

/* The times of what is kept. false in *ret_fits: the gap is longer than a table can say. */
static mr_status cut_times(sample_table *table, const kept_range *ranges, size_t range_count, mr_bytes *rows, uint32_t *ret_count, bool *ret_fits)
{
    const uint8_t *row;
    uint64_t sample = 0;
    int64_t missing = 0; /* ticks since the last sample that is kept began */
    mr_status status = MR_OK;
    *ret_fits = true;
    for (uint64_t i = 0; status == MR_OK && i < table->times.count; i++) {
        status = row_at(&table->times, i, &row);
        if (status != MR_OK)
            break;
        const int64_t step = (int64_t)mr_mp4_number(row + 4, 4);
        const uint64_t end = sample + mr_mp4_number(row, 4);
        uint64_t until;
        for (; sample < end; sample = until) {
            const bool kept = is_kept(ranges, range_count, sample, &until);
            const bool gap_follows = until == ranges[0].end && range_count == 2;
            until = FFMIN(until, end);
            const uint64_t count = until - sample;
            if (!kept) {
                missing += (int64_t)count * step;
                continue;
            }
            if (missing > 0) {
                *ret_fits = *ret_fits && missing <= INT32_MAX;
                add_time(rows, ret_count, 1, missing);
            }
            const bool last = gap_follows && until == ranges[0].end;
            if (count > last)
                add_time(rows, ret_count, count - last, step);
            missing = last ? step : 0;
        }
    }
    return status;
}

static void put_table(mr_bytes *out, const char *type, uint32_t count, const mr_bytes *rows)
{
    const size_t box = mr_full_box_begin(out, type, 0, 0);
    if (strcmp(type, "stsz") == 0)
        mr_bytes_u32(out, 0);
    mr_bytes_u32(out, count);
    mr_bytes_put(out, rows->data, rows->len);
    mr_box_end(out, box);
}

static mr_status put_all(mr_mp4 *in, const sample_table *table, const cut_table *cut, const mr_bytes *times, uint32_t time_rows, uint64_t size,
                         mr_bytes *out)
{
    const size_t description = (size_t)(table->description.end - table->description.at);
    uint8_t *copy = malloc(description);
    mr_status status = copy ? mr_mp4_read(in, table->description.at, copy, description) : MR_ERR_NOMEM;
    mr_box_begin(out, "stbl");
    mr_bytes_set_u32(out, 0, (uint32_t)size);
    mr_bytes_put(out, copy, status == MR_OK ? description : 0);
    free(copy);
    put_table(out, "stts", time_rows, times);
    put_table(out, "stsc", cut->chunk_rows_count, &cut->chunk_rows);
    put_table(out, "stsz", (uint32_t)(cut->sizes.len / 4), &cut->sizes);
    put_table(out, table->offsets.row == 8 ? "co64" : "stco", cut->chunk_count, &cut->offsets);
    const size_t rest = mr_box_begin(out, "free"); /* up to the end of the whole table; what is in it stays as it is */
    if (!out->failed && out->len <= size)
        mr_bytes_set_u32(out, rest, (uint32_t)(size - rest));
    return status == MR_OK && out->failed ? MR_ERR_NOMEM : status;
}

static mr_status make_cut(mr_mp4 *in, const mr_mp4_sound *sound, sample_table *table, const kept_range *ranges, size_t count, mr_bytes *out,
                          bool *ret_fits)
{
    cut_table cut = {0};
    mr_bytes times = {0};
    uint32_t time_rows = 0;
    uint64_t samples = 0;
    const uint64_t size = sound->table.end - sound->table.at;
    mr_status status = cut_times(table, ranges, count, &times, &time_rows, ret_fits);
    if (status == MR_OK && *ret_fits)
        status = cut_chunks(table, ranges, count, &cut, &samples);
    *ret_fits = *ret_fits && samples == table->samples && size <= INT32_MAX;
    if (status == MR_OK && *ret_fits && (times.failed || cut.sizes.failed || cut.offsets.failed || cut.chunk_rows.failed))
        status = MR_ERR_NOMEM;
    if (status == MR_OK && *ret_fits)
        status = put_all(in, table, &cut, &times, time_rows, size, out);
    *ret_fits = *ret_fits && out->len <= size;
    mr_bytes_free(&times);
    mr_bytes_free(&cut.sizes);
    mr_bytes_free(&cut.offsets);
    mr_bytes_free(&cut.chunk_rows);
    return status;
}

mr_status mr_mp4_sound_cut(mr_mp4 *in, const mr_mp4_sound *sound, mr_mp4_patch *ret_patch, bool *ret_cut)
{
    kept_range ranges[2];
    size_t count = 0;
    bool fits = false;
    mr_bytes out = {0};
    sample_table *table = calloc(1, sizeof(*table));
    if (!table)
        return MR_ERR_NOMEM;
    mr_status status = read_tables(in, &sound->table, table);
    if (status == MR_OK && table->plain && table->samples > WHOLE_SAMPLES)
        status = check_times(table);
    if (status == MR_OK && table->plain && table->samples > WHOLE_SAMPLES)
        status = choose(table, sound, ranges, &count);
    if (status == MR_OK && count > 0)
        status = make_cut(in, sound, table, ranges, count, &out, &fits);
    if (status == MR_OK && fits) {
        *ret_patch = (mr_mp4_patch){.at = sound->table.at, .bytes = out.data, .len = out.len};
        *ret_cut = ranges[count - 1].end < table->samples;
        out = (mr_bytes){0};
    }
    mr_bytes_free(&out);
    free(table);
    return status;
}
