/* SPDX-License-Identifier: MIT */
/*
 * The analysis of a chunk: x264's first pass over small pictures. Its statistics and block tree serve the second pass of every rung, whatever its
 * size (x264 rescales both), and its bits say how hard the chunk is to encode.
 * As an artifact: metadata for those who share out a title's bits, and as content "MRA1", the lengths of both files as 32-bit big-endian, the files.
 */
#ifndef TRANSCODE_ANALYSIS_H
#define TRANSCODE_ANALYSIS_H

#include "media/boxes.h"
#include "media/chunk.h"
#include "media/scale.h"

#include <libavutil/frame.h>

/* The wanted quality of the first pass: its bits are compared with those of other chunks and of other qualities. */
#define MR_ANALYSIS_CRF 23.0

typedef struct mr_analysis {
    mr_size size;
    int64_t bits; /* that the first pass took */
    double qp;    /* mean quantiser of the first pass: at the same quality that of any size */
    mr_bytes stats;
    mr_bytes tree;
} mr_analysis;

/* Of the pictures that are analysed: 240 lines, or the source's own size when that is smaller. */
mr_size mr_analysis_size(const mr_chunk *chunk);

typedef struct mr_analyser mr_analyser;

/* folder: where the encoder may leave its files. chunk is borrowed. */
mr_status mr_analyser_new(const mr_host *host, mr_task *task, const mr_chunk *chunk, const char *folder, mr_analyser **ret_analyser);
void mr_analyser_free(mr_analyser *analyser);
/* Pictures of mr_analysis_size, in order. */
mr_status mr_analyser_send(mr_analyser *analyser, const AVFrame *frame, int index);
/* *ret_analysis is to be freed with mr_analysis_free in any case. */
mr_status mr_analyser_finish(mr_analyser *analyser, mr_analysis *ret_analysis);

void mr_analysis_free(mr_analysis *analysis);
mr_status mr_analysis_emit(const mr_host *host, mr_task *task, uint32_t port, const mr_chunk *chunk, const mr_analysis *analysis);
/* Reads and checks an artifact: it must be of this chunk. */
mr_status mr_analysis_read(const mr_host *host, mr_task *task, const mr_artifact *artifact, const mr_chunk *chunk, mr_analysis *ret_analysis);
/* The bits of all pictures by what x264's statistics call them: texture, motion vectors, and the rest; together at least one. */
void mr_analysis_shares(const mr_analysis *analysis, double *ret_texture, double *ret_vectors, double *ret_rest);
/* Puts the two files where a second pass finds them: path, and beside it path.mbtree. The bits in the statistics are multiplied by factor: so that
 * what x264 expects of a picture at some quantiser is what the rung's size will take, and it need not change course halfway. */
mr_status mr_analysis_write(const mr_host *host, mr_task *task, const mr_analysis *analysis, double factor, const char *path);

#endif
