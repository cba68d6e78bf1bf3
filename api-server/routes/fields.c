/* SPDX-License-Identifier: MIT */
#include "api-server/routes/fields.h"

#include <stdio.h>
#include <string.h>

static bool is_known(const char *known, const char *name)
{
    const size_t len = strlen(name);
    for (const char *at = known; *at;) {
        const size_t word = strcspn(at, " ");
        if (word == len && memcmp(at, name, len) == 0)
            return true;
        at += word + (at[word] == ' ');
    }
    return false;
}

mr_fields mr_fields_begin(mr_call *call, const char *known)
{
    mr_fields fields = {.call = call};
    const char *name;
    json_t *value;
    json_object_foreach(call->json, name, value)
    {
        if (!is_known(known, name))
            mr_field_wrong(&fields, name, "there is no such field here");
    }
    return fields;
}

bool mr_fields_has(const mr_fields *fields, const char *name)
{
    return json_object_get(fields->call->json, name) != NULL;
}

void mr_field_wrong(mr_fields *fields, const char *name, const char *message)
{
    if (!fields->errors)
        fields->errors = json_array();
    json_array_append_new(fields->errors, json_pack("{s:s, s:s}", "field", name, "message", message));
}

const char *mr_field_text(mr_fields *fields, const char *name, size_t least, size_t most, bool required)
{
    char message[96];
    json_t *value = json_object_get(fields->call->json, name);
    if (!value || json_is_null(value)) {
        if (required)
            mr_field_wrong(fields, name, "this is needed");
        return NULL;
    }
    const size_t len = json_string_length(value);
    if (json_is_string(value) && len >= least && len <= most)
        return json_string_value(value);
    if (!json_is_string(value))
        snprintf(message, sizeof(message), "this is a text");
    else
        snprintf(message, sizeof(message), "this has %zu to %zu bytes", least, most);
    mr_field_wrong(fields, name, message);
    return NULL;
}

bool mr_field_bool(mr_fields *fields, const char *name, bool *ret)
{
    const json_t *value = json_object_get(fields->call->json, name);
    if (value && !json_is_boolean(value))
        mr_field_wrong(fields, name, "this is true or false");
    if (json_is_boolean(value))
        *ret = json_is_true(value);
    return json_is_boolean(value);
}

bool mr_field_number(mr_fields *fields, const char *name, int64_t least, int64_t most, int64_t *ret)
{
    char message[96];
    const json_t *value = json_object_get(fields->call->json, name);
    if (!value)
        return false;
    const json_int_t number = json_integer_value(value);
    if (json_is_integer(value) && number >= least && number <= most) {
        *ret = number;
        return true;
    }
    snprintf(message, sizeof(message), "this is a whole number from %lld to %lld", (long long)least, (long long)most);
    mr_field_wrong(fields, name, message);
    return false;
}

static void add_diagnostic(mr_fields *fields, const json_t *it)
{
    static const char param[] = "param ";
    const char *file = json_string_value(json_object_get(it, "file"));
    const char *code = json_string_value(json_object_get(it, "code"));
    const char *message = json_string_value(json_object_get(it, "message"));
    const char *hint = json_string_value(json_object_get(it, "hint"));
    if (!fields->errors)
        fields->errors = json_array();
    if (file && strncmp(file, param, sizeof(param) - 1) == 0)
        json_array_append_new(fields->errors, json_pack("{s:s+, s:s++}", "field", "params.", file + sizeof(param) - 1, "message",
                                                        message ? message : "", hint ? "; " : "", hint ? hint : ""));
    else
        mr_field_wrong(fields, code && strcmp(code, "missing-param") == 0 ? "params" : "pipeline", message ? message : "");
}

void mr_fields_diagnostics(mr_fields *fields, const char *answer)
{
    json_t *json = answer ? json_loads(answer, 0, NULL) : NULL;
    size_t i;
    const json_t *it;
    json_array_foreach(json_object_get(json, "diagnostics"), i, it) add_diagnostic(fields, it);
    json_decref(json);
}

bool mr_fields_good(mr_fields *fields)
{
    if (!fields->errors)
        return true;
    mr_call_invalid(fields->call, fields->errors);
    fields->errors = NULL;
    return false;
}
