/* SPDX-License-Identifier: MIT */
/*
 * Runs: what the task store remembers, in the API's words (times as RFC 3339, seconds as numbers). A creator sees those of his videos; of others he
 * is told that there are none.
 */
#include "api-server/base/clock.h"
#include "api-server/metadata/videos.h"
#include "api-server/routes/routes.h"
#include "api-server/videos/videos.h"

#include <stdlib.h>
#include <string.h>

enum { RUNS_MAX = 1000, PAGE_MAX = 100, PAGE = 24 };

/* ---- shapes ---- */

static json_t *time_of(const json_t *from, const char *name)
{
    char text[MR_TIME_SIZE];
    const json_t *us = json_object_get(from, name);
    return us ? json_string(mr_time_text(json_integer_value(us), text)) : NULL;
}

static const char *state_of_node(const json_t *node, const char *run_state)
{
    const char *known = json_string_value(json_object_get(node, "state"));
    if (known)
        return strcmp(known, "waiting") == 0 ? "pending" : known;
    const json_int_t tasks = json_integer_value(json_object_get(node, "tasks"));
    if (json_integer_value(json_object_get(node, "failed")) > 0)
        return "failed";
    if (strcmp(run_state, "succeeded") == 0)
        return tasks > 0 ? "succeeded" : "skipped";
    if (strcmp(run_state, "running") == 0)
        return tasks > 0 ? "running" : "pending";
    return tasks > 0 ? "stopped" : "pending";
}

/* How many tasks there are: of what is under way as far as is known, of what succeeded those that ended. NULL: that can't be told. */
static json_t *total_of(const json_t *of, const char *run_state)
{
    json_t *total = json_object_get(of, "total");
    if (!total && strcmp(run_state, "succeeded") == 0)
        total = json_object_get(of, "tasks");
    return json_incref(total);
}

static json_t *describe_node(const json_t *node, const char *run_state)
{
    return json_pack("{s:O, s:O*, s:s, s:o*, s:O, s:O, s:O, s:f}", "node", json_object_get(node, "node"), "op", json_object_get(node, "op"), "state",
                     state_of_node(node, run_state), "tasks", total_of(node, run_state), "done", json_object_get(node, "tasks"), "cached",
                     json_object_get(node, "cached"), "failed", json_object_get(node, "failed"), "cpu_seconds",
                     (double)json_integer_value(json_object_get(node, "cpu_us")) / 1e6);
}

static json_t *describe_nodes(const json_t *run, const char *state)
{
    size_t i;
    const json_t *node;
    const json_t *nodes = json_object_get(run, "nodes");
    json_t *list = nodes ? json_array() : NULL;
    json_array_foreach(nodes, i, node) json_array_append_new(list, describe_node(node, state));
    return list;
}

/* Whose a run is. */
typedef struct whose {
    json_t *video; /* NULL: nobody's, or not known any more */
    bool waits;    /* it is to go on, and its turn has not come */
} whose;

/* Whether the caller may know of the run. */
static bool may_see(const mr_call *call, const char *run, whose *ret_whose)
{
    mr_video_life life = {0};
    const bool known = mr_video_life_of_run(call->server->metadata, run, &life) == MR_OK;
    const bool may = call->who.role == MR_ROLE_ADMIN || (known && strcmp(life.owner, call->who.user) == 0);
    *ret_whose = (whose){.video = known && may ? json_string(life.id) : NULL, .waits = life.again};
    free(life.params);
    return may;
}

/* Its record says how it ended the last time. */
static const char *state_of_run(const json_t *run, const whose *of)
{
    const char *state = json_string_value(json_object_get(run, "state"));
    if (!state)
        return "";
    return of->waits && strcmp(state, "running") != 0 ? "waiting" : state;
}

