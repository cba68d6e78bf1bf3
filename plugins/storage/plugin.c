/* SPDX-License-Identifier: MIT */
/* The storage plugin: from runs to folders, and from web servers to runs. */
#include "http/http.h"
#include "local.h"
#include "storage.h"

#include <millrace/plugin.h>

static const mr_port publish_inputs[] = {
    [PUBLISH_IN_FILES] = {"files", MR_TYPE_FILE | MR_TYPE_IMAGE | MR_TYPE_TEXT | MR_TYPE_SEGMENT, MR_PORT_STREAMING | MR_PORT_OPTIONAL,
                          "what to publish: whatever has content and a 'path' in its metadata"},
    {0},
};

static const mr_port publish_outputs[] = {
    [PUBLISH_OUT_HLS] = {"hls", MR_TYPE_JSON, MR_PORT_OPTIONAL, "the multivariant playlist: {path, file}, relative and absolute"},
    [PUBLISH_OUT_DASH] = {"dash", MR_TYPE_JSON, MR_PORT_OPTIONAL, "the MPD: {path, file}"},
    [PUBLISH_OUT_MEDIA] = {"media", MR_TYPE_JSON, MR_PORT_OPTIONAL, "the file to play as it is: {path, file}"},
    [PUBLISH_OUT_PUBLISHED] = {"published", MR_TYPE_JSON, 0, "what was done: {files, bytes, written, unchanged, removed}"},
    {0},
};

static const mr_param publish_params[] = {
    MR_BOOL(
        mr_publish_params, link, .standard = "false",
        .help =
            "whether segments and pictures are hard links to what the state folder holds, where both lie on one file system: for folders in which "
            "files are replaced or removed, but never written to"),
    MR_PARAM_END,
};

static const mr_op publish_op = {
    .size = sizeof(mr_op),
    .version = 1,
    .name = "storage.publish",
    .summary = "publishes files in the output folder or store, whole and in order",
    .help =
        "Each file is written under another name and renamed into place, so that a reader never sees half of one; a playlist gets its name after "
        "the bytes of all that came before it are on the disk. What is there already with the same bytes is left alone. At the end, files that an "
        "earlier run published in the folder and this one did not are removed; files that nobody published are never touched. The list of "
        "what was published lies in .millrace/published.jsonl.\n\n"
        "With --output SCHEME://… the files go to a store instead, through the storage driver that knows the scheme.\n\n"
        "With 'link' nothing is copied: a file in the folder is the stored content itself, read-only, under another name. Whoever writes into such a "
        "file "
        "spoils what later runs take for its content, so by default files are copies (or share their blocks where the file system can).\n\n"
        "Symbolic links inside the output folder are not followed. One storage.publish at a time works in a folder.",
    .flags = MR_OP_EFFECT,
    .cpu = 0,
    .memory_mb = 32,
    .inputs = publish_inputs,
    .outputs = publish_outputs,
    .params = publish_params,
    .params_size = sizeof(mr_publish_params),
    .run = mr_publish_run,
};

static const mr_port fetch_outputs[] = {
    [FETCH_OUT_MEDIA] = {"media", MR_TYPE_MEDIA, 0, "the file; metadata {name, size, content_type}"},
    {0},
};

static const mr_param fetch_params[] = {
    MR_URL(mr_fetch_params, url, .flags = MR_PARAM_REQUIRED | MR_PARAM_SCHEMES,
           .help = "where the file is: http, https, or an address whose scheme a storage driver knows"),
    MR_TEXT(mr_fetch_params, digest, .min = "71", .max = "71", .help = "what the file must be, sha256:<64 hex digits>; another one is refused"),
    MR_SIZE(mr_fetch_params, max_size, .standard = "64GiB", .min = "1", .help = "a larger file is refused, in bytes"),
    MR_DURATION(mr_fetch_params, timeout, .standard = "2h", .min = "1s", .help = "how long it may take, attempts and pauses included"),
    MR_INT(mr_fetch_params, attempts, .standard = "5", .min = "1", .max = "100", .help = "how many attempts in a row may bring nothing"),
    MR_BOOL(mr_fetch_params, allow_private, .standard = "false",
            .help = "whether addresses that are not public (loopback, local networks, file://) may be fetched from"),
    MR_PARAM_END,
};

static const mr_op fetch_op = {
    .size = sizeof(mr_op),
    .version = 1,
    .name = "storage.fetch",
    .summary = "fetches a file from a web server or a store",
    .help =
        "Follows up to 5 redirects, never from https to http. A transfer that breaks goes on where it stopped when the server can tell that the file "
        "is still the same (ETag or Last-Modified). 30 seconds without a byte count as broken.\n\n"
        "Addresses that are not public are refused, whatever a name resolves to, unless allow_private is set: a URL that comes from a stranger must "
        "not reach what only this machine can reach. Behind a proxy that stands in a private network, set it too.",
    .flags = MR_OP_EFFECT,
    .cpu = 0,
    .memory_mb = 32,
    .outputs = fetch_outputs,
    .params = fetch_params,
    .params_size = sizeof(mr_fetch_params),
    .run = mr_fetch_run,
};

static const mr_op *const ops[] = {&publish_op, &fetch_op, NULL};
static const mr_service *const services[] = {&mr_local_service, NULL};

MR_PLUGIN_EXPORT const mr_plugin mr_plugin_entry = {
    .size = sizeof(mr_plugin),
    .abi_major = MR_ABI_MAJOR,
    .abi_minor = MR_ABI_MINOR,
    .name = "storage",
    .version = "0.1.0",
    .summary = "publishing to folders, fetching from web servers",
    .licence = "MIT",
    .ops = ops,
    .load = mr_http_load,
    .services = services,
};
