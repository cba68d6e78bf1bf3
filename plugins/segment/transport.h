/* SPDX-License-Identifier: MIT */
/* An MPEG transport stream in pieces: one muxer for all, so that continuity counters and clocks run on; each piece begins with PAT and PMT. */
#ifndef SEGMENT_TRANSPORT_H
#define SEGMENT_TRANSPORT_H

#include <libavformat/avformat.h>
#include <millrace/op.h>

typedef struct mr_transport mr_transport;

mr_status mr_transport_new(const mr_host *host, mr_task *task, mr_transport **ret_transport);
void mr_transport_free(mr_transport *transport);
/* Before the first write. Its number counts from 0. */
mr_status mr_transport_add(mr_transport *transport, const AVCodecParameters *codec);
/* Packets of all tracks in order of decoding time; timestamps in time_base. The packet's data stays the caller's, its timestamps are rescaled. */
mr_status mr_transport_write(mr_transport *transport, int track, AVPacket *packet, AVRational time_base);
/* Ends the piece. The bytes are the caller's: av_free. */
mr_status mr_transport_take(mr_transport *transport, uint8_t **ret_data, size_t *ret_len);

#endif
