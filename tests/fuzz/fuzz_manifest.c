/* SPDX-License-Identifier: MIT */
/*
 * Any plan, ladder, segments and images through manifest.package. A line is one input: PORT SIZE DIGEST METADATA; "params" in place of a port gives
 * the op's params. What is published must have plain paths, playlists that name only what was published before them, whole lines without control
 * characters, and an MPD that is well-formed XML; and the same segments in another order must give the same texts at the end.
 */
#include "base/text.h"
#include "config/params.h"
#include "config/yaml.h"
#include "fuzz_plugins.h"
#include "manifest_xml.h"
#include "op_host.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX = 32768, LINES_MAX = 128, CONTENT_MAX = 1 << 20 };

static const char zeros[CONTENT_MAX];

typedef struct story {
    char text[TEXT_MAX + 1];
    op_input inputs[LINES_MAX];
    size_t count;
    const char *params;
} story;

static void require(bool right)
{
    if (!right)
        abort();
}

/* ---- reading the input ---- */

static const char *known_port(const char *word)
{
    static const char *const ports[] = {"plan", "ladder", "segments", "images"};
    for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
        if (strcmp(ports[i], word) == 0)
            return ports[i];
    }
    return NULL;
}

static void read_line(story *story, char *line)
{
    char *rest = line;
    const char *word = strsep(&rest, " ");
    if (strcmp(word, "params") == 0) {
        story->params = rest;
        return;
    }
    const char *port = known_port(word);
    const char *size_text = strsep(&rest, " ");
    const char *digest = strsep(&rest, " ");
    if (!port || !rest || story->count == LINES_MAX)
        return;
    size_t size = (size_t)strtoull(size_text, NULL, 10);
    if (size > CONTENT_MAX)
        size = CONTENT_MAX;
    uint32_t type = strcmp(port, "segments") == 0 ? MR_TYPE_SEGMENT : strcmp(port, "images") == 0 ? MR_TYPE_IMAGE : MR_TYPE_JSON;
    story->inputs[story->count++] = (op_input){.port = port, .type = type, .meta = rest, .data = size ? zeros : NULL, .size = size, .digest = digest};
}

static void read_story(story *story, const uint8_t *data, size_t size)
{
    story->count = 0;
    story->params = NULL;
    memcpy(story->text, data, size);
    story->text[size] = '\0';
    char *rest = story->text;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
        read_line(story, line);
}

static bool has_plan(const story *story)
{
    for (size_t i = 0; i < story->count; i++) {
        if (strcmp(story->inputs[i].port, "plan") == 0)
            return true;
    }
    return false;
}

/* ---- what was published ---- */

static char *path_of(const op_item *item)
{
    json_t *meta = json_loads(item->meta, JSON_REJECT_DUPLICATES, NULL);
    const char *path = json_string_value(json_object_get(meta, "path"));
    require(path != NULL && json_is_string(json_object_get(meta, "content_type")));
    char *copy = strdup(path);
    require(copy != NULL);
    json_decref(meta);
    return copy;
}

static void check_path(const char *path)
{
    require(*path && *path != '/' && mr_utf8_valid(path, strlen(path)));
    for (const char *part = path;; part++) {
        size_t len = strcspn(part, "/");
        require(len > 0 && strncmp(part, "..", len > 2 ? len : 2) != 0 && strncmp(part, ".", len) != 0);
        part += len;
        if (!*part)
            return;
    }
}

/* The path that a URL in the playlist at base names. */
static void resolve(const char *base, const char *url, size_t len, char *out, size_t size)
{
    const char *slash = strrchr(base, '/');
    size_t used = slash ? (size_t)(slash - base) + 1 : 0;
    require(used + len < size);
    memcpy(out, base, used);
    for (size_t i = 0; i < len; i++) {
        unsigned code = 0;
        if (url[i] == '%') {
            require(i + 2 < len + 0 && sscanf(url + i + 1, "%2x", &code) == 1);
            i += 2;
        }
        out[used++] = code ? (char)code : url[i];
    }
    out[used] = '\0';
}

static void require_published(char *const *paths, size_t count, const char *path)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(paths[i], path) == 0)
            return;
    }
    fprintf(stderr, "'%s' is named before it is published\n", path);
    abort();
}

static void check_playlist_line(const char *line, size_t len, const char *base, char *const *paths, size_t count)
{
    char path[2048];
    size_t quotes = 0;
    for (size_t i = 0; i < len; i++) {
        require((unsigned char)line[i] >= 0x20 && line[i] != 0x7f);
        quotes += line[i] == '"';
    }
    require(quotes % 2 == 0 && len > 0);
    const char *uri = line[0] == '#' ? memmem(line, len, "URI=\"", 5) : NULL;
    if (line[0] != '#') {
        resolve(base, line, len, path, sizeof(path));
        require_published(paths, count, path);
    } else if (uri) {
        resolve(base, uri + 5, strcspn(uri + 5, "\""), path, sizeof(path));
        require_published(paths, count, path);
    }
}

/* RFC 8216, 4.3.3.1: each EXTINF, rounded, is at most the target. */
static void check_target(const char *text)
{
    const char *at = strstr(text, "#EXT-X-TARGETDURATION:");
    if (!at)
        return;
    long long target = strtoll(at + 22, NULL, 10);
    require(target > 0);
    for (at = strstr(text, "#EXTINF:"); at; at = strstr(at + 1, "#EXTINF:"))
        require(strtod(at + 8, NULL) < (double)target + 0.5000001);
}

