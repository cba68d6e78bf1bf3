/* SPDX-License-Identifier: MIT */
/* See model.h. Invariant: whatever is in the model has been checked for type, range and length. */
#include "model.h"
#include "reader.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_names[KIND_COUNT] = {"video", "audio", "text", "muxed"};

const char *kind_name(mr_kind kind)
{
    return kind_names[kind];
}

bool path_is_plain(const char *path)
{
    size_t component = 0;
    if (strlen(path) >= PATH_SIZE)
        return false;
    for (const char *c = path;; c++) {
        if (*c == '/' || *c == '\0') {
            bool dots = (component == 1 && c[-1] == '.') || (component == 2 && c[-1] == '.' && c[-2] == '.');
            if (component == 0 || dots)
                return false;
            component = 0;
            if (*c == '\0')
                return true;
        } else if ((unsigned char)*c < 0x20 || *c == 0x7f || *c == '\\') {
            return false;
        } else {
            component++;
        }
    }
}

void model_free(mr_model *model)
{
    for (size_t i = 0; i < model->count; i++) {
        free(model->renditions[i]->pieces);
        free(model->renditions[i]);
    }
    free(model->plan.tracks);
    free(model->plan.track_us);
    free(model->plan.track_samples);
    for (int kind = 0; kind < KIND_COUNT; kind++)
        free(model->plan.foreseen[kind].pieces);
    free(model->storyboard.present);
    memset(model, 0, sizeof(*model));
}

static mr_status no_memory(const mr_model *model)
{
    model->host->report(model->task, MR_SEVERITY_ERROR, NULL, NULL, "memory is short");
    return MR_ERR_NOMEM;
}

/* Finds the rendition, or makes it. NULL: refused, and reported. */
static mr_rendition *take_rendition(mr_model *model, mr_kind kind, const char *path)
{
    for (size_t i = 0; i < model->count; i++) {
        mr_rendition *known = model->renditions[i];
        if (strcmp(known->path, path) != 0)
            continue;
        if (known->kind == kind)
            return known;
        model->host->report(model->task, MR_SEVERITY_ERROR, NULL, NULL, "rendition '%s' came as %s and as %s", path, kind_name(known->kind),
                            kind_name(kind));
        return NULL;
    }
    if (model->count == RENDITIONS_MAX) {
        model->host->report(model->task, MR_SEVERITY_ERROR, NULL, NULL, "more than %d renditions", RENDITIONS_MAX);
        return NULL;
    }
    mr_rendition *made = calloc(1, sizeof(*made));
    if (!made) {
        no_memory(model);
        return NULL;
    }
    made->kind = kind;
    made->stream = -1;
    snprintf(made->path, sizeof(made->path), "%s", path);
    model->renditions[model->count++] = made;
    return made;
}

/* BCP 47 syntax, as far as manifests need it; "und" says nothing and is dropped. */
static bool is_language(const char *tag)
{
    size_t len = 0;
    if (!isalpha((unsigned char)tag[0]) || strcmp(tag, "und") == 0)
        return false;
    for (;; tag++) {
        if (*tag == '-' || *tag == '\0') {
            if (len == 0 || len > 8)
                return false;
            if (*tag == '\0')
                return true;
            len = 0;
        } else if (!isalnum((unsigned char)*tag)) {
            return false;
        } else {
            len++;
        }
    }
}

