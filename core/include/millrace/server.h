/* SPDX-License-Identifier: MIT */
/*
 * Servers: services of the class "server". `millrace serve` loads one (named "api-server"), gives it a platform, which is what the engine can do for
 * it, and runs it until it is told to stop.
 *
 * Texts
 *   Structured values cross as JSON texts: UTF-8, as in docs/reference. A text that the platform hands out ends with NUL, is the receiver's, and goes
 *   back by text_free().
 *
 * Threads
 *   The platform's functions may be called from any thread, at a time, between open() and close(). They may block for as long as a disk does, so not
 * on a loop that answers others. driver->event() comes on a thread of the run's own, one at a time for each run, and must not wait for that run.
 */
#ifndef MILLRACE_SERVER_H
#define MILLRACE_SERVER_H

#include "param.h"
#include "service.h"
#include "status.h"
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MR_SERVICE_SERVER "server"

enum { MR_SERVER_WORDS = 512 };

typedef struct mr_platform mr_platform; /* the engine's */
typedef struct mr_server mr_server;     /* the driver's */

/* What is wrong, in words: lower case, naming the thing and its value. */
typedef struct mr_server_error {
    uint32_t size; /* sizeof(mr_server_error) of the caller */
    uint32_t reserved;
    char message[MR_SERVER_WORDS];
    char hint[MR_SERVER_WORDS]; /* what to do; "": nothing to say */
} mr_server_error;

typedef enum mr_server_log { MR_SERVER_LOG_DEBUG, MR_SERVER_LOG_INFO, MR_SERVER_LOG_WARNING, MR_SERVER_LOG_ERROR } mr_server_log;

