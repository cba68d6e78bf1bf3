/* SPDX-License-Identifier: MIT */
/* From a run's events to what is known of its video, and to those who look on. */
#include "api-server/hooks/hooks.h"
#include "api-server/videos/internal.h"

#include <stdlib.h>
#include <string.h>

#define NO_NEWS .duration = -1, .width = -1, .height = -1

static const char *text_at(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));
    return text ? text : "";
}

void mr_videos_say_status(mr_videos *videos, const char *video)
{
    const mr_video_view *view = NULL;
    char *text = mr_video_look(videos->options.metadata, video, &view) == MR_OK ? mr_video_status_text(view) : NULL;
    if (text)
        mr_hub_say(videos->hub, video, "status", text);
    free(text);
}

char *mr_video_status_text(const mr_video_view *view)
{
    json_t *json = json_loads(view->json, 0, NULL);
    json_t *said =
        json_pack("{s:O, s:O, s:O, s:O, s:O}", "status", json_object_get(json, "status"), "playable", json_object_get(json, "playable"), "complete",
                  json_object_get(json, "complete"), "progress", json_object_get(json, "progress"), "reason", json_object_get(json, "reason"));
    char *text = said ? json_dumps(said, JSON_COMPACT) : NULL;
    json_decref(said);
    json_decref(json);
    return text;
}

/* False: the video is gone, or has another run by now. */
static bool tell(mr_videos *videos, mr_follow *follow, const mr_video_news *news, bool say)
{
    const mr_status status = mr_video_tell(videos->options.metadata, follow->video, follow->run, news);
    if (status != MR_OK && status != MR_ERR_NOT_FOUND)
        mr_videos_log(videos, MR_SERVER_LOG_ERROR, follow->video, "what became of its run could not be written down");
    if (status == MR_OK && say)
        mr_videos_say_status(videos, follow->video);
    return status == MR_OK;
}

/* ---- outputs ---- */

static double positive(const json_t *json)
{
    const double value = json_number_value(json);
    return value > 0 ? value : -1;
}

/* What probe.media says of the source (docs/plugin-author/artifacts.md). */
static void on_info(mr_videos *videos, mr_follow *follow, const json_t *meta)
{
    const json_t *video = json_object_get(meta, "video");
    const double us = positive(json_object_get(meta, "duration_us"));
    const mr_video_news news = {
        .duration = us > 0 ? us / 1e6 : -1,
        .width = (int64_t)positive(json_object_get(video, "display_width")),
        .height = (int64_t)positive(json_object_get(video, "display_height")),
    };
    tell(videos, follow, &news, false);
}

/* A file is on its way to its place. The first manifest that names all renditions: there is something to play. */
static void on_file(mr_videos *videos, mr_follow *follow, const json_t *meta)
{
    const char *role = text_at(meta, "role");
    const char *path = text_at(meta, "path");
    const bool yes = true;
    char poster[160];
    if (!follow->playable && (strcmp(role, "hls") == 0 || strcmp(role, "dash") == 0)) {
        const mr_video_news news = {.playable = &yes, .output = follow->output, NO_NEWS};
        follow->playable = true;
        mr_measure_playable(videos, follow->video);
        if (tell(videos, follow, &news, true))
            mr_hub_say(videos->hub, follow->video, "ready", "{\"complete\":false}");
    }
    if (follow->poster[0] && strcmp(path, follow->poster) == 0) {
        snprintf(poster, sizeof(poster), "%s/%s", follow->output, path);
        const mr_video_news news = {.poster = poster, NO_NEWS};
        tell(videos, follow, &news, false);
    }
}

static void on_output(mr_videos *videos, mr_follow *follow, const json_t *event)
{
    const json_t *detail = json_object_get(event, "detail");
    const json_t *meta = json_object_get(detail, "meta");
    const char *type = text_at(detail, "type");
    if (strcmp(text_at(detail, "port"), "info") == 0 && json_object_get(meta, "duration_us"))
        on_info(videos, follow, meta);
    else if (strcmp(type, "file") == 0)
        on_file(videos, follow, meta);
    else if (strcmp(type, "image") == 0 && strcmp(text_at(meta, "role"), "poster") == 0)
        snprintf(follow->poster, sizeof(follow->poster), "%s", text_at(meta, "path"));
}

/* ---- nodes and tasks ---- */

static mr_node_count *node_of(mr_follow *follow, const char *name)
{
    for (size_t i = 0; i < follow->node_count; i++)
        if (strcmp(follow->nodes[i].node, name) == 0)
            return &follow->nodes[i];
    if (follow->node_count == MR_FOLLOW_NODES || strlen(name) >= MR_NODE_SIZE)
        return NULL;
    mr_node_count *it = &follow->nodes[follow->node_count++];
    snprintf(it->node, sizeof(it->node), "%s", name);
    return it;
}

/*
 * Of the nodes that come in many tasks: those of one say little, and before others are planned nothing is known of what there is to do. Only when
 * more turns out to be to do it goes back. The last hundredth is the end's.
 */
static void measure(mr_videos *videos, mr_follow *follow)
{
    int64_t done = 0;
    int64_t total = 0;
    for (size_t i = 0; i < follow->node_count; i++) {
        const mr_node_count *node = &follow->nodes[i];
        if (node->total > 1) {
            done += node->done < node->total ? node->done : node->total;
            total += node->total;
        }
    }
    const double fraction = total > 0 ? 0.99 * (double)done / (double)total : 0;
    const bool more = total > follow->total;
    follow->total = total;
    if (more || fraction > follow->fraction)
        follow->fraction = fraction;
    if (!more && follow->fraction < follow->fraction_said + 0.01)
        return;
    follow->fraction_said = follow->fraction;
    mr_video_progress(videos->options.metadata, follow->video, follow->fraction);
}

