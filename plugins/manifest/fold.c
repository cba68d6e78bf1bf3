/* SPDX-License-Identifier: MIT */
/*
 * manifest.package: a fold over segments as they are made. What it gives is a sequence of publications in which no playlist is ahead of what it
 * names: init and media segments as they come; a media playlist that grows, after the segments it lists; the multivariant playlist, after the
 * media playlists it lists; the MPD last. The bytes at the end depend on the segments alone, never on the order in which they came.
 *
 * With 'waits' the order is another one: a server makes viewers wait for what a playlist names and is not there yet, so that whole playlists and the
 * MPD come as soon as the init segments are there.
 *
 * A growing playlist is published again when an eighth more is there: as often as a viewer needs, and for a film not thousands of times.
 */
#include "manifest.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fold {
    const mr_host *host;
    mr_task *task;
    const mr_package_params *params;
    mr_model model;
    bool hls, dash;
    size_t rungs;     /* wanted by the ladder; 0: not known */
    size_t announced; /* renditions in the multivariant playlist that was published last */
    size_t segments;  /* that came */
};

static const struct {
    const char *ext, *type;
} content_types[] = {
    {"mp4", "video/mp4"},
    {"m4s", "video/iso.segment"},
    {"m4a", "audio/mp4"},
    {"ts", "video/mp2t"},
    {"vtt", "text/vtt"},
    {"m3u8", "application/vnd.apple.mpegurl"},
    {"mpd", "application/dash+xml"},
    {"aac", "audio/aac"},
    {"webm", "video/webm"},
};

static const char *content_type(const char *path)
{
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof(content_types) / sizeof(content_types[0]); i++) {
        if (strcmp(dot + 1, content_types[i].ext) == 0)
            return content_types[i].type;
    }
    return "application/octet-stream";
}

