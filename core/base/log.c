/* SPDX-License-Identifier: MIT */
/* A line is built whole, then written with one call under the stream's own lock. */
#include "base/log.h"
#include "base/clock.h"
#include "base/json.h"

#include <stdarg.h>
#include <stdlib.h>

struct mr_log {
    FILE *out;
    mr_log_level least;
    bool json;
};

mr_log *mr_log_new(FILE *out, mr_log_level least, bool json)
{
    mr_log *log = malloc(sizeof(*log));
    if (log)
        *log = (mr_log){.out = out, .least = least, .json = json};
    return log;
}

void mr_log_free(mr_log *log) { free(log); }

void mr_log_event(mr_log *log, mr_log_level level, const char *event, const char *fields_json, const char *fmt, ...)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    char time[32];
    char *message = NULL;
    va_list args;
    if (!log || level < log->least)
        return;
    va_start(args, fmt);
    int len = vasprintf(&message, fmt, args);
    va_end(args);
    if (len < 0)
        return;
    mr_time_text(mr_wall_us(), time);
    if (!log->json) {
        fprintf(log->out, "%s %-7s %s: %s%s%s\n", time, names[level], event, message, fields_json ? " " : "", fields_json ? fields_json : "");
    } else {
        json_t *line = json_pack("{s:s, s:s, s:s, s:s%}", "time", time, "level", names[level], "event", event, "message", message, (size_t)len);
        json_t *fields = fields_json ? json_loads(fields_json, 0, NULL) : NULL;
        if (fields)
            json_object_update_missing(line, fields);
        char *text = line ? mr_json_text(line) : NULL;
        if (text)
            fprintf(log->out, "%s\n", text);
        free(text);
        json_decref(fields);
        json_decref(line);
    }
    free(message);
}
