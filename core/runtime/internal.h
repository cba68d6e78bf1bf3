/* SPDX-License-Identifier: MIT */
/*
 * The engine's own structures. Not for anyone outside core/runtime's engine files.
 *
 * How it fits together
 *   A run has a node_run for each node, and each of its output ports is a stream: an array of slots. A slot is promised (its
 *   task exists), filled (an item), or void (its task was skipped or failed under on_error: skip). A node expands into tasks as
 *   the slots of its 'each' and 'for' streams appear; a task waits for its promised slots, then for a CPU slot in the ready heap.
 *
 * Invariants
 *   - Everything here is guarded by engine->lock, but what is marked otherwise. Ops run without it.
 *   - Tasks, slots and items live until the run is freed, so pointers to them stay good without counting.
 *   - Nobody recurses from one node into another: a change marks the nodes that read a stream as dirty, and settle() expands
 *     them, one by one, before the lock is let go.
 *   - A task's outputs reach its streams only after the store has committed them (streaming tasks: at once, by definition). Its worker does not
 *     wait for that: conclude.c.
 *   - Slots of a port with exactly one item a task are in task order and exist as soon as the task does; other ports get the
 *     items of task k only after those of all tasks before k. So the order of a stream never depends on timing. Readers who take any order
 *     (MR_PORT_ANY_ORDER) read the stream's arrivals instead.
 */
#ifndef MR_RUNTIME_INTERNAL_H
#define MR_RUNTIME_INTERNAL_H

#include "base/arena.h"
#include "base/hash.h"
#include "runtime/claims.h"
#include "runtime/delivery.h"
#include "runtime/engine.h"
#include "runtime/state/journal.h"
#include "runtime/state/objects.h"
#include "runtime/source.h"
#include "runtime/state/store.h"

#include <pthread.h>
#include <stdatomic.h>

#define MR_MAX_COORDS        8           /* dimensions of a node: one for 'each', one per 'for' */
#define MR_MAX_TASKS         1000000u    /* of one run */
#define MR_MAX_BATCH         64u         /* tasks in a batch, whatever the op says */
#define MR_MAX_META          (16u << 20) /* bytes of metadata of one artifact */
#define MR_MAX_ITEMS         1000000u    /* artifacts that one task may emit */
#define MR_MAX_REPORTS       20u         /* messages kept of one attempt */
#define MR_MAX_WAITING_TASKS 256u        /* tasks without a CPU slot (streaming ones, notifications) at a time */
#define MR_OPEN_CONTENTS     8u          /* descriptors that a task keeps open */

typedef struct mr_own_thread mr_own_thread;
typedef struct mr_growth mr_growth;
typedef struct mr_move mr_move;
typedef struct mr_movers mr_movers;
typedef struct mr_item mr_item;
typedef struct mr_slot mr_slot;
typedef struct mr_stream mr_stream;
typedef struct mr_node_run mr_node_run;
typedef struct mr_reason mr_reason;

struct mr_item {
    mr_artifact pub; /* first: an artifact handed to an op is its item */
    char digest[MR_DIGEST_TEXT];
    char key[MR_DIGEST_TEXT]; /* stands for it in the identity of those who read it */
    char *meta;
    char *name;
    bool arrived;          /* is in its stream's arrivals */
    int fd;                /* sources: open for reading; else -1 */
    mr_source *source;     /* sources: what is known of its bytes; else NULL */
    mr_growth *growth;     /* sources that still arrived when the run began; else NULL */
    mr_item *beginning;    /* rehearsals: what had come of it by then; else NULL */
    mr_task *fusable_head; /* tasks that have it on their batch_by port, oldest first; those at the front that ended are dropped */
    mr_task *fusable_last;
    mr_item *next_owned;
};

typedef enum mr_slot_state { MR_SLOT_PROMISED, MR_SLOT_FILLED, MR_SLOT_VOID } mr_slot_state;

typedef struct mr_waiter {
    mr_task *task;
    struct mr_waiter *next;
} mr_waiter;

struct mr_slot {
    mr_slot_state state;
    mr_item *item;     /* while promised: NULL, or for the producer's batch alone (conclude.c) */
    mr_task *producer; /* while promised */
    mr_waiter *waiters;
};

