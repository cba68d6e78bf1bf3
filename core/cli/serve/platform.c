/* SPDX-License-Identifier: MIT */
/* The platform as a whole: the engine, the table that a server is given, and the order in which they end. */
#include "cli/serve/platform.h"

#include "base/file.h"

#include <stdlib.h>
#include <string.h>

static void log_line(mr_platform *platform, mr_server_log level, const char *event, const char *fields, const char *message)
{
    static const mr_log_level levels[] = {MR_LOG_DEBUG, MR_LOG_INFO, MR_LOG_WARNING, MR_LOG_ERROR};
    const bool known = (unsigned)level < sizeof(levels) / sizeof(*levels);
    mr_log_event(platform->log, known ? levels[level] : MR_LOG_ERROR, event, fields, "%s", message);
}

static void free_text(mr_platform *platform, char *take_text)
{
    (void)platform;
    free(take_text);
}

static mr_status learn_source(mr_platform *platform, const char *path, uint64_t length, const unsigned char *leaves, size_t count, char *ret_digest)
{
    return mr_engine_learn_source(platform->engine, path, length, leaves, count, ret_digest);
}

static mr_status source_grew(mr_platform *platform, const char *path, uint64_t length, uint64_t have)
{
    return mr_engine_source_grew(platform->engine, path, length, have);
}

static mr_status source_over(mr_platform *platform, const char *path, int whole)
{
    return mr_engine_source_over(platform->engine, path, whole != 0);
}

/* In an install it is beside bin/, in a build tree the same: whatever belongs to the program is put there by the build. */
static const char *find_share(mr_session *session)
{
    const char *dir = mr_program_dir(session->arena);
    return dir ? mr_arena_printf(session->arena, "%s/../share/millrace", dir) : NULL;
}

static void fill_host(mr_platform *platform, const char *data_dir)
{
    platform->host = (mr_platform_host){
        .size = sizeof(platform->host),
        .platform = platform,
        .version = MR_VERSION,
        .data_dir = data_dir,
        .share_dir = find_share(platform->session),
        .log = log_line,
        .text_free = free_text,
        .pipelines = mr_platform_pipelines,
        .pipeline = mr_platform_pipeline,
        .pipeline_check = mr_platform_pipeline_check,
        .ops = mr_platform_ops,
        .run_start = mr_platform_run_start,
        .run_cancel = mr_platform_run_cancel,
        .runs = mr_platform_runs,
        .run = mr_platform_run,
        .run_log = mr_platform_run_log,
        .run_graph = mr_platform_run_graph,
        .run_demand = mr_platform_run_demand,
        .source_learn = learn_source,
        .has_hook = mr_platform_has_hook,
        .hook = mr_platform_hook,
        .hook_tell = mr_platform_hook_tell,
        .source_grew = source_grew,
        .source_over = source_over,
        .run_check = mr_platform_run_check,
    };
}

bool mr_platform_open_bare(mr_platform *platform, mr_session *session, const char *data_dir)
{
    *platform = (mr_platform){.session = session};
    pthread_mutex_init(&platform->reading, NULL);
    pthread_mutex_init(&platform->lock, NULL);
    pthread_cond_init(&platform->fewer, NULL);
    platform->log = mr_log_new(stderr, MR_LOG_INFO, !mr_is_terminal(stderr));
    fill_host(platform, data_dir);
    if (!platform->log)
        mr_complain("out of memory");
    return platform->log != NULL;
}

bool mr_platform_open(mr_platform *platform, mr_session *session, const mr_loaded_settings *settings, const char *data_dir, uint32_t jobs)
{
    if (!mr_platform_open_bare(platform, session, data_dir))
        return false;
    platform->settings = settings;
    const char *state_dir = mr_arena_printf(session->arena, "%s/state", data_dir);
    const mr_engine_options options = {
        .state_dir = state_dir, .jobs = jobs, .log = platform->log, .settings = &settings->values, .plugins = session->plugins};
    mr_status status = state_dir ? mr_engine_open(&options, session->diags, &platform->engine) : MR_ERR_NOMEM;
    if (status == MR_OK)
        status = mr_journal_open(state_dir, false, session->diags, &platform->journal);
    if (status == MR_OK && !mr_platform_open_hooks(platform))
        status = MR_ERR_PARAM;
    mr_session_flush(session);
    if (status == MR_ERR_NOMEM)
        mr_complain("out of memory");
    return status == MR_OK;
}

void mr_platform_stop_runs(mr_platform *platform)
{
    pthread_mutex_lock(&platform->lock);
    platform->closing = true;
    mr_platform_interrupt_locked(platform);
    while (platform->run_count > 0)
        pthread_cond_wait(&platform->fewer, &platform->lock);
    pthread_mutex_unlock(&platform->lock);
}

void mr_platform_close(mr_platform *platform)
{
    if (!platform->session)
        return;
    mr_hooks_close(platform->hooks);
    mr_journal_close(platform->journal);
    mr_engine_close(platform->engine);
    mr_log_free(platform->log);
    pthread_mutex_destroy(&platform->reading);
    pthread_mutex_destroy(&platform->lock);
    pthread_cond_destroy(&platform->fewer);
}
