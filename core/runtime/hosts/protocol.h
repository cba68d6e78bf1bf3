/* SPDX-License-Identifier: MIT */
/*
 * What the engine and a task host say to each other. Frames are as in wire.h; the fields of each are given here in their order.
 *
 *   engine                                   host
 *   LOAD   ------------------------------->         loads the plugins
 *   HELLO  ------------------------------->         locks itself down
 *          <-------------------------------  READY
 *   RUN    ------------------------------->         runs the batch; while it does, it asks
 *          <-------------------------------  INPUT_COUNT, INPUT, NEXT, OPEN, NEED, EMIT, EMIT_FROM, FINISH: each gets one REPLY
 *          <-------------------------------  WRITE, COPY, DROP, PROGRESS, REPORT, READS: no reply
 *          <-------------------------------  DONE
 *   RUN …                                           or the engine closes the socket, and the host ends
 *   SCRIPT ------------------------------->         before the first RUN of one of its ops
 * A fork server is told to load, and then instead of HELLO gets as often as hosts are wanted
 *   WORDS, FORK -------------------------->         forks a host like itself, whose socket is the one that came; that gets HELLO
 *          <-------------------------------  REPLY
 * A script host (script_host.h) is not told to load anything, and gets HELLO and then
 *   EVALUATE, CALL ----------------------->         runs the script
 *          <-------------------------------  ANSWER
 *
 * The engine believes nothing that a host says: a frame that is not as described here, names what it was not given, comes when it must
 * not, or goes over a limit, ends the host. Artifacts go by numbers that the engine gave out (from 0, for the length of a batch);
 * contents by numbers that the host chose below MR_HOST_CONTENTS.
 */
#ifndef MR_RUNTIME_HOSTS_PROTOCOL_H
#define MR_RUNTIME_HOSTS_PROTOCOL_H

#include <stdint.h>

#define MR_HOST_PROTOCOL 8u  /* raise with every change: both ends must be of one build */
#define MR_HOST_SOCKET   3   /* the descriptor of its end in a host */
#define MR_HOST_CONTENTS 64u /* contents that a host may have under way */
#define MR_HOST_NOTHING  UINT32_MAX
#define MR_HOST_RANGES   256u          /* ranges in one COPY, */
#define MR_HOST_AHEAD    32u           /* artifacts in the answer to one NEXT */
#define MR_HOST_COPY     (64ull << 20) /* and bytes: the engine looks at nothing else while it copies */

enum {
    /* To the host. HELLO carries the control page: a read-only mr_control. */
    MR_FRAME_HELLO = 1, /* u32 protocol, text scratch folder, u64 memory, u64 CPU seconds, u64 open files, u64 file size, u32 size of limits, limits
                           (mr_limits as it is) */
    MR_FRAME_RUN,       /* u32 processors, u32 count, count × (text op, text params as JSON of mr_params_dump) */
    MR_FRAME_REPLY,     /* i64 status, then what the request asks for; see there */
    MR_FRAME_SCRIPT,    /* u64 memory, i64 time, text as mr_ops_script.text: a script, whose ops and filters may be used from then on. No answer */
    MR_FRAME_EVALUATE,  /* u32 mr_script_kind, u64 memory, i64 time, text bundle. ANSWER: what the script describes */
    MR_FRAME_CALL,      /* text function, text argument as JSON: of the script that was evaluated last, which is kept. ANSWER: what it returns */

    MR_FRAME_LOAD,  /* u32 count, count × text plugin file. Before HELLO; how it went, READY tells */
    MR_FRAME_WORDS, /* with a descriptor: what the next one that is forked has as its stderr. No answer */
    MR_FRAME_FORK,  /* with a descriptor: its socket. REPLY: i64 process (a child of the engine); MR_ERR_UNSUPPORTED: the kernel doesn't do it */

    /* To the engine. slot: which task of the batch. */
    MR_FRAME_READY = 64,  /* u32 protocol, u32 what the kernel lacks (mr_sandbox_missing), text what went wrong ("": nothing) */
    MR_FRAME_INPUT_COUNT, /* u32 slot, u32 port. REPLY: u64 count */
    MR_FRAME_INPUT,       /* u32 slot, u32 port, u64 index. REPLY: an artifact; status MR_ERR_NOT_FOUND: none (yet) */
    MR_FRAME_NEXT,        /* u32 slot. REPLY: u32 count, count × (u32 port, an artifact): one, and what is there besides */
    MR_FRAME_OPEN,        /* u32 slot, u32 artifact. REPLY with a descriptor */
    MR_FRAME_WRITE,       /* u32 slot, u32 content, u64 offset, bytes */
    MR_FRAME_DROP,        /* u32 content: it will not be emitted */
    MR_FRAME_EMIT,        /* u32 slot, u32 port, u32 content or MR_HOST_NOTHING, text metadata. REPLY */
    MR_FRAME_EMIT_FROM,   /* u32 slot, u32 port, u32 artifact, text metadata. REPLY */
    MR_FRAME_PROGRESS,    /* u32 slot, f64 fraction */
    MR_FRAME_REPORT,      /* u32 slot, u32 severity, text param, text hint, text message */
    MR_FRAME_FINISH,      /* u32 slot, i64 status, i64 CPU µs. REPLY */
    MR_FRAME_DONE,        /* i64 status, i64 CPU µs since the last FINISH */
    MR_FRAME_COPY,        /* u32 slot, u32 content, u64 offset, u32 artifact, mr_range as they are: at most MR_HOST_RANGES, and MR_HOST_COPY bytes */
    MR_FRAME_ANSWER,      /* i64 status, text result as JSON ("": none), text diagnostics as of mr_diags_json() */
    MR_FRAME_READS, /* u32 artifact (a source), u32 first byte, bytes: a bit for each block (MR_BLOCK_SIZE) that was read; before FINISH and DONE */
    MR_FRAME_NEED,  /* u32 slot, u32 artifact, u64 bytes from its beginning that it has to have. REPLY: u64 bytes that it has; MR_NOT_YET: fewer */
};
typedef enum mr_script_kind { MR_SCRIPT_OPS, MR_SCRIPT_HOOKS, MR_SCRIPT_PIPELINE, MR_SCRIPT_KINDS } mr_script_kind;
/* An artifact: u32 number, u32 type, u32 has_content, u64 index, u64 size, u64 bytes of it that have arrived, text digest, text name, text metadata.
 */

/* Shared memory that the engine writes and the host reads: 1 when the task in that slot is to end. */
#define MR_CONTROL_SLOTS 64u
typedef struct mr_control {
    uint32_t cancel[MR_CONTROL_SLOTS]; /* by __atomic builtins */
} mr_control;

#endif
