/* SPDX-License-Identifier: MIT */
#include "media/boxes.h"
#include "media/cmaf.h"
#include "media/encode.h"
#include "media/framing.h"
#include "media/input.h"
#include "media/language.h"
#include "media_host.h"

#include <libavformat/avformat.h>
#include <libavutil/channel_layout.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static mr_task task;

static AVCodecParameters *copy_of(const AVCodecParameters *from)
{
    AVCodecParameters *copy = avcodec_parameters_alloc();
    assert_true(from && avcodec_parameters_copy(copy, from) >= 0);
    return copy;
}

/* An opened encoder's parameters, as ops hand them over. */
static AVCodecParameters *picture(mr_video_codec codec, enum AVPixelFormat format)
{
    const mr_encode_options options = {.codec = codec,
                                       .preset = "veryfast",
                                       .width = 320,
                                       .height = 180,
                                       .fps = {25, 1},
                                       .longest_gop = 50,
                                       .crf = 30,
                                       .kind = {format, AVCOL_PRI_BT709, AVCOL_TRC_BT709, AVCOL_SPC_BT709, "SDR"}};
    mr_encoder *encoder = NULL;
    assert_int_equal(mr_encoder_open(&media_host, &task, &options, &encoder), MR_OK);
    AVCodecParameters *parameters = copy_of(mr_encoder_parameters(encoder));
    mr_encoder_close(encoder); /* without a picture: no encoder may wait for one */
    return parameters;
}

static AVCodecParameters *sound(const char *name)
{
    const AVCodec *codec = avcodec_find_encoder_by_name(name);
    AVCodecContext *context = avcodec_alloc_context3(codec);
    AVCodecParameters *parameters = avcodec_parameters_alloc();
    context->sample_rate = 48000;
    context->sample_fmt = codec->sample_fmts[0];
    av_channel_layout_default(&context->ch_layout, 2);
    context->bit_rate = 128000;
    context->flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_BITEXACT;
    assert_true(avcodec_open2(context, codec, NULL) >= 0);
    assert_true(avcodec_parameters_from_context(parameters, context) >= 0);
    avcodec_free_context(&context);
    return parameters;
}

static void check_string(AVCodecParameters *take_parameters, const char *expected)
{
    char text[64];
    assert_int_equal(mr_codec_string(take_parameters, text, sizeof(text)), MR_OK);
    assert_string_equal(text, expected);
    avcodec_parameters_free(&take_parameters);
}

static void test_codec_strings(void **state)
{
    (void)state;
    check_string(picture(MR_CODEC_H264, AV_PIX_FMT_YUV420P), "avc1.64000c");
    check_string(picture(MR_CODEC_HEVC, AV_PIX_FMT_YUV420P), "hvc1.1.6.L60.90");
    check_string(picture(MR_CODEC_HEVC, AV_PIX_FMT_YUV420P10), "hvc1.2.4.L60.90");
    check_string(picture(MR_CODEC_AV1, AV_PIX_FMT_YUV420P), "av01.0.00M.08");
    check_string(picture(MR_CODEC_AV1, AV_PIX_FMT_YUV420P10), "av01.0.00M.10");
    check_string(picture(MR_CODEC_VP9, AV_PIX_FMT_YUV420P), "vp09.00.11.08");
    check_string(sound("aac"), "mp4a.40.2");
    check_string(sound("libopus"), "opus");
    AVCodecParameters *unknown = avcodec_parameters_alloc();
    char text[64];
    unknown->codec_type = AVMEDIA_TYPE_VIDEO;
    unknown->codec_id = AV_CODEC_ID_THEORA;
    assert_int_equal(mr_codec_string(unknown, text, sizeof(text)), MR_ERR_UNSUPPORTED);
    avcodec_parameters_free(&unknown);
}

static uint64_t big_endian(const uint8_t *data, int size)
{
    uint64_t value = 0;
    for (int i = 0; i < size; i++)
        value = value << 8 | data[i];
    return value;
}

static const uint8_t *find(const uint8_t *data, size_t len, const char *path, size_t *ret_len)
{
    const uint8_t *box = mr_box_path(data, len, path, ret_len);
    assert_non_null(box);
    return box;
}

static void write_packet(mr_cmaf *cmaf, const char *bytes, size_t len, int64_t pts, int64_t dts, bool key)
{
    AVPacket *packet = av_packet_alloc();
    assert_int_equal(av_new_packet(packet, (int)len), 0);
    memcpy(packet->data, bytes, len);
    packet->pts = pts;
    packet->dts = dts;
    packet->duration = 512;
    packet->flags = key ? AV_PKT_FLAG_KEY : 0;
    assert_int_equal(mr_cmaf_write(cmaf, packet), MR_OK);
    av_packet_free(&packet);
}

