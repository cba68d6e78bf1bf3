/* SPDX-License-Identifier: MIT */
/*
 * Reads a script and, by the names that stand behind require in its text, the modules beside it. The scan knows as much of Lua as it takes not to
 * mistake a comment or a text for code; a name too many costs a look at a file that is not there.
 */
#include "scripting/bundle.h"

#include "base/file.h"
#include "base/text.h"
#include "scripting/expr_internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const mr_span nowhere;

bool mr_module_is_name(const char *name)
{
    bool begins = true;
    size_t len = 0;
    for (; name[len]; len++) {
        const unsigned char c = (unsigned char)name[len];
        if (c == '.' ? begins : !(isalpha(c) || c == '_' || (isdigit(c) && !begins)))
            return false;
        begins = c == '.';
    }
    return len > 0 && !begins && len <= MR_MODULE_NAME;
}

/* ---- which modules a text names ---- */

/* What the text says, without its quotes; false: it is no module's name. */
static bool read_name(const char *text, mr_token token, char ret_name[MR_MODULE_NAME + 1])
{
    size_t quotes = 1;
    if (text[token.start] == '[')
        quotes = strcspn(text + token.start + 1, "[") + 2;
    if (token.kind != MR_TOKEN_TEXT || token.len < 2 * quotes || token.len - 2 * quotes > MR_MODULE_NAME)
        return false;
    memcpy(ret_name, text + token.start + quotes, token.len - 2 * quotes);
    ret_name[token.len - 2 * quotes] = '\0';
    return strlen(ret_name) == token.len - 2 * quotes && mr_module_is_name(ret_name);
}

/* The next module that text names at or after *at. */
static bool next_module(const char *text, size_t *at, char ret_name[MR_MODULE_NAME + 1])
{
    for (;;) {
        mr_token token = mr_token_next_code(text, *at);
        if (token.kind == MR_TOKEN_END)
            return false;
        *at = token.start + (token.len ? token.len : 1);
        if (token.kind != MR_TOKEN_NAME || !mr_token_is(text, token, "require"))
            continue;
        token = mr_token_next_code(text, *at);
        if (mr_token_is(text, token, "("))
            token = mr_token_next_code(text, token.start + token.len);
        if (read_name(text, token, ret_name)) {
            *at = token.start + token.len;
            return true;
        }
    }
}

/* ---- reading ---- */

typedef struct reader {
    mr_arena *arena;
    mr_diags *diags;
    mr_span asked;
    const char *folder; /* with its slash; "" for the current one */
    mr_bundle_file files[MR_BUNDLE_FILES];
    size_t count;
    size_t bytes;
} reader;

static mr_status refuse(reader *in, mr_status status, const char *path, const char *why)
{
    mr_error(in->diags, "script", nowhere, "script '%s' can't be used: %s", path, why);
    if (in->asked.line > 0)
        mr_note(in->diags, in->asked, "it is named here");
    return status;
}

static mr_status add_file(reader *in, const char *name, const char *chunk, const char *path, const char *text, size_t len)
{
    mr_bundle_file *file = &in->files[in->count];
    if (text[0] == LUA_SIGNATURE[0])
        return refuse(in, MR_ERR_INPUT, path, "it is bytecode; only text is taken");
    if (strlen(text) != len || !mr_utf8_valid(text, len))
        return refuse(in, MR_ERR_INPUT, path, "it is not UTF-8 text");
    if (len > MR_BUNDLE_BYTES - in->bytes)
        return refuse(in, MR_ERR_LIMIT, path, "it and its modules are longer than 2 MiB");
    *file = (mr_bundle_file){.len = len};
    file->name = mr_arena_copy(in->arena, name, strlen(name));
    file->chunk = mr_arena_copy(in->arena, chunk, strlen(chunk));
    file->path = mr_arena_copy(in->arena, path, strlen(path));
    file->text = mr_arena_copy(in->arena, text, len);
    if (!file->name || !file->chunk || !file->path || !file->text)
        return MR_ERR_NOMEM;
    mr_diags_add_text(in->diags, file->path, text, len);
    in->bytes += len;
    in->count++;
    return MR_OK;
}

static bool is_known(const reader *in, const char *name)
{
    for (size_t i = 0; i < in->count; i++)
        if (strcmp(in->files[i].name, name) == 0)
            return true;
    return false;
}

/* One that is not there is left out. */
static mr_status add_module(reader *in, const char *name)
{
    mr_autofree char *text = NULL;
    size_t len = 0;
    char *chunk = mr_arena_printf(in->arena, "%s.lua", name);
    for (char *c = chunk; c && c + 4 < chunk + strlen(chunk); c++)
        *c = *c == '.' ? '/' : *c;
    const char *path = chunk ? mr_arena_printf(in->arena, "%s%s", in->folder, chunk) : NULL;
    if (!path)
        return MR_ERR_NOMEM;
    mr_status status = mr_file_read(path, MR_BUNDLE_BYTES, &text, &len, NULL);
    if (status == MR_ERR_NOT_FOUND)
        return MR_OK;
    if (in->count == MR_BUNDLE_FILES)
        return refuse(in, MR_ERR_LIMIT, path, "the script has more than 63 modules");
    if (status != MR_OK)
        return status == MR_ERR_NOMEM ? status : refuse(in, status, path, "the module can't be read");
    return add_file(in, name, chunk, path, text, len);
}