/* NULL: it is nobody's. */
static json_t *title_of(const mr_call *call, const json_t *video)
{
    const mr_video_view *view = NULL;
    if (!video || mr_video_look(call->server->metadata, json_string_value(video), &view) != MR_OK)
        return NULL;
    json_t *json = json_loads(view->json, 0, NULL);
    json_t *title = json_incref(json_object_get(json, "title"));
    json_decref(json);
    return title;
}

/* Takes the video. tasks: as of a node; done where it is not known. */
static json_t *describe(const mr_call *call, const json_t *run, whose take)
{
    const char *state = state_of_run(run, &take);
    const bool ended = strcmp(state, "waiting") != 0;
    json_t *total = json_object_get(run, "total");
    json_t *done = json_object_get(run, "tasks");
    return json_pack("{s:O, s:o*, s:o*, s:O, s:s, s:O*, s:O*, s:o*, s:o*, s:O, s:O, s:O, s:O, s:o*, s:O*}", "id", json_object_get(run, "run"),
                     "title", title_of(call, take.video), "video", take.video, "pipeline", json_object_get(run, "pipeline"), "state", state, "reason",
                     ended ? json_object_get(run, "reason") : NULL, "hint", ended ? json_object_get(run, "hint") : NULL, "started_at",
                     time_of(run, "started_us"), "ended_at", ended ? time_of(run, "ended_us") : NULL, "tasks", total ? total : done, "done", done,
                     "cached", json_object_get(run, "cached"), "failed", json_object_get(run, "failed"), "nodes", describe_nodes(run, state), "edges",
                     json_object_get(run, "edges"));
}

/* Takes a text of the platform, which is its own: it can be read. NULL: there was none. */
static json_t *read_text(mr_call *call, char *take_text)
{
    const mr_platform_host *host = call->server->host;
    json_t *json = take_text ? json_loads(take_text, 0, NULL) : NULL;
    host->text_free(host->platform, take_text);
    return json;
}

/* ---- routes ---- */

static bool is_state(const char *text)
{
    static const char *const states[] = {"waiting", "running", "succeeded", "failed", "cancelled", "interrupted"};
    for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++)
        if (strcmp(text, states[i]) == 0)
            return true;
    return false;
}

/* The cursor is the id of the last run that was told. */
void mr_route_runs(mr_call *call)
{
    const mr_platform_host *host = call->server->host;
    const char *state = mr_call_query(call, "state");
    const char *cursor = mr_call_query(call, "cursor");
    const char *next = NULL;
    int64_t limit = 0;
    size_t i;
    json_t *run;
    if (state && !is_state(state)) {
        mr_call_invalid(
            call, json_pack("[{s:s, s:s}]", "field", "state", "message", "this is waiting, running, succeeded, failed, cancelled or interrupted"));
        return;
    }
    if (!mr_call_query_number(call, "limit", 1, PAGE_MAX, PAGE, &limit))
        return;
    json_t *runs = read_text(call, host->runs(host->platform, RUNS_MAX));
    json_t *items = json_array();
    bool behind = cursor == NULL;
    json_array_foreach(runs, i, run)
    {
        const char *id = json_string_value(json_object_get(run, "run"));
        whose of = {0};
        if (!behind) {
            behind = strcmp(id, cursor) == 0;
            continue;
        }
        if (!may_see(call, id, &of))
            continue;
        const bool wanted = !state || strcmp(state_of_run(run, &of), state) == 0;
        if (wanted && json_array_size(items) < (size_t)limit) {
            json_array_append_new(items, describe(call, run, of));
            continue;
        }
        json_decref(of.video);
        if (wanted) {
            next = json_string_value(json_object_get(json_array_get(items, (size_t)limit - 1), "id"));
            break;
        }
    }
    if (behind) {
        mr_call_json(call, 200, json_pack("{s:o, s:s?}", "items", items, "next", next));
    } else {
        json_decref(items);
        mr_call_invalid(call, json_pack("[{s:s, s:s}]", "field", "cursor", "message", "this is what 'next' of the page before says"));
    }
    json_decref(runs);
}

