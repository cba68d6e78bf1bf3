/* SPDX-License-Identifier: MIT */
/*
 * Starting a run for a video, and going on with one. Order: the row says that an attempt begins, the run is started, the row says which run it is. A
 * death in between leaves a video that is processing without a run: the next start makes a new one, which finds the tasks of the first one done.
 */
#include "api-server/hooks/hooks.h"
#include "api-server/videos/internal.h"

#include <stdlib.h>
#include <string.h>

/* output: NULL: a rehearsal. */
static char *make_request(mr_videos *videos, const mr_video_life *life, const char *output)
{
    const mr_platform_host *host = videos->options.host;
    const char *pipeline = life->pipeline[0] ? life->pipeline : videos->options.pipeline;
    char source[4096], folder[4096];
    const int a = snprintf(source, sizeof(source), "%s/%s", host->data_dir, life->source);
    const int b = snprintf(folder, sizeof(folder), "%s/%s", host->data_dir, output ? output : "");
    json_t *params = json_loads(life->params, 0, NULL);
    if (a < 0 || b < 0 || (size_t)a >= sizeof(source) || (size_t)b >= sizeof(folder) || !params) {
        json_decref(params);
        return NULL;
    }
    json_t *offers = json_object_get(params, "waits") ? NULL : json_pack("{s:b}", "waits", 1); /* the server lets viewers wait for segments */
    json_t *request = json_pack("{s:s, s:{s:s}, s:o, s:o*, s:s*, s:b}", "pipeline", pipeline, "inputs", "source", source, "params", params, "offers",
                                offers, "output", output ? folder : NULL, "rehearsal", !output);
    char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
    json_decref(request);
    return text;
}

/* The first thing that is wrong, for people. */
static void first_message(const char *answer, char *to, size_t size)
{
    json_t *json = answer ? json_loads(answer, 0, NULL) : NULL;
    const char *message = json_string_value(json_object_get(json_array_get(json_object_get(json, "diagnostics"), 0), "message"));
    snprintf(to, size, "%s", message ? message : "the run could not be started");
    json_decref(json);
}

mr_status mr_videos_check(mr_videos *videos, const char *pipeline, const char *params, char **ret_answer)
{
    const mr_platform_host *host = videos->options.host;
    mr_video_life life = {.params = (char *)params};
    char *text = NULL;
    *ret_answer = NULL;
    if (host->has_hook(host->platform, "choose_pipeline"))
        return MR_OK;
    snprintf(life.pipeline, sizeof(life.pipeline), "%s", pipeline ? pipeline : "");
    char *request = make_request(videos, &life, "");
    mr_status status = request ? host->run_check(host->platform, request, &text) : MR_ERR_NOMEM;
    if (status != MR_OK && text)
        *ret_answer = strdup(text);
    host->text_free(host->platform, text);
    free(request);
    return status;
}

static void fail_start(mr_videos *videos, const char *video, const char *run, const char *answer)
{
    char message[512];
    first_message(answer, message, sizeof(message));
    const mr_video_status failed = MR_VIDEO_FAILED;
    const mr_video_news news = {
        .status = &failed, .reason_code = "not-started", .reason_message = message, .duration = -1, .width = -1, .height = -1};
    mr_video_tell(videos->options.metadata, video, run, &news);
    mr_videos_log(videos, MR_SERVER_LOG_ERROR, video, message);
    mr_videos_say_status(videos, video);
}

/* New ones are followed from here on, others are already, or have ended again. */
static mr_status start_run(mr_videos *videos, const char *request, bool is_new, char ret_run[static MR_RUN_SIZE], char **ret_answer)
{
    const mr_platform_host *host = videos->options.host;
    char *text = NULL;
    ret_run[0] = '\0';
    pthread_mutex_lock(&videos->lock);
    videos->start_under_way = true;
    pthread_mutex_unlock(&videos->lock);
    mr_status status = host->run_start(host->platform, request, &text);
    json_t *json = text ? json_loads(text, 0, NULL) : NULL;
    const char *run = json_string_value(json_object_get(json, "run"));
    if (status == MR_OK)
        snprintf(ret_run, MR_RUN_SIZE, "%s", run ? run : "");
    *ret_answer = strdup(status == MR_OK ? ret_run : text ? text : "{\"diagnostics\":[]}");
    json_decref(json);
    host->text_free(host->platform, text);
    pthread_mutex_lock(&videos->lock);
    videos->start_under_way = false;
    if (status == MR_OK && is_new && !mr_follow_find(videos, ret_run) && !mr_follow_add(videos, ret_run))
        status = MR_ERR_NOMEM;
    pthread_mutex_unlock(&videos->lock);
    mr_follow_sort_out(videos, is_new ? ret_run : "");
    return status;
}