static char *file_meta(const char *path, const char *type, bool replaceable, bool growing, const char *role)
{
    json_t *meta = json_pack("{s:s, s:s, s:b}", "path", path, "content_type", type, "replaceable", replaceable);
    if (meta && ((role && json_object_set_new(meta, "role", json_string(role)) != 0) ||
                 (growing && json_object_set_new(meta, "growing", json_true()) != 0))) {
        json_decref(meta);
        return NULL;
    }
    char *text = meta ? json_dumps(meta, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(meta);
    return text;
}

static mr_status no_memory(const struct fold *fold)
{
    fold->host->report(fold->task, MR_SEVERITY_ERROR, NULL, NULL, "memory is short");
    return MR_ERR_NOMEM;
}

static mr_status publish_content(struct fold *fold, const char *path, const char *type, const mr_artifact *content)
{
    char *meta = file_meta(path, type, false, false, NULL);
    mr_status status = meta ? fold->host->emit_from(fold->task, OUT_FILES, meta, content) : no_memory(fold);
    free(meta);
    return status;
}

static mr_status publish_text(struct fold *fold, const char *path, const char *role, bool growing, const mr_text *text)
{
    char *meta = text->failed ? NULL : file_meta(path, content_type(path), true, growing, role);
    mr_status status =
        meta ? fold->host->emit_bytes(fold->task, OUT_FILES, meta, utstring_body(&text->string), utstring_len(&text->string)) : no_memory(fold);
    free(meta);
    return status;
}

static mr_status publish_media_playlist(struct fold *fold, mr_rendition *rendition, size_t n, bool whole)
{
    char path[PATH_SIZE + NAME_SIZE];
    mr_text text;
    text_init(&text);
    hls_media_playlist(&text, &fold->model, rendition, n, whole);
    snprintf(path, sizeof(path), "%s/%s", rendition->path, fold->params->playlist_name);
    mr_status status = publish_text(fold, path, NULL, !whole, &text);
    text_free(&text);
    rendition->grown = n > 0 ? n : 1;
    rendition->is_final = whole;
    return status;
}

static mr_status publish_multivariant(struct fold *fold, bool whole)
{
    mr_text text;
    text_init(&text);
    hls_multivariant(&text, &fold->model, fold->params, whole);
    mr_status status = publish_text(fold, fold->params->hls_name, "hls", !whole, &text);
    text_free(&text);
    return status;
}

static mr_status publish_mpd(struct fold *fold, bool whole)
{
    mr_text text;
    text_init(&text);
    dash_mpd(&text, &fold->model);
    mr_status status = publish_text(fold, fold->params->dash_name, "dash", !whole, &text);
    text_free(&text);
    return status;
}

/* A rung or a sound track that is still to come would be missing from what early viewers load. A track may make several renditions: the init segments
 * of all of them come before the first media. */
static bool all_known(const struct fold *fold)
{
    const mr_model *model = &fold->model;
    size_t pictures = 0;
    for (size_t i = 0; i < model->count; i++) {
        const mr_rendition *rendition = model->renditions[i];
        if (rendition->kind != KIND_TEXT && rendition->grown == 0)
            return false;
        pictures += rendition->kind == KIND_VIDEO || rendition->kind == KIND_MUXED;
    }
    if (model->plan.has_video ? pictures == 0 || pictures < fold->rungs : model->count == 0)
        return false;
    for (size_t t = 0; t < model->plan.track_count; t++) {
        bool found = false;
        for (size_t i = 0; i < model->count && !found; i++)
            found = model->renditions[i]->kind == KIND_MUXED ||
                    (model->renditions[i]->kind == KIND_AUDIO && model->renditions[i]->stream == model->plan.tracks[t] &&
                     model->renditions[i]->present > 0);
        if (!found)
            return false;
    }
    return true;
}

/* An MPD names every segment: there is none before each rendition is foreseen. */
static bool all_foreseen(const mr_model *model)
{
    for (size_t i = 0; i < model->count; i++) {
        if (model->renditions[i]->kind != KIND_TEXT && !model->renditions[i]->foreseen)
            return false;
    }
    return true;
}

static size_t ready_renditions(const mr_model *model)
{
    size_t count = 0;
    for (size_t i = 0; i < model->count; i++)
        count += model->renditions[i]->grown > 0;
    return count;
}

static mr_status announce(struct fold *fold)
{
    size_t ready = ready_renditions(&fold->model);
    if (ready == fold->announced || !all_known(fold))
        return MR_OK;
    model_sort(&fold->model);
    fold->announced = ready;
    mr_status status = fold->hls ? publish_multivariant(fold, false) : MR_OK;
    return status == MR_OK && fold->dash && all_foreseen(&fold->model) ? publish_mpd(fold, false) : status;
}

/* All that is planned of it, once. */
static mr_status foretell(struct fold *fold, mr_rendition *rendition)
{
    if (rendition->grown > 0)
        return announce(fold);
    mr_status status = fold->hls ? publish_media_playlist(fold, rendition, rendition->count, true) : MR_OK;
    rendition->grown = rendition->count;
    rendition->is_final = false; /* its tail may come shorter than planned */
    return status == MR_OK ? announce(fold) : status;
}

/* After a segment of the rendition was published: its playlist, when there is enough new in it, and whole when that was the last. */
static mr_status grow(struct fold *fold, mr_rendition *rendition)
{
    size_t planned = fold->model.plan.segments[rendition->kind];
    bool whole = planned > 0 && rendition->prefix == planned && rendition->count == planned;
    if (rendition->foreseen)
        return foretell(fold, rendition);
    if (!fold->hls || !fold->params->growing || !rendition->has_init || rendition->prefix == 0 || rendition->is_final)
        return MR_OK;
    if (!whole && rendition->grown > 0 && rendition->prefix < rendition->grown + 1 + rendition->grown / 8)
        return MR_OK;
    mr_status status = publish_media_playlist(fold, rendition, rendition->prefix, whole);
    return status == MR_OK ? announce(fold) : status;
}

static void tell_progress(struct fold *fold)
{
    size_t all = 0;
    for (size_t i = 0; i < fold->model.count; i++)
        all += fold->model.plan.segments[fold->model.renditions[i]->kind];
    if (all > 0)
        fold->host->progress(fold->task, fold->segments < all ? (double)fold->segments / (double)all : 1);
}

static mr_status take_segment(struct fold *fold, const mr_artifact *segment)
{
    char path[PLACE_SIZE];
    mr_rendition *rendition = NULL;
    mr_status status = model_add_segment(&fold->model, segment, path, &rendition);
    if (status == MR_OK && path[0])
        status = publish_content(fold, path, content_type(path), segment);
    if (status == MR_OK && fold->params->waits)
        status = model_foresee(&fold->model, rendition);
    fold->segments++;
    tell_progress(fold);
    return status == MR_OK ? grow(fold, rendition) : status;
}

static mr_status take_image(struct fold *fold, const mr_artifact *image)
{
    char path[PATH_SIZE], type[64];
    mr_status status = model_add_image(&fold->model, image, path, type);
    return status == MR_OK ? publish_content(fold, path, type, image) : status;
}

static mr_status take_items(struct fold *fold)
{
    for (;;) {
        uint32_t port;
        const mr_artifact *item;
        mr_status status = fold->host->next(fold->task, &port, &item);
        if (status == MR_END)
            return MR_OK;
        if (status == MR_OK)
            status = port == IN_SEGMENTS ? take_segment(fold, item) : take_image(fold, item);
        if (status != MR_OK)
            return status;
    }
}

static mr_status finish_hls(struct fold *fold)
{
    mr_model *model = &fold->model;
    mr_status status = MR_OK;
    for (size_t i = 0; i < model->count && status == MR_OK; i++) {
        mr_rendition *rendition = model->renditions[i];
        if (!rendition->is_final)
            status = publish_media_playlist(fold, rendition, rendition->count, true);
        if (status != MR_OK || !fold->params->iframes || !has_iframes(rendition))
            continue;
        char path[PLACE_SIZE];
        mr_text text;
        text_init(&text);
        hls_iframe_playlist(&text, model, rendition);
        snprintf(path, sizeof(path), "%s/%s", rendition->path, IFRAMES_NAME);
        status = publish_text(fold, path, NULL, false, &text);
        text_free(&text);
    }
    return status == MR_OK ? publish_multivariant(fold, true) : status;
}

static mr_status finish_dash(struct fold *fold)
{
    for (size_t i = 0; i < fold->model.count; i++) {
        if (fold->model.renditions[i]->kind == KIND_MUXED) {
            fold->host->report(fold->task, MR_SEVERITY_ERROR, "formats", "write formats: [hls]",
                               "DASH can't be made of transport stream segments ('%s')", fold->model.renditions[i]->path);
            return MR_ERR_PARAM;
        }
    }
    if (fold->model.storyboard.broken)
        fold->host->report(fold->task, MR_SEVERITY_WARNING, NULL, "name them FOLDER/00000.EXT, FOLDER/00001.EXT …",
                           "the storyboard is left out of the MPD: its sheets are not numbered in one pattern");
    return publish_mpd(fold, true);
}

static bool has_media(const mr_model *model)
{
    for (size_t i = 0; i < model->count; i++) {
        if (model->renditions[i]->kind != KIND_TEXT)
            return true;
    }
    return false;
}

static mr_status finish(struct fold *fold)
{
    if (!has_media(&fold->model)) {
        fold->host->report(fold->task, MR_SEVERITY_ERROR, NULL, "check that the source has a picture or a sound track that this pipeline uses",
                           "there is nothing to package: no picture and no sound came");
        return MR_ERR_INPUT;
    }
    model_sort(&fold->model);
    for (size_t i = 0; i < fold->model.count; i++)
        model_trim(fold->model.renditions[i]);
    mr_status status = model_check(&fold->model);
    if (status == MR_OK && fold->hls)
        status = finish_hls(fold);
    if (status == MR_OK && fold->dash)
        status = finish_dash(fold);
    return status;
}

static mr_status read_params(struct fold *fold)
{
    const struct {
        const char *param, *name;
    } names[] = {{"hls_name", fold->params->hls_name}, {"dash_name", fold->params->dash_name}, {"playlist_name", fold->params->playlist_name}};
    const char *const *formats = fold->params->formats.items;
    for (size_t i = 0; i < fold->params->formats.count; i++) {
        bool hls = strcmp(formats[i], "hls") == 0;
        bool dash = strcmp(formats[i], "dash") == 0;
        if (!hls && !dash) {
            fold->host->report(fold->task, MR_SEVERITY_ERROR, "formats", "the formats are hls and dash", "unknown format '%s'", formats[i]);
            return MR_ERR_PARAM;
        }
        fold->hls |= hls;
        fold->dash |= dash;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!path_is_plain(names[i].name) || strchr(names[i].name, '/')) {
            fold->host->report(fold->task, MR_SEVERITY_ERROR, names[i].param, NULL, "'%s' is not the name of a file", names[i].name);
            return MR_ERR_PARAM;
        }
    }
    return MR_OK;
}

static mr_status package(const mr_host *host, const mr_batch_task *item)
{
    struct fold fold = {.host = host, .task = item->task, .params = item->params, .model = {.host = host, .task = item->task}};
    mr_status status = read_params(&fold);
    fold.rungs = host->input_count(item->task, IN_LADDER);
    const mr_artifact *plan = host->input(item->task, IN_PLAN, 0);
    if (status == MR_OK)
        status = plan ? model_read_plan(&fold.model, plan->meta) : MR_ERR_INTERNAL;
    if (status == MR_OK)
        status = take_items(&fold);
    if (status == MR_OK)
        status = finish(&fold);
    model_free(&fold.model);
    return status;
}

mr_status package_run(const mr_host *host, const mr_batch *batch)
{
    mr_status status = MR_OK;
    for (uint32_t i = 0; i < batch->count; i++) {
        status = package(host, &batch->tasks[i]);
        host->finish(batch->tasks[i].task, status);
    }
    return status;
}
