/* SPDX-License-Identifier: MIT */
/*
 * Ops: named functions over artifacts. An op is a table (ports, params, what it needs) and one entry point, run().
 *
 * How data flows
 *   Every edge of a pipeline is a stream: a finite, ordered sequence of artifacts. An artifact is immutable: a type, a
 *   JSON object of metadata, and optionally content (bytes). The engine starts a task when its inputs are there; the op
 *   reads them (metadata directly, content with read_at), and gives artifacts back with emit. It never sees a path.
 *   Nothing that a task emitted counts before the task has succeeded, except on a streaming node (below).
 *
 * Where it runs
 *   In a task host: a child process of the engine that loaded the plugin, called its load(), and then gave up files, network, other
 *   programs and whatever could become code (docs/operations/sandbox.md). An op reads its inputs and writes below scratch(); what it
 *   needs besides, load() has brought. Ops with MR_OP_EFFECT run in the engine's own process, and all of them with 'sandbox: off'.
 *
 * Threads
 *   run() is called on a worker thread, for several batches at once: an op keeps no state outside run() but constants.
 *   Each host function may be called from any thread that run() made, as long as run() has not returned; calls about
 *   one task must not overlap, but with cancelled() and, since 1.5, with report(). Ops should not make threads:
 *   parallelism comes from tasks. Where batch->processors is more than one, that would leave some idle.
 *
 * Streaming
 *   A port with MR_PORT_STREAMING delivers items while they are made. Such an op runs as one task on a thread of its own
 *   that takes no CPU slot; it waits for items in next() and nowhere else. What it emits is passed on at once.
 *
 * Batches
 *   run() gets one task or more. Tasks of ops that share the same run() and the same artifact on the port named by
 *   batch_by may come together, in an order in which a task's inputs are either complete, or emitted by a task earlier
 *   in the batch; input() then answers once that earlier task is finished. Report each task with finish(); tasks that
 *   were not reported when run() returns get its return value. A batch that fails is tried again as single tasks.
 *
 * Errors
 *   Return a negative status and say why with report(). MR_ERR_UNAVAILABLE is tried again where the pipeline allows.
 *   When cancelled() is true, clean up and return MR_ERR_CANCELLED within half a second.
 */
#ifndef MILLRACE_OP_H
#define MILLRACE_OP_H

#include "limits.h"
#include "param.h"
#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Types of artifact. A port lists the types it takes as a bit set; an output port names exactly one. */
enum {
    MR_TYPE_MEDIA = 1u << 0,   /* "media": a source, in any container */
    MR_TYPE_CHUNK = 1u << 1,   /* "chunk": a time range of the source; metadata only */
    MR_TYPE_SEGMENT = 1u << 2, /* "segment": one CMAF init or media segment, or one of another container */
    MR_TYPE_IMAGE = 1u << 3,   /* "image": an encoded picture */
    MR_TYPE_TEXT = 1u << 4,    /* "text": UTF-8 text */
    MR_TYPE_JSON = 1u << 5,    /* "json": the value is the metadata itself; content only where documented */
    MR_TYPE_FILE = 1u << 6,    /* "file": a publication; metadata.path is its place in the published tree */
    MR_TYPE_ANY = 0x7fu,
};

typedef struct mr_artifact {
    uint32_t type; /* one MR_TYPE_* bit */
    uint32_t has_content;
    uint64_t index;     /* position in its stream */
    uint64_t size;      /* bytes of content */
    const char *digest; /* of the content, "sha256:<64 hex digits>"; "" without content, or when not known yet (sources) */
    const char *name;   /* sources: the base name of the file, for messages and guesses only; else "" */
    const char *meta;   /* a JSON object, compact, keys sorted, NUL-terminated */
    size_t meta_len;
} mr_artifact;

