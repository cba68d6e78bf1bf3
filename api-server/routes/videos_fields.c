/* SPDX-License-Identifier: MIT */
/* Bodies that describe a video. */
#include "api-server/routes/videos.h"
#include "api-server/videos/videos.h"

#include <stdlib.h>
#include <string.h>

#define EDITED "title description tags category language metadata visibility"

/* Nothing that ends a line or a text early. */
static const char *read_line(mr_fields *fields, const char *name, size_t most)
{
    const char *text = mr_field_text(fields, name, 0, most, false);
    for (const char *c = text; c && *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            mr_field_wrong(fields, name, "this is one line, without control characters");
            return NULL;
        }
    return text;
}

static const json_t *read_tags(mr_fields *fields, const json_t *tags)
{
    size_t i;
    const json_t *tag;
    bool good = json_is_array(tags) && json_array_size(tags) <= MR_VIDEO_TAGS;
    json_array_foreach(tags, i, tag)
    {
        good = good && json_is_string(tag) && json_string_length(tag) >= 1 && json_string_length(tag) <= 64;
    }
    if (!good)
        mr_field_wrong(fields, "tags", "this is a list of 50 texts at most, each of 1 to 64 bytes");
    return good ? tags : NULL;
}

static const json_t *read_object(mr_fields *fields, const char *name, const json_t *value)
{
    const size_t len = json_is_object(value) ? json_dumpb(value, NULL, 0, JSON_COMPACT) : 0;
    if (len > 0 && len <= MR_VIDEO_METADATA_MAX)
        return value;
    mr_field_wrong(fields, name, "this is an object of 65536 bytes at most");
    return NULL;
}

static void read_visibility(mr_fields *fields, mr_video_body *body)
{
    const char *name = mr_field_text(fields, "visibility", 1, 16, false);
    if (name && mr_visibility_of(name, &body->visibility))
        body->fields.visibility = &body->visibility;
    else if (name)
        mr_field_wrong(fields, "visibility", "this is public, unlisted or private");
}

/* video.mp4 -> video */
static const char *title_of(mr_call *call, const char *filename)
{
    const char *dot = filename ? strrchr(filename, '.') : NULL;
    const size_t len = dot && dot > filename ? (size_t)(dot - filename) : filename ? strlen(filename) : 0;
    json_t *title = json_stringn(filename ? filename : "", len);
    if (!title)
        return "";
    json_object_set_new(call->json, "title", title); /* the call's, as all texts of the body */
    return json_string_value(title);
}

/* One that is there: said before gigabytes are sent for it. */
static const char *read_pipeline(mr_call *call, mr_fields *fields)
{
    const mr_platform_host *host = call->server->host;
    const char *name = read_line(fields, "pipeline", 127);
    char *text = name && name[0] ? host->pipeline(host->platform, name) : NULL;
    if (name && name[0] && !text)
        mr_field_wrong(fields, "pipeline", "there is no such pipeline: GET /api/v1/pipelines lists them");
    host->text_free(host->platform, text);
    return name;
}

void mr_fields_run(mr_fields *fields, const char *pipeline, const json_t *params)
{
    char *text = params ? json_dumps(params, JSON_COMPACT) : NULL;
    char *answer = NULL;
    if (mr_videos_check(fields->call->server->videos, pipeline, text ? text : "{}", &answer) != MR_OK)
        mr_fields_diagnostics(fields, answer);
    free(answer);
    free(text);
}

static void read_creation(mr_call *call, mr_fields *fields, mr_video_body *body)
{
    const char *type = read_line(fields, "type", 127);
    body->type = type ? type : "";
    body->fields.filename = read_line(fields, "filename", 255);
    body->fields.pipeline = read_pipeline(call, fields);
    const json_t *params = json_object_get(call->json, "params");
    body->fields.params = params ? read_object(fields, "params", params) : NULL;
    if ((body->fields.pipeline || body->fields.params) && !fields->errors)
        mr_fields_run(fields, body->fields.pipeline, body->fields.params);
    mr_field_number(fields, "size", 0, INT64_MAX, &body->size);
    if (!body->fields.title)
        body->fields.title = title_of(call, body->fields.filename);
}

/* What a PUT leaves out is empty. */
static void fill_in(mr_call *call, mr_fields *fields, mr_video_body *body)
{
    mr_video_fields *it = &body->fields;
    if (!it->visibility && !mr_fields_has(fields, "visibility"))
        mr_field_wrong(fields, "visibility", "this is needed");
    it->title = it->title ? it->title : "";
    it->description = it->description ? it->description : "";
    it->category = it->category ? it->category : "";
    it->language = it->language ? it->language : "";
    if (!it->tags && !mr_fields_has(fields, "tags")) {
        json_object_set_new(call->json, "tags", json_array());
        it->tags = json_object_get(call->json, "tags");
    }
    if (!it->metadata && !mr_fields_has(fields, "metadata")) {
        json_object_set_new(call->json, "metadata", json_object());
        it->metadata = json_object_get(call->json, "metadata");
    }
}

bool mr_call_video_body(mr_call *call, enum mr_body_use use, mr_video_body *ret_body)
{
    *ret_body = (mr_video_body){.size = -1, .type = ""};
    mr_fields fields = mr_fields_begin(call, use == MR_BODY_CREATE ? EDITED " filename size type pipeline params" : EDITED);
    ret_body->fields.title = read_line(&fields, "title", MR_TITLE_SIZE - 1);
    ret_body->fields.description = mr_field_text(&fields, "description", 0, MR_DESCRIPTION_SIZE - 1, false);
    ret_body->fields.category = read_line(&fields, "category", MR_CATEGORY_SIZE - 1);
    ret_body->fields.language = read_line(&fields, "language", MR_LANGUAGE_SIZE - 1);
    const json_t *tags = json_object_get(call->json, "tags");
    const json_t *metadata = json_object_get(call->json, "metadata");
    ret_body->fields.tags = tags ? read_tags(&fields, tags) : NULL;
    ret_body->fields.metadata = metadata ? read_object(&fields, "metadata", metadata) : NULL;
    read_visibility(&fields, ret_body);
    if (use == MR_BODY_CREATE)
        read_creation(call, &fields, ret_body);
    else if (use == MR_BODY_REPLACE)
        fill_in(call, &fields, ret_body);
    return mr_fields_good(&fields);
}
