/* SPDX-License-Identifier: MIT */
/* transcode.video: its tables. The work is in video_run.c and rung.c. */
#include "video.h"
#include "transcode.h"

const char *const mr_video_presets[] = {"ultrafast", "superfast", "veryfast", "faster",  "fast", "medium",
                                        "slow",      "slower",    "veryslow", "placebo", NULL};
const char *const mr_video_profiles[] = {"high", "main", "baseline", NULL};
const char *const mr_video_tunes[] = {"none", "film", "animation", "grain", "stillimage", NULL};

static const char *const codecs[] = {"h264", "hevc", "av1", "vp9", NULL};
static const char *const rate_controls[] = {"quality", "crf", "bitrate", NULL};
static const char *const hdr_choices[] = {"tonemap", "keep", NULL};

static const mr_port inputs[] = {
    {"chunk", MR_TYPE_CHUNK, 0, "the part of the picture track to encode"},
    {"analysis", MR_TYPE_JSON, MR_PORT_OPTIONAL,
     "this chunk's stats from transcode.analyse; without them they are made here, for this rendition only"},
    {"rung", MR_TYPE_JSON, 0, "the rendition, from transcode.ladder"},
    {"source", MR_TYPE_MEDIA, 0, "the video"},
    {"analyses", MR_TYPE_JSON, MR_PORT_MANY | MR_PORT_OPTIONAL, "the stats of all chunks, for the rate control 'bitrate'"},
    {0},
};

static const mr_port outputs[] = {
    {"segments", MR_TYPE_SEGMENT, MR_PORT_MANY, "the init segment, the same from every chunk, and the chunk's media segments"},
    {0},
};

const mr_param mr_video_params_table[] = {
    MR_CHOICE(mr_video_params, codec, .choices = codecs, .standard = "h264", .help = "what to encode to"),
    MR_CHOICE(mr_video_params, preset, .choices = mr_video_presets, .standard = "medium",
              .help = "the encoder's speed, in x264's words; for AV1 and VP9 the nearest number of theirs"),
    MR_CHOICE(mr_video_params, rate_control, .choices = rate_controls, .standard = "quality",
              .help =
                  "quality: as many bits as the wanted quality takes, under the rung's ceiling; crf: the encoder's own constant quality, under the "
                  "ceiling; bitrate: a mean over the whole title, shared out by the analyses"),
    MR_NUMBER(mr_video_params, quality, .standard = "23", .min = "1", .max = "51",
              .help = "the wanted quality on the scale of x264's CRF, lower is better; other codecs are set to about the same"),
    MR_NUMBER(mr_video_params, average, .standard = "0.75", .min = "0.05", .max = "1",
              .help = "with the rate control 'bitrate': the title's mean as a part of the rung's max_bitrate"),
    MR_CHOICE(mr_video_params, profile, .choices = mr_video_profiles, .standard = "high", .help = "profile of H.264; baseline is always 'crf'"),
    MR_CHOICE(mr_video_params, tune, .choices = mr_video_tunes, .standard = "none", .help = "what x264 and x265 are tuned for"),
    MR_INT(mr_video_params, encoder_threads, .standard = "1", .min = "1", .max = "64",
           .help = "threads of each encoder; more of them change what is made, and chunks already fill a machine. H.264 of 720 lines "
                   "or more has two in a video's first chunk, which somebody waits for"),
    MR_FILTERS(mr_video_params, filters,
               .help =
                   "for the upright picture before it is scaled: chains of libavfilter that see one picture at a time, such as crop=ih:ih, and {use: "
                   "NAME, with: {…}} for the filters of plugins"),
    MR_CHOICE(mr_video_params, hdr, .choices = hdr_choices, .standard = "tonemap",
              .help = "what happens to HDR: tonemap makes SDR of it, keep leaves PQ and HLG in 10 bits (with hevc, av1 and vp9)"),
    MR_PARAM_END,
};

const mr_op mr_op_transcode_video = {
    .size = sizeof(mr_op),
    .version = 7,
    .name = "transcode.video",
    .summary = "encodes one chunk of the picture into one rendition",
    .help =
        "The pictures are made upright, de-interlaced, put on the plan's grid of frames, brought to the standard colours and scaled. Every segment "
        "begins "
        "with a key frame and is independent of the others, so that chunks can be encoded alone, in any order, and give the same bytes. No chunk's "
        "mean is more than 3 % over the rung's max_bitrate (one shorter than a second counts as a second), and no segment takes more than a "
        "buffer of "
        "1.5 s allows; what comes out over is encoded again, stricter.",
    .cpu = 1,
    .memory_mb = 1000,
    .batch_max = 16,
    .batch_by = "chunk",
    .inputs = inputs,
    .outputs = outputs,
    .params = mr_video_params_table,
    .params_size = sizeof(mr_video_params),
    .run = mr_video_run,
    .toolchain = mr_transcode_video_toolchain,
};
