/* SPDX-License-Identifier: MIT */
/*
 * One MP4 with its index in front. The muxer needs to read back what it wrote to put the index there, and what is emitted can't be read: so the file
 * is made in the task's scratch folder and copied from there. Deterministic: no dates, no names of libraries.
 */
#ifndef TRANSCODE_FILE_MUX_H
#define TRANSCODE_FILE_MUX_H

#include <libavcodec/avcodec.h>
#include <millrace/op.h>

typedef struct mr_mp4 mr_mp4;

mr_status mr_mp4_open(const mr_host *host, mr_task *task, mr_mp4 **ret_mp4);
void mr_mp4_close(mr_mp4 *mp4);
/* Before mr_mp4_begin. Packets of the track come with times in time_base. */
mr_status mr_mp4_add_track(mr_mp4 *mp4, const AVCodecParameters *codec, AVRational time_base, const char *language, int *ret_track);
mr_status mr_mp4_begin(mr_mp4 *mp4);
/* In any order between tracks: they are interleaved. The packet's content is moved. */
mr_status mr_mp4_write(mr_mp4 *mp4, int track, AVPacket *packet);
/* Ends the file and emits it. */
mr_status mr_mp4_emit(mr_mp4 *mp4, uint32_t port, const char *meta);

#endif