mr_status mr_videos_start_run(mr_videos *videos, const char *request, char ret_run[static MR_RUN_SIZE], char **ret_answer)
{
    return start_run(videos, request, true, ret_run, ret_answer);
}

mr_status mr_videos_resume_run(mr_videos *videos, const char *run)
{
    char request[MR_RUN_SIZE + 32], id[MR_RUN_SIZE];
    char *answer = NULL;
    snprintf(request, sizeof(request), "{\"resume\":\"%s\"}", run);
    const mr_status status = start_run(videos, request, false, id, &answer);
    if (status != MR_OK)
        mr_follow_forget(videos, run);
    free(answer);
    return status;
}

/* The attempt has begun in its row: the rest of it. arriving: the upload goes on; NULL: the video has its source. */
static mr_status start_attempt(mr_videos *videos, const char *video, int64_t attempt, const char *arriving, char **ret_answer)
{
    mr_metadata *metadata = videos->options.metadata;
    mr_video_life life = {0};
    char run[MR_RUN_SIZE];
    char output[96];
    snprintf(output, sizeof(output), "media/%s/%lld", video, (long long)attempt);
    mr_video_progress(metadata, video, 0);
    mr_status status = mr_video_life_find(metadata, video, &life);
    if (arriving)
        snprintf(life.source, sizeof(life.source), "%s", arriving);
    char *request = status == MR_OK ? make_request(videos, &life, output) : NULL;
    if (status == MR_OK)
        status = request ? mr_videos_start_run(videos, request, run, ret_answer) : MR_ERR_NOMEM;
    if (status == MR_OK)
        status = mr_video_run_is(metadata, video, run);
    if (status == MR_OK && arriving)
        mr_videos_mark_early(videos, run, arriving);
    if (status == MR_OK)
        mr_follow_attach(videos, run, video, output, false);
    free(request);
    free(life.params);
    return status;
}

/* What the operator's rules say of an upload that is to be processed. *ret_answer: a veto as diagnostics. */
static mr_status ask_upload(mr_videos *videos, const mr_video_life *life, char **ret_answer)
{
    char why[MR_VETO_SIZE];
    json_t *argument = json_pack("{s:s, s:s, s:I}", "video", life->id, "owner", life->owner, "attempt", (json_int_t)life->attempt + 1);
    if (mr_rule_allows(videos->options.host, "on_upload", argument, why))
        return MR_OK;
    json_t *veto = json_pack("{s:[{s:s, s:s}]}", "diagnostics", "code", "veto", "message", why);
    *ret_answer = veto ? json_dumps(veto, JSON_COMPACT) : NULL;
    json_decref(veto);
    return MR_ERR_CONFLICT;
}

/* NULL: it is processed as it says itself. */
static json_t *ask_pipeline(mr_videos *videos, const mr_video_life *life)
{
    json_t *params = life->params ? json_loads(life->params, 0, NULL) : NULL;
    return mr_rule_ask(videos->options.host, "choose_pipeline",
                       json_pack("{s:s, s:s, s:I, s:s, s:o*}", "video", life->id, "owner", life->owner, "attempt", (json_int_t)life->attempt + 1,
                                 "pipeline", life->pipeline[0] ? life->pipeline : videos->options.pipeline, "params", params));
}

mr_status mr_videos_start(mr_videos *videos, const char *video, bool asked, const char *pipeline, const char *params, char **ret_answer)
{
    mr_metadata *metadata = videos->options.metadata;
    mr_video_life before = {0};
    int64_t attempt = 0;
    *ret_answer = NULL;
    mr_status status = mr_video_life_find(metadata, video, &before);
    json_t *choice = status == MR_OK && !pipeline ? ask_pipeline(videos, &before) : NULL;
    const char *chosen = json_string_value(json_object_get(choice, "pipeline"));
    const json_t *chosen_params = json_object_get(choice, "params");
    char *params_text = chosen_params ? json_dumps(chosen_params, JSON_COMPACT) : NULL;
    if (status == MR_OK)
        status = mr_video_run_begins(metadata, video, chosen ? chosen : pipeline, params_text ? params_text : params, &attempt);
    if (status == MR_OK) {
        status = asked ? MR_OK : ask_upload(videos, &before, ret_answer);
        if (status == MR_OK && !mr_follow_has_room(videos, video))
            status = (*ret_answer = strdup("")) ? MR_OK : MR_ERR_NOMEM;
        else if (status == MR_OK)
            status = start_attempt(videos, video, attempt, NULL, ret_answer);
        if (status != MR_OK && asked)
            mr_video_run_undo(metadata, &before);
        else if (status != MR_OK && status != MR_ERR_UNAVAILABLE) /* the server is closing: the next one starts it */
            fail_start(videos, video, "", *ret_answer);
    }
    free(params_text);
    json_decref(choice);
    free(before.params);
    return status;
}

