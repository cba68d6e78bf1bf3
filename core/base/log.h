/* SPDX-License-Identifier: MIT */
/*
 * Structured logs: one event a line, for people or as JSON lines. For runtime and above; base, config and graph never log.
 * A logger is a value that is passed; safe from several threads: a line is written whole.
 */
#ifndef MR_BASE_LOG_H
#define MR_BASE_LOG_H

#include <stdbool.h>
#include <stdio.h>

typedef enum mr_log_level { MR_LOG_DEBUG, MR_LOG_INFO, MR_LOG_WARNING, MR_LOG_ERROR } mr_log_level;
typedef struct mr_log mr_log;

mr_log *mr_log_new(FILE *out, mr_log_level least, bool json); /* out is borrowed */
void mr_log_free(mr_log *log);
/* event: kebab case. fields_json: a JSON object with the numbers, or NULL. log NULL: nothing happens. */
void mr_log_event(mr_log *log, mr_log_level level, const char *event, const char *fields_json, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

#endif
