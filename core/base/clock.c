/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec now = {0};
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t mr_now_us(void) { return read_clock(CLOCK_MONOTONIC); }
int64_t mr_wall_us(void) { return read_clock(CLOCK_REALTIME); }
int64_t mr_thread_cpu_us(void) { return read_clock(CLOCK_THREAD_CPUTIME_ID); }

void mr_time_text(int64_t wall_us, char ret_text[32])
{
    struct tm parts = {0};
    time_t seconds = (time_t)(wall_us / 1000000);
    gmtime_r(&seconds, &parts);
    size_t used = strftime(ret_text, 32, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(ret_text + used, 32 - used, ".%03dZ", (int)(wall_us / 1000 % 1000));
}

void mr_duration_text(int64_t us, char *ret_text, size_t size)
{
    if (us < 1000000)
        snprintf(ret_text, size, "%lldms", (long long)(us / 1000));
    else if (us < 60 * 1000000ll)
        snprintf(ret_text, size, "%.1fs", (double)us / 1e6);
    else if (us < 3600 * 1000000ll)
        snprintf(ret_text, size, "%lldm%02llds", (long long)(us / 60000000), (long long)(us / 1000000 % 60));
    else
        snprintf(ret_text, size, "%lldh%02lldm", (long long)(us / 3600000000ll), (long long)(us / 60000000 % 60));
}