char *mr_videos_rehearsal_request(mr_videos *videos, const mr_video_life *life, const char *source)
{
    mr_video_life it = *life;
    json_t *choice = ask_pipeline(videos, life);
    const char *pipeline = json_string_value(json_object_get(choice, "pipeline"));
    const json_t *params = json_object_get(choice, "params");
    char *params_text = params ? json_dumps(params, JSON_COMPACT) : NULL;
    snprintf(it.source, sizeof(it.source), "%s", source);
    if (pipeline)
        snprintf(it.pipeline, sizeof(it.pipeline), "%s", pipeline);
    if (params_text)
        it.params = params_text;
    char *request = it.params ? make_request(videos, &it, NULL) : NULL;
    free(params_text);
    json_decref(choice);
    return request;
}

mr_status mr_videos_start_early(mr_videos *videos, const mr_video_life *life, const char *source, char **ret_answer)
{
    int64_t attempt = 0;
    json_t *choice = ask_pipeline(videos, life);
    const json_t *params = json_object_get(choice, "params");
    char *params_text = params ? json_dumps(params, JSON_COMPACT) : NULL;
    mr_status status =
        mr_video_arriving_begins(videos->options.metadata, life->id, json_string_value(json_object_get(choice, "pipeline")), params_text, &attempt);
    *ret_answer = NULL;
    if (status == MR_OK)
        status = start_attempt(videos, life->id, attempt, source, ret_answer);
    free(params_text);
    json_decref(choice);
    return status;
}

mr_status mr_videos_poster(mr_videos *videos, const char *video, double seconds, char **ret_answer)
{
    const mr_platform_host *host = videos->options.host;
    mr_video_life life = {0};
    char source[4096], folder[4096], key[MR_ID_SIZE], time[32];
    mr_poster_run poster = {0};
    mr_making making;
    *ret_answer = NULL;
    if (atomic_load(&videos->draining) || !mr_id_make('p', key))
        return MR_ERR_UNAVAILABLE;
    mr_status status = mr_video_life_find(videos->options.metadata, video, &life);
    free(life.params);
    if (status != MR_OK || life.source[0] == '\0')
        return status != MR_OK ? status : MR_ERR_NOT_FOUND;
    snprintf(poster.video, sizeof(poster.video), "%s", video);
    snprintf(poster.output, sizeof(poster.output), "posters/%s/%s", video, key);
    snprintf(making.path, sizeof(making.path), "%s", poster.output);
    snprintf(time, sizeof(time), "%lldus", (long long)(seconds * 1e6) + 1); /* 0: the op looks for a good one */
    const int a = snprintf(source, sizeof(source), "%s/%s", host->data_dir, life.source);
    const int b = snprintf(folder, sizeof(folder), "%s/%s", host->data_dir, poster.output);
    if (a < 0 || b < 0 || (size_t)a >= sizeof(source) || (size_t)b >= sizeof(folder))
        return MR_ERR_LIMIT;
    json_t *json =
        json_pack("{s:s, s:{s:s}, s:{s:s}, s:s}", "pipeline", "poster", "inputs", "source", source, "params", "time", time, "output", folder);
    char *request = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    pthread_mutex_lock(&videos->starting);
    status = mr_videos_making(videos, &making);
    if (status == MR_OK)
        status = request ? mr_videos_start_run(videos, request, poster.run, ret_answer) : MR_ERR_NOMEM;
    if (status == MR_OK)
        status = mr_poster_run_add(videos->options.metadata, &poster);
    if (status == MR_OK)
        mr_follow_attach(videos, poster.run, video, poster.output, true);
    else if (poster.run[0]) {
        mr_follow_forget(videos, poster.run);
        host->run_cancel(host->platform, poster.run);
    }
    mr_videos_made(videos, &making);
    pthread_mutex_unlock(&videos->starting);
    free(request);
    return status;
}