static void read_init(mr_reader *reader, mr_rendition *rendition)
{
    rendition->order = read_int(reader, "order", 0, 0, 1000000);
    rendition->timescale = read_int(reader, "timescale", REQUIRED, 1, INT32_MAX);
    rendition->priming = read_int(reader, "priming", 0, 0, INT32_MAX);
    rendition->max_bitrate = read_int(reader, "max_bitrate", 0, 0, INT64_C(1) << 40);
    rendition->stream = read_int(reader, "stream", -1, -1, 1000000);
    rendition->width = read_int(reader, "width", 0, 0, 65536);
    rendition->height = read_int(reader, "height", 0, 0, 65536);
    rendition->fps = read_ratio(reader, "fps");
    rendition->channels = read_int(reader, "channels", 0, 0, 64);
    rendition->sample_rate = read_int(reader, "sample_rate", 0, 0, 1000000);
    rendition->is_default = read_bool(reader, "default");
    rendition->forced = read_bool(reader, "forced");
    read_word(reader, "codec", ".,-_ ", rendition->codec, sizeof(rendition->codec));
    read_word(reader, "codec_name", "-_", rendition->codec_name, sizeof(rendition->codec_name));
    read_text(reader, "name", rendition->name, sizeof(rendition->name), true);
    read_text(reader, "language", rendition->language, sizeof(rendition->language), true);
    if (!is_language(rendition->language))
        rendition->language[0] = '\0';
    read_text(reader, "video_range", rendition->video_range, sizeof(rendition->video_range), true);
    if (strcmp(rendition->video_range, "PQ") != 0 && strcmp(rendition->video_range, "HLG") != 0)
        memcpy(rendition->video_range, "SDR", sizeof("SDR"));
}

/* Every chunk brings the init segment of its rendition: the first is published, the others have to be the same. */
static mr_status add_init(const mr_model *model, mr_reader *reader, mr_rendition *rendition, const mr_artifact *segment, char *ret_path)
{
    if (rendition->has_init) {
        if (strcmp(rendition->init_digest, segment->digest) == 0)
            return MR_OK;
        model->host->report(model->task, MR_SEVERITY_ERROR, NULL, NULL,
                            "rendition '%s': two of its chunks were made with different init segments (%s and %s), so they can't be played as one",
                            rendition->path, rendition->init_digest, segment->digest);
        return MR_ERR_INTERNAL;
    }
    read_init(reader, rendition);
    rendition->has_init = true;
    rendition->init_has_content = segment->has_content != 0;
    snprintf(rendition->init_digest, sizeof(rendition->init_digest), "%s", segment->digest);
    if (!segment->has_content)
        return MR_OK;
    read_word(reader, "ext", "", rendition->init_ext, sizeof(rendition->init_ext));
    snprintf(ret_path, PLACE_SIZE, "%s/init.%s", rendition->path, rendition->init_ext);
    return MR_OK;
}

mr_status model_reserve(const mr_model *model, mr_rendition *rendition, size_t count)
{
    if (count > rendition->capacity) {
        size_t capacity = rendition->capacity ? rendition->capacity * 2 : 64;
        while (capacity < count)
            capacity *= 2;
        mr_piece *grown = realloc(rendition->pieces, capacity * sizeof(*grown));
        if (!grown)
            return no_memory(model);
        memset(grown + rendition->capacity, 0, (capacity - rendition->capacity) * sizeof(*grown));
        rendition->pieces = grown;
        rendition->capacity = capacity;
    }
    if (count > rendition->count)
        rendition->count = count;
    return MR_OK;
}

static mr_status add_media(const mr_model *model, mr_reader *reader, mr_rendition *rendition, const mr_artifact *segment, char *ret_path)
{
    int64_t index = read_int(reader, "index", REQUIRED, 0, SEGMENTS_MAX - 1);
    const mr_piece made = {
        .start = read_int(reader, "start", REQUIRED, 0, INT64_C(1) << 50),
        .duration = read_int(reader, "duration", REQUIRED, 1, INT64_C(1) << 50),
        .size = segment->size,
        .iframe_bytes = (uint32_t)read_int(reader, "iframe_bytes", 0, 0, UINT32_MAX),
        .present = true,
    };
    char ext[sizeof(rendition->ext)];
    read_word(reader, "ext", "", ext, sizeof(ext));
    if (reader->bad)
        return MR_ERR_INTERNAL;
    if (rendition->ext[0] && strcmp(rendition->ext, ext) != 0)
        reader_fault(reader, "ext", "differs from the rendition's other segments");
    if (made.iframe_bytes > segment->size)
        reader_fault(reader, "iframe_bytes", "is more than the segment holds");
    memcpy(rendition->ext, ext, sizeof(ext));
    mr_status status = model_reserve(model, rendition, (size_t)index + 1);
    if (status != MR_OK)
        return status;
    if (rendition->pieces[index].present) {
        model->host->report(model->task, MR_SEVERITY_ERROR, NULL, NULL, "rendition '%s': segment %" PRId64 " came twice", rendition->path, index);
        return MR_ERR_INTERNAL;
    }
    rendition->pieces[index] = made;
    rendition->present++;
    while (rendition->prefix < rendition->count && rendition->pieces[rendition->prefix].present)
        rendition->prefix++;
    snprintf(ret_path, PLACE_SIZE, "%s/%05" PRId64 ".%s", rendition->path, index, ext);
    return MR_OK;
}

