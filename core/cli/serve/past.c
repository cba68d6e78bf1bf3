/* SPDX-License-Identifier: MIT */
/* Runs as the task store remembers them, for a server. */
#include "cli/job.h"
#include "cli/serve/platform.h"

#include "base/file.h"
#include "base/json.h"
#include "graph/print.h"

#include <stdlib.h>
#include <string.h>

char *mr_platform_runs(mr_platform *platform, uint32_t most)
{
    mr_autojson json_t *runs = NULL;
    return mr_journal_runs(platform->journal, most, NULL, &runs) == MR_OK ? mr_json_text(runs) : NULL;
}

/* Reads the pipeline that a run began with, and hands it on. False: it can't be told. */
static bool with_pipeline(mr_platform *platform, const json_t *run, void (*use)(const mr_pipeline *pipeline, void *context), void *context)
{
    mr_job job = {0};
    mr_session session;
    if (!mr_session_open_with(&session, platform->session->plugins))
        return false;
    pthread_mutex_lock(&platform->reading);
    const bool good = mr_job_restore(&job, json_object_get(run, "given"), session.arena) && mr_job_prepare(&job, &session);
    pthread_mutex_unlock(&platform->reading);
    if (good)
        use(job.bound.pipeline, context);
    mr_job_clear(&job);
    mr_session_close(&session);
    return good;
}

static void describe(const mr_pipeline *pipeline, void *context)
{
    mr_platform_describe(pipeline, context);
}

/* Writes counts (NULL: none) over what the record has. */
static void overlay(json_t *record, json_t *counts)
{
    size_t i;
    size_t k;
    json_t *node;
    json_t *counted;
    json_array_foreach(json_object_get(record, "nodes"), i, node)
    {
        json_array_foreach(json_object_get(counts, "nodes"), k, counted)
        {
            if (json_equal(json_object_get(node, "node"), json_object_get(counted, "node")))
                json_object_update(node, counted);
        }
    }
    json_object_del(counts, "nodes");
    json_object_update(record, counts);
}

char *mr_platform_run(mr_platform *platform, const char *run)
{
    mr_autojson json_t *record = NULL;
    mr_autojson json_t *counts = mr_platform_counts(platform, run); /* first: a run that ends meanwhile is in the record then */
    if (mr_journal_run(platform->journal, run, NULL, &record) != MR_OK)
        return NULL;
    if (!with_pipeline(platform, record, describe, record))
        json_object_set_new(record, "edges", json_array());
    overlay(record, counts);
    json_object_del(record, "given"); /* paths of this machine, and params that may be secret */
    return mr_json_text(record);
}

char *mr_platform_run_log(mr_platform *platform, const char *run, const char *node, int64_t after)
{
    mr_autojson json_t *events = NULL;
    if (!mr_journal_state(platform->journal, run) || mr_journal_events(platform->journal, run, node, &after, NULL, &events) != MR_OK)
        return NULL;
    mr_autojson json_t *answer = json_pack("{s:O, s:I}", "events", events, "after", (json_int_t)after);
    return answer ? mr_json_text(answer) : NULL;
}

static void draw(const mr_pipeline *pipeline, void *context)
{
    mr_graph_print(pipeline, MR_GRAPH_SVG, context);
}

char *mr_platform_run_graph(mr_platform *platform, const char *run)
{
    char *text = NULL;
    size_t len = 0;
    mr_autojson json_t *record = NULL;
    if (mr_journal_run(platform->journal, run, NULL, &record) != MR_OK)
        return NULL;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return NULL;
    const bool good = with_pipeline(platform, record, draw, out);
    if (fclose(out) == 0 && good)
        return text;
    free(text);
    return NULL;
}