static void test_a_media_segment(void **state)
{
    static const char idr[] = "\0\0\0\1\x09\xf0\0\0\1\x65"
                              "abc\0\0\0\1\x65"
                              "de\0\0"; /* delimiter, two slices, padding */
    AVCodecParameters *parameters = picture(MR_CODEC_H264, AV_PIX_FMT_YUV420P);
    const mr_cmaf_options options = {.timescale = 12800, .priming = 1024};
    mr_cmaf *cmaf = NULL;
    const uint8_t *data;
    size_t len;
    size_t box_len;
    size_t iframe;
    (void)state;
    assert_int_equal(mr_cmaf_new(&media_host, &task, parameters, &options, &cmaf), MR_OK);
    assert_int_equal(mr_cmaf_begin(cmaf, 7, 51200), MR_OK);
    write_packet(cmaf, idr, sizeof(idr) - 1, 0, 0, true);
    write_packet(cmaf, "\0\0\1\x41xyz", 7, 1536, 512, false);
    write_packet(cmaf, "\0\0\1\x01w", 5, 512, 1024, false);
    assert_int_equal(mr_cmaf_end(cmaf, &data, &len, &iframe), MR_OK);
    assert_memory_equal(data + 4, "stypcmfs", 8);
    assert_int_equal(big_endian(find(data, len, "moof/mfhd", &box_len) + 12, 4), 8);
    const uint8_t *tfdt = find(data, len, "moof/traf/tfdt", &box_len);
    assert_int_equal(tfdt[8], 1);
    assert_int_equal(big_endian(tfdt + 12, 8), 51200);
    const uint8_t *trun = find(data, len, "moof/traf/trun", &box_len);
    assert_int_equal(big_endian(trun + 8, 4), 1u << 24 | 0x001 | 0x200 | 0x400 | 0x800);
    assert_int_equal(big_endian(trun + 12, 4), 3);
    const uint8_t *moof = find(data, len, "moof", &box_len);
    size_t mdat_len;
    const uint8_t *mdat = find(data, len, "mdat", &mdat_len);
    assert_int_equal(big_endian(trun + 16, 4), mdat + 8 - moof);
    static const uint32_t expected[3][3] = {{15, 0x02000000, 1024}, {8, 0x01010000, 2048}, {6, 0x01010000, 512}};
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 3; k++)
            assert_int_equal(big_endian(trun + 20 + 12 * i + 4 * k, 4), expected[i][k]);
    }
    assert_memory_equal(mdat + 8,
                        "\0\0\0\4\x65"
                        "abc\0\0\0\3\x65"
                        "de\0\0\0\4\x41xyz\0\0\0\2\x01w",
                        29);
    assert_int_equal(mdat_len, 8 + 29);
    assert_int_equal(iframe, mdat + 8 + 15 - data);
    mr_cmaf_free(cmaf);
    avcodec_parameters_free(&parameters);
}

static void test_init_segments_are_plain_and_repeatable(void **state)
{
    (void)state;
    AVCodecParameters *parameters = sound("aac");
    const mr_cmaf_options options = {.timescale = 48000, .priming = 1024, .language = "pt-BR"};
    uint8_t *before = NULL;
    size_t before_len = 0;
    for (int i = 0; i < 2; i++) {
        mr_cmaf *cmaf = NULL;
        const uint8_t *data;
        size_t len;
        size_t box_len;
        assert_int_equal(mr_cmaf_new(&media_host, &task, parameters, &options, &cmaf), MR_OK);
        assert_int_equal(mr_cmaf_init_segment(cmaf, &data, &len), MR_OK);
        const uint8_t *elst = find(data, len, "moov/trak/edts/elst", &box_len);
        assert_int_equal(big_endian(elst + 20, 4), 1024);
        assert_int_equal(big_endian(find(data, len, "moov/trak/mdia/mdhd", &box_len) + 20, 4), 48000);
        assert_int_equal(big_endian(find(data, len, "moov/trak/mdia/mdhd", &box_len) + 28, 2), ('p' - 0x60) << 10 | ('o' - 0x60) << 5 | ('r' - 0x60));
        assert_string_equal((const char *)find(data, len, "moov/trak/mdia/elng", &box_len) + 12, "pt-BR");
        assert_null(memmem(data, len, "Lavf", 4));
        if (before) {
            assert_int_equal(len, before_len);
            assert_memory_equal(data, before, len);
        } else {
            before = malloc(len);
            before_len = len;
            memcpy(before, data, len);
        }
        mr_cmaf_free(cmaf);
    }
    free(before);
    avcodec_parameters_free(&parameters);
}