struct mr_stream {
    mr_slot **slots;
    size_t count;
    size_t room;
    bool complete; /* no slot will be added, and each is filled or void */
    bool counted;  /* no slot will be added; some may still be promised */
    bool by_task;  /* exactly one item per task of the node */
    mr_node_run **readers;
    size_t reader_count;
    bool any_order; /* somebody reads it so: what is made is listed as it comes, before its slot's turn */
    mr_item **arrivals;
    size_t arrival_count;
    size_t arrival_room;
};

typedef enum mr_task_state {
    MR_TASK_PENDING,
    MR_TASK_READY,
    MR_TASK_RUNNING,
    MR_TASK_DELAYED, /* waits for its next attempt, or for bytes of a source (growth.c) */
    MR_TASK_KNOWN,   /* planning only: would run */
    MR_TASK_SUCCEEDED,
    MR_TASK_CACHED,
    MR_TASK_FAILED,
    MR_TASK_CANCELLED,
    MR_TASK_SKIPPED,
} mr_task_state;

typedef struct mr_report {
    mr_severity severity;
    char *param;
    char *hint;
    char *message;
} mr_report;

typedef struct mr_output {
    uint32_t port;
    mr_item *item;
} mr_output;

typedef struct mr_open_content {
    const mr_item *item;
    int fd;
} mr_open_content;

typedef struct mr_task_moves { /* the movers' lock */
    uint32_t open;             /* on their way */
    mr_status status;          /* of the first that failed, which was told with … */
    char *message;
    char *hint;
} mr_task_moves;

struct mr_task {
    mr_run *run;
    mr_node_run *node;
    uint64_t index; /* row-major */
    uint32_t coords[MR_MAX_COORDS];
    uint32_t coord_count;
    double position;  /* 0 … 1: how early in the video; 0: the opening (schedule.c) */
    mr_slot **slots;  /* one per 'each' and 'for' binding of the node, in binding order */
    uint32_t missing; /* promised slots that it waits for */
    mr_task_state state;
    uint32_t stamp; /* changes whenever it leaves READY: tells stale heap entries */
    uint32_t attempt;
    bool demanded; /* somebody waits for what it makes */
    bool solo;     /* its batch failed: goes alone */
    bool planned_known;
    uint32_t strikes; /* task hosts that it cost, going alone */
    bool host_lost;   /* this attempt's: to be tried again whatever the node says */
    bool told;        /* this attempt has begun in the eyes of readers */
    bool committing;  /* what it made is on its way to the disk */
    uint32_t asides;  /* times that it was put aside: another works on its identity */
    uint64_t claim;   /* of its identity; 0: none. claims.c */
    uint64_t wanted_claim;
    struct mr_batch_run *batch;
    mr_task *fusable_next;
    mr_task *delayed_next;
    int64_t due_us;       /* DELAYED */
    uint64_t lacks_until; /* DELAYED, and in a growth's list: bytes of a source that have to be there first */
    mr_task *timed_next;
    bool timed; /* in the list of those with a deadline */

    /* The worker's, while RUNNING (streaming tasks: cursors under the lock). */
    void *params;
    uint32_t batch_slot;
    char identity[MR_DIGEST_TEXT]; /* "": none */
    mr_output *outputs;
    size_t output_count;
    size_t output_room;
    mr_report *reports;
    size_t report_count;
    mr_open_content open[MR_OPEN_CONTENTS];
    uint32_t open_next;
    mr_task_moves moves;
    int64_t started_us;
    int64_t cpu_us;
    int64_t last_progress_us;
    char *effect_key;
    char *run_state;

    /* Streaming tasks. */
    pthread_cond_t *wake;
    size_t *cursors; /* one per streaming source, in binding order */
    size_t cursor_count;
    size_t cursor_last;

    /* Set by others while it runs. */
    atomic_bool cancel;
    atomic_bool timed_out;
    atomic_llong deadline_us; /* monotonic; 0: none */
};

typedef struct mr_bound_port {
    const mr_binding *binding;
    mr_stream **sources;
    bool streaming;
    bool any_order;
    mr_item **items; /* 'in', not streaming: what the complete sources held; filled when the node expands */
    size_t item_count;
    char key[MR_DIGEST_TEXT]; /* of all its items; "": not computed yet */
    size_t source_count;      /* of its items; with key */
} mr_bound_port;

