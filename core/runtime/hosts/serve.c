/* SPDX-License-Identifier: MIT */
/*
 * The engine's end of a task host: it hands over a batch and answers what the host asks until run() has returned there.
 *
 * Invariants
 *   - A host is taken for hostile. What it names is looked up in what it was given in this batch; what it sends is counted against
 *     limits; every wait has an end. Anything out of line loses the host, never more.
 *   - A task that is concluded is not touched again: it may be another worker's already.
 *   - The calls end in mr_host_table, as they do for ops that run in this process: there is one way for outputs, messages and outcomes.
 */
#include "runtime/hosts/serve.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "config/params.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TICK_MS         100                 /* how often cancelling and hanging are looked for */
#define SEND_MS         10000               /* a host that does not read its reply for so long is lost */
#define CANCEL_GRACE_US (800 * 1000ll)      /* from the wish that a task ends to the end of its host */
#define ARTIFACTS_MAX   (2u * MR_MAX_ITEMS) /* numbers given out in a batch */
#define EMIT_META_MAX   (256ull << 20)      /* bytes of metadata that a batch may emit */
#define TALK_FREE       1000u               /* frames that only tell something, before their rate counts */
#define TALK_RATE       200u                /* a second, for each task of the batch */
#define REPORT_TEXT_MAX 4096u
#define SILENCE_US      10000000ll /* of a task in Lua: while Lua runs it is heard twice a second, so it is stuck in one call */

typedef struct content {
    mr_content *content;
    uint32_t slot;
    mr_status status; /* of the first write that failed */
} content;

typedef struct service {
    mr_task_host *host;
    const mr_settings *settings;
    mr_task *const *tasks;
    const uint32_t *slots;
    uint32_t count;
    mr_batch_run *batch;
    const mr_artifact **artifacts;
    uint32_t artifact_count;
    uint32_t artifact_room;
    content contents[MR_HOST_CONTENTS];
    uint64_t written;
    uint64_t emitted_meta;
    uint32_t emitted;
    uint64_t talk;
    int64_t began_us;
    int64_t heard_us;
    int64_t cancel_us; /* since when a task that runs is to end; 0: none */
    char why[384];     /* the host is lost because */
    bool done;
    mr_status told; /* its scripts */
    mr_host_outcome *outcome;
} service;

__attribute__((format(printf, 2, 3))) static bool lose(service *it, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(it->why, sizeof(it->why), fmt, args); // NOLINT(clang-analyzer-valist.Uninitialized): clang 14 does not see va_start here
    va_end(args);
    return false;
}

static bool out_of_line(service *it, const char *what)
{
    return lose(it, "was ended: it sent %s", what);
}

/* NULL (and the host is lost): not a task of this batch that still runs. */
static mr_task *running_task(service *it, uint32_t slot)
{
    if (slot < it->count && !it->batch->concluded[it->slots[slot]])
        return it->tasks[slot];
    out_of_line(it, "a call about a task that it does not have");
    return NULL;
}

/* ---- replies ---- */

static void begin_reply(service *it, mr_status status)
{
    mr_pack_begin(&it->host->packer, MR_FRAME_REPLY);
    mr_pack_i64(&it->host->packer, status);
}

static bool send_reply(service *it, int pass_fd)
{
    mr_status status = mr_wire_send(&it->host->wire, &it->host->packer, pass_fd, SEND_MS);
    if (status == MR_ERR_LIMIT)
        return lose(it, "was ended: it did not read its replies, or one was too large");
    return status == MR_OK || status == MR_END; /* MR_END: the next receive tells how it ended */
}

static bool reply(service *it, mr_status status)
{
    begin_reply(it, status);
    return send_reply(it, -1);
}