/* NULL: answered. The video is the caller's. */
static json_t *find_run(mr_call *call, whose *ret_whose)
{
    const mr_platform_host *host = call->server->host;
    json_t *run = may_see(call, call->ids[0], ret_whose) ? read_text(call, host->run(host->platform, call->ids[0])) : NULL;
    if (!run) {
        json_decref(ret_whose->video);
        mr_call_status(call, MR_ERR_NOT_FOUND, "run");
    }
    return run;
}

/* Whether it is there for the caller; answered when it isn't. */
static bool has_run(mr_call *call)
{
    whose of;
    json_t *run = find_run(call, &of);
    if (run)
        json_decref(of.video);
    json_decref(run);
    return run != NULL;
}

void mr_route_run(mr_call *call)
{
    whose of;
    json_t *run = find_run(call, &of);
    if (run)
        mr_call_json(call, 200, describe(call, run, of));
    json_decref(run);
}

void mr_route_run_cancel(mr_call *call)
{
    whose of;
    json_t *run = find_run(call, &of);
    if (!run)
        return;
    const mr_status status = mr_videos_cancel(call->server->videos, json_string_value(of.video), call->ids[0]);
    if (status == MR_OK)
        mr_call_json(call, 202, json_pack("{s:s}", "run", call->ids[0]));
    else if (status == MR_ERR_CONFLICT)
        mr_call_problem(call, 409, "not-running", "run '%s' neither runs nor waits", call->ids[0]);
    else
        mr_call_status(call, status, "run");
    json_decref(of.video);
    json_decref(run);
}

void mr_route_run_retry(mr_call *call)
{
    whose of;
    json_t *run = find_run(call, &of);
    if (!run)
        return;
    json_t *video = of.video;
    const mr_status status = video ? mr_videos_retry(call->server->videos, json_string_value(video), call->ids[0]) : MR_ERR_CONFLICT;
    const mr_video_view *view = NULL; /* its run is another when this one could not go on, and was begun anew */
    const bool seen = status == MR_OK && mr_video_look(call->server->metadata, json_string_value(video), &view) == MR_OK && view->run[0];
    if (status == MR_OK)
        mr_call_json(call, 202, json_pack("{s:s}", "run", seen ? view->run : call->ids[0]));
    else if (status == MR_ERR_CONFLICT)
        mr_call_problem(call, 409, "not-resumable", "run '%s' is not the latest of a video, or has not failed", call->ids[0]);
    else
        mr_call_status(call, status, "run");
    json_decref(video);
    json_decref(run);
}

void mr_route_run_logs(mr_call *call)
{
    const mr_platform_host *host = call->server->host;
    size_t i;
    json_t *event;
    int64_t after = 0;
    if (!mr_call_query_number(call, "after", 0, INT64_MAX, 0, &after) || !has_run(call))
        return;
    json_t *log = read_text(call, host->run_log(host->platform, call->ids[0], mr_call_query(call, "node"), after));
    if (!log) {
        mr_call_status(call, MR_ERR_NOT_FOUND, "run");
        return;
    }
    json_array_foreach(json_object_get(log, "events"), i, event)
    {
        json_object_set_new(event, "time", time_of(event, "time_us"));
        json_object_del(event, "time_us");
    }
    mr_call_json(call, 200, json_pack("{s:O, s:O}", "items", json_object_get(log, "events"), "next", json_object_get(log, "after")));
    json_decref(log);
}

void mr_route_run_graph(mr_call *call)
{
    const mr_platform_host *host = call->server->host;
    if (!has_run(call))
        return;
    char *text = host->run_graph(host->platform, call->ids[0]);
    mr_http_reply_field(call->exchange, "Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox");
    if (text)
        mr_call_text(call, 200, "image/svg+xml", text, strlen(text));
    else
        mr_call_status(call, MR_ERR_NOT_FOUND, "run");
    host->text_free(host->platform, text);
}