struct mr_node_run {
    mr_run *run;
    const mr_node *node;
    const mr_bound_node *bound;
    uint32_t index;
    uint32_t depth; /* nodes on the longest path from here to an end, itself included */
    mr_bound_port *ports;
    uint32_t crossed;    /* the first bindings are 'each' and 'for' */
    uint32_t each_count; /* of them, 'each' */
    mr_stream *outputs;
    uint32_t output_count;
    bool streaming;
    bool left_out;               /* of a rehearsal */
    bool sees_beginning;         /* rehearsals: of a source that arrives, as if it were the whole */
    bool beside;                 /* it makes pictures: nobody waits for them to watch the video */
    bool leads;                  /* what its tasks make is needed before tasks along the video can be made */
    const mr_expr *when;         /* NULL: nothing to ask per task */
    bool open_params;            /* 'with' holds expressions that read inputs */
    void *params;                /* else: the same for all tasks */
    char recipe[MR_DIGEST_TEXT]; /* else: what their identities share; "": not computed yet */
    mr_task **tasks;
    size_t task_count;
    size_t task_room;
    size_t outer;  /* outermost indices that are expanded */
    size_t prefix; /* tasks whose outputs are in the streams that keep task order */
    bool expanded; /* no task will be added */
    bool done;
    bool dirty;
    mr_node_run *dirty_next;
    size_t ended, succeeded, cached, failed, skipped, cancelled;
    const char *state;
    mr_reason *reasons; /* planning: why its tasks would run; explain.c */
};

typedef struct mr_failure {
    const char *code;
    mr_span span;
    char *message;
    char *hint;
} mr_failure;

struct mr_run {
    mr_engine *engine;
    const mr_bound *bound;
    char id[40];
    char *output_dir;
    char *output_url; /* instead of output_dir; NULL: none */
    bool no_cache;
    bool planning;
    bool rehearsal;
    mr_arena *arena;
    mr_node_run *nodes;
    size_t node_count;
    size_t open_main; /* nodes without trigger that have not ended */
    size_t open_all;
    mr_stream *inputs; /* one per pipeline input */
    mr_item *items;    /* all, for freeing */
    mr_node_run *dirty;
    size_t task_count;
    size_t opening;        /* tasks of the opening that have not ended */
    uint32_t second_slots; /* that are left to its batches as their second processors */
    uint32_t led;          /* batches at work that began with what the others of their item wait for */
    size_t busy;           /* tasks running or waiting on a thread of their own */
    size_t ready;          /* tasks in the heap */
    bool stopping;         /* failed or cancelled: nothing more is started, but nodes with a trigger */
    bool cancelled;
    bool interrupted; /* cancelled, but its end is not recorded */
    bool over;
    mr_status status;
    char *failed_node;
    mr_failure *failures;
    size_t failure_count;
    pthread_cond_t ended;
    mr_delivery *delivery; /* to the reader; NULL: there is none */
    uint64_t event_seq;
    int64_t started_us;
    mr_journal_line *lines; /* to be kept, when the watcher comes by */
    size_t line_count;
    size_t line_room;
    size_t lines_seen;    /* in all */
    bool watching;        /* the watcher is at it: neither ends nor goes */
    uint64_t watch_round; /* when it was last */
    mr_run *next;
};

typedef struct mr_heap_entry {
    mr_task *task;
    uint32_t stamp;
} mr_heap_entry;

typedef struct mr_reads mr_reads;

typedef struct mr_batch_run {
    mr_task *tasks[MR_MAX_BATCH];
    uint32_t count;
    uint32_t memory_mb;
    uint32_t spare;               /* processors that its op may use besides its own */
    uint32_t kept;                /* of these, those whose slots are kept free for it */
    uint32_t led;                 /* 1: its first task leads the others */
    int64_t cpu_mark_us;          /* the thread's CPU time when the last task was finished: what follows is the next one's */
    bool concluded[MR_MAX_BATCH]; /* by task: reported. A concluded task may be another worker's already */
    mr_arena *arena;              /* params of the tasks: until run() has returned */
    char *scratch[MR_MAX_BATCH];  /* folders, by task: until run() has returned */
    mr_reads *reads;              /* blocks read of sources; reads.c */
    bool reads_lost;              /* not all of them are in reads: memory was short */
    mr_growth *lacks;             /* a read of it was refused: what the tasks say from then on doesn't count. Lock held */
    uint64_t lacks_until;
} mr_batch_run;

