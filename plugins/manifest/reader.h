/* SPDX-License-Identifier: MIT */
/* Reads the metadata of an artifact, field by field. The first field that is missing or wrong is reported, and remembered in 'bad'. */
#ifndef MANIFEST_READER_H
#define MANIFEST_READER_H

#include <jansson.h>
#include <millrace/op.h>

#define REQUIRED INT64_MIN /* as 'standard' of read_int: there is no default */

typedef struct mr_reader {
    const mr_host *host;
    mr_task *task;
    const char *what; /* "segment", for messages */
    json_t *object;
    bool bad;
} mr_reader;

/* An object that is not one is 'bad' at once. reader_end in every case. */
mr_reader reader_begin(const mr_host *host, mr_task *task, const char *what, const char *meta);
void reader_end(mr_reader *reader);
void reader_fault(mr_reader *reader, const char *key, const char *why);
int64_t read_int(mr_reader *reader, const char *key, int64_t standard, int64_t min, int64_t max);
bool read_bool(mr_reader *reader, const char *key);
/* [num, den], both above 0; {0, 0} when absent. */
mr_ratio read_ratio(mr_reader *reader, const char *key);
/* Absent: "". Too long: cut at a character where 'cut', else bad. */
void read_text(mr_reader *reader, const char *key, char *buf, size_t size, bool cut);
/* Letters, digits and the characters of extra only; required. */
void read_word(mr_reader *reader, const char *key, const char *extra, char *buf, size_t size);

#endif
