/* SPDX-License-Identifier: MIT */
/* Which libraries, and which class of CPU, decide the bytes of encoded sound: their float code differs from class to class. */
#include "transcode.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/cpu.h>
#include <libswresample/swresample.h>
#include <pthread.h>
#include <stdio.h>

static char text[256];

static const char *cpu_class(void)
{
#if defined(__x86_64__)
    int flags = av_get_cpu_flags();
    if (flags & AV_CPU_FLAG_AVX512)
        return "x86-64-avx512";
    if ((flags & AV_CPU_FLAG_AVX2) && (flags & AV_CPU_FLAG_FMA3))
        return "x86-64-avx2";
    return flags & AV_CPU_FLAG_AVX ? "x86-64-avx" : "x86-64";
#elif defined(__aarch64__)
    return "aarch64";
#else
    return "generic";
#endif
}

static void describe(void)
{
    unsigned codec = avcodec_version();
    unsigned format = avformat_version();
    unsigned resample = swresample_version();
    snprintf(text, sizeof(text), "libavcodec %u.%u.%u, libavformat %u.%u.%u, libswresample %u.%u.%u, %s", codec >> 16, codec >> 8 & 255, codec & 255,
             format >> 16, format >> 8 & 255, format & 255, resample >> 16, resample >> 8 & 255, resample & 255, cpu_class());
}

const char *mr_transcode_audio_toolchain(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, describe);
    return text;
}