struct mr_engine {
    pthread_mutex_t lock;
    pthread_cond_t work;      /* something became ready, or closing */
    pthread_cond_t urgent;    /* the same for the worker that takes nothing else */
    pthread_cond_t idle;      /* a thread of its own ended */
    pthread_cond_t committed; /* what a task made is in the store, or can't be */
    pthread_cond_t tick;      /* wakes the timekeeper early */
    pthread_cond_t watch;     /* a run began, or closing: wakes the watcher */
    mr_objects *objects;
    mr_store *store;
    mr_catalogue *catalogue;
    mr_journal *journal;
    mr_claims *claims;
    const mr_plugins *plugins; /* NULL: none are known */
    mr_log *log;
    mr_settings settings;   /* as given; never changes */
    struct mr_hosts *hosts; /* NULL: ops run in this process */
    uint32_t jobs;
    uint64_t memory_mb;
    uint64_t memory_used_mb;
    bool memory_short; /* somebody left work for lack of memory since it last came free */
    bool slots_kept;   /* somebody left work for an opening's sake since anything changed */
    uint32_t running;  /* batches on CPU slots */
    uint32_t waiting_tasks;
    mr_own_thread *own_threads;
    pthread_t *workers;
    uint32_t worker_count;
    pthread_t urgent_worker;
    bool urgent_worker_started;
    pthread_t timekeeper;
    bool timekeeper_started;
    pthread_t watcher;
    bool watcher_started;
    bool closing;
    bool untidy; /* much memory was freed: the watcher gives it back at its next look */
    mr_heap_entry *heap;
    size_t heap_count;
    size_t heap_room;
    mr_task *delayed;
    mr_task *timed;
    mr_growth *growths; /* sources that still arrive */
    mr_movers *movers;
    mr_run *runs;
};

/* item.c */
mr_item *mr_item_new(mr_run *run, uint32_t type, const char *meta); /* lock held; NULL: no memory */
mr_status mr_item_open_source(mr_run *run, const mr_pipeline_input *input, const char *path, mr_diags *diags, mr_item **ret_item);
void mr_item_set_content(mr_item *item, const char *digest, uint64_t size);
void mr_item_seal(mr_item *item);             /* computes the key */
json_t *mr_outputs_json(const mr_task *task); /* what the store keeps; NULL: no memory */
/* Items from what the store kept. MR_ERR_NOT_FOUND when a content is gone. Not under the lock, but for making items. */
mr_status mr_outputs_load(mr_task *task, const json_t *outputs);
mr_status mr_task_add_output(mr_task *task, uint32_t port, mr_item *item);
void mr_items_free(mr_run *run);

/* identity.c */
mr_status mr_task_identity(mr_task *task); /* fills task->identity; inputs must be complete */
/* What its result was made from, to be kept with it (mr_result.facts). NULL: no memory, or no identity. New reference. */
json_t *mr_task_facts(mr_task *task);
/* The same without what was read, and its recipe: for comparing. New references; NULL: no memory. */
json_t *mr_task_facts_for_plan(mr_task *task, json_t **ret_recipe);
/* What another content gave whose blocks are the same as far as it was read. NULL: nothing. New references; *ret_facts: of this task. */
json_t *mr_task_find_trace(mr_task *task, json_t **ret_facts);
/* A task has read: are its sources what they were? If not, the run fails, and the status is MR_ERR_CANCELLED; else status. Without the lock. */
mr_status mr_task_check_sources(mr_task *task, mr_status status);
json_t *mr_task_scope(const mr_task *task); /* params and inputs by port name, for expressions; lock held */
bool mr_value_is_open(const mr_value *value);

/* explain.c: planning, without the lock */
void mr_explain_task(mr_task *task);              /* why it would run */
json_t *mr_explain_node(const mr_node_run *node); /* after planning; new reference */

