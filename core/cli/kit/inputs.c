/* SPDX-License-Identifier: MIT */
/*
 * What an op is given in its trials: what the author named, else a sample of the port's type (kit/samples). A port that takes a JSON value is given
 * the sample of its own name, where there is one: "info", "plan", "rung" mean the same in all plugins (docs/plugin-author/artifacts.md).
 */
#include "cli/kit/kit_internal.h"

#include "cli/cli.h"
#include "graph/ops.h"

#include <string.h>
#include <unistd.h>

#define MANY 2 /* samples on a port that takes a whole stream */

static const struct {
    uint32_t type;
    const char *meta;
    const char *content; /* NULL: none */
} samples_by_type[] = {
    {MR_TYPE_MEDIA, NULL, "media.mp4"},         {MR_TYPE_CHUNK, "chunk.json", NULL}, {MR_TYPE_SEGMENT, "segment.json", "segment.m4s"},
    {MR_TYPE_IMAGE, "image.json", "image.jpg"}, {MR_TYPE_TEXT, NULL, "text.txt"},    {MR_TYPE_JSON, "json.json", NULL},
    {MR_TYPE_FILE, "file.json", "text.txt"},
};

static const char *sample(const mr_bench *bench, const char *dir, const char *name, const char *ending)
{
    const char *path = name && dir ? mr_arena_printf(bench->arena, "%s/%s%s", dir, name, ending) : NULL;
    return path && access(path, R_OK) == 0 ? path : NULL;
}

static uint32_t first_type(const mr_port *port)
{
    return port->types & (~port->types + 1);
}

static mr_kit_item sample_of(const mr_bench *bench, const char *dir, const mr_port *port)
{
    mr_kit_item item = {.type = first_type(port)};
    for (size_t i = 0; i < sizeof(samples_by_type) / sizeof(*samples_by_type); i++) {
        if (samples_by_type[i].type != item.type)
            continue;
        if (item.type & (MR_TYPE_JSON | MR_TYPE_CHUNK))
            item.meta = sample(bench, dir, port->name, ".json");
        item.meta = item.meta ? item.meta : sample(bench, dir, samples_by_type[i].meta, "");
        item.content = sample(bench, dir, samples_by_type[i].content, "");
    }
    return item;
}

static bool add(mr_kit_inputs *inputs, const char *port, mr_kit_item item)
{
    if (inputs->count == MR_KIT_GIVEN_MAX) {
        mr_complain("more than %u inputs are given", MR_KIT_GIVEN_MAX);
        return false;
    }
    inputs->list[inputs->count++] = (mr_kit_given){.port = port, .item = item};
    return true;
}

/* The file of the k-th "NAME=PATH" for this port; NULL: there is none. */
static const char *given_file(const char *const *texts, size_t count, const char *port, size_t k)
{
    const size_t len = strlen(port);
    for (size_t i = 0; i < count; i++) {
        if (strncmp(texts[i], port, len) == 0 && texts[i][len] == '=' && k-- == 0)
            return texts[i] + len + 1;
    }
    return NULL;
}

bool mr_kit_collect(mr_subject *subject, const char *samples, const char *const *inputs, size_t input_count, const char *const *metas,
                    size_t meta_count)
{
    for (const mr_port *port = subject->op->inputs; port && port->name; port++) {
        const bool has_content = (first_type(port) & (MR_TYPE_JSON | MR_TYPE_CHUNK)) == 0;
        size_t k = 0;
        for (;; k++) {
            const char *file = given_file(inputs, input_count, port->name, k);
            const char *meta = given_file(metas, meta_count, port->name, k);
            if (!file && !meta)
                break;
            const bool is_value = !has_content && !meta;
            const mr_kit_item item = {.type = first_type(port), .meta = is_value ? file : meta, .content = is_value || !file || !*file ? NULL : file};
            if (!add(&subject->inputs, port->name, item))
                return false;
        }
        if (k > 0 || (port->flags & MR_PORT_OPTIONAL && input_count > 0))
            continue;
        const size_t wanted = port->flags & (MR_PORT_MANY | MR_PORT_STREAMING) ? MANY : 1;
        for (k = 0; k < wanted; k++) {
            if (!add(&subject->inputs, port->name, sample_of(subject->bench, samples, port)))
                return false;
        }
    }
    return true;
}
