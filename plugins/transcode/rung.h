/* SPDX-License-Identifier: MIT */
/* One rung of one chunk: pictures go in, CMAF segments come out, and are kept until it is sure that they are good. */
#ifndef TRANSCODE_RUNG_H
#define TRANSCODE_RUNG_H

#include "media/chunk.h"
#include "media/scale.h"
#include "video.h"

typedef struct mr_rung {
    char id[64];
    mr_size size;
    int64_t max_bitrate;
} mr_rung;

typedef struct mr_rung_encode mr_rung_encode;

/* Reports what is wrong with it. */
mr_status mr_rung_read(const mr_host *host, mr_task *task, const mr_artifact *artifact, mr_rung *ret_rung);

/* chunk, params and rung are borrowed. */
mr_status mr_rung_encode_new(const mr_host *host, mr_task *task, const mr_chunk *chunk, const mr_rung *rung, const mr_video_params *params,
                             mr_rung_encode **ret_encode);
void mr_rung_encode_free(mr_rung_encode *encode);

/* What decides the bits of one attempt. */
typedef struct mr_rung_rate {
    double crf;
    int64_t bitrate;   /* 0: crf decides */
    const char *stats; /* with bitrate: path of the first pass's statistics */
    bool free_flow;    /* with bitrate: without the decoder's buffer in mind */
} mr_rung_rate;

/* Begins an attempt; what an earlier one made is forgotten. Then every frame of the chunk, then finish. */
mr_status mr_rung_encode_begin(mr_rung_encode *encode, const mr_rung_rate *rate);
mr_status mr_rung_encode_send(mr_rung_encode *encode, const AVFrame *frame, int index);
mr_status mr_rung_encode_finish(mr_rung_encode *encode);
/* The largest segment's bits ÷ what it may take: what flows in while it plays, and what the buffer held at its start. */
double mr_rung_encode_excess(const mr_rung_encode *encode);
/* Bits of all segments. */
double mr_rung_encode_bits(const mr_rung_encode *encode);
/* Mean quantiser of the attempt, or 0 where the encoder does not tell. */
double mr_rung_encode_qp(const mr_rung_encode *encode);
/* The init segment, which is there once an attempt has begun. */
mr_status mr_rung_encode_emit_init(mr_rung_encode *encode, uint32_t port);
/* The init segment, then the others. */
mr_status mr_rung_encode_emit(mr_rung_encode *encode);

#endif
