/* SPDX-License-Identifier: MIT */
/*
 * Every encoder that plugins use, and its decoder, inside the sandbox with the plugins loaded, as in a task host: a system call that one of them
 * needs and the sandbox does not know would show here. With one thread the bytes are those that are made outside.
 */
#include "base/file.h"
#include "cage.h"

#include <dlfcn.h>
#include <glob.h>
#include <inttypes.h>
#include <libavcodec/avcodec.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { WIDTH = 192, HEIGHT = 128, PICTURES = 12, SOUND_FRAMES = 20, SAMPLE_RATE = 48000 };

typedef struct codec_case {
    const char *encoder;
    const char *single; /* options, with one thread as plugins set them: the same bytes each time */
    const char *many;   /* and with several */
    bool primed;        /* sound: the decoder gives another number of frames */
    bool undecodable;   /* libavcodec 5.1 does not read animated WebP */
} codec_case;

/* clang-format off */
static const codec_case cases[] = {
    {.encoder = "libx264", .single = "preset=veryfast", .many = "preset=veryfast"},
    {.encoder = "libx265", .single = "preset=veryfast:x265-params=log-level=none\\:info=0\\:pools=none\\:frame-threads=1\\:wpp=0",
                           .many = "preset=veryfast:x265-params=log-level=none"},
    {.encoder = "libsvtav1", .single = "preset=10:svtav1-params=lp=1", .many = "preset=10"},
    {.encoder = "libaom-av1", .single = "cpu-used=8:row-mt=0", .many = "cpu-used=8:row-mt=1"},
    {.encoder = "libvpx-vp9", .single = "deadline=good:cpu-used=5:row-mt=0", .many = "deadline=good:cpu-used=5:row-mt=1:tile-columns=1"},
    {.encoder = "mjpeg", .single = "", .many = ""},
    {.encoder = "libwebp", .single = "", .many = ""},
    {.encoder = "libwebp_anim", .single = "", .many = "", .undecodable = true},
    {.encoder = "png", .single = "", .many = ""},
    {.encoder = "aac", .single = "", .many = "", .primed = true},
    {.encoder = "libopus", .single = "", .many = "", .primed = true},
    {.encoder = "libmp3lame", .single = "", .many = "", .primed = true},
    {.encoder = "flac", .single = "", .many = "", .primed = true},
};
/* clang-format on */

static const codec_case *chosen;
static int threads;

typedef struct coder {
    AVCodecContext *encoder;
    AVCodecContext *decoder;
    AVFrame *frame;
    AVFrame *decoded;
    AVPacket *packet;
    uint64_t sum; /* FNV-1a of all packets */
    int packets;
    int frames;
} coder;

static void draw(AVFrame *frame, int number)
{
    const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(frame->format);
    for (int plane = 0; plane < 4 && frame->data[plane]; plane++) {
        int rows = plane == 1 || plane == 2 ? AV_CEIL_RSHIFT(frame->height, format->log2_chroma_h) : frame->height;
        for (int y = 0; y < rows; y++) {
            for (int x = 0; x < frame->linesize[plane]; x++)
                frame->data[plane][y * frame->linesize[plane] + x] = (uint8_t)(x * 3 + y * (plane + 1) + number * 7);
        }
    }
}

static void play(AVFrame *frame, int number)
{
    const int bytes = av_get_bytes_per_sample(frame->format);
    for (int plane = 0; plane < AV_NUM_DATA_POINTERS && frame->data[plane]; plane++) {
        for (int i = 0; i < frame->linesize[0] / bytes; i++) {
            const double value = 0.3 * (double)((i + number * frame->nb_samples) % 109 - 54) / 54;
            if (bytes == 4 && (frame->format == AV_SAMPLE_FMT_FLTP || frame->format == AV_SAMPLE_FMT_FLT))
                ((float *)frame->data[plane])[i] = (float)value;
            else if (bytes == 2)
                ((int16_t *)frame->data[plane])[i] = (int16_t)(value * 32767);
            else
                ((int32_t *)frame->data[plane])[i] = (int32_t)(value * 2147483647);
        }
    }
}

static bool is_picture(const coder *it)
{
    return it->encoder->codec_type == AVMEDIA_TYPE_VIDEO;
}