/* reads.c: without the lock, any thread */
void mr_reads_add(mr_task *task, const mr_item *item, uint64_t offset, uint64_t len);
/* Bits of blocks from byte first of the bitmap on, as a task host counted them. False: that can't be. */
bool mr_reads_merge(mr_batch_run *batch, const mr_item *item, uint32_t first, const unsigned char *blocks, size_t len);
char *mr_reads_text(const mr_batch_run *batch, const mr_item *item); /* "0-3,7"; NULL: nothing, another source too, or not known. The caller frees */
void mr_reads_free(mr_batch_run *batch);

/* moves.c: contents that are made beside the op. Without the lock */
mr_movers *mr_movers_new(uint32_t most); /* threads, started when they are needed. NULL: no memory */
void mr_movers_free(mr_movers *movers);  /* no task runs any more */
/* Ranges of a source that are to go into a content; *move is made when it is NULL. False: too many, or no memory, and nothing was added. */
bool mr_move_add(mr_move **move, const mr_item *from, uint64_t offset, const mr_range *ranges, size_t count);
mr_status mr_move_make(mr_move *move, mr_task *task, mr_object_writer *writer, mr_diags *diags); /* what was added, now */
void mr_move_free(mr_move *move);                                                                /* NULL is fine */
/* item, an output of the task, gets the content when it is made. Anything but MR_OK: what an earlier move of the task failed with. */
mr_status mr_task_move(mr_task *task, mr_move *take_move, mr_object_writer *take_writer, mr_item *item);
/* Waits until all moves of the task have ended; of one that ended with anything but MR_OK they are given up. How it ended with them. */
mr_status mr_task_end_moves(mr_task *task, mr_status status);

/* rehearsal.c */
mr_status mr_rehearsal_prepare(mr_run *run, mr_diags *diags);       /* before it is launched. MR_ERR_UNSUPPORTED: there is nothing to do (said) */
mr_item *mr_rehearsal_item(const mr_node_run *node, mr_item *item); /* of the pipeline's input, as the node is shown it */
double mr_rehearsal_position(const mr_run *run, double position);   /* of a task: behind those of all other runs */

/* growth.c: without the lock */
mr_growth *mr_growth_of(mr_engine *engine, int fd); /* NULL: the file is whole, as far as anybody said. A reference */
void mr_growth_release(mr_engine *engine, mr_growth *growth);
void mr_growths_free(mr_engine *engine);            /* when the engine closes */
uint64_t mr_growth_length(const mr_growth *growth); /* when it is whole */
bool mr_growth_is_over(const mr_growth *growth);    /* it is whole, or was given up */
uint64_t mr_item_have(const mr_item *item);         /* bytes of its content that may be read; of most items all */
/* Before it reads up to there: MR_OK: it may. MR_NOT_YET: not there; the attempt doesn't count. MR_ERR_CANCELLED. Any thread of the task. */
mr_status mr_task_need(mr_task *task, const mr_item *item, uint64_t until);
mr_status mr_task_lacks(const mr_task *task, mr_status status); /* what an attempt ended with; MR_NOT_YET when a read was refused */
/* growth.c: lock held */
void mr_task_await(mr_task *task, mr_growth *growth, uint64_t until); /* it is queued when so much is there */
void mr_growth_forget_run(const mr_run *run);
bool mr_run_has_open_sources(const mr_run *run);

/* A change is followed by mr_run_settle() before the lock is let go. */
/* stream.c: lock held */
mr_slot *mr_stream_add(mr_run *run, mr_stream *stream, mr_item *item); /* item NULL: promised. NULL: no memory */
bool mr_stream_arrive(mr_stream *stream, mr_item *item);               /* for readers in any order. False: no memory */
void mr_slot_fill(mr_slot *slot, mr_item *item);                       /* item NULL: void */
void mr_stream_changed(mr_stream *stream);
void mr_node_expand(mr_node_run *node);
void mr_node_touch(mr_node_run *node); /* settle() will look at it */
bool mr_task_inputs_complete(const mr_task *task);

