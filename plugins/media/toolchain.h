/* SPDX-License-Identifier: MIT */
/* The libraries that decide what the media ops make: part of the identity of their results. */
#ifndef MR_MEDIA_TOOLCHAIN_H
#define MR_MEDIA_TOOLCHAIN_H

/* "libavcodec 59.37.100, libavfilter 8.44.100, … libx264.so.164, libSvtAv1Enc.so.1.4.1". The same for the life of the process. For mr_op.toolchain.
 */
const char *mr_media_toolchain(void);

#endif
