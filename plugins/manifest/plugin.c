/* SPDX-License-Identifier: MIT */
/* The manifest plugin: HLS playlists and DASH MPDs. */
#include "manifest.h"

#include <millrace/plugin.h>

static const mr_port package_inputs[] = {
    [IN_PLAN] = {"plan", MR_TYPE_JSON, 0, "what will be made, from segment.plan or segment.remux"},
    [IN_LADDER] = {"ladder", MR_TYPE_JSON, MR_PORT_MANY | MR_PORT_OPTIONAL,
                   "the rungs that will be encoded: the multivariant playlist waits until each can be played"},
    [IN_SEGMENTS] = {"segments", MR_TYPE_SEGMENT, MR_PORT_STREAMING | MR_PORT_ANY_ORDER | MR_PORT_OPTIONAL,
                     "init and media segments of all renditions, in any order"},
    [IN_IMAGES] = {"images", MR_TYPE_IMAGE, MR_PORT_STREAMING | MR_PORT_ANY_ORDER | MR_PORT_OPTIONAL,
                   "pictures to publish beside them; storyboard sheets are named in the MPD"},
    {0},
};

static const mr_port package_outputs[] = {
    [OUT_FILES] = {"files", MR_TYPE_FILE, MR_PORT_MANY, "what to publish, in that order: segments before the playlists that name them"},
    {0},
};

static const mr_param package_param_table[] = {
    MR_LIST(mr_package_params, formats, .item_type = MR_PARAM_TYPE_TEXT, .standard = "[hls, dash]", .min = "1", .max = "2",
            .help = "which manifests to write: hls, dash, or both over the same segments"),
    MR_TEXT(mr_package_params, hls_name, .standard = "master.m3u8", .min = "1", .max = "200", .help = "file name of the multivariant playlist"),
    MR_TEXT(mr_package_params, dash_name, .standard = "manifest.mpd", .min = "1", .max = "200", .help = "file name of the MPD"),
    MR_TEXT(mr_package_params, playlist_name, .standard = "index.m3u8", .min = "1", .max = "200",
            .help = "file name of each rendition's media playlist"),
    MR_BOOL(mr_package_params, growing, .standard = "true",
            .help = "publish HLS playlists while segments are made, so that watching can begin at once"),
    MR_BOOL(mr_package_params, waits, .standard = "false",
            .help = "for a server that lets viewers wait for what is not made yet: manifests name all planned segments as soon as every rendition is "
                    "known"),
    MR_BOOL(mr_package_params, iframes, .standard = "true", .help = "write I-frame playlists, for fast forward and scrubbing"),
    MR_PARAM_END,
};

static const mr_op package_op = {
    .size = sizeof(mr_op),
    .version = 1,
    .name = "manifest.package",
    .summary = "writes HLS and DASH manifests over segments as they are made",
    .help =
        "Publishes init and media segments as they come, and playlists after what they name. While segments are made, HLS media playlists grow "
        "(EVENT), and the multivariant playlist appears as soon as every rendition can be played. At the end playlists become whole (VOD), with "
        "measured bandwidths, I-frame playlists and the MPD.\n\n"
        "With waits, media playlists are whole from the start, the same bytes as at the end, and the MPD is there at once too.\n\n"
        "A rendition with a missing segment, chunks with different init segments, or rungs that can't be switched at every segment fail the task: "
        "what would not play is not announced.",
    .cpu = 0,
    .memory_mb = 64,
    .inputs = package_inputs,
    .outputs = package_outputs,
    .params = package_param_table,
    .params_size = sizeof(mr_package_params),
    .run = package_run,
};

static const mr_op *const ops[] = {&package_op, NULL};

MR_PLUGIN_EXPORT const mr_plugin mr_plugin_entry = {
    .size = sizeof(mr_plugin),
    .abi_major = MR_ABI_MAJOR,
    .abi_minor = MR_ABI_MINOR,
    .name = "manifest",
    .version = "0.1.0",
    .summary = "HLS playlists and DASH MPDs",
    .licence = "MIT",
    .ops = ops,
};