static bool pack_artifact(service *it, const mr_artifact *artifact)
{
    if (it->artifact_count == it->artifact_room) {
        uint32_t room = it->artifact_room ? it->artifact_room * 2 : 64;
        const mr_artifact **grown = it->artifact_count < ARTIFACTS_MAX ? realloc(it->artifacts, room * sizeof(*grown)) : NULL;
        if (!grown)
            return lose(it, "was ended: it asked for more than %u artifacts", ARTIFACTS_MAX);
        it->artifacts = grown;
        it->artifact_room = room;
    }
    it->artifacts[it->artifact_count] = artifact;
    mr_packer *packer = &it->host->packer;
    mr_pack_u32(packer, it->artifact_count++);
    mr_pack_u32(packer, artifact->type);
    mr_pack_u32(packer, artifact->has_content);
    mr_pack_u64(packer, artifact->index);
    mr_pack_u64(packer, artifact->size);
    mr_pack_u64(packer, mr_item_have((const mr_item *)(const void *)artifact));
    mr_pack_text(packer, artifact->digest);
    mr_pack_text(packer, artifact->name);
    mr_pack_text(packer, artifact->meta);
    return true;
}

static const mr_artifact *artifact_of(service *it, uint32_t number)
{
    if (number < it->artifact_count)
        return it->artifacts[number];
    out_of_line(it, "the number of an artifact that it was not given");
    return NULL;
}

static bool whole(service *it, const mr_frame *frame)
{
    return mr_frame_done(frame) || out_of_line(it, "a frame that is not as it should be");
}

/* ---- inputs ---- */

static bool valid_port(service *it, const mr_task *task, uint32_t port)
{
    return port < mr_port_count(task->node->node->op->inputs) || out_of_line(it, "the number of a port that its op does not have");
}

static bool on_input_count(service *it, mr_frame *frame)
{
    const mr_task *task = running_task(it, mr_frame_u32(frame));
    const uint32_t port = mr_frame_u32(frame);
    if (!task || !whole(it, frame) || !valid_port(it, task, port))
        return false;
    begin_reply(it, MR_OK);
    mr_pack_u64(&it->host->packer, mr_host_table.input_count(task, port));
    return send_reply(it, -1);
}

static bool on_input(service *it, mr_frame *frame)
{
    const mr_task *task = running_task(it, mr_frame_u32(frame));
    const uint32_t port = mr_frame_u32(frame);
    const uint64_t index = mr_frame_u64(frame);
    if (!task || !whole(it, frame) || !valid_port(it, task, port))
        return false;
    const mr_artifact *artifact = index < SIZE_MAX ? mr_host_table.input(task, port, (size_t)index) : NULL;
    begin_reply(it, artifact ? MR_OK : MR_ERR_NOT_FOUND);
    return (!artifact || pack_artifact(it, artifact)) && send_reply(it, -1);
}

static bool on_next(service *it, mr_frame *frame)
{
    mr_task *task = running_task(it, mr_frame_u32(frame));
    const mr_artifact *artifacts[MR_HOST_AHEAD];
    uint32_t ports[MR_HOST_AHEAD], count = 0;
    if (!task || !whole(it, frame))
        return false;
    begin_reply(it, mr_host_next_some(task, MR_HOST_AHEAD, ports, artifacts, &count));
    mr_pack_u32(&it->host->packer, count);
    for (uint32_t i = 0; i < count; i++) {
        mr_pack_u32(&it->host->packer, ports[i]);
        if (!pack_artifact(it, artifacts[i]))
            return false;
    }
    return send_reply(it, -1);
}

static bool on_open(service *it, mr_frame *frame)
{
    char path[64];
    mr_task *task = running_task(it, mr_frame_u32(frame));
    const mr_artifact *artifact = artifact_of(it, mr_frame_u32(frame));
    if (!task || !artifact || !whole(it, frame))
        return false;
    int fd = mr_task_open_content(task, artifact); /* what is read of it, READS tells */
    if (fd < 0)
        return reply(it, MR_ERR_IO);
    /* A description of its own: what the host does to its flags and position stays with it. */
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    mr_autoclose int own = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    begin_reply(it, own >= 0 ? MR_OK : MR_ERR_IO);
    return send_reply(it, own);
}