static void say_node(mr_videos *videos, const mr_follow *follow, const mr_node_count *node, const char *state)
{
    json_t *json = json_pack("{s:s, s:s, s:I, s:I, s:f}", "node", node->node, "state", state, "done", (json_int_t)node->done, "total",
                             (json_int_t)node->total, "progress", follow->fraction);
    char *text = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(4)) : NULL;
    if (text)
        mr_hub_say(videos->hub, follow->video, "node", text);
    free(text);
    json_decref(json);
}

static void say_task(mr_videos *videos, const mr_follow *follow, const json_t *event, const char *state, double fraction)
{
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:f}", "node", text_at(event, "node"), "item", text_at(event, "item"), "state", state, "fraction", fraction);
    char *text = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(4)) : NULL;
    if (text)
        mr_hub_say(videos->hub, follow->video, "task", text);
    free(text);
    json_decref(json);
}

static void on_node(mr_videos *videos, mr_follow *follow, const json_t *event, const char *name)
{
    mr_node_count *node = node_of(follow, text_at(event, "node"));
    if (!node)
        return;
    const json_int_t total = json_integer_value(json_object_get(event, "total"));
    node->total = total > node->total ? total : node->total;
    measure(videos, follow);
    say_node(videos, follow, node, strcmp(name, "node.done") == 0 ? text_at(event, "state") : "running");
}

static void on_task(mr_videos *videos, mr_follow *follow, const json_t *event, const char *name)
{
    mr_node_count *node = node_of(follow, text_at(event, "node"));
    if (strcmp(name, "task.started") == 0)
        say_task(videos, follow, event, "running", 0);
    else if (strcmp(name, "task.progress") == 0)
        say_task(videos, follow, event, "running", json_number_value(json_object_get(event, "fraction")));
    else if (strcmp(name, "task.retry") == 0)
        say_task(videos, follow, event, "ready", 0);
    if (strcmp(name, "task.done") != 0)
        return;
    say_task(videos, follow, event, text_at(event, "state"), 1);
    if (!node)
        return;
    node->done++;
    measure(videos, follow);
    say_node(videos, follow, node, "running");
}

/* ---- the end ---- */

static void on_end(mr_videos *videos, mr_follow *follow, const json_t *event)
{
    const char *state = text_at(event, "state");
    const char *reason = text_at(event, "reason");
    const bool good = strcmp(state, "succeeded") == 0;
    const bool yes = true;
    const bool no = false;
    const mr_video_status status = good ? MR_VIDEO_READY : MR_VIDEO_FAILED;
    follow->ended = true;
    if (!good && atomic_load(&videos->draining))
        return; /* interrupted: the next server goes on with it */
    if (!good && mr_videos_early_failed(videos, follow))
        return;
    const mr_video_news news = {
        .status = &status,
        .playable = good               ? &yes
                    : follow->playable ? &no
                                       : NULL,
        .complete = good ? &yes : NULL,
        .output = good ? follow->output : NULL,
        .reason_code = good                              ? ""
                       : strcmp(state, "cancelled") == 0 ? "cancelled"
                                                         : "processing-failed",
        .reason_message = good                              ? ""
                          : reason[0]                       ? reason
                          : strcmp(state, "cancelled") == 0 ? "processing was cancelled"
                                                            : "processing failed",
        NO_NEWS,
    };
    if (!tell(videos, follow, &news, true))
        return;
    mr_hub_say(videos->hub, follow->video, good ? "ready" : "end", good ? "{\"complete\":true}" : "{\"complete\":false}");
    if (!good)
        return;
    mr_hub_say(videos->hub, follow->video, "end", "{\"complete\":true}");
    mr_rule_tell(videos->options.host, "on_ready", json_pack("{s:s, s:s}", "video", follow->video, "run", text_at(event, "run")));
}

static void on_poster_end(mr_videos *videos, mr_follow *follow, const json_t *event)
{
    const bool good = strcmp(text_at(event, "state"), "succeeded") == 0;
    mr_poster_run run = {0};
    memcpy(run.run, follow->run, sizeof(run.run));
    memcpy(run.video, follow->video, sizeof(run.video));
    memcpy(run.output, follow->output, sizeof(run.output));
    if (good || !atomic_load(&videos->draining)) /* else it was interrupted: the next server goes on with it */
        mr_videos_poster_ended(videos, &run, good);
    follow->ended = true;
}

void mr_follow_event(mr_videos *videos, mr_follow *follow, const char *event)
{
    json_t *json = json_loads(event, 0, NULL);
    const char *name = text_at(json, "event");
    mr_measure_event(videos, follow, name, text_at(json, "state"));
    if (follow->only_poster) {
        if (strcmp(name, "run.done") == 0)
            on_poster_end(videos, follow, json);
    } else if (strcmp(name, "output") == 0) {
        on_output(videos, follow, json);
    } else if (strncmp(name, "node.", 5) == 0) {
        on_node(videos, follow, json, name);
    } else if (strcmp(name, "run.done") == 0) {
        on_end(videos, follow, json);
    } else if (strncmp(name, "task.", 5) == 0) {
        on_task(videos, follow, json, name);
    }
    json_decref(json);
}
