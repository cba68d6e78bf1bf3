/* SPDX-License-Identifier: MIT */
/* Times: microseconds since 1970 inside, RFC 3339 in UTC outside. */
#ifndef MR_SERVER_BASE_CLOCK_H
#define MR_SERVER_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { MR_TIME_SIZE = 32 };

static inline int64_t mr_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* "2026-11-21T12:00:00Z"; of a time that no calendar has: "". */
static inline const char *mr_time_text(int64_t us, char ret_text[MR_TIME_SIZE])
{
    const time_t seconds = (time_t)(us / 1000000);
    struct tm parts;
    if (!gmtime_r(&seconds, &parts) || strftime(ret_text, MR_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        ret_text[0] = '\0';
    return ret_text;
}

/* RFC 3339, any offset; parts of a second are dropped. */
static inline bool mr_time_read(const char *text, int64_t *ret_us)
{
    struct tm parts = {0};
    const char *at = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &parts) : NULL;
    int hours = 0;
    int minutes = 0;
    int used = 0;
    if (!at || strcspn(text, "T") != 10)
        return false;
    if (*at == '.') {
        const size_t digits = strspn(at + 1, "0123456789");
        if (digits == 0)
            return false;
        at += 1 + digits;
    }
    const char sign = *at;
    const bool utc = strcmp(at, "Z") == 0 || strcmp(at, "z") == 0;
    if (!utc && ((sign != '+' && sign != '-') || strspn(at + 1, "0123456789:") != 5 || sscanf(at + 1, "%2d:%2d%n", &hours, &minutes, &used) != 2 ||
                 used != 5 || at[6] != '\0' || hours > 23 || minutes > 59))
        return false;
    const int64_t offset = (hours * 60 + minutes) * 60 * (sign == '-' ? -1 : 1);
    *ret_us = ((int64_t)timegm(&parts) - offset) * 1000000;
    return true;
}

#endif
