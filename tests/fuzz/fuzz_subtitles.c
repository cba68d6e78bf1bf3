/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as the source of transcode.subtitles: WebVTT, SRT, ASS, or what a container holds. Whatever it is, each segment must be WebVTT that a
 * strict reader takes: the head, then cues in order within the segment's time, with text that is not empty; and the whole must hold as much.
 */
#include "base/text.h"
#include "fuzz_plugins.h"
#include "op_host.h"
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SOURCE_MAX = 65536, SEGMENTS = 4, SEGMENT_MS = 2000, END_MS = SEGMENTS * SEGMENT_MS, CALLS = 20000 };

static void require(bool right)
{
    if (!right)
        abort();
}

static bool read_time(const char **text, int64_t *ret_ms)
{
    int64_t hours, minutes, seconds, ms;
    int used = 0;
    if (sscanf(*text, "%" SCNd64 ":%2" SCNd64 ":%2" SCNd64 ".%3" SCNd64 "%n", &hours, &minutes, &seconds, &ms, &used) != 4)
        return false;
    *text += used;
    *ret_ms = ((hours * 60 + minutes) * 60 + seconds) * 1000 + ms;
    return used >= 12 && hours >= 0 && minutes < 60 && seconds < 60;
}

/* From a timing line to the empty line after the cue. */
static const char *check_cue(const char *text, int64_t from, int64_t to, int64_t *last_start)
{
    int64_t start = 0;
    int64_t end = 0;
    require(read_time(&text, &start));
    require(strncmp(text, " --> ", 5) == 0);
    text += 5;
    require(read_time(&text, &end));
    require(*text == '\n' || *text == ' ');
    require(start < end && start < to && end > from && end <= END_MS && start >= *last_start);
    *last_start = start;
    const char *line = strchr(text, '\n');
    const char *next = line ? strstr(line, "\n\n") : NULL;
    require(next != NULL && next > line); /* at least one line of text */
    for (const char *c = line; c < next; c++)
        require(strncmp(c, "-->", 3) != 0);
    return next + 2;
}

static void check_text(const op_item *item, int64_t from, int64_t to, const char *head)
{
    const char *text = (const char *)item->data;
    int64_t last_start = 0;
    require(item->has_content && strlen(text) == item->size && mr_utf8_valid(text, item->size));
    require(strncmp(text, head, strlen(head)) == 0);
    text += strlen(head);
    while (*text)
        text = check_cue(text, from, to, &last_start);
}

static void check_result(const mr_op *op, const op_result *result)
{
    if (result->status == MR_ERR_CANCELLED)
        return; /* too much work for one try */
    require((result->status != MR_OK) == (strstr(result->messages, "error: ") != NULL));
    if (result->status != MR_OK)
        return;
    require(result->count == SEGMENTS + 2 && !result->items[0].has_content);
    for (size_t i = 0; i < SEGMENTS; i++)
        check_text(op_result_item(result, op, "segments", i + 1), (int64_t)i * SEGMENT_MS, (int64_t)(i + 1) * SEGMENT_MS,
                   "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n\n");
    check_text(op_result_item(result, op, "segments", SEGMENTS + 1), -1, END_MS, "WEBVTT\n\n");
}

static const mr_op *op;

static void load_op(void)
{
    static const char *const files[] = {FUZZ_PLUGINS};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        const char *slash = strrchr(files[i], '/');
        if (slash && strcmp(slash, "/transcode.so") == 0)
            op = op_load(files[i], "transcode.subtitles");
    }
    require(op != NULL);
}

/* The plugin is loaded before the fuzzer looks what there is to cover. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    load_op();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char track[] =
        "{\"stream\":0,\"ordinal\":0,\"language\":\"en\",\"title\":\"\",\"codec\":\"webvtt\",\"default\":true,\"forced\":false}";
    static const char plan[] = "{\"origin_us\":0,\"duration_us\":8000000,\"segments\":4,\"video\":{\"timescale\":25,\"frame_ticks\":1,"
                               "\"segments\":[[0,50],[50,50],[100,50],[150,50]]}}";
    if (!op)
        load_op();
    if (size > SOURCE_MAX)
        return 0;
    const op_input inputs[] = {
        {.port = "track", .type = MR_TYPE_JSON, .meta = track},
        {.port = "source", .type = MR_TYPE_MEDIA, .data = size ? data : (const uint8_t *)"", .size = size},
        {.port = "plan", .type = MR_TYPE_JSON, .meta = plan},
    };
    const op_run_options options = {.cancel_after = CALLS};
    op_result result = op_run(op, NULL, inputs, 3, &options);
    check_result(op, &result);
    op_result_free(&result);
    return 0;
}
