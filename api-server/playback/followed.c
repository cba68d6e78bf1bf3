/* SPDX-License-Identifier: MIT */
/* See followed.h. What comes in was checked by the engine for form alone: every number has its bounds here. */
#include "api-server/playback/followed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RENDITIONS_MAX = 256, CHUNKS_MAX = 100000, SEGMENTS_MAX = 100000, PATH_MAX_BYTES = 512, KINDS = 2, ENTRANCES = 2 };

typedef struct chunk {
    uint32_t first, end; /* segments; empty: not known */
} chunk;

typedef struct rendition {
    char path[PATH_MAX_BYTES];
    char node[MR_MAKER_SIZE]; /* "": only its init segment is known so far */
    char rest[MR_MAKER_SIZE]; /* of its items, after the chunk: ",1" */
    int kind;                 /* in chunks */
} rendition;

struct mr_followed {
    char run[64];
    char output[MR_OUTPUT_SIZE];
    struct {
        chunk *list; /* by index */
        size_t count;
    } chunks[KINDS];
    rendition *renditions;
    size_t rendition_count;
    char entrances[ENTRANCES][PATH_MAX_BYTES]; /* of HLS, of DASH; "": not made yet */
};

static int kind_of(const char *name)
{
    return !name ? -1 : strcmp(name, "video") == 0 ? 0 : strcmp(name, "audio") == 0 ? 1 : -1;
}

mr_followed *mr_followed_new(const char *run)
{
    mr_followed *followed = strlen(run) < sizeof(followed->run) ? calloc(1, sizeof(*followed)) : NULL;
    if (followed)
        snprintf(followed->run, sizeof(followed->run), "%s", run);
    return followed;
}

void mr_followed_free(mr_followed *followed)
{
    if (!followed)
        return;
    for (int kind = 0; kind < KINDS; kind++)
        free(followed->chunks[kind].list);
    free(followed->renditions);
    free(followed);
}

const char *mr_followed_run(const mr_followed *followed)
{
    return followed->run;
}

const char *mr_followed_output(const mr_followed *followed)
{
    return followed->output;
}

void mr_followed_publishes(mr_followed *followed, const char *output)
{
    snprintf(followed->output, sizeof(followed->output), "%s", output);
}

/* ---- learning ---- */

/* False: out of [0, most). */
static bool small(const json_t *value, json_int_t most, size_t *ret_value)
{
    const json_int_t number = json_integer_value(value);
    *ret_value = (size_t)number;
    return json_is_integer(value) && number >= 0 && number < most;
}

static void learn_chunk(mr_followed *followed, const json_t *meta)
{
    const int kind = kind_of(json_string_value(json_object_get(meta, "kind")));
    const json_t *segments = json_object_get(meta, "segments");
    size_t index = 0, first = 0;
    if (kind < 0 || !small(json_object_get(meta, "index"), CHUNKS_MAX, &index) ||
        !small(json_object_get(json_array_get(segments, 0), "index"), SEGMENTS_MAX, &first))
        return;
    if (index >= followed->chunks[kind].count) {
        const size_t count = index + 1 + index / 2;
        chunk *grown = realloc(followed->chunks[kind].list, count * sizeof(*grown));
        if (!grown)
            return;
        memset(grown + followed->chunks[kind].count, 0, (count - followed->chunks[kind].count) * sizeof(*grown));
        followed->chunks[kind].list = grown;
        followed->chunks[kind].count = count;
    }
    followed->chunks[kind].list[index] = (chunk){.first = (uint32_t)first, .end = (uint32_t)(first + json_array_size(segments))};
}

static rendition *find_rendition(const mr_followed *followed, const char *path, size_t len)
{
    for (size_t i = 0; i < followed->rendition_count; i++) {
        rendition *known = &followed->renditions[i];
        if (strncmp(known->path, path, len) == 0 && known->path[len] == '\0')
            return known;
    }
    return NULL;
}

