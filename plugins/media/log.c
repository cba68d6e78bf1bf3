/* SPDX-License-Identifier: MIT */
/* libav's log: nothing of it is printed. */
#include "media/input.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

/* To whom libav's log goes: there is one log, and one host in a process. */
static _Atomic(const mr_host *) log_host;

static void log_to_host(void *context, int level, const char *format, va_list args)
{
    const mr_host *host = log_host;
    const AVClass *class = context ? *(const AVClass **)context : NULL;
    char line[256];
    if (level > AV_LOG_WARNING || !host || !host->log_line)
        return;
    const int len = snprintf(line, sizeof(line), "%s: ", class && class->item_name ? class->item_name(context) : "libav");
    if (len > 0 && (size_t)len < sizeof(line) && vsnprintf(line + len, sizeof(line) - (size_t)len, format, args) > 1)
        host->log_line(line);
}

static void quiet_once(void)
{
    av_log_set_level(AV_LOG_QUIET);
    av_log_set_callback(log_to_host);
}

void mr_media_quiet(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, quiet_once);
}

void mr_media_log_to(const mr_host *host)
{
    mr_media_quiet();
    log_host = host;
}