static void compute_digest(const mr_bundle *bundle, char ret_digest[MR_DIGEST_TEXT])
{
    mr_hash *hash = mr_hash_new();
    ret_digest[0] = '\0';
    for (size_t i = 0; hash && i < bundle->count; i++) {
        mr_hash_add_text(hash, bundle->files[i].chunk);
        mr_hash_add_text(hash, bundle->files[i].name);
        mr_hash_add_text(hash, bundle->files[i].text);
    }
    if (hash)
        mr_hash_finish(hash, ret_digest);
    mr_hash_free(hash);
}

static mr_status make(mr_arena *arena, const char *path, const mr_bundle_file *files, size_t count, const mr_bundle **ret_bundle)
{
    mr_bundle *bundle = mr_arena_take(arena, sizeof(*bundle));
    mr_bundle_file *kept = mr_arena_take_array(arena, count, sizeof(*kept));
    const char *kept_path = mr_arena_copy(arena, path, strlen(path));
    if (!bundle || !kept || !kept_path)
        return MR_ERR_NOMEM;
    memcpy(kept, files, count * sizeof(*kept));
    *bundle = (mr_bundle){.path = kept_path, .files = kept, .count = count};
    compute_digest(bundle, bundle->digest);
    *ret_bundle = bundle;
    return bundle->digest[0] ? MR_OK : MR_ERR_NOMEM;
}

static mr_status read_all(reader *in, const char *path, const char *text, size_t len, const mr_bundle **ret_bundle)
{
    char name[MR_MODULE_NAME + 1];
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    in->folder = mr_arena_copy(in->arena, path, (size_t)(base - path));
    mr_status status = in->folder ? add_file(in, "", base, path, text, len) : MR_ERR_NOMEM;
    for (size_t i = 0; i < in->count && status == MR_OK; i++) {
        size_t at = 0;
        while (status == MR_OK && next_module(in->files[i].text, &at, name))
            status = is_known(in, name) ? MR_OK : add_module(in, name);
    }
    return status == MR_OK ? make(in->arena, path, in->files, in->count, ret_bundle) : status;
}

mr_status mr_bundle_of_text(mr_arena *arena, const char *path, const char *text, size_t len, mr_diags *diags, const mr_bundle **ret_bundle)
{
    reader in = {.arena = arena, .diags = diags};
    *ret_bundle = NULL;
    return read_all(&in, path, text, len, ret_bundle);
}

mr_status mr_bundle_read(mr_arena *arena, const char *path, mr_span asked, mr_diags *diags, const mr_bundle **ret_bundle)
{
    reader in = {.arena = arena, .diags = diags, .asked = asked};
    mr_autofree char *text = NULL;
    size_t len = 0;
    *ret_bundle = NULL;
    mr_status status = mr_file_read(path, MR_BUNDLE_BYTES, &text, &len, diags);
    if (status != MR_OK) {
        if (asked.line > 0)
            mr_note(diags, asked, "it is named here");
        return status;
    }
    return read_all(&in, path, text, len, ret_bundle);
}

const mr_bundle_file *mr_bundle_find(const mr_bundle *bundle, const char *module)
{
    for (size_t i = 1; i < bundle->count; i++)
        if (strcmp(bundle->files[i].name, module) == 0)
            return &bundle->files[i];
    return NULL;
}

/* ---- elsewhere ---- */

json_t *mr_bundle_json(const mr_bundle *bundle)
{
    json_t *files = json_array();
    int bad = !files;
    for (size_t i = 0; i < bundle->count && !bad; i++) {
        const mr_bundle_file *file = &bundle->files[i];
        bad = json_array_append_new(
            files, json_pack("{s:s, s:s, s:s, s:s%}", "name", file->name, "chunk", file->chunk, "path", file->path, "text", file->text, file->len));
    }
    json_t *json = json_pack("{s:s, s:o}", "path", bundle->path, "files", files);
    if (!bad)
        return json;
    json_decref(json);
    return NULL;
}

mr_status mr_bundle_from_json(mr_arena *arena, const json_t *json, const mr_bundle **ret_bundle)
{
    reader in = {.arena = arena};
    const json_t *files = json_object_get(json, "files");
    const char *path = json_string_value(json_object_get(json, "path"));
    const size_t count = json_array_size(files);
    mr_status status = path && count > 0 && count <= MR_BUNDLE_FILES ? MR_OK : MR_ERR_INPUT;
    *ret_bundle = NULL;
    for (size_t i = 0; i < count && status == MR_OK; i++) {
        const json_t *file = json_array_get(files, i);
        const char *name = json_string_value(json_object_get(file, "name"));
        const char *chunk = json_string_value(json_object_get(file, "chunk"));
        const char *from = json_string_value(json_object_get(file, "path"));
        const json_t *text = json_object_get(file, "text");
        if (!name || !chunk || !from || !json_is_string(text))
            return MR_ERR_INPUT;
        status = add_file(&in, name, chunk, from, json_string_value(text), json_string_length(text));
    }
    return status == MR_OK ? make(arena, path, in.files, in.count, ret_bundle) : status;
}

void mr_bundle_add_texts(const mr_bundle *bundle, mr_diags *diags)
{
    for (size_t i = 0; i < bundle->count; i++)
        mr_diags_add_text(diags, bundle->files[i].path, bundle->files[i].text, bundle->files[i].len);
}
