/* SPDX-License-Identifier: MIT */
/* Finding ops and ports by name, and the names of artifact types. */
#include "graph/ops.h"
#include <stdio.h>
#include <string.h>

const mr_op_entry *mr_op_set_find(const mr_op_set *set, const char *name)
{
    size_t low = 0;
    size_t high = set->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(set->entries[middle].op->name, name);
        if (order == 0)
            return &set->entries[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

int mr_port_find(const mr_port *table, const char *name)
{
    for (int i = 0; table && table[i].name; i++)
        if (strcmp(table[i].name, name) == 0)
            return i;
    return -1;
}

size_t mr_port_count(const mr_port *table)
{
    size_t count = 0;
    while (table && table[count].name)
        count++;
    return count;
}

static const struct type_name {
    uint32_t type;
    const char *name;
} type_names[] = {
    {MR_TYPE_MEDIA, "media"}, {MR_TYPE_CHUNK, "chunk"}, {MR_TYPE_SEGMENT, "segment"}, {MR_TYPE_IMAGE, "image"},
    {MR_TYPE_TEXT, "text"},   {MR_TYPE_JSON, "json"},   {MR_TYPE_FILE, "file"},
};
#define TYPE_COUNT (sizeof(type_names) / sizeof(type_names[0]))

const char *mr_types_text(uint32_t types, char *buf, size_t size)
{
    if ((types & MR_TYPE_ANY) == MR_TYPE_ANY) {
        snprintf(buf, size, "anything");
        return buf;
    }
    size_t len = 0;
    size_t left = (size_t)__builtin_popcount(types & MR_TYPE_ANY);
    snprintf(buf, size, "nothing");
    for (size_t i = 0; i < TYPE_COUNT && len < size; i++) {
        if (!(types & type_names[i].type))
            continue;
        left--;
        int wrote = snprintf(buf + len, size - len, "%s%s", type_names[i].name, left > 1 ? ", " : left == 1 ? " or " : "");
        len += wrote > 0 ? (size_t)wrote : 0;
    }
    return buf;
}

uint32_t mr_type_parse(const char *name)
{
    for (size_t i = 0; i < TYPE_COUNT; i++)
        if (strcmp(type_names[i].name, name) == 0)
            return type_names[i].type;
    return 0;
}