static void test_misuse_is_told(void **state)
{
    AVCodecParameters *parameters = sound("aac");
    const mr_cmaf_options options = {.timescale = 48000};
    mr_cmaf *cmaf = NULL;
    const uint8_t *data;
    size_t len;
    (void)state;
    assert_int_equal(mr_cmaf_new(&media_host, &task, parameters, &options, &cmaf), MR_OK);
    assert_int_equal(mr_cmaf_end(cmaf, &data, &len, NULL), MR_ERR_INTERNAL);
    assert_int_equal(mr_cmaf_begin(cmaf, 0, -1), MR_ERR_INTERNAL);
    assert_int_equal(mr_cmaf_begin(cmaf, 0, 0), MR_OK);
    assert_int_equal(mr_cmaf_begin(cmaf, 1, 0), MR_ERR_INTERNAL);
    assert_int_equal(mr_cmaf_end(cmaf, &data, &len, NULL), MR_ERR_INTERNAL);
    mr_cmaf_free(cmaf);
    mr_cmaf_free(NULL);
    avcodec_parameters_free(&parameters);
}

static void test_framing(void **state)
{
    static const uint8_t obus[] = {0x12, 0x00, 0x0a, 0x02, 'a', 'b', 0x32, 0x01, 'c', 0x7a, 0x01, 0x80}; /* delimiter, sequence, frame, padding */
    const mr_framing av1 = {.kind = MR_FRAMING_AV1};
    const mr_framing h264 = {.kind = MR_FRAMING_H264};
    mr_bytes out = {0};
    (void)state;
    assert_int_equal(mr_framing_append(&av1, obus, sizeof(obus), &out), 0);
    assert_int_equal(out.len, 7);
    assert_memory_equal(out.data, obus + 2, 7);
    assert_int_equal(mr_framing_append(&av1, obus, 5, &out), AVERROR_INVALIDDATA); /* cut off */
    assert_int_equal(mr_framing_append(&av1, (const uint8_t *)"\x0a\xff\xff\xff\xff\xff\xff", 7, &out), AVERROR_INVALIDDATA);
    assert_int_equal(mr_framing_append(&h264, (const uint8_t *)"no start code", 13, &out), AVERROR_INVALIDDATA);
    assert_int_equal(mr_framing_append(&h264, (const uint8_t *)"\0\0\1", 3, &out), AVERROR_INVALIDDATA);
    mr_bytes_free(&out);
}

static void test_languages(void **state)
{
    static const char *const pairs[][2] = {{"de", "deu"}, {"pt-BR", "por"}, {"zh_Hant", "zho"}, {"gsw", "gsw"},
                                           {"", "und"},   {"x", "und"},     {"english", "und"}, {"1a2", "und"}};
    char code[4];
    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        mr_language_code(pairs[i][0], code);
        assert_string_equal(code, pairs[i][1]);
    }
    assert_string_equal(mr_language_tag("ger"), "de");
    assert_string_equal(mr_language_tag("deu"), "de");
    assert_string_equal(mr_language_tag("gsw"), "gsw");
    assert_string_equal(mr_language_tag("en-GB"), "en-GB");
}

static void test_boxes_are_found_or_not(void **state)
{
    static const uint8_t data[] = "\0\0\0\x14moov\0\0\0\x0ctrakabcd\0\0\0\x07"
                                  "free";
    size_t len;
    (void)state;
    assert_ptr_equal(mr_box_path(data, 20, "moov/trak", &len), data + 8);
    assert_int_equal(len, 12);
    assert_null(mr_box_path(data, 20, "moov/mdia", &len));
    assert_null(mr_box_find(data, sizeof(data) - 1, "mdat", &len)); /* a box of seven bytes is none */
    assert_null(mr_box_find(data, 10, "moov", &len));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codec_strings),
        cmocka_unit_test(test_a_media_segment),
        cmocka_unit_test(test_init_segments_are_plain_and_repeatable),
        cmocka_unit_test(test_misuse_is_told),
        cmocka_unit_test(test_framing),
        cmocka_unit_test(test_languages),
        cmocka_unit_test(test_boxes_are_found_or_not),
    };
    mr_media_quiet();
    setenv("SVT_LOG", "0", 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
