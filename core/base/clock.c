/* SPDX-License-Identifier: MIT */
/* Clocks, and times and durations for people. */
#include "base/clock.h"
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec now = {0};
    clock_gettime(id, &now); /* fails only for clocks that don't exist */
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t mr_now_us(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t mr_wall_us(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t mr_thread_cpu_us(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

void mr_time_text(int64_t wall_us, char ret_text[32])
{
    bool early = wall_us % 1000000 < 0; /* before 1970: rounded down, not towards zero */
    int64_t seconds = wall_us / 1000000 - early;
    int ms = (int)((wall_us % 1000000 + (int64_t)early * 1000000) / 1000);
    time_t when = (time_t)seconds;
    struct tm utc = {0};
    /* RFC 3339 has years of four digits: others are a caller's mistake, shown as such. */
    if (!gmtime_r(&when, &utc) || utc.tm_year < -1900 || utc.tm_year > 8099) {
        snprintf(ret_text, 32, "invalid time");
        return;
    }
    size_t used = strftime(ret_text, 32, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(ret_text + used, 32 - used, ".%03dZ", ms);
}

/* Each step rounds first and then chooses the unit, so that 59.96 s is "1m00s" and never "60.0s". */
void mr_duration_text(int64_t us, char *ret_text, size_t size)
{
    const char *sign = us < 0 ? "-" : "";
    uint64_t all = us < 0 ? 0 - (uint64_t)us : (uint64_t)us;
    uint64_t ms = (all + 500) / 1000;
    uint64_t tenths = (all + 50000) / 100000;
    uint64_t seconds = (all + 500000) / 1000000;
    uint64_t minutes = (all + 30000000) / 60000000;
    if (ms < 1000)
        snprintf(ret_text, size, "%s%dms", sign, (int)ms);
    else if (tenths < 600)
        snprintf(ret_text, size, "%s%d.%ds", sign, (int)(tenths / 10), (int)(tenths % 10));
    else if (seconds < 3600)
        snprintf(ret_text, size, "%s%dm%02ds", sign, (int)(seconds / 60), (int)(seconds % 60));
    else
        snprintf(ret_text, size, "%s%lluh%02dm", sign, (unsigned long long)(minutes / 60), (int)(minutes % 60));
}
