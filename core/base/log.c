/* SPDX-License-Identifier: MIT */
/*
 * One event, one line, one write. For programs: {"time","level","event","message","fields"}. For people: time, level, message, and the
 * fields as key=value. What strangers wrote is made visible, so that it can't break a line or act on a terminal.
 */
#include "base/log.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX 4096
#define FIELDS_MAX  ((size_t)64 * 1024)
#define FORM        (JSON_COMPACT | JSON_REAL_PRECISION(15)) /* all digits of a double that are as they were written: 0.392, not 0.39200000000000002 */

struct mr_log {
    FILE *out;
    mr_log_level least;
    bool json;
    pthread_mutex_t mutex;
};

static const char *const level_names[] = {"debug", "info", "warning", "error"};

mr_log *mr_log_new(FILE *out, mr_log_level least, bool json)
{
    mr_log *log = calloc(1, sizeof(*log));
    if (!log)
        return NULL;
    *log = (mr_log){.out = out, .least = least, .json = json};
    if (pthread_mutex_init(&log->mutex, NULL) != 0) {
        free(log);
        return NULL;
    }
    return log;
}

void mr_log_free(mr_log *log)
{
    if (!log)
        return;
    pthread_mutex_destroy(&log->mutex);
    free(log);
}

static char *line_for_programs(const char *time, const char *level, const char *event, const char *message, json_t *fields)
{
    mr_autojson json_t *line = json_pack("{s:s, s:s, s:s, s:s}", "time", time, "level", level, "event", event, "message", message);
    if (line && fields)
        json_object_set(line, "fields", fields);
    return line ? json_dumps(line, FORM) : NULL;
}

static void put_fields(FILE *out, json_t *fields)
{
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(fields, key, value)
    {
        mr_autofree char *text = json_is_string(value) ? NULL : json_dumps(value, FORM | JSON_SORT_KEYS | JSON_ENCODE_ANY);
        char shown[512];
        const char *raw = json_is_string(value) ? json_string_value(value) : text ? text : "?";
        fprintf(out, " %s=%s", key, mr_text_show_all(raw, strlen(raw), shown, sizeof(shown)));
    }
}

static char *line_for_people(const char *time, const char *level, const char *message, json_t *fields)
{
    char *line = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&line, &size);
    if (!out)
        return NULL;
    fprintf(out, "%s %-7s %s", time, level, message);
    if (fields)
        put_fields(out, fields);
    if (fclose(out) == 0)
        return line;
    free(line);
    return NULL;
}

void mr_log_event(mr_log *log, mr_log_level level, const char *event, const char *fields_json, const char *fmt, ...)
{
    if (!log || level < log->least)
        return;
    char time[32];
    char raw[MESSAGE_MAX];
    char message[MESSAGE_MAX];
    const char *name = level_names[level <= MR_LOG_ERROR ? level : MR_LOG_ERROR];
    va_list args;
    va_start(args, fmt);
    vsnprintf(raw, sizeof(raw), fmt, args);
    va_end(args);
    mr_text_show_all(raw, strlen(raw), message, sizeof(message));
    mr_time_text(mr_wall_us(), time);
    mr_autojson json_t *fields = fields_json ? mr_json_read(fields_json, strlen(fields_json), FIELDS_MAX, NULL) : NULL;
    if (fields && !json_is_object(fields)) {
        json_decref(fields);
        fields = NULL;
    }
    mr_autofree char *line = log->json ? line_for_programs(time, name, event, message, fields) : line_for_people(time, name, message, fields);
    if (!line)
        return;
    pthread_mutex_lock(&log->mutex);
    flockfile(log->out);
    fputs(line, log->out);
    fputc('\n', log->out);
    fflush(log->out);
    funlockfile(log->out);
    pthread_mutex_unlock(&log->mutex);
}
