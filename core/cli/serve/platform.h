/* SPDX-License-Identifier: MIT */
/*
 * What the engine gives a server (millrace/server.h), made of what the verbs use: one engine, its plugins, and a job for each run.
 *
 * Locks: `reading` is held while a pipeline is read (its scripts join the plugins that all share); `lock` guards the list of runs, and only
 * mr_run_cancel() and mr_run_demand() are called under it. A run is in the list from its start until its thread has said all of its events and has
 * put down the lock for the last time.
 */
#ifndef MR_CLI_SERVE_PLATFORM_H
#define MR_CLI_SERVE_PLATFORM_H

#include "base/log.h"
#include "cli/cli.h"
#include "cli/session.h"
#include "runtime/engine.h"
#include "runtime/hooks.h"
#include "runtime/state/journal.h"
#include <millrace/server.h>

#include <pthread.h>

typedef struct mr_served mr_served; /* a run that is under way */

struct mr_platform {
    mr_platform_host host; /* what the server sees; its texts live in session */
    mr_session *session;   /* the plugins, and an arena */
    const mr_loaded_settings *settings;
    mr_log *log;
    mr_engine *engine;
    mr_journal *journal;
    mr_hooks *hooks; /* NULL: none */
    const mr_server_driver *driver;
    mr_server *server;
    pthread_mutex_t reading;
    pthread_mutex_t lock;
    pthread_cond_t fewer; /* a run has left the list */
    mr_served *runs;
    size_t run_count;
    bool closing; /* nothing new is started */
};

/* data_dir: absolute, there already. session and settings are borrowed. What is wrong was said; false then. */
bool mr_platform_open(mr_platform *platform, mr_session *session, const mr_loaded_settings *settings, const char *data_dir, uint32_t jobs);
/* Without engine, for administration: only the log and the folders of the host are there. */
bool mr_platform_open_bare(mr_platform *platform, mr_session *session, const char *data_dir);
/* Cancels what runs, waits for it, and closes the engine. Runs that were cancelled so are "interrupted" for the next open(). */
void mr_platform_stop_runs(mr_platform *platform);
void mr_platform_close(mr_platform *platform);

/* pipelines.c: functions of the host's table. */
char *mr_platform_pipelines(mr_platform *platform);
char *mr_platform_pipeline(mr_platform *platform, const char *name);
char *mr_platform_pipeline_check(mr_platform *platform, const char *language, const char *text, size_t len);
char *mr_platform_ops(mr_platform *platform);
/* Names of the nodes' ops, and which follows which, for the graph of a run. */
void mr_platform_describe(const mr_pipeline *pipeline, json_t *run);

/* runs.c */
mr_status mr_platform_run_start(mr_platform *platform, const char *request, char **ret_answer);
mr_status mr_platform_run_check(mr_platform *platform, const char *request, char **ret_answer);
mr_status mr_platform_run_cancel(mr_platform *platform, const char *run);
mr_status mr_platform_run_demand(mr_platform *platform, const char *run, const char *node, const char *item);
/* What the events of a run that is under way add up to, in the words of its record: new reference. NULL: it is not under way; whoever reads its
 * record after that finds all of it. */
json_t *mr_platform_counts(mr_platform *platform, const char *run);
bool mr_platform_cancel_locked(mr_platform *platform, const char *run); /* false: there is none of that id */
void mr_platform_interrupt_locked(mr_platform *platform);               /* all: the next server goes on with them */

/* asked.c: the operator's hooks, in one process for all of the server. */
bool mr_platform_open_hooks(mr_platform *platform); /* what is wrong with them was said */
int mr_platform_has_hook(mr_platform *platform, const char *name);
char *mr_platform_hook(mr_platform *platform, const char *name, const char *argument);
void mr_platform_hook_tell(mr_platform *platform, const char *name, const char *argument);

/* past.c */
char *mr_platform_runs(mr_platform *platform, uint32_t most);
char *mr_platform_run(mr_platform *platform, const char *run);
char *mr_platform_run_log(mr_platform *platform, const char *run, const char *node, int64_t after);
char *mr_platform_run_graph(mr_platform *platform, const char *run);

#endif