/* It may wait, where the task has a thread of its own. */
static bool on_need(service *it, mr_frame *frame)
{
    mr_task *task = running_task(it, mr_frame_u32(frame));
    const mr_artifact *artifact = artifact_of(it, mr_frame_u32(frame));
    const uint64_t until = mr_frame_u64(frame);
    if (!task || !artifact || !whole(it, frame))
        return false;
    if (!artifact->has_content || until > artifact->size)
        return out_of_line(it, "a wish for bytes beyond an artifact's end");
    const mr_item *item = (const mr_item *)(const void *)artifact;
    begin_reply(it, mr_task_need(task, item, until));
    mr_pack_u64(&it->host->packer, mr_item_have(item));
    return send_reply(it, -1);
}

/* ---- outputs ---- */

static bool over_size(service *it, uint64_t offset, size_t len)
{
    const uint64_t most = (uint64_t)it->settings->host_file_size;
    return offset > most || len > most - offset || len > most - it->written;
}

/* The content that len bytes are for, made when they are its first, and counted. NULL: it is not the task's. Its status says whether it takes them.
 */
static content *content_for(service *it, mr_task *task, uint32_t slot, uint32_t number, uint64_t offset, size_t len)
{
    content *content = number < MR_HOST_CONTENTS ? &it->contents[number] : NULL;
    if (!content || (content->content && content->slot != slot)) {
        out_of_line(it, "bytes for a content that is not the task's");
        return NULL;
    }
    if (!content->content && content->status == MR_OK) {
        content->slot = slot;
        content->status = mr_host_table.content_new(task, &content->content);
    }
    if (content->status == MR_OK && over_size(it, offset, len)) {
        mr_host_table.report(task, MR_SEVERITY_ERROR, NULL, "raise host.file_size in the settings",
                             "made more bytes than host.file_size allows (%lld)", (long long)it->settings->host_file_size);
        content->status = MR_ERR_LIMIT;
    }
    it->written += content->status == MR_OK ? len : 0;
    return content;
}

static bool on_write(service *it, mr_frame *frame)
{
    const uint32_t slot = mr_frame_u32(frame);
    mr_task *task = running_task(it, slot);
    const uint32_t number = mr_frame_u32(frame);
    const uint64_t offset = mr_frame_u64(frame);
    size_t len = 0;
    const void *data = mr_frame_bytes(frame, &len);
    if (!task || !whole(it, frame))
        return false;
    content *content = content_for(it, task, slot, number, offset, len);
    if (content && content->status == MR_OK && len > 0)
        content->status = mr_host_table.content_write_at(content->content, offset, data, len);
    return content != NULL;
}

/* Ranges of what it was given; it may name bytes that it never read, but none that it could not have. */
static bool read_ranges(service *it, mr_frame *frame, const mr_artifact *from, mr_range ranges[MR_HOST_RANGES], size_t *ret_count, size_t *ret_bytes)
{
    size_t len = 0;
    const void *data = mr_frame_bytes(frame, &len);
    const size_t count = len / sizeof(*ranges);
    uint64_t bytes = 0;
    if (!from || !whole(it, frame))
        return false;
    if (count == 0 || count > MR_HOST_RANGES || len % sizeof(*ranges) != 0 || !from->has_content)
        return out_of_line(it, "ranges that can't be");
    memcpy(ranges, data, len);
    for (size_t i = 0; i < count; i++) {
        if (ranges[i].offset > from->size || ranges[i].size > from->size - ranges[i].offset || ranges[i].size > MR_HOST_COPY - bytes)
            return out_of_line(it, "a range beyond the artifact's end, or too many bytes at once");
        bytes += ranges[i].size;
    }
    *ret_count = count;
    *ret_bytes = (size_t)bytes;
    return true;
}

static bool on_copy(service *it, mr_frame *frame)
{
    mr_range ranges[MR_HOST_RANGES];
    size_t count = 0;
    size_t bytes = 0;
    const uint32_t slot = mr_frame_u32(frame);
    mr_task *task = running_task(it, slot);
    const uint32_t number = mr_frame_u32(frame);
    const uint64_t offset = mr_frame_u64(frame);
    const mr_artifact *from = artifact_of(it, mr_frame_u32(frame));
    if (!task || !read_ranges(it, frame, from, ranges, &count, &bytes))
        return false;
    content *content = content_for(it, task, slot, number, offset, bytes);
    if (content && content->status == MR_OK)
        content->status = mr_host_table.content_copy_at(content->content, offset, from, ranges, count);
    return content != NULL;
}

