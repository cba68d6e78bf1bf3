/* SPDX-License-Identifier: MIT */
/* See range.h. Names of days and months are HTTP's, not the locale's. */
#include "api-server/playback/range.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, " \t");
}

/* Digits, at least one. Numbers beyond 63 bits are the largest: past the end of any file. */
static const char *read_number(const char *text, uint64_t *ret_number)
{
    const char *at = text;
    *ret_number = 0;
    for (; *at >= '0' && *at <= '9'; at++)
        *ret_number = *ret_number > (uint64_t)INT64_MAX / 10 - 1 ? (uint64_t)INT64_MAX : *ret_number * 10 + (uint64_t)(*at - '0');
    return at > text ? at : NULL;
}

mr_range mr_range_read(const char *field, uint64_t size, uint64_t *ret_offset, uint64_t *ret_len)
{
    uint64_t first = 0;
    uint64_t last = UINT64_MAX;
    *ret_offset = 0;
    *ret_len = size;
    if (!field || strncasecmp(field, "bytes=", 6) != 0)
        return MR_RANGE_WHOLE;
    const char *at = skip_blanks(field + 6);
    const bool suffix = *at == '-';
    if (!suffix)
        at = read_number(at, &first);
    if (!at || *at != '-')
        return MR_RANGE_WHOLE;
    at++;
    if (suffix || (*at >= '0' && *at <= '9'))
        at = read_number(at, &last);
    if (!at || *skip_blanks(at) != '\0' || (!suffix && last < first))
        return MR_RANGE_WHOLE;
    if (suffix) {
        const uint64_t len = last < size ? last : size;
        first = size - len;
        last = size;
        if (len == 0)
            return MR_RANGE_OUTSIDE;
    }
    if (first >= size)
        return MR_RANGE_OUTSIDE;
    last = last < size ? last : size - 1;
    *ret_offset = first;
    *ret_len = last - first + 1;
    return MR_RANGE_PART;
}

bool mr_etag_listed(const char *field, const char *etag)
{
    const size_t len = strlen(etag);
    if (strcmp(field, "*") == 0)
        return true;
    for (const char *at = field; *at;) {
        at += strspn(at, " \t,");
        if (strncmp(at, "W/", 2) == 0)
            at += 2;
        if (*at != '"')
            return false;
        const char *end = strchr(at + 1, '"');
        if (!end)
            return false;
        if ((size_t)(end + 1 - at) == len && memcmp(at, etag, len) == 0)
            return true;
        at = end + 1;
    }
    return false;
}

/* A date tells states apart only when the file was left alone for a second after it. */
bool mr_if_range_holds(const char *field, const char *etag, time_t modified, time_t now)
{
    time_t wanted;
    if (field[0] == '"')
        return strcmp(field, etag) == 0;
    return mr_http_date_read(field, &wanted) && wanted == modified && now - modified > 1;
}

void mr_http_date(time_t time, char ret_text[static MR_HTTP_DATE_SIZE])
{
    struct tm parts;
    ret_text[0] = '\0';
    if (gmtime_r(&time, &parts) && parts.tm_year >= 0 && parts.tm_year < 8100)
        snprintf(ret_text, MR_HTTP_DATE_SIZE, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[parts.tm_wday], parts.tm_mday, months[parts.tm_mon],
                 (parts.tm_year + 1900) % 10000, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

bool mr_http_date_read(const char *text, time_t *ret_time)
{
    struct tm parts = {0};
    char month[4];
    char again[MR_HTTP_DATE_SIZE];
    if (strlen(text) != 29 ||
        sscanf(text + 4, " %2d %3s %4d %2d:%2d:%2d", &parts.tm_mday, month, &parts.tm_year, &parts.tm_hour, &parts.tm_min, &parts.tm_sec) != 6)
        return false;
    while (parts.tm_mon < 12 && strcmp(month, months[parts.tm_mon]) != 0)
        parts.tm_mon++;
    parts.tm_year -= 1900;
    *ret_time = parts.tm_mon < 12 ? timegm(&parts) : -1;
    if (*ret_time == -1)
        return false;
    mr_http_date(*ret_time, again);
    return strcmp(again, text) == 0;
}