static mr_status add_whole(mr_reader *reader, mr_rendition *rendition, const mr_artifact *segment, char *ret_path)
{
    if (rendition->whole_ext[0])
        reader_fault(reader, "role", "is 'whole' for the second time");
    read_word(reader, "ext", "", rendition->whole_ext, sizeof(rendition->whole_ext));
    rendition->whole_size = segment->size;
    snprintf(ret_path, PLACE_SIZE, "%s/subtitles.%s", rendition->path, rendition->whole_ext);
    return MR_OK;
}

mr_status model_add_segment(mr_model *model, const mr_artifact *segment, char *ret_path, mr_rendition **ret_rendition)
{
    char role[16], kind_text[16], path[PATH_SIZE], what[PATH_SIZE + 32];
    mr_kind kind = 0;
    mr_reader reader = reader_begin(model->host, model->task, "segment", segment->meta);
    ret_path[0] = '\0';
    read_word(&reader, "role", "", role, sizeof(role));
    read_word(&reader, "kind", "", kind_text, sizeof(kind_text));
    read_text(&reader, "rendition", path, sizeof(path), false);
    while (kind < KIND_COUNT && strcmp(kind_names[kind], kind_text) != 0)
        kind++;
    if (kind == KIND_COUNT)
        reader_fault(&reader, "kind", "is not video, audio, text or muxed");
    if (!path_is_plain(path))
        reader_fault(&reader, "rendition", "is not a plain relative path");
    mr_rendition *rendition = reader.bad ? NULL : take_rendition(model, kind, path);
    mr_status status = rendition ? MR_OK : MR_ERR_INTERNAL;
    snprintf(what, sizeof(what), "segment of rendition '%s'", path);
    reader.what = what;
    if (rendition && strcmp(role, "init") == 0)
        status = add_init(model, &reader, rendition, segment, ret_path);
    else if (rendition && strcmp(role, "media") == 0)
        status = add_media(model, &reader, rendition, segment, ret_path);
    else if (rendition && strcmp(role, "whole") == 0)
        status = add_whole(&reader, rendition, segment, ret_path);
    else
        reader_fault(&reader, "role", "is not init, media or whole");
    if (reader.bad && status == MR_OK)
        status = MR_ERR_INTERNAL;
    reader_end(&reader);
    *ret_rendition = rendition;
    return status;
}

/* PREFIX + five digits + SUFFIX, as DASH's $Number%05d$ writes it; a sheet named otherwise can't be said in an MPD. */
static bool split_sheet(const char *path, char *ret_prefix, char *ret_suffix, size_t suffix_size, size_t *ret_index)
{
    const char *dot = strrchr(path, '.');
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    if (!dot || dot - base < 5 || strlen(dot) >= suffix_size)
        return false;
    const char *digits = dot;
    while (digits > base && isdigit((unsigned char)digits[-1]))
        digits--;
    if (dot - digits != 5)
        return false;
    memcpy(ret_prefix, path, (size_t)(digits - path));
    ret_prefix[digits - path] = '\0';
    snprintf(ret_suffix, suffix_size, "%s", dot);
    *ret_index = strtoul(digits, NULL, 10);
    return *ret_index < SHEETS_MAX;
}