static void drop(content *content)
{
    mr_host_table.content_free(content->content);
    *content = (struct content){0};
}

static bool on_drop(service *it, mr_frame *frame)
{
    const uint32_t number = mr_frame_u32(frame);
    if (!whole(it, frame))
        return false;
    if (number >= MR_HOST_CONTENTS)
        return out_of_line(it, "the number of a content that can't be");
    drop(&it->contents[number]);
    return true;
}

static bool may_emit(service *it, const mr_task *task, uint32_t port, const char *meta)
{
    it->emitted_meta += strlen(meta);
    if (port >= task->node->output_count)
        return out_of_line(it, "an artifact for a port that its op does not have");
    if (++it->emitted > MR_MAX_ITEMS || it->emitted_meta > EMIT_META_MAX)
        return lose(it, "was ended: it emitted more than %u artifacts, or more than %llu MiB of metadata", MR_MAX_ITEMS, EMIT_META_MAX >> 20);
    return true;
}

static bool on_emit(service *it, mr_frame *frame)
{
    const uint32_t slot = mr_frame_u32(frame);
    mr_task *task = running_task(it, slot);
    const uint32_t port = mr_frame_u32(frame);
    const uint32_t number = mr_frame_u32(frame);
    const char *meta = mr_frame_text(frame);
    if (!task || !whole(it, frame) || !may_emit(it, task, port, meta))
        return false;
    if (number == MR_HOST_NOTHING)
        return reply(it, mr_host_table.emit(task, port, meta, NULL));
    if (number >= MR_HOST_CONTENTS || it->contents[number].slot != slot)
        return out_of_line(it, "an artifact with a content that is not the task's");
    content *content = &it->contents[number];
    mr_status status = content->status;
    if (status == MR_OK && !content->content)
        return out_of_line(it, "an artifact with a content that it did not write");
    if (status == MR_OK) {
        status = mr_host_table.emit(task, port, meta, content->content);
        content->content = NULL; /* taken */
    }
    drop(content);
    return reply(it, status);
}

static bool on_emit_from(service *it, mr_frame *frame)
{
    mr_task *task = running_task(it, mr_frame_u32(frame));
    const uint32_t port = mr_frame_u32(frame);
    const mr_artifact *artifact = artifact_of(it, mr_frame_u32(frame));
    const char *meta = mr_frame_text(frame);
    if (!task || !artifact || !whole(it, frame) || !may_emit(it, task, port, meta))
        return false;
    return reply(it, mr_host_table.emit_from(task, port, meta, artifact));
}

/* ---- telling ---- */

/* Frames that only tell something are free to send, so their number is limited. */
static bool may_talk(service *it)
{
    const uint64_t seconds = (uint64_t)((mr_now_us() - it->began_us) / 1000000);
    if (++it->talk <= TALK_FREE + (seconds + 1) * TALK_RATE * it->count)
        return true;
    return lose(it, "was ended: it flooded the engine with messages");
}

static bool on_progress(service *it, mr_frame *frame)
{
    mr_task *task = running_task(it, mr_frame_u32(frame));
    const double fraction = mr_frame_f64(frame);
    if (!task || !whole(it, frame) || !may_talk(it))
        return false;
    mr_host_table.progress(task, fraction);
    return true;
}

static bool on_report(service *it, mr_frame *frame)
{
    mr_task *task = running_task(it, mr_frame_u32(frame));
    const uint32_t severity = mr_frame_u32(frame);
    const char *param = mr_frame_text(frame);
    const char *hint = mr_frame_text(frame);
    const char *message = mr_frame_text(frame);
    if (!task || !whole(it, frame) || !may_talk(it))
        return false;
    if (severity > MR_SEVERITY_ERROR || strlen(param) > REPORT_TEXT_MAX || strlen(hint) > REPORT_TEXT_MAX)
        return out_of_line(it, "a message that is not as it should be");
    mr_host_table.report(task, (mr_severity)severity, param[0] ? param : NULL, hint[0] ? hint : NULL, "%.*s", (int)REPORT_TEXT_MAX, message);
    return true;
}

