/* SPDX-License-Identifier: MIT */
/* See reader.h. */
#include "reader.h"

#include <ctype.h>
#include <string.h>

mr_reader reader_begin(const mr_host *host, mr_task *task, const char *what, const char *meta)
{
    mr_reader result = {.host = host, .task = task, .what = what, .object = json_loads(meta, JSON_REJECT_DUPLICATES, NULL)};
    if (!json_is_object(result.object)) {
        host->report(task, MR_SEVERITY_ERROR, NULL, NULL, "the metadata of a %s is not a JSON object", what);
        result.bad = true;
    }
    return result;
}

void reader_end(mr_reader *reader)
{
    json_decref(reader->object);
    reader->object = NULL;
}

void reader_fault(mr_reader *reader, const char *key, const char *why)
{
    if (!reader->bad)
        reader->host->report(reader->task, MR_SEVERITY_ERROR, NULL, NULL, "%s: '%s' in its metadata %s", reader->what, key, why);
    reader->bad = true;
}

int64_t read_int(mr_reader *reader, const char *key, int64_t standard, int64_t min, int64_t max)
{
    const json_t *value = json_object_get(reader->object, key);
    if (!value && standard != REQUIRED)
        return standard;
    if (!json_is_integer(value)) {
        reader_fault(reader, key, value ? "is not a whole number" : "is missing");
        return min;
    }
    int64_t number = json_integer_value(value);
    if (number < min || number > max) {
        reader_fault(reader, key, "is out of range");
        return min;
    }
    return number;
}

bool read_bool(mr_reader *reader, const char *key)
{
    const json_t *value = json_object_get(reader->object, key);
    if (value && !json_is_boolean(value))
        reader_fault(reader, key, "is not true or false");
    return json_is_true(value);
}

mr_ratio read_ratio(mr_reader *reader, const char *key)
{
    const json_t *value = json_object_get(reader->object, key);
    if (!value)
        return (mr_ratio){0};
    json_int_t num = json_integer_value(json_array_get(value, 0));
    json_int_t den = json_integer_value(json_array_get(value, 1));
    if (num < 1 || den < 1 || num > INT32_MAX || den > INT32_MAX) {
        reader_fault(reader, key, "is not [num, den]");
        return (mr_ratio){0};
    }
    return (mr_ratio){.num = (int32_t)num, .den = (int32_t)den};
}

void read_text(mr_reader *reader, const char *key, char *buf, size_t size, bool cut)
{
    const json_t *value = json_object_get(reader->object, key);
    buf[0] = '\0';
    if (!value)
        return;
    if (!json_is_string(value)) {
        reader_fault(reader, key, "is not text");
        return;
    }
    size_t len = json_string_length(value);
    if (len >= size && !cut) {
        reader_fault(reader, key, "is too long");
        return;
    }
    if (len >= size) {
        len = size - 1;
        while (len > 0 && ((unsigned char)json_string_value(value)[len] & 0xC0) == 0x80) /* not within a UTF-8 character */
            len--;
    }
    memcpy(buf, json_string_value(value), len);
    buf[len] = '\0';
}

void read_word(mr_reader *reader, const char *key, const char *extra, char *buf, size_t size)
{
    read_text(reader, key, buf, size, false);
    if (!buf[0])
        reader_fault(reader, key, "is missing or empty");
    for (const char *c = buf; *c; c++) {
        if (!isalnum((unsigned char)*c) && !strchr(extra, *c))
            reader_fault(reader, key, "has a character that can't be there");
    }
}
