/* SPDX-License-Identifier: MIT */
/* See tus_fields.h. */
#include "api-server/uploads/tus_fields.h"

#include <stdlib.h>
#include <string.h>

bool mr_tus_number(const char *text, int64_t *ret_number)
{
    const size_t len = strlen(text);
    if (len == 0 || len > 18 || strspn(text, "0123456789") != len)
        return false;
    *ret_number = strtoll(text, NULL, 10);
    return true;
}

/* ---- texts ---- */

/* Bytes of the character at text; 0: it is none (RFC 3629). */
static size_t character(const unsigned char *text, size_t len)
{
    static const unsigned char least[] = {0, 0, 0x80, 0xa0, 0x90}; /* of the second byte, in the first group of its length */
    const unsigned char first = text[0];
    const size_t size = first < 0x80 ? 1 : first >= 0xc2 && first <= 0xdf ? 2 : (first & 0xf0) == 0xe0 ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0;
    if (size == 0 || size > len || first < ' ' || first == 0x7f)
        return 0;
    for (size_t i = 1; i < size; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    }
    if (size >= 3 && (first == 0xe0 || first == 0xf0) && text[1] < least[size])
        return 0;
    if ((first == 0xed && text[1] > 0x9f) || (first == 0xf4 && text[1] > 0x8f) || (first == 0xc2 && text[1] < 0xa0))
        return 0; /* surrogates, beyond Unicode, C1 controls */
    return size;
}

bool mr_upload_is_text(const char *text, size_t len)
{
    while (len > 0) {
        const size_t size = character((const unsigned char *)text, len);
        if (size == 0)
            return false;
        text += size;
        len -= size;
    }
    return true;
}

void mr_upload_file_name(const char *text, char ret_name[MR_UPLOAD_NAME])
{
    size_t len = 0;
    for (const char *at = text; *at; at++) {
        if (*at == '/' || *at == '\\')
            text = at + 1;
    }
    while (*text) {
        const size_t size = character((const unsigned char *)text, strlen(text));
        if (len + size >= MR_UPLOAD_NAME)
            break;
        memcpy(ret_name + len, text, size);
        len += size;
        text += size ? size : 1;
    }
    ret_name[len] = '\0';
    if (len == 0 || strcmp(ret_name, ".") == 0 || strcmp(ret_name, "..") == 0)
        memcpy(ret_name, "file", 5);
}

/* ---- metadata ---- */

typedef struct entry {
    const char *key;
    size_t key_len;
    const char *value;
    size_t value_len;
} entry;

/* The next one. False: the end, or, with *ret_bad, not well formed. */
static bool next_entry(const char **at, entry *ret_entry, bool *ret_bad)
{
    *at += strspn(*at, " ");
    if (!**at)
        return false;
    const size_t len = strcspn(*at, ",");
    const char *end = *at + len;
    const char *blank = memchr(*at, ' ', len);
    *ret_entry = (entry){.key = *at, .key_len = blank ? (size_t)(blank - *at) : len, .value = end};
    if (blank) {
        ret_entry->value = blank + strspn(blank, " ");
        ret_entry->value = ret_entry->value > end ? end : ret_entry->value;
        ret_entry->value_len = (size_t)(end - ret_entry->value);
        while (ret_entry->value_len > 0 && ret_entry->value[ret_entry->value_len - 1] == ' ')
            ret_entry->value_len--;
    }
    *ret_bad = ret_entry->key_len == 0;
    *at = *end ? end + 1 : end;
    return true;
}

static bool find_entry(const char *text, const char *key, size_t key_len, const char *before, entry *ret_entry)
{
    bool bad = false;
    while (next_entry(&text, ret_entry, &bad) && ret_entry->key < before) {
        if (ret_entry->key_len == key_len && memcmp(ret_entry->key, key, key_len) == 0)
            return true;
    }
    return false;
}

bool mr_tus_metadata_is_valid(const char *text)
{
    char out[MR_UPLOAD_META];
    size_t len = 0;
    entry one;
    entry other;
    bool bad = false;
    const char *at = text;
    if (strlen(text) >= MR_UPLOAD_META)
        return false;
    while (next_entry(&at, &one, &bad)) {
        for (size_t i = 0; i < one.key_len; i++)
            bad = bad || one.key[i] <= ' ' || one.key[i] > '~';
        if (bad || !mr_base64_decode(one.value, one.value_len, out, sizeof(out), &len) || find_entry(text, one.key, one.key_len, one.key, &other))
            return false;
    }
    return true;
}

bool mr_tus_metadata_get(const char *text, const char *key, char *out, size_t size)
{
    entry found;
    size_t len = 0;
    if (!find_entry(text, key, strlen(key), text + strlen(text) + 1, &found) ||
        !mr_base64_decode(found.value, found.value_len, out, size - 1, &len) || !mr_upload_is_text(out, len))
        return false;
    out[len] = '\0';
    return true;
}

/* ---- the others ---- */

bool mr_tus_checksum(const char *text, mr_sum_kind *ret_kind, unsigned char ret_sum[MR_SUM_MAX])
{
    const size_t name = strcspn(text, " ");
    const char *sum = text + name + strspn(text + name, " ");
    unsigned char bytes[64];
    size_t len = 0;
    *ret_kind = mr_sum_by_name(text, name);
    if (name == 0 || !*sum || !mr_base64_decode(sum, strlen(sum), bytes, sizeof(bytes), &len))
        return false;
    if (*ret_kind == MR_SUM_NONE)
        return true;
    if (len != mr_sum_size(*ret_kind))
        return false;
    memcpy(ret_sum, bytes, len);
    return true;
}

/* "/api/v1/uploads/tus/ID", or with a scheme and a host before it */
static bool id_of_url(const char *url, size_t len, char *out, size_t *out_len)
{
    const char *id = url + len;
    while (id > url && id[-1] != '/')
        id--;
    const size_t id_len = (size_t)(url + len - id);
    if (id == url || id_len == 0 || id_len >= MR_UPLOAD_ID || *out_len + id_len + 2 > MR_UPLOAD_CONCAT)
        return false;
    for (size_t i = 0; i < id_len; i++) {
        if (!((id[i] >= '0' && id[i] <= '9') || (id[i] >= 'a' && id[i] <= 'z') || (id[i] >= 'A' && id[i] <= 'Z') || id[i] == '_' || id[i] == '-'))
            return false;
    }
    if (*out_len)
        out[(*out_len)++] = ' ';
    memcpy(out + *out_len, id, id_len);
    *out_len += id_len;
    out[*out_len] = '\0';
    return true;
}

bool mr_tus_concat(const char *text, mr_upload_role *ret_role, char ret_ids[MR_UPLOAD_CONCAT])
{
    static const char final[] = "final;";
    size_t len = 0;
    ret_ids[0] = '\0';
    *ret_role = MR_UPLOAD_PARTIAL;
    if (strcmp(text, "partial") == 0)
        return true;
    *ret_role = MR_UPLOAD_FINAL;
    if (strncmp(text, final, sizeof(final) - 1) != 0)
        return false;
    for (const char *at = text + sizeof(final) - 1; *at;) {
        const size_t one = strcspn(at, " ");
        if (one > 0 && !id_of_url(at, one, ret_ids, &len))
            return false;
        at += one + strspn(at + one, " ");
    }
    return len > 0;
}