enum {
    MR_PORT_MANY = 1u << 0,      /* in: takes a whole stream, of any length. out: each task emits any number (else exactly one) */
    MR_PORT_OPTIONAL = 1u << 1,  /* in: may be unconnected or empty. out: a task may emit none */
    MR_PORT_STREAMING = 1u << 2, /* in: items come through next() while they are made; implies MANY */
    MR_PORT_ANY_ORDER = 1u << 3, /* in, streaming: as they are made, a later task's before an earlier one's; index counts what has come. Since 1.3 */
};

typedef struct mr_port {
    const char *name; /* NULL ends a table */
    uint32_t types;
    uint32_t flags;
    const char *help;
} mr_port;

typedef enum mr_severity { MR_SEVERITY_NOTE = 0, MR_SEVERITY_WARNING = 1, MR_SEVERITY_ERROR = 2 } mr_severity;

typedef struct mr_range { /* of an artifact's content, in bytes */
    uint64_t offset;
    uint64_t size;
} mr_range;

typedef struct mr_task mr_task;       /* the engine's */
typedef struct mr_content mr_content; /* bytes on their way to become an artifact; the engine's */
typedef struct mr_op mr_op;
struct mr_service; /* millrace/service.h */

#if defined(__GNUC__)
#define MR_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define MR_PRINTF(fmt, args)
#endif

/*
 * What the engine offers to ops. Valid for the life of the process. Ports are named by their index in the op's table.
 * Functions that return mr_status have reported the reason when it is an error: just pass it on.
 */
typedef struct mr_host {
    uint32_t size; /* sizeof(mr_host) of the engine: a newer engine may have more at the end */
    uint16_t abi_major;
    uint16_t abi_minor;

    /* Inputs. Artifacts are borrowed: valid until the task is finished. */
    size_t (*input_count)(const mr_task *task, uint32_t port);
    const mr_artifact *(*input)(const mr_task *task, uint32_t port, size_t index); /* NULL: there is none (yet) */
    /* Waits for the next item of any streaming port; items of one source come in order, but with MR_PORT_ANY_ORDER. MR_END: all have ended. */
    mr_status (*next)(mr_task *task, uint32_t *ret_port, const mr_artifact **ret_item);
    /* Reads up to len bytes at offset; *ret_len is short at the end only. MR_NOT_YET: not there yet, return it from run(). */
    mr_status (*read_at)(mr_task *task, const mr_artifact *artifact, uint64_t offset, void *buf, size_t len, size_t *ret_len);
    /* A descriptor open for reading, for copy_file_range and the like; borrowed until the task's next content_fd or read_at. -1: use read_at.
     * Of a source it counts as having read all: with read_at a result outlives changes of what was not read. */
    int (*content_fd)(mr_task *task, const mr_artifact *artifact);

    /* Outputs. meta is a JSON object (NULL: {}). The engine copies what it is given. */
    mr_status (*content_new)(mr_task *task, mr_content **ret_content);
    mr_status (*content_write_at)(mr_content *content, uint64_t offset, const void *data, size_t len);
    void (*content_free)(mr_content *content); /* for a content that will not be emitted; NULL is fine */
    mr_status (*emit)(mr_task *task, uint32_t port, const char *meta, mr_content *take_content); /* takes it, also on error; NULL: none */
    mr_status (*emit_bytes)(mr_task *task, uint32_t port, const char *meta, const void *data, size_t len);
    mr_status (*emit_from)(mr_task *task, uint32_t port, const char *meta, const mr_artifact *content_of); /* same content, no copy */

    /* Being a good task. */
    void (*progress)(mr_task *task, double fraction);     /* 0 … 1; call it at least every second: a hang is told by its absence */
    int (*cancelled)(const mr_task *task);                /* cheap; ask at least every 100 ms of work */
    mr_status (*finish)(mr_task *task, mr_status status); /* batches: this task's outcome */
    const char *(*scratch)(mr_task *task);                /* a private, empty folder, removed after run(); NULL on error */

    /* Words. fmt as for printf, lower case, names the thing and its value. param: the param at fault, or NULL; the engine
     * adds where in the pipeline file it stands. hint: what to do, or NULL. */
    void (*report)(mr_task *task, mr_severity severity, const char *param, const char *hint, const char *fmt, ...) MR_PRINTF(5, 6);

    /* Only for ops with MR_OP_EFFECT (else NULL is returned). */
    const char *(*output_dir)(const mr_task *task); /* the folder that the run publishes to; exists. NULL: it is none */
    const char *(*effect_key)(const mr_task *task); /* the same over retries and resumed runs: makes the effect idempotent */
    /* How the run stands, a JSON object {run, pipeline, state, reason, failed_node, outputs}: for nodes with a trigger. */
    const char *(*run_state)(const mr_task *task);

    /* Since 1.1. What media may ask for, as the operator set it; never NULL, valid until the task is finished. For ops that read media. */
    const mr_limits *(*limits)(const mr_task *task);

    /* Since 1.2. Only for ops with MR_OP_EFFECT (else NULL is returned). */
    const char *(*output_url)(const mr_task *task); /* where the run publishes to, "mem://test"; of a folder, its path. NULL: nowhere */
    /* The service of this class ("storage") that selector chooses (a URL, by its scheme); NULL: there is none. Valid for the life of the process. */
    const struct mr_service *(*service)(const mr_task *task, const char *service_class, const char *selector);

    /* Since 1.2. As content_write_at with what read_at gives for these ranges of an artifact, one after the other, but the bytes don't pass through
     * the op: for those that go from the source into a segment as they are. Ranges lie within the artifact. It may be done after the content was
     * emitted: what goes wrong with it, emit tells, or the task's end. */
    mr_status (*content_copy_at)(mr_content *content, uint64_t offset, const mr_artifact *from, const mr_range *ranges, size_t count);

    /* Since 1.3. A line that a library logs (codecs do): should the task host be lost, its last ones are quoted. Not for people to read otherwise:
     * that is report(). Cheap, never waits; of many lines some get lost. On any thread. */
    void (*log_line)(const char *line);

    /* Since 1.4. How many bytes from the beginning of a content can be read without MR_NOT_YET, as far as is known: all, but of a source that still
     * arrives. Never more than are there. For who reads on and on; what comes out must not depend on it. Cheap. Any thread of the task. */
    uint64_t (*arrived)(mr_task *task, const mr_artifact *artifact);
} mr_host;

