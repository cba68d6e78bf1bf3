/* SPDX-License-Identifier: MIT */
/* millrace probe: what a file holds. Runs the op probe.media through the engine, as a pipeline of one node would. */
#include "base/clock.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/job.h"
#include "config/yaml.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_JSON = 0x2000 };

typedef struct probe_options {
    const char *file;
    const char *state;
    bool json;
    mr_configure configure;
    mr_loaded_settings settings;
} probe_options;

static const struct argp_option options[] = {
    MR_CONFIGURE_OPTIONS,
    {"json", KEY_JSON, NULL, 0, "Print all that is known, as one JSON object", 0},
    {"state", MR_KEY_STATE, "DIR", 0, "Keep results in DIR (default: $XDG_STATE_HOME/millrace or ~/.local/state/millrace)", 0},
    {0},
};

static const char pipeline_text[] = "millrace: 1\n"
                                    "name: probe\n"
                                    "inputs: {source: {type: media}}\n"
                                    "nodes: {probe: {op: probe.media, in: {source: inputs.source}}}\n"
                                    "outputs: {info: probe.info}\n";

static error_t parse(int key, char *arg, struct argp_state *state)
{
    probe_options *to = state->input;
    switch (key) {
    case KEY_JSON: to->json = true; return 0;
    case MR_KEY_STATE: to->state = arg; return 0;
    case ARGP_KEY_ARG:
        if (to->file)
            mr_verb_unexpected(state, arg);
        to->file = arg;
        return 0;
    case ARGP_KEY_END:
        if (!to->file)
            argp_error(state, "which file?");
        return 0;
    default: return mr_configure_parse(&to->configure, key, arg, state);
    }
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static double number_of(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

/* Titles and tags are the file's own words. */
static void put_words(const char *before, const char *words, const char *after)
{
    if (!*words)
        return;
    fputs(before, stdout);
    mr_put_words(stdout, words);
    fputs(after, stdout);
}

static void put_codec(const json_t *stream)
{
    put_words("", text_of(stream, "codec"), "");
    put_words(" (", text_of(stream, "profile"), ")");
}

static void put_bitrate(const json_t *of)
{
    double bps = number_of(of, "bit_rate");
    if (bps >= 1e6)
        printf(", %.1f Mbit/s", bps / 1e6);
    else if (bps > 0)
        printf(", %.0f kbit/s", bps / 1e3);
}

static void print_container(const json_t *info, const char *file)
{
    char length[32] = "";
    double us = number_of(info, "duration_us");
    if (us > 0)
        mr_duration_text((int64_t)us, length, sizeof(length));
    put_words("", file, "\n");
    put_words("  container  ", text_of(info, "container"), "");
    if (*length)
        printf(", %s", length);
    printf(", %.0f bytes", number_of(info, "size"));
    put_bitrate(info);
    putchar('\n');
}

static void print_video(const json_t *video)
{
    json_t *rate = json_object_get(video, "frame_rate");
    json_t *sar = json_object_get(video, "sar");
    double num = json_number_value(json_array_get(rate, 0));
    double den = json_number_value(json_array_get(rate, 1));
    double sar_num = json_number_value(json_array_get(sar, 0));
    double sar_den = json_number_value(json_array_get(sar, 1));
    fputs("  video      ", stdout);
    put_codec(video);
    printf(", %.0fx%.0f", number_of(video, "width"), number_of(video, "height"));
    if (sar_num != sar_den)
        printf(" (pixels %.0f:%.0f)", sar_num, sar_den);
    if (number_of(video, "rotation") != 0)
        printf(", to be turned by %.0f degrees", number_of(video, "rotation"));
    if (json_is_true(json_object_get(video, "mirror")))
        fputs(", mirrored", stdout);
    if (number_of(video, "display_width") != number_of(video, "width") || number_of(video, "display_height") != number_of(video, "height"))
        printf(", shown as %.0fx%.0f", number_of(video, "display_width"), number_of(video, "display_height"));
    if (den > 0)
        printf(", %.6g frames/s%s", num / den, json_is_true(json_object_get(video, "variable_rate")) ? " (varies)" : "");
    put_words(", ", text_of(video, "pixel_format"), "");
    if (strcmp(text_of(video, "hdr"), "none") != 0)
        put_words(", HDR ", text_of(video, "hdr"), "");
    if (strcmp(text_of(video, "interlaced"), "no") != 0)
        put_words(", interlaced ", text_of(video, "interlaced"), "");
    put_bitrate(video);
    putchar('\n');
}

static void print_track(const char *kind, const json_t *track)
{
    printf("  %-9s  ", kind);
    put_codec(track);
    if (number_of(track, "channels") > 0)
        printf(", %.0f Hz, %.0f channel%s", number_of(track, "sample_rate"), number_of(track, "channels"),
               number_of(track, "channels") == 1 ? "" : "s");
    put_words(" ", text_of(track, "layout"), "");
    if (strcmp(text_of(track, "language"), "und") != 0)
        put_words(", ", text_of(track, "language"), "");
    put_words(", \"", text_of(track, "title"), "\"");
    put_bitrate(track);
    putchar('\n');
}

static void print_info(const json_t *info, const char *file)
{
    size_t index;
    json_t *track;
    const json_t *video = json_object_get(info, "video");
    print_container(info, file);
    if (video)
        print_video(video);
    json_array_foreach(json_object_get(info, "audio"), index, track) print_track("audio", track);
    json_array_foreach(json_object_get(info, "text"), index, track) print_track("subtitles", track);
    size_t chapters = json_array_size(json_object_get(info, "chapters"));
    if (chapters > 0)
        printf("  chapters   %zu\n", chapters);
    put_words("  title      ", text_of(json_object_get(info, "tags"), "title"), "\n");
}

static mr_status build(mr_session *session, mr_bound *ret_bound)
{
    const mr_value *root = NULL;
    const mr_pipeline *pipeline = NULL;
    mr_status status =
        mr_yaml_read(session->arena, "probe", pipeline_text, sizeof(pipeline_text) - 1, &mr_yaml_limits_default, session->diags, &root);
    if (status == MR_OK)
        status = mr_pipeline_check(session->arena, "probe", root, mr_session_ops(session), session->diags, &pipeline);
    if (status == MR_OK)
        status = mr_pipeline_bind(session->arena, pipeline, NULL, 0, session->diags, ret_bound);
    return status;
}

static mr_status execute(mr_session *session, const mr_bound *bound, const probe_options *from, const char *state_dir, json_t **ret_outputs)
{
    mr_engine *engine = NULL;
    mr_run *run = NULL;
    const mr_run_input input = {"source", from->file};
    const mr_engine_options engine_options = {.state_dir = state_dir, .jobs = 1, .settings = &from->settings.values, .plugins = session->plugins};
    mr_status status = mr_engine_open(&engine_options, session->diags, &engine);
    if (status == MR_OK)
        status = mr_run_start(engine, bound, &(mr_run_options){.inputs = &input, .input_count = 1}, session->diags, &run);
    if (status == MR_OK)
        status = mr_run_wait(run, session->diags);
    if (status == MR_OK)
        *ret_outputs = mr_run_outputs(run);
    mr_run_free(run);
    mr_engine_close(engine);
    return status;
}

static int probe(const probe_options *from, mr_session *session)
{
    mr_bound bound = {0};
    mr_autojson json_t *outputs = NULL;
    const char *state_dir = from->state ? from->state : mr_default_state_dir(session);
    if (!state_dir)
        return MR_EXIT_USAGE;
    mr_status status = build(session, &bound);
    if (status == MR_OK)
        status = execute(session, &bound, from, state_dir, &outputs);
    mr_bound_clear(&bound);
    mr_session_flush(session);
    if (status != MR_OK)
        return mr_exit_code(status);
    const json_t *info = json_array_get(json_object_get(outputs, "info"), 0);
    if (from->json) {
        char *text = mr_json_text(info);
        if (text)
            puts(text);
        free(text);
    } else {
        print_info(info, from->file);
    }
    return info ? MR_EXIT_DONE : MR_EXIT_FAILED;
}

static int run(const mr_verb *verb, int argc, char **argv)
{
    probe_options parsed = {0};
    mr_session session = {0};
    mr_verb_parse(verb, argc, argv, parse, &parsed);
    if (!mr_session_open(&session))
        return MR_EXIT_FAILED;
    int code = mr_configure_load(&parsed.configure, &session, &parsed.settings);
    if (code == MR_EXIT_DONE)
        code = probe(&parsed, &session);
    mr_configure_clear(&parsed.configure);
    mr_session_close(&session);
    return code;
}

const mr_verb mr_verb_probe = {
    .name = "probe",
    .usage = "FILE",
    .summary = "says what a media file holds",
    .help =
        "Container, length, picture, sound and subtitle tracks, as the op probe.media sees them. With --json, everything that pipelines get to know.",
    .examples = "    millrace probe clip.mp4\n"
                "    millrace probe clip.mp4 --json | jq .video.frame_rate",
    .args = MR_ARGS_FILE,
    .options = options,
    .run = run,
};