static void add_sheet(mr_model *model, mr_reader *reader, const mr_artifact *image, const char *path, const char *type)
{
    mr_storyboard *board = &model->storyboard;
    mr_storyboard sheet = {
        .width = read_int(reader, "width", REQUIRED, 1, 65536),
        .height = read_int(reader, "height", REQUIRED, 1, 65536),
        .columns = read_int(reader, "columns", REQUIRED, 1, 1000),
        .rows = read_int(reader, "rows", REQUIRED, 1, 1000),
        .interval_us = read_int(reader, "interval_us", REQUIRED, 1000, INT64_C(86400000000)),
    };
    size_t index = 0;
    if (!board->present && !(board->present = calloc(SHEETS_MAX, sizeof(*board->present)))) {
        no_memory(model);
        reader->bad = true;
    }
    if (reader->bad)
        return;
    bool fits = split_sheet(path, sheet.prefix, sheet.suffix, sizeof(sheet.suffix), &index);
    bool *present = board->present;
    if (fits && board->count == 0) {
        snprintf(sheet.content_type, sizeof(sheet.content_type), "%s", type);
        sheet.present = present;
        *board = sheet;
    }
    if (!fits || present[index] || strcmp(sheet.prefix, board->prefix) != 0 || strcmp(sheet.suffix, board->suffix) != 0 ||
        sheet.columns != board->columns || sheet.rows != board->rows || sheet.interval_us != board->interval_us) {
        board->broken = true;
        return;
    }
    /* The last sheet may be smaller; players cut tiles from the size that the first ones have. */
    board->width = sheet.width > board->width ? sheet.width : board->width;
    board->height = sheet.height > board->height ? sheet.height : board->height;
    present[index] = true;
    board->bytes += image->size;
    board->count++;
}

mr_status model_add_image(mr_model *model, const mr_artifact *image, char *ret_path, char ret_type[64])
{
    char role[32];
    mr_reader reader = reader_begin(model->host, model->task, "image", image->meta);
    read_word(&reader, "role", "-_", role, sizeof(role));
    read_text(&reader, "path", ret_path, PATH_SIZE, false);
    read_word(&reader, "content_type", "/.+-", ret_type, 64);
    if (!path_is_plain(ret_path))
        reader_fault(&reader, "path", "is not a plain relative path");
    if (!reader.bad && strcmp(role, "storyboard") == 0)
        add_sheet(model, &reader, image, ret_path, ret_type);
    bool bad = reader.bad;
    reader_end(&reader);
    return bad ? MR_ERR_INTERNAL : MR_OK;
}

/* Pictures from the largest down: a rung need not know of the others, and stays what it is when one is added. */
static int compare_pictures(const mr_rendition *a, const mr_rendition *b)
{
    int64_t areas = (int64_t)b->width * b->height - (int64_t)a->width * a->height;
    int64_t bits = b->max_bitrate - a->max_bitrate;
    if (a->kind != KIND_VIDEO && a->kind != KIND_MUXED)
        return 0;
    return areas ? (areas > 0 ? 1 : -1) : bits ? (bits > 0 ? 1 : -1) : 0;
}

static int compare_renditions(const void *left, const void *right)
{
    const mr_rendition *a = *(const mr_rendition *const *)left;
    const mr_rendition *b = *(const mr_rendition *const *)right;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->order != b->order)
        return a->order < b->order ? -1 : 1;
    int pictures = compare_pictures(a, b);
    if (pictures)
        return pictures;
    if (a->stream != b->stream)
        return a->stream < b->stream ? -1 : 1;
    return strcmp(a->path, b->path);
}

void model_sort(mr_model *model)
{
    qsort(model->renditions, model->count, sizeof(mr_rendition *), compare_renditions);
}