typedef struct mr_batch_task {
    mr_task *task;
    const mr_op *op;
    const void *params; /* the op's params struct, filled */
} mr_batch_task;

typedef struct mr_batch {
    uint32_t size; /* sizeof(mr_batch) */
    uint32_t count;
    const mr_batch_task *tasks;
    /* Since 1.5. How many processors it may keep busy: more than one where slots would be idle otherwise. What comes out must not depend on it. */
    uint32_t processors;
} mr_batch;

enum {
    MR_OP_EFFECT = 1u << 0, /* acts on the world: never cached, always run, must be idempotent */
};

struct mr_op {
    uint32_t size;       /* sizeof(mr_op) */
    uint32_t version;    /* part of every result's identity: raise it when the same inputs give other outputs */
    const char *name;    /* "plugin.verb" */
    const char *summary; /* one sentence in lower case, no full stop */
    const char *help;    /* paragraphs for the reference page; NULL: none */
    uint32_t flags;
    uint32_t cpu;          /* CPU slots that a task needs; 0: it waits more than it works */
    uint32_t memory_mb;    /* what a task may take, at most, for an ordinary source */
    uint32_t batch_max;    /* tasks in a batch, at most; 0 and 1: none */
    const char *batch_by;  /* the input port whose artifact the tasks of a batch share; NULL: none */
    const mr_port *inputs; /* tables that end with {0}; NULL: none */
    const mr_port *outputs;
    const mr_param *params; /* ends with MR_PARAM_END; NULL: none */
    size_t params_size;     /* sizeof the struct that the params are bound to */
    mr_status (*run)(const mr_host *host, const mr_batch *batch);
    /* The libraries whose version decides what comes out ("libx264 164, libavcodec 59.37.100"); part of the identity. NULL: none. */
    const char *(*toolchain)(void);
};

#ifdef __cplusplus
}
#endif
#endif
