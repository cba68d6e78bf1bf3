/* SPDX-License-Identifier: MIT */
/* The settings of a server: from file, environment and command line, by the table that the server brings. */
#include "runtime/settings.h"

#include <millrace/server.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRIES_MAX = 256, NAME_MAX_BYTES = 128 };

static const mr_span nowhere = {0};
static const char prefix[] = MR_SERVICE_SERVER ".";

typedef struct gathered {
    mr_entry entries[ENTRIES_MAX];
    size_t count;
} gathered;

/* The later one wins: it stands nearer to the one who asks. */
static bool put(gathered *all, const mr_entry *entry)
{
    for (size_t i = 0; i < all->count; i++) {
        if (strcmp(all->entries[i].key, entry->key) == 0) {
            all->entries[i] = *entry;
            return true;
        }
    }
    if (all->count == ENTRIES_MAX)
        return false;
    all->entries[all->count++] = *entry;
    return true;
}

static bool put_text(gathered *all, mr_arena *arena, const char *name, const char *text)
{
    const mr_value *value = mr_value_scalar(arena, text, nowhere);
    return value && put(all, &(mr_entry){.key = name, .value = value});
}

/* MILLRACE_SERVER_LISTEN is the setting server.listen. */
static const char *in_environment(const char *name)
{
    char variable[NAME_MAX_BYTES];
    int len = snprintf(variable, sizeof(variable), "MILLRACE_SERVER_%s", name);
    for (char *at = variable; *at; at++)
        *at = (char)toupper((unsigned char)*at);
    return len > 0 && (size_t)len < sizeof(variable) ? secure_getenv(variable) : NULL;
}

mr_status mr_settings_bind_server(mr_arena *arena, const mr_loaded_settings *loaded, const mr_param *table, size_t size, mr_diags *diags, void **ret)
{
    gathered *all = mr_arena_take(arena, sizeof(*all));
    void *values = mr_arena_take(arena, size);
    bool fits = all && values;
    *ret = NULL;
    if (fits)
        all->count = 0;
    for (size_t i = 0; fits && loaded->server && i < loaded->server->map.count; i++)
        fits = put(all, &loaded->server->map.entries[i]);
    for (const mr_param *row = table; fits && row->name; row++) {
        const char *text = in_environment(row->name);
        fits = !text || put_text(all, arena, row->name, text);
    }
    for (size_t i = 0; fits && i < loaded->set_count; i++) {
        const char *name = loaded->set[i].name;
        fits = strncmp(name, prefix, sizeof(prefix) - 1) != 0 || put_text(all, arena, name + sizeof(prefix) - 1, loaded->set[i].text);
    }
    if (!fits)
        return MR_ERR_NOMEM;
    const mr_value map = {.type = MR_VALUE_MAP, .map = {.entries = all->entries, .count = all->count}};
    mr_status status = mr_params_bind(table, &map, "settings of the server", nowhere, arena, values, size, NULL, diags);
    if (status == MR_OK)
        *ret = values;
    return status;
}

const mr_value *mr_settings_server_given(mr_arena *arena, const mr_loaded_settings *loaded, const char *name)
{
    const char *text = in_environment(name);
    const mr_value *found = NULL;
    for (size_t i = 0; i < loaded->set_count; i++) {
        if (strncmp(loaded->set[i].name, prefix, sizeof(prefix) - 1) == 0 && strcmp(loaded->set[i].name + sizeof(prefix) - 1, name) == 0)
            text = loaded->set[i].text;
    }
    for (size_t i = 0; !text && loaded->server && i < loaded->server->map.count; i++)
        if (strcmp(loaded->server->map.entries[i].key, name) == 0)
            found = loaded->server->map.entries[i].value;
    return text ? mr_value_scalar(arena, text, nowhere) : found;
}