static bool on_reads(service *it, mr_frame *frame)
{
    const mr_artifact *artifact = artifact_of(it, mr_frame_u32(frame));
    const uint32_t first = mr_frame_u32(frame);
    size_t len = 0;
    const unsigned char *blocks = mr_frame_bytes(frame, &len);
    if (!artifact || !whole(it, frame) || !may_talk(it))
        return false;
    return mr_reads_merge(it->batch, (const mr_item *)(const void *)artifact, first, blocks, len) || out_of_line(it, "reads that can't be");
}

/* ---- ending ---- */

static bool valid_status(service *it, int64_t status)
{
    return (status >= MR_ERR_INTERNAL && status <= MR_NOT_YET) || out_of_line(it, "a status that there is not");
}

static bool on_finish(service *it, mr_frame *frame)
{
    mr_task *task = running_task(it, mr_frame_u32(frame));
    const int64_t status = mr_frame_i64(frame);
    const int64_t cpu_us = mr_frame_i64(frame);
    if (!task || !whole(it, frame) || !valid_status(it, status))
        return false;
    task->cpu_us = cpu_us > 0 ? cpu_us : 0;
    mr_task_conclude(task, status == MR_END ? MR_ERR_INTERNAL : (mr_status)status);
    return reply(it, MR_OK);
}

static bool on_done(service *it, mr_frame *frame)
{
    const int64_t status = mr_frame_i64(frame);
    const int64_t cpu_us = mr_frame_i64(frame);
    if (!whole(it, frame) || !valid_status(it, status))
        return false;
    it->outcome->status = status == MR_END ? MR_ERR_INTERNAL : (mr_status)status;
    it->outcome->cpu_us = cpu_us > 0 ? cpu_us : 0;
    it->done = true;
    return true;
}

static bool dispatch(service *it, mr_frame *frame)
{
    switch (frame->type) {
    case MR_FRAME_INPUT_COUNT: return on_input_count(it, frame);
    case MR_FRAME_INPUT: return on_input(it, frame);
    case MR_FRAME_NEXT: return on_next(it, frame);
    case MR_FRAME_OPEN: return on_open(it, frame);
    case MR_FRAME_NEED: return on_need(it, frame);
    case MR_FRAME_WRITE: return on_write(it, frame);
    case MR_FRAME_COPY: return on_copy(it, frame);
    case MR_FRAME_DROP: return on_drop(it, frame);
    case MR_FRAME_EMIT: return on_emit(it, frame);
    case MR_FRAME_EMIT_FROM: return on_emit_from(it, frame);
    case MR_FRAME_PROGRESS: return on_progress(it, frame);
    case MR_FRAME_REPORT: return on_report(it, frame);
    case MR_FRAME_READS: return on_reads(it, frame);
    case MR_FRAME_FINISH: return on_finish(it, frame);
    case MR_FRAME_DONE: return on_done(it, frame);
    default: return out_of_line(it, "a frame of an unknown type");
    }
}

/* ---- the loop ---- */

/* Passes wishes to end on, and sees that they are heard. */
static bool look_at_cancels(service *it, int64_t now)
{
    bool any = false;
    for (uint32_t i = 0; i < it->count; i++) {
        if (it->batch->concluded[it->slots[i]] || !atomic_load(&it->tasks[i]->cancel))
            continue;
        __atomic_store_n(&it->host->control->cancel[i], 1, __ATOMIC_RELEASE);
        any = true;
    }
    if (!any)
        it->cancel_us = 0;
    else if (it->cancel_us == 0)
        it->cancel_us = now;
    if (any && now - it->cancel_us > CANCEL_GRACE_US)
        return lose(it, "was ended: it did not stop when it was told to");
    return true;
}