/* task.c: lock held */
void mr_task_ready(mr_task *task);
void mr_own_threads_join(mr_engine *engine); /* those that have ended */
void mr_task_end(mr_task *task, mr_task_state state, const char *reason);
void mr_task_requeue(mr_task *task);
void mr_task_delay(mr_task *task, int64_t us);
void mr_task_put_aside(mr_task *task); /* another works on its identity: it is looked up again a moment later */
void mr_task_clear_attempt(mr_task *task);
const char *mr_task_item_text(const mr_task *task, char buf[96]);
const char *mr_task_state_name(mr_task_state state);
const char *mr_status_text(mr_status status);
void mr_report_add(mr_task *task, mr_severity severity, const char *param, const char *hint, char *take_message);

/* conclude.c */
void mr_task_again(mr_task *task); /* lock held: the attempt does not count */
/* Without the lock. Sends it to the store, or retries or fails it; it ends when that is durable. From now on it may be another worker's. */
void mr_task_conclude(mr_task *task, mr_status status);
/* The same for a task that was found done. facts: NULL, or it was found under another identity, and from now on it is under its own. */
void mr_task_reuse(mr_task *task, json_t *take_outputs, const json_t *facts);

/* claims.c */
bool mr_task_claim(mr_task *task);   /* without the lock. False: another works on its identity. Tasks without one need none */
void mr_task_unclaim(mr_task *task); /* lock held */

/* schedule.c: lock held */
bool mr_heap_push(mr_engine *engine, mr_task *task);
void mr_heap_raise(mr_engine *engine, const mr_task *task); /* it comes earlier than it did when it was pushed */
mr_batch_run *mr_pick(mr_engine *engine);                   /* NULL: nothing fits */
mr_batch_run *mr_pick_urgent(mr_engine *engine);            /* NULL: a slot is free, or nothing is urgent */
void mr_wake_workers(mr_engine *engine);
void mr_heap_drop_run(mr_engine *engine, const mr_run *run);
double mr_task_position(const mr_node_run *node, size_t outer, size_t outer_count);
void mr_batch_over(mr_engine *engine, const mr_batch_run *batch); /* it has run: what was kept for it comes free */
void mr_slots_look_again(mr_engine *engine);                      /* something changed: what was left for an opening's sake may start now */

/* batch.c: without the lock */
void mr_batch_execute(mr_engine *engine, mr_batch_run *batch, mr_expr_vm *vm);

/* watch.c */
void *mr_watch(void *engine); /* a thread */
/* Lock held: for `millrace logs`. */
void mr_run_keep_line(mr_run *run, const mr_event *event);
void mr_run_keep_failure(mr_run *run, const mr_failure *failure);
/* When nobody else knows the run, or it is over: writes them; forgets them. */
void mr_run_flush_lines(mr_run *run);
void mr_run_drop_lines(mr_run *run);

/* run.c: lock held */
void mr_run_cancel_locked(mr_run *run);
void mr_run_settle(mr_run *run);
void mr_run_stop(mr_run *run, mr_status status);
void mr_run_sources_over(mr_run *run); /* one of its sources arrives no more; settles */
void mr_run_fail(mr_run *run, const mr_task *task, mr_status status);
void mr_run_failure(mr_run *run, const char *code, mr_span span, char *take_message, char *take_hint);
void mr_run_emit(mr_run *run, mr_event event); /* fills seq, time, run */
json_t *mr_run_outputs_locked(const mr_run *run);
/* run_make.c: the run is nobody else's */
mr_status mr_run_create(mr_engine *engine, const mr_bound *bound, const mr_run_options *options, bool planning, mr_diags *diags, mr_run **ret_run);
void mr_run_destroy(mr_run *run);

/* host.c, host_inputs.c */
#include <millrace/plugin.h>
extern const mr_host mr_host_table;
size_t mr_host_input_count(const mr_task *task, uint32_t port);
const mr_artifact *mr_host_input(const mr_task *task, uint32_t port, size_t index);
mr_status mr_host_next(mr_task *task, uint32_t *ret_port, const mr_artifact **ret_item);
/* The same, and what is there besides of small ones: most in all. *ret_count is 0 unless it is MR_OK. */
mr_status mr_host_next_some(mr_task *task, uint32_t most, uint32_t *ret_ports, const mr_artifact **ret_items, uint32_t *ret_count);
void mr_task_close_contents(mr_task *task);
int mr_task_open_content(mr_task *task, const mr_artifact *artifact); /* as content_fd, for one who counts what is read */

#endif