typedef struct mr_platform_host {
    uint32_t size; /* sizeof(mr_platform_host) of the engine */
    uint32_t reserved;
    mr_platform *platform;
    const char *version;   /* of Millrace, "0.1.0" */
    const char *data_dir;  /* absolute; there, and nobody else's */
    const char *share_dir; /* where what belongs to the install lies (share/millrace, or its like in a build tree); NULL: not found */

    /* event: kebab case. fields: a JSON object, or NULL. One line of the log. */
    void (*log)(mr_platform *platform, mr_server_log level, const char *event, const char *fields, const char *message);
    void (*text_free)(mr_platform *platform, char *take_text); /* NULL is fine */

    /* ---- pipelines ---- */

    /* [{name, description, inputs: [{name, type, required, many, help}], params: [{name, type, required, help, default}]}] of all that are found by
     * name. NULL: no memory. */
    char *(*pipelines)(mr_platform *platform);
    /* {name, language: "yaml"|"lua", text}. NULL: there is none of that name, or no memory. */
    char *(*pipeline)(mr_platform *platform, const char *name);
    /* {ok, diagnostics: [{severity, code, message, hint, file, line, col, len, notes}]}, as `millrace check`. language: "yaml" or "lua". */
    char *(*pipeline_check)(mr_platform *platform, const char *language, const char *text, size_t len);
    char *(*ops)(mr_platform *platform); /* as `millrace ops --json`. NULL: no memory */

    /* ---- runs ---- */

    /*
     * request: {pipeline, inputs: {NAME: PATH}, params: {NAME: VALUE}, offers: {NAME: VALUE}, output: DIR}, or {resume: RUN}, which goes on with one
     * that ended before it was done. With rehearsal: true and no output, what can be done ahead of a source that still arrives is done, and only
     * results are kept. Offers are params for a pipeline that has such ones. *ret_answer: {run: ID}, or, with an error, {diagnostics:
     * […]}. Events of the run may come before it returns.
     */
    mr_status (*run_start)(mr_platform *platform, const char *request, char **ret_answer);
    mr_status (*run_cancel)(mr_platform *platform, const char *run); /* asks it to; MR_ERR_NOT_FOUND: it is not running here */
    /* [{run, pipeline, state, reason, started_us, ended_us, tasks, cached, failed}], the latest first. NULL: no memory. */
    char *(*runs)(mr_platform *platform, uint32_t most);
    /* The same of one run, with nodes: [{node, op, tasks, cached, failed, cpu_us}] and edges: [[from, to]], names of nodes. tasks: how many have
     * ended. While it is under way here: as its events add up, with total (how many there will be, as far as known) of the run and of each node, and
     * the node's state (waiting, running, succeeded, failed, cancelled, skipped). NULL: there is none. */
    char *(*run)(mr_platform *platform, const char *run);
    /* Events that are kept of a run, after number after, at most a thousand, of one node when it is not NULL: {events: […], after}. NULL: no run. */
    char *(*run_log)(mr_platform *platform, const char *run, const char *node, int64_t after);
    /* The graph of a running or past run's pipeline as SVG. NULL: there is none. */
    char *(*run_graph)(mr_platform *platform, const char *run);
    /* Somebody waits for what item ("3,1") of a node makes: it is done next, with all that it needs. Quick. MR_ERR_NOT_FOUND: the run is not under
     * way, or has no such task (yet). */
    mr_status (*run_demand)(mr_platform *platform, const char *run, const char *node, const char *item);

    /* ---- sources ---- */

    /*
     * The server wrote a file of length bytes, and hashed it on the way: the engine need not read it to know its content. leaves: 32 bytes for each
     * 256 KiB (the last may be shorter): SHA-256 of a zero byte and the block's bytes. ret_digest: 72 bytes for "sha256:…", the root of the tree
     * above them. The file must not change afterwards. MR_ERR_PARAM, MR_ERR_CONFLICT: leaves and file don't fit together.
     */
    mr_status (*source_learn)(mr_platform *platform, const char *path, uint64_t length, const unsigned char *leaves, size_t count, char *ret_digest);

    /* ---- hooks ---- */

    /* Whether the operator's file of hooks (setting hooks.file) has that one. Quick. */
    int (*has_hook)(mr_platform *platform, const char *name);
    /*
     * Asks it (scripting/hooks.c has the table) and waits, at most hooks.timeout. argument: a JSON object. *ret_answer: {veto, pipeline, params},
     * each only where the hook says it. A hook that goes wrong vetoes where hooks.on_error is fatal; the log has what was wrong. NULL: no memory.
     */
    char *(*hook)(mr_platform *platform, const char *name, const char *argument);
    void (*hook_tell)(mr_platform *platform, const char *name, const char *argument); /* goes on at once */

    /* ---- sources that still arrive ---- */

    /*
     * A file that will have length bytes has the first `have` of them, which stay as they are: what comes behind is nobody's to read yet. From then
     * on it may be a run's input; what the run wants of it beyond that waits. have never goes back. Quick. MR_ERR_NOT_FOUND: there is no such file;
     * MR_ERR_CONFLICT: it is shorter, or was to get another length; MR_ERR_LIMIT: too many arrive at a time.
     */
    mr_status (*source_grew)(mr_platform *platform, const char *path, uint64_t length, uint64_t have);
    /* It is whole (after source_learn, where that is called): runs that read it may end well. Or it was given up: they fail, and what was made of it
     * counts for nothing; said before the file is removed or gets other bytes. Quick. MR_ERR_NOT_FOUND: nobody said that it arrives. MR_ERR_IO: the
     * bytes must stay as they are. */
    mr_status (*source_over)(mr_platform *platform, const char *path, int whole);

    /* Whether run_start would take the request, as far as pipeline, params and the names of inputs tell; nothing is opened or begun. *ret_answer:
     * {diagnostics: […]}; what is wrong with a param's value has file "param NAME". */
    mr_status (*run_check)(mr_platform *platform, const char *request, char **ret_answer);
} mr_platform_host;

typedef struct mr_server_driver {
    uint32_t size;  /* sizeof(mr_server_driver) */
    uint32_t flags; /* 0 */
    /* What an operator may set: read from the group "server" of the settings, MILLRACE_SERVER_NAME in the environment, and the command's --set. */
    const mr_param *settings; /* ends with MR_PARAM_END */
    uint32_t settings_size;   /* of the struct they fill */
    uint32_t reserved;

    /* settings: that struct, valid until close(). After MR_OK it answers; port and address are told by address(). */
    mr_status (*open)(const mr_platform_host *host, const void *settings, mr_server **ret_server, mr_server_error *error);
    const char *(*address)(const mr_server *server); /* "http://localhost:8080" */
    /* One event of a run, as `millrace run --json` prints it. "run.done" comes when the run's end is recorded for good; at last {event:
     * "run.closed"}: nothing writes to its output any more. */
    void (*event)(mr_server *server, const char *run, const char *event);
    /* Takes nothing new, lets what is under way end, and returns. The platform ends the runs afterwards; they are resumed by the next open(). */
    void (*drain)(mr_server *server);
    void (*close)(mr_server *server); /* NULL is fine */

    /*
     * Administration beside a server that runs or does not: request is {"do": "user.add", …}; *ret_answer: for people, one line or more. It frees
     * with the C library's free(). The password and the like come in password.
     */
    mr_status (*administer)(const mr_platform_host *host, const void *settings, const char *request, const char *password, char **ret_answer,
                            mr_server_error *error);
} mr_server_driver;

#ifdef __cplusplus
}
#endif
#endif