static rendition *add_rendition(mr_followed *followed, const char *path, int kind)
{
    if (strlen(path) >= PATH_MAX_BYTES || followed->rendition_count == RENDITIONS_MAX)
        return NULL;
    rendition *grown = realloc(followed->renditions, (followed->rendition_count + 1) * sizeof(*grown));
    if (!grown)
        return NULL;
    followed->renditions = grown;
    rendition *made = &grown[followed->rendition_count++];
    *made = (rendition){.kind = kind};
    snprintf(made->path, sizeof(made->path), "%s", path);
    return made;
}

/* What makes its media makes all of it; its init segment may come from elsewhere. */
static void learn_rendition(mr_followed *followed, const json_t *meta, const char *node, const char *item)
{
    const char *path = json_string_value(json_object_get(meta, "rendition"));
    const char *role = json_string_value(json_object_get(meta, "role"));
    const char *rest = item + strspn(item, "0123456789");
    const int kind = kind_of(json_string_value(json_object_get(meta, "kind")));
    if (!path || kind < 0 || rest == item || strlen(node) >= MR_MAKER_SIZE || strlen(rest) >= MR_MAKER_SIZE)
        return;
    rendition *known = find_rendition(followed, path, strlen(path));
    if (!known)
        known = add_rendition(followed, path, kind);
    if (!known || known->node[0] || !role || strcmp(role, "media") != 0)
        return;
    snprintf(known->node, sizeof(known->node), "%s", node);
    snprintf(known->rest, sizeof(known->rest), "%s", rest);
}

static void learn_entrance(mr_followed *followed, const json_t *meta)
{
    static const char *const roles[ENTRANCES] = {"hls", "dash"};
    const char *role = json_string_value(json_object_get(meta, "role"));
    const char *path = json_string_value(json_object_get(meta, "path"));
    for (size_t i = 0; role && path && strlen(path) < PATH_MAX_BYTES && i < ENTRANCES; i++) {
        if (strcmp(role, roles[i]) == 0)
            snprintf(followed->entrances[i], PATH_MAX_BYTES, "%s", path);
    }
}

void mr_followed_learn(mr_followed *followed, const json_t *event)
{
    const json_t *detail = json_object_get(event, "detail");
    const json_t *meta = json_object_get(detail, "meta");
    const char *type = json_string_value(json_object_get(detail, "type"));
    const char *node = json_string_value(json_object_get(event, "node"));
    const char *item = json_string_value(json_object_get(event, "item"));
    if (type && strcmp(type, "chunk") == 0)
        learn_chunk(followed, meta);
    else if (type && strcmp(type, "segment") == 0 && node && item)
        learn_rendition(followed, meta, node, item);
    else if (type && strcmp(type, "file") == 0)
        learn_entrance(followed, meta);
}

/* ---- finding ---- */

bool mr_followed_has_made(const mr_followed *followed, const char *entrance)
{
    for (size_t i = 0; i < ENTRANCES; i++) {
        if (strcmp(followed->entrances[i], entrance) == 0)
            return true;
    }
    return false;
}

/* "00012.m4s": false for another form. */
static bool read_number(const char *name, size_t *ret_number)
{
    const size_t digits = strspn(name, "0123456789");
    if (digits != 5 || name[digits] != '.' || name[digits + 1] == '\0')
        return false;
    *ret_number = strtoul(name, NULL, 10);
    return true;
}

bool mr_followed_find(const mr_followed *followed, const char *path, char ret_node[static MR_MAKER_SIZE], char ret_item[static MR_MAKER_SIZE])
{
    const char *slash = strrchr(path, '/');
    size_t number = 0;
    const rendition *wanted = slash ? find_rendition(followed, path, (size_t)(slash - path)) : NULL;
    if (!wanted || !read_number(slash + 1, &number))
        return false;
    const chunk *list = followed->chunks[wanted->kind].list;
    for (size_t i = 0; i < followed->chunks[wanted->kind].count; i++) {
        if (number < list[i].first || number >= list[i].end)
            continue;
        snprintf(ret_node, MR_MAKER_SIZE, "%s", wanted->node);
        const int len = snprintf(ret_item, MR_MAKER_SIZE, "%zu%s", i, wanted->rest);
        return len > 0 && len < MR_MAKER_SIZE;
    }
    return false;
}