static bool look_at_time(service *it)
{
    char limit[32];
    const int64_t now = mr_now_us();
    mr_host_listen(it->host);
    if (!look_at_cancels(it, now))
        return false;
    const bool script = mr_ops_script_of(it->tasks[0]->node->node->op) != NULL;
    const int64_t most = script && SILENCE_US < it->settings->host_hang ? SILENCE_US : it->settings->host_hang;
    if (now - it->heard_us <= most)
        return true;
    mr_duration_text(most, limit, sizeof(limit));
    if (script) { /* it would do so again, so it is no strike */
        it->outcome->stuck = true;
        mr_host_table.report(it->tasks[0], MR_SEVERITY_ERROR, NULL, "a pattern may take for ever: look for several '.-' or '.*' in one",
                             "the script was ended: it was in one call of Lua's library for %s", limit);
    }
    return lose(it, "was ended: it made no progress for %s (host.hang)", limit);
}

static bool serve(service *it)
{
    mr_frame frame;
    int64_t looked_us = 0;
    while (!it->done) {
        mr_status status = mr_wire_receive(&it->host->wire, TICK_MS, &frame);
        if (status == MR_OK && !dispatch(it, &frame))
            return false;
        if (status == MR_OK)
            it->heard_us = mr_now_us();
        else if (status == MR_ERR_LIMIT)
            return out_of_line(it, "a frame over the limit");
        else if (status != MR_NOT_YET)
            return false; /* how it ended, its process tells */
        if (status == MR_NOT_YET || mr_now_us() - looked_us > TICK_MS * 1000ll) {
            looked_us = mr_now_us();
            if (!look_at_time(it))
                return false;
        }
    }
    return true;
}

static void tell_script(service *it, const mr_ops_script *script)
{
    if (script && it->told == MR_OK)
        it->told = mr_host_tell_script(it->host, it->settings, script);
}

static void tell_filter(const mr_filter_use *use, void *context)
{
    tell_script(context, use->filter ? mr_filter_script_of(use->filter) : NULL);
}

static bool send_batch(service *it)
{
    for (uint32_t i = 0; i < it->count; i++) {
        const mr_op *op = it->tasks[i]->node->node->op;
        tell_script(it, mr_ops_script_of(op));
        mr_params_each_filter(op->params, it->tasks[i]->params, tell_filter, it);
    }
    if (it->told != MR_OK)
        return lose(it, "could not be told its scripts");
    mr_host_listen(it->host);
    it->host->words_len = 0; /* those of an earlier batch are not this one's last words */
    mr_packer *packer = &it->host->packer;
    mr_pack_begin(packer, MR_FRAME_RUN);
    mr_pack_u32(packer, 1 + it->batch->spare);
    mr_pack_u32(packer, it->count);
    for (uint32_t i = 0; i < it->count; i++) {
        const mr_op *op = it->tasks[i]->node->node->op;
        json_t *params = op->params ? mr_params_dump(op->params, it->tasks[i]->params) : json_object();
        mr_autofree char *text = params ? mr_json_text(params) : NULL;
        json_decref(params);
        if (!text)
            return lose(it, "could not be told its params: memory ran out");
        mr_pack_text(packer, op->name);
        mr_pack_text(packer, text);
    }
    return send_reply(it, -1);
}

bool mr_host_serve(mr_task_host *host, const mr_settings *settings, mr_task *const *tasks, const uint32_t *slots, uint32_t count,
                   mr_host_outcome *ret_outcome)
{
    service it = {.host = host,
                  .settings = settings,
                  .tasks = tasks,
                  .slots = slots,
                  .count = count,
                  .batch = tasks[0]->batch,
                  .began_us = mr_now_us(),
                  .heard_us = mr_now_us(),
                  .outcome = ret_outcome};
    const bool good = send_batch(&it) && serve(&it);
    for (uint32_t i = 0; i < MR_HOST_CONTENTS; i++)
        drop(&it.contents[i]);
    free(it.artifacts);
    ret_outcome->lost = !good;
    memcpy(ret_outcome->why, it.why, sizeof(it.why));
    return good;
}