static bool open_encoder(coder *it, const AVCodec *codec)
{
    AVCodecContext *to = it->encoder = avcodec_alloc_context3(codec);
    to->thread_count = threads;
    to->flags |= AV_CODEC_FLAG_BITEXACT;
    if (is_picture(it)) {
        to->width = WIDTH;
        to->height = HEIGHT;
        to->time_base = (AVRational){1, 25};
        to->framerate = (AVRational){25, 1};
        to->pix_fmt = codec->pix_fmts ? codec->pix_fmts[0] : AV_PIX_FMT_YUV420P;
        for (const enum AVPixelFormat *format = codec->pix_fmts; format && *format != AV_PIX_FMT_NONE; format++) {
            if (*format == AV_PIX_FMT_YUV420P)
                to->pix_fmt = *format;
        }
        to->strict_std_compliance = FF_COMPLIANCE_UNOFFICIAL; /* JPEG of limited range */
    } else {
        to->sample_rate = SAMPLE_RATE;
        to->sample_fmt = codec->sample_fmts[0];
        av_channel_layout_default(&to->ch_layout, 2);
        to->time_base = (AVRational){1, SAMPLE_RATE};
        to->bit_rate = 128000;
    }
    AVDictionary *options = NULL;
    bool opened =
        av_dict_parse_string(&options, threads > 1 ? chosen->many : chosen->single, "=", ":", 0) >= 0 && avcodec_open2(to, codec, &options) >= 0;
    av_dict_free(&options);
    return opened;
}

static bool open_decoder(coder *it)
{
    AVCodecParameters *parameters = avcodec_parameters_alloc();
    const AVCodec *codec = avcodec_find_decoder(it->encoder->codec_id);
    it->decoder = avcodec_alloc_context3(codec);
    bool opened =
        codec && avcodec_parameters_from_context(parameters, it->encoder) >= 0 && avcodec_parameters_to_context(it->decoder, parameters) >= 0;
    it->decoder->thread_count = threads;
    opened = opened && avcodec_open2(it->decoder, codec, NULL) >= 0;
    avcodec_parameters_free(&parameters);
    return opened;
}

static bool decode(coder *it, const AVPacket *packet)
{
    if (avcodec_send_packet(it->decoder, packet) < 0)
        return false;
    while (avcodec_receive_frame(it->decoder, it->decoded) >= 0)
        it->frames++;
    return true;
}

static void add_up(coder *it)
{
    for (int i = 0; i < it->packet->size; i++)
        it->sum = (it->sum ^ it->packet->data[i]) * 0x100000001b3u;
}

static bool encode(coder *it, const AVFrame *frame)
{
    if (avcodec_send_frame(it->encoder, frame) < 0)
        return false;
    while (avcodec_receive_packet(it->encoder, it->packet) >= 0) {
        add_up(it);
        it->packets++;
        if (!chosen->undecodable && !decode(it, it->packet))
            return false;
        av_packet_unref(it->packet);
    }
    return true;
}

static bool make_frame(coder *it)
{
    const AVCodecContext *encoder = it->encoder;
    it->frame->format = is_picture(it) ? (int)encoder->pix_fmt : (int)encoder->sample_fmt;
    it->frame->width = encoder->width;
    it->frame->height = encoder->height;
    it->frame->sample_rate = encoder->sample_rate;
    it->frame->nb_samples = encoder->frame_size ? encoder->frame_size : 1024;
    if (!is_picture(it) && av_channel_layout_copy(&it->frame->ch_layout, &encoder->ch_layout) < 0)
        return false;
    return av_frame_get_buffer(it->frame, 0) >= 0;
}

enum { FINE, NO_ENCODER, NO_DECODER, NO_FRAME, NOT_ENCODED, NOT_FLUSHED, NOT_ALL };

