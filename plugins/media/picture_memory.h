/* SPDX-License-Identifier: MIT */
/*
 * The memory of decoded pictures. Pages that nobody has written to yet cost a sixth of the time that H.264 takes to decode into them; here somebody
 * else can pay that, on another thread, before the decoder needs them.
 */
#ifndef MR_MEDIA_PICTURE_MEMORY_H
#define MR_MEDIA_PICTURE_MEMORY_H

#include <libavcodec/avcodec.h>

typedef struct mr_picture_memory mr_picture_memory;

mr_picture_memory *mr_picture_memory_new(void); /* NULL: no memory */
/* Of a decoder with one thread, before it is opened. It is given back after the decoder is closed; pictures outlive both. */
void mr_picture_memory_serve(mr_picture_memory *memory, AVCodecContext *codec);
/* Makes sure that the next pictures find their memory written to. On any thread, while the decoder decodes; cheap where nothing is to be done. */
void mr_picture_memory_prepare(mr_picture_memory *memory);
void mr_picture_memory_free(mr_picture_memory *memory); /* NULL is fine */

#endif