static void check_playlist(const op_item *item, const char *base, char *const *paths, size_t count)
{
    const char *text = (const char *)item->data;
    require(item->has_content && item->size > 8 && strlen(text) == item->size && mr_utf8_valid(text, item->size));
    require(strncmp(text, "#EXTM3U\n", 8) == 0 && text[item->size - 1] == '\n');
    check_target(text);
    while (*text) {
        size_t len = strcspn(text, "\n");
        check_playlist_line(text, len, base, paths, count);
        text += len + 1;
    }
}

static bool ends_with(const char *path, const char *ext)
{
    size_t len = strlen(path);
    return len > strlen(ext) && strcmp(path + len - strlen(ext), ext) == 0;
}

/* Texts are told from segments, which may have any name, by what only texts are: replaceable, or an MPD. */
static bool is_text(const op_item *item)
{
    return strstr(item->meta, "\"role\":\"dash\"") || strstr(item->meta, "\"replaceable\":true");
}

static void check_result(const op_result *result, char **paths)
{
    require((result->status != MR_OK) == (strstr(result->messages, "error: ") != NULL));
    for (size_t i = 0; i < result->count; i++) {
        const op_item *item = &result->items[i];
        paths[i] = path_of(item);
        check_path(paths[i]);
        if (strstr(item->meta, "\"role\":\"dash\"")) {
            require(item->has_content && strlen((const char *)item->data) == item->size);
            require(xml_is_well_formed((const char *)item->data));
        } else if (is_text(item)) {
            check_playlist(item, paths[i], paths, i);
        }
    }
}

/* ---- the same in another order ---- */

/* May the order matter? Only where two say what a thing is: init segments of one rendition (their bytes are compared, not their words), images. */
static bool order_is_free(const story *story)
{
    for (size_t i = 0; i < story->count; i++) {
        if (strcmp(story->inputs[i].port, "images") == 0)
            return false;
        for (size_t k = 0; k < i; k++) {
            json_t *a = json_loads(story->inputs[i].meta, 0, NULL);
            json_t *b = json_loads(story->inputs[k].meta, 0, NULL);
            const char *role = json_string_value(json_object_get(a, "role"));
            bool twice = role && strcmp(role, "init") == 0 && json_equal(json_object_get(a, "role"), json_object_get(b, "role")) &&
                         json_equal(json_object_get(a, "rendition"), json_object_get(b, "rendition"));
            twice |= strcmp(story->inputs[i].port, "plan") == 0 && strcmp(story->inputs[k].port, "plan") == 0;
            json_decref(a);
            json_decref(b);
            if (twice)
                return false;
        }
    }
    return true;
}

static const op_item *last_of(const op_result *result, char *const *paths, const char *path)
{
    for (size_t i = result->count; i-- > 0;) {
        if (strcmp(paths[i], path) == 0)
            return &result->items[i];
    }
    return NULL;
}

static void compare(const op_result *a, char *const *paths_a, const op_result *b, char *const *paths_b)
{
    require((a->status == MR_OK) == (b->status == MR_OK));
    for (size_t i = 0; a->status == MR_OK && i < a->count; i++) {
        const op_item *left = last_of(a, paths_a, paths_a[i]);
        const op_item *right = last_of(b, paths_b, paths_a[i]);
        require(left && right && left->size == right->size);
        require(left->size == 0 || memcmp(left->data, right->data, left->size) == 0);
    }
}

static void free_paths(char **paths, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(paths[i]);
    free(paths);
}

static void reverse(story *story)
{
    for (size_t i = 0; i < story->count / 2; i++) {
        op_input swap = story->inputs[i];
        story->inputs[i] = story->inputs[story->count - 1 - i];
        story->inputs[story->count - 1 - i] = swap;
    }
}

static const mr_op *op;

static void load_op(void)
{
    static const char *const files[] = {FUZZ_PLUGINS};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (ends_with(files[i], "/manifest.so"))
            op = op_load(files[i], "manifest.package");
    }
    require(op != NULL);
}

static bool params_bind(const char *text)
{
    mr_arena *arena = mr_arena_new(0);
    mr_diags *diags = mr_diags_new();
    void *params = calloc(1, op->params_size);
    const mr_value *map = NULL;
    require(arena && diags && params);
    bool good = !text || (mr_yaml_read(arena, "params", text, strlen(text), NULL, diags, &map) == MR_OK &&
                          mr_params_bind(op->params, map, op->name, (mr_span){0}, arena, params, op->params_size, NULL, diags) == MR_OK);
    free(params);
    mr_diags_free(diags);
    mr_arena_free(arena);
    return good;
}

/* The plugin is loaded before the fuzzer looks what there is to cover. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    load_op();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static story story;
    if (!op)
        load_op();
    if (size > TEXT_MAX)
        return 0;
    read_story(&story, data, size);
    if (!has_plan(&story) || !params_bind(story.params)) /* the engine starts no such task */
        return 0;
    op_result first = op_run(op, story.params, story.inputs, story.count, NULL);
    char **first_paths = calloc(first.count + 1, sizeof(*first_paths));
    require(first_paths != NULL);
    check_result(&first, first_paths);
    if (order_is_free(&story)) {
        reverse(&story);
        op_result second = op_run(op, story.params, story.inputs, story.count, NULL);
        char **second_paths = calloc(second.count + 1, sizeof(*second_paths));
        require(second_paths != NULL);
        check_result(&second, second_paths);
        compare(&first, first_paths, &second, second_paths);
        free_paths(second_paths, second.count);
        op_result_free(&second);
    }
    free_paths(first_paths, first.count);
    op_result_free(&first);
    return 0;
}