static int code(coder *it)
{
    const AVCodec *codec = avcodec_find_encoder_by_name(chosen->encoder);
    it->frame = av_frame_alloc();
    it->decoded = av_frame_alloc();
    it->packet = av_packet_alloc();
    it->sum = 0xcbf29ce484222325u;
    if (!open_encoder(it, codec))
        return NO_ENCODER;
    if (!open_decoder(it))
        return NO_DECODER;
    if (!make_frame(it))
        return NO_FRAME;
    const int count = is_picture(it) ? PICTURES : SOUND_FRAMES;
    for (int i = 0; i < count; i++) {
        if (av_frame_make_writable(it->frame) < 0)
            return NO_FRAME;
        (is_picture(it) ? draw : play)(it->frame, i);
        it->frame->pts = is_picture(it) ? i : (int64_t)i * it->frame->nb_samples;
        if (!encode(it, it->frame))
            return NOT_ENCODED;
    }
    if (!encode(it, NULL))
        return NOT_FLUSHED;
    if (!chosen->undecodable && !decode(it, NULL))
        return NOT_FLUSHED;
    if (it->packets == 0 || (!chosen->undecodable && it->frames == 0))
        return NOT_ALL;
    return !chosen->undecodable && !chosen->primed && it->frames != count ? NOT_ALL : FINE;
}

static int use_codec(const act_place *place)
{
    coder it = {0};
    (void)place;
    int failed = code(&it);
    avcodec_free_context(&it.encoder);
    avcodec_free_context(&it.decoder);
    av_frame_free(&it.frame);
    av_frame_free(&it.decoded);
    av_packet_free(&it.packet);
    fprintf(stderr, "\nmade: %d packets, %d frames, %016" PRIx64 "\n", it.packets, it.frames, it.sum);
    return failed;
}

/* All plugins, as a host has them before it locks itself. */
static int load_plugins(void)
{
    glob_t found;
    size_t loaded = 0;
    if (glob(PLUGIN_FOLDER "/*.so", 0, NULL, &found) != 0)
        return 1;
    for (size_t i = 0; i < found.gl_pathc; i++)
        loaded += dlopen(found.gl_pathv[i], RTLD_NOW | RTLD_LOCAL) != NULL;
    bool all = loaded == found.gl_pathc && loaded > 0;
    globfree(&found);
    av_log_set_level(AV_LOG_QUIET);
    return all && setenv("SVT_LOG", "1", 1) == 0 ? 0 : 1;
}

static const char *made(const cage_end *end)
{
    const char *line = strstr(end->words, "\nmade: ");
    return line ? line : "nothing";
}

static void try_codec(cage *inside, cage *outside, const codec_case *which, int thread_count)
{
    chosen = which;
    threads = thread_count;
    cage_end confined = cage_try(inside, use_codec);
    cage_end open = cage_try(outside, use_codec);
    if (open.signal || open.error)
        fail_msg("%s can't be used here even without the sandbox: signal %d, step %d, %s", which->encoder, open.signal, open.error, open.words);
    if (confined.signal || confined.error)
        fail_msg("%s with %d threads: signal %d, step %d, %s", which->encoder, threads, confined.signal, confined.error, confined.words);
    print_message("%-14s %d threads: %s", which->encoder, threads, made(&confined) + 1);
    if (threads == 1)
        assert_string_equal(made(&confined), made(&open));
}

static void test_codecs(void **context)
{
    const mr_sandbox_limits limits = {.memory = 4ull << 30, .cpu_seconds = 600, .open_files = 256, .file_size = 1u << 30};
    char root[] = "/tmp/millrace-test-XXXXXX";
    char scratch[64];
    char theirs[64];
    (void)context;
    assert_non_null(mkdtemp(root));
    snprintf(scratch, sizeof(scratch), "%s/scratch", root);
    snprintf(theirs, sizeof(theirs), "%s/theirs", root);
    assert_int_equal(mr_dir_make(scratch, 0700, NULL), MR_OK);
    assert_int_equal(mr_file_write_atomic(theirs, "theirs", 6, 0644, NULL), MR_OK);
    cage inside = {.scratch = scratch, .outside = root, .limits = &limits, .before = load_plugins};
    cage outside = inside;
    outside.open = true;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (!avcodec_find_encoder_by_name(cases[i].encoder)) {
            print_message("%s: this libavcodec was built without it\n", cases[i].encoder);
            continue;
        }
        try_codec(&inside, &outside, &cases[i], 1);
        try_codec(&inside, &outside, &cases[i], 3);
    }
    mr_dir_remove(root, NULL);
}

/* Codecs are not built with ThreadSanitizer: what their threads agree on it can't see. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "ignore_noninstrumented_modules=1";
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_codecs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