void mr_videos_poster_ended(mr_videos *videos, const mr_poster_run *run, bool good)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/poster.jpg", run->output);
    if (mr_poster_run_end(videos->options.metadata, run, good ? path : NULL) != MR_OK)
        mr_videos_log(videos, MR_SERVER_LOG_ERROR, run->video, "what became of the run for its poster could not be written down");
    else if (good)
        mr_videos_say_status(videos, run->video);
}

/* ---- going on ---- */

static void end_of_past(mr_videos *videos, const mr_video_life *life, const char *output, const char *state, const char *reason)
{
    const bool good = strcmp(state, "succeeded") == 0;
    const mr_video_status status = good ? MR_VIDEO_READY : MR_VIDEO_FAILED;
    const bool yes = true;
    const mr_video_news news = {
        .status = &status,
        .playable = good ? &yes : NULL,
        .complete = good ? &yes : NULL,
        .output = good ? output : NULL,
        .reason_code = good                              ? ""
                       : strcmp(state, "cancelled") == 0 ? "cancelled"
                                                         : "processing-failed",
        .reason_message = reason,
        .duration = -1,
        .width = -1,
        .height = -1,
    };
    mr_video_tell(videos->options.metadata, life->id, life->run, &news);
    mr_videos_say_status(videos, life->id);
}

void mr_videos_resume(mr_videos *videos, const mr_video_life *life)
{
    const mr_platform_host *host = videos->options.host;
    char *text = host->run(host->platform, life->run);
    json_t *run = text ? json_loads(text, 0, NULL) : NULL;
    const char *state = json_string_value(json_object_get(run, "state"));
    const char *reason = json_string_value(json_object_get(run, "reason"));
    char output[96];
    char *answer = NULL;
    snprintf(output, sizeof(output), "media/%s/%lld", life->id, (long long)life->attempt);
    if (!state) {
        mr_videos_start(videos, life->id, false, NULL, NULL, &answer);
    } else if (strcmp(state, "succeeded") == 0 || (!life->again && (strcmp(state, "failed") == 0 || strcmp(state, "cancelled") == 0))) {
        end_of_past(videos, life, output, state, reason ? reason : "the run ended while the server was down");
    } else {
        mr_follow_attach(videos, life->run, life->id, output, false);
        const mr_status status = mr_videos_resume_run(videos, life->run);
        if (status == MR_OK && life->again)
            mr_video_run_is(videos->options.metadata, life->id, life->run);
        else if (status != MR_OK && status != MR_ERR_UNAVAILABLE)
            mr_videos_start(videos, life->id, false, NULL, NULL, &answer); /* what was done is found done */
    }
    free(answer);
    json_decref(run);
    host->text_free(host->platform, text);
}

/* When the server dies between the two, the next one finds a run that has ended. */
mr_status mr_videos_not_again(mr_videos *videos, const mr_video_life *life)
{
    const mr_platform_host *host = videos->options.host;
    const mr_status status = mr_video_run_is(videos->options.metadata, life->id, life->run);
    char *text = status == MR_OK ? host->run(host->platform, life->run) : NULL;
    json_t *run = text ? json_loads(text, 0, NULL) : NULL;
    const char *state = json_string_value(json_object_get(run, "state"));
    const char *reason = json_string_value(json_object_get(run, "reason"));
    if (status == MR_OK)
        end_of_past(videos, life, "", state && strcmp(state, "failed") == 0 ? state : "cancelled",
                    reason ? reason : "it was stopped before its turn came");
    json_decref(run);
    host->text_free(host->platform, text);
    return status;
}

void mr_videos_resume_poster(mr_videos *videos, const mr_poster_run *poster)
{
    const mr_platform_host *host = videos->options.host;
    char *text = host->run(host->platform, poster->run);
    json_t *run = text ? json_loads(text, 0, NULL) : NULL;
    const char *state = json_string_value(json_object_get(run, "state"));
    const bool ended = !state || strcmp(state, "succeeded") == 0 || strcmp(state, "failed") == 0 || strcmp(state, "cancelled") == 0;
    if (ended) {
        mr_videos_poster_ended(videos, poster, state && strcmp(state, "succeeded") == 0);
    } else {
        mr_follow_attach(videos, poster->run, poster->video, poster->output, true);
        const mr_status status = mr_videos_resume_run(videos, poster->run);
        if (status != MR_OK && status != MR_ERR_UNAVAILABLE)
            mr_videos_poster_ended(videos, poster, false);
    }
    json_decref(run);
    host->text_free(host->platform, text);
}
