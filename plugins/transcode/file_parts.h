/* SPDX-License-Identifier: MIT */
/* Which parts of a source a file is made of, in the file's order: what its input 'cuts' says. */
#ifndef TRANSCODE_FILE_PARTS_H
#define TRANSCODE_FILE_PARTS_H

#include <libavutil/rational.h>
#include <millrace/op.h>

enum { MR_FILE_PARTS = 1000 };

typedef struct mr_file_part {
    int64_t start_us; /* from the source's time 0 */
    int64_t end_us;
} mr_file_part;

typedef struct mr_file_parts {
    mr_file_part *parts;
    size_t count; /* 0: the whole source */
} mr_file_parts;

/*
 * What artifact says: {"cuts": [{"start_us", "duration_us"}, …]}; NULL: the whole. Parts begin and end with pictures of that rate, and at the latest
 * at end_us, where the source ends. Reports what is wrong; mr_file_parts_free is due in any case.
 */
mr_status mr_file_parts_read(const mr_host *host, mr_task *task, const mr_artifact *artifact, AVRational fps, int64_t end_us,
                             mr_file_parts *ret_parts);
void mr_file_parts_free(mr_file_parts *parts);
/* Sound goes up at the begin of a part and down at its end, within 240 samples, so that joins don't click. from: which samples of total these are. */
void mr_file_part_fade(float *const *planes, int channels, int count, int64_t from, int64_t total);

#endif
