/* SPDX-License-Identifier: MIT */
/*
 * The table that ops call (millrace/op.h says what each promises). The op runs on the thread that owns the task, so the task's own
 * fields need no lock; streams, slots and other tasks do.
 * A plugin is not trusted to be right: ports and sizes are checked, and a mistake is reported as the plugin's.
 */
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "runtime/internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRESS_INTERVAL_US 100000
#define COPY_STEP            ((size_t)512 << 10)

struct mr_content {
    mr_task *task;
    mr_object_writer *writer;
};

static const mr_item *item_of(const mr_artifact *artifact)
{
    return (const mr_item *)artifact;
}

/* ---- inputs ---- */

static const mr_bound_port *find_port(const mr_task *task, uint32_t port, uint32_t *ret_binding)
{
    for (uint32_t b = 0; b < task->node->node->binding_count; b++) {
        if (task->node->ports[b].binding->port == port) {
            *ret_binding = b;
            return &task->node->ports[b];
        }
    }
    return NULL;
}

/* A slot may be filled by a task of the same batch, on this thread: the lock makes it seen in every other case too. */
static const mr_item *slot_item(const mr_task *task, uint32_t binding)
{
    pthread_mutex_lock(&task->run->engine->lock);
    const mr_item *item = task->slots[binding]->item;
    pthread_mutex_unlock(&task->run->engine->lock);
    return item;
}

static size_t host_input_count(const mr_task *task, uint32_t port)
{
    uint32_t b = 0;
    const mr_bound_port *bound = find_port(task, port, &b);
    if (!bound || bound->streaming)
        return 0;
    return b < task->node->crossed ? (slot_item(task, b) ? 1 : 0) : bound->item_count;
}

static const mr_artifact *host_input(const mr_task *task, uint32_t port, size_t index)
{
    uint32_t b = 0;
    const mr_bound_port *bound = find_port(task, port, &b);
    const mr_item *item = NULL;
    if (!bound || bound->streaming)
        return NULL;
    if (b < task->node->crossed)
        item = index == 0 ? slot_item(task, b) : NULL;
    else if (index < bound->item_count)
        item = bound->items[index];
    return item ? &item->pub : NULL;
}

typedef enum next_answer { NEXT_ITEM, NEXT_WAIT, NEXT_END } next_answer;

static next_answer look_at_arrivals(mr_task *task, const mr_stream *stream, size_t s, const mr_artifact **ret_item)
{
    if (task->cursors[s] == stream->arrival_count)
        return stream->complete ? NEXT_END : NEXT_WAIT;
    *ret_item = &stream->arrivals[task->cursors[s]++]->pub;
    return NEXT_ITEM;
}

/* Looks at source number s of a streaming task; voids are passed over. */
static next_answer look_at(mr_task *task, const mr_stream *stream, size_t s, const mr_artifact **ret_item)
{
    while (task->cursors[s] < stream->count) {
        const mr_slot *slot = stream->slots[task->cursors[s]];
        if (slot->state == MR_SLOT_PROMISED)
            return NEXT_WAIT;
        task->cursors[s]++;
        if (slot->state == MR_SLOT_FILLED) {
            *ret_item = &slot->item->pub;
            return NEXT_ITEM;
        }
    }
    return stream->complete ? NEXT_END : NEXT_WAIT;
}

/* Sources take turns, beginning after the one that answered last. */
static next_answer look_at_all(mr_task *task, uint32_t *ret_port, const mr_artifact **ret_item)
{
    const mr_node_run *node = task->node;
    size_t total = 0;
    bool waiting = false;
    for (size_t b = 0; b < node->node->binding_count; b++)
        total += node->ports[b].streaming ? node->ports[b].binding->source_count : 0;
    for (size_t turn = 0; turn < total; turn++) {
        size_t wanted = (task->cursor_last + 1 + turn) % total;
        size_t first = 0;
        for (size_t b = 0; b < node->node->binding_count; b++) {
            const mr_bound_port *port = &node->ports[b];
            size_t count = port->streaming ? port->binding->source_count : 0;
            if (wanted < first || wanted >= first + count) {
                first += count;
                continue;
            }
            next_answer (*look)(mr_task *, const mr_stream *, size_t, const mr_artifact **) = port->any_order ? look_at_arrivals : look_at;
            next_answer answer = look(task, port->sources[wanted - first], wanted, ret_item);
            if (answer == NEXT_ITEM) {
                *ret_port = port->binding->port;
                task->cursor_last = wanted;
                return answer;
            }
            waiting = waiting || answer == NEXT_WAIT;
            break;
        }
    }
    return waiting ? NEXT_WAIT : NEXT_END;
}

static mr_status host_next(mr_task *task, uint32_t *ret_port, const mr_artifact **ret_item)
{
    mr_engine *engine = task->run->engine;
    mr_status status = MR_OK;
    if (!task->cursors)
        return MR_END;
    pthread_mutex_lock(&engine->lock);
    for (;;) {
        if (atomic_load(&task->cancel)) {
            status = MR_ERR_CANCELLED;
            break;
        }
        next_answer answer = look_at_all(task, ret_port, ret_item);
        if (answer != NEXT_WAIT) {
            status = answer == NEXT_ITEM ? MR_OK : MR_END;
            break;
        }
        pthread_cond_wait(task->wake, &engine->lock);
    }
    pthread_mutex_unlock(&engine->lock);
    return status;
}

/* ---- content ---- */

void mr_task_close_contents(mr_task *task)
{
    for (uint32_t i = 0; i < MR_OPEN_CONTENTS; i++) {
        if (task->open[i].item)
            close(task->open[i].fd);
        task->open[i] = (mr_open_content){0};
    }
}

static int open_content(mr_task *task, const mr_item *item)
{
    uint64_t size = 0;
    int fd = -1;
    if (item->fd >= 0)
        return item->fd;
    for (uint32_t i = 0; i < MR_OPEN_CONTENTS; i++) {
        if (task->open[i].item == item)
            return task->open[i].fd;
    }
    mr_diags *diags = mr_diags_new();
    mr_status status = mr_objects_fd(task->run->engine->objects, item->digest, diags, &fd, &size);
    const mr_diag *diag = mr_diags_first(diags);
    if (status != MR_OK) {
        mr_report_add(task, MR_SEVERITY_ERROR, NULL, diag ? diag->hint : "the state folder was changed while the run went on",
                      strdup(diag ? diag->message : "a stored content is gone"));
        fd = -1;
    }
    mr_diags_free(diags);
    if (fd < 0)
        return -1;
    mr_open_content *place = &task->open[task->open_next++ % MR_OPEN_CONTENTS];
    if (place->item)
        close(place->fd);
    *place = (mr_open_content){.item = item, .fd = fd};
    return fd;
}

static mr_status host_read_at(mr_task *task, const mr_artifact *artifact, uint64_t offset, void *buf, size_t len, size_t *ret_len)
{
    *ret_len = 0;
    if (!artifact->has_content || offset >= artifact->size)
        return MR_OK;
    if (len > artifact->size - offset)
        len = (size_t)(artifact->size - offset);
    mr_status status = mr_task_need(task, item_of(artifact), offset + len);
    int fd = status == MR_OK ? open_content(task, item_of(artifact)) : -1;
    if (fd < 0)
        return status != MR_OK ? status : MR_ERR_IO;
    mr_reads_add(task, item_of(artifact), offset, len);
    while (*ret_len < len) {
        ssize_t got = pread(fd, (char *)buf + *ret_len, len - *ret_len, (off_t)(offset + *ret_len));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            mr_host_table.report(task, MR_SEVERITY_ERROR, NULL, NULL, "can't read %s: %s", artifact->name[0] ? artifact->name : "a stored content",
                                 strerrordesc_np(errno));
            return MR_ERR_IO;
        }
        if (got == 0)
            break; /* a source that was cut while we read it: the op sees the end */
        *ret_len += (size_t)got;
    }
    return MR_OK;
}

int mr_task_open_content(mr_task *task, const mr_artifact *artifact)
{
    return artifact->has_content ? open_content(task, item_of(artifact)) : -1;
}

static uint64_t host_arrived(mr_task *task __attribute__((unused)), const mr_artifact *artifact)
{
    return mr_item_have(item_of(artifact));
}

static int host_content_fd(mr_task *task, const mr_artifact *artifact)
{
    if (mr_item_have(item_of(artifact)) < artifact->size)
        return -1;                                            /* what is read by it would not be waited for */
    mr_reads_add(task, item_of(artifact), 0, artifact->size); /* what is read of it, nobody sees */
    return mr_task_open_content(task, artifact);
}

static void report_first(mr_task *task, const mr_diags *diags)
{
    const mr_diag *diag = mr_diags_first(diags);
    if (diag)
        mr_report_add(task, MR_SEVERITY_ERROR, NULL, diag->hint, strdup(diag->message));
}

static mr_status host_content_new(mr_task *task, mr_content **ret_content)
{
    mr_diags *diags = mr_diags_new();
    mr_content *content = calloc(1, sizeof(*content));
    mr_status status = content ? mr_objects_writer(task->run->engine->objects, diags, &content->writer) : MR_ERR_NOMEM;
    if (status != MR_OK) {
        report_first(task, diags);
        free(content);
        content = NULL;
    } else {
        content->task = task;
    }
    mr_diags_free(diags);
    *ret_content = content;
    return status;
}

static mr_status host_content_write_at(mr_content *content, uint64_t offset, const void *data, size_t len)
{
    mr_diags *diags = mr_diags_new();
    mr_status status = mr_object_write_at(content->writer, offset, data, len, diags);
    report_first(content->task, diags);
    mr_diags_free(diags);
    return status;
}

/* Reads what the artifact has, for host_content_copy_at: a source that was cut while we read it ends the copy. */
static mr_status read_range(mr_task *task, const mr_artifact *from, uint64_t offset, char *buf, size_t len)
{
    size_t got = 0;
    mr_status status = host_read_at(task, from, offset, buf, len, &got);
    if (status == MR_OK && got < len) {
        mr_report_add(task, MR_SEVERITY_ERROR, NULL, NULL, strdup("the source has become shorter while it was read"));
        status = MR_ERR_INPUT;
    }
    return status;
}

/* Ranges are gathered, so that many small ones cost one write, while the bytes are in the processor's cache. */
static mr_status host_content_copy_at(mr_content *content, uint64_t offset, const mr_artifact *from, const mr_range *ranges, size_t count)
{
    size_t used = 0;
    mr_autofree char *buf = malloc(COPY_STEP);
    mr_status status = buf ? MR_OK : MR_ERR_NOMEM;
    for (size_t i = 0; i < count && status == MR_OK; i++) {
        for (uint64_t done = 0; done < ranges[i].size && status == MR_OK;) {
            const uint64_t left = ranges[i].size - done;
            const size_t len = left < COPY_STEP - used ? (size_t)left : COPY_STEP - used;
            status = read_range(content->task, from, ranges[i].offset + done, buf + used, len);
            done += len;
            used += len;
            if (used < COPY_STEP || status != MR_OK)
                continue;
            status = host_content_write_at(content, offset, buf, used);
            offset += used;
            used = 0;
        }
    }
    return status == MR_OK && used > 0 ? host_content_write_at(content, offset, buf, used) : status;
}

static void host_content_free(mr_content *content)
{
    if (!content)
        return;
    mr_object_discard(content->writer);
    free(content);
}

/* ---- emitting ---- */

static mr_status plugin_mistake(mr_task *task, const char *what)
{
    char *message = NULL;
    if (asprintf(&message, "op '%s' %s", task->node->node->op->name, what) >= 0)
        mr_report_add(task, MR_SEVERITY_ERROR, NULL, "this is a defect of the plugin", message);
    return MR_ERR_INTERNAL;
}

/* Canonical metadata, or NULL: not a JSON object. */
static char *canonical(const char *meta)
{
    json_t *value = mr_json_read(meta, strlen(meta), MR_MAX_META, NULL);
    char *text = json_is_object(value) ? mr_json_text(value) : NULL;
    json_decref(value);
    return text;
}

static void pass_on(mr_task *task, uint32_t port, mr_item *item)
{
    char text[96];
    char type[80];
    json_t *meta = mr_json_read(item->meta, item->pub.meta_len, MR_MAX_META, NULL);
    json_t *detail = json_pack("{s:s, s:s, s:o, s:s, s:I}", "port", task->node->node->op->outputs[port].name, "type",
                               mr_types_text(item->pub.type, type, sizeof(type)), "meta", meta ? meta : json_object(), "digest", item->digest, "size",
                               (json_int_t)item->pub.size);
    if (!mr_stream_add(task->run, &task->node->outputs[port], item))
        mr_run_stop(task->run, MR_ERR_NOMEM);
    mr_run_emit(task->run,
                (mr_event){.type = MR_EVENT_OUTPUT, .node = task->node->node->name, .item = mr_task_item_text(task, text), .detail = detail});
    json_decref(detail);
}

static mr_status emit_item(mr_task *task, uint32_t port, const char *meta, const char *digest, uint64_t size)
{
    mr_engine *engine = task->run->engine;
    mr_status status = MR_OK;
    if (port >= task->node->output_count)
        return plugin_mistake(task, "emitted on a port that it does not have");
    if (task->node->streaming)
        mr_delivery_wait(task->run->delivery); /* each item is told at once */
    char *text = canonical(meta ? meta : "{}");
    if (!text)
        return plugin_mistake(task, "emitted metadata that is not a JSON object");
    pthread_mutex_lock(&engine->lock);
    mr_item *item = mr_item_new(task->run, task->node->node->op->outputs[port].types, text);
    pthread_mutex_unlock(&engine->lock);
    free(text);
    if (!item)
        return MR_ERR_NOMEM;
    if (digest)
        mr_item_set_content(item, digest, size);
    mr_item_seal(item);
    if (!task->node->streaming)
        return mr_task_add_output(task, port, item);
    pthread_mutex_lock(&engine->lock);
    if (task->node->outputs[port].by_task) /* its only item, seen when the task has ended */
        status = mr_task_add_output(task, port, item);
    else
        pass_on(task, port, item);
    mr_run_settle(task->run);
    pthread_mutex_unlock(&engine->lock);
    return status;
}

static mr_status host_emit(mr_task *task, uint32_t port, const char *meta, mr_content *take_content)
{
    char digest[MR_DIGEST_TEXT] = "";
    uint64_t size = 0;
    if (take_content) {
        mr_diags *diags = mr_diags_new();
        mr_status status = mr_object_commit(take_content->writer, diags, digest, &size);
        free(take_content);
        report_first(task, diags);
        mr_diags_free(diags);
        if (status != MR_OK)
            return status;
    }
    return emit_item(task, port, meta, take_content ? digest : NULL, size);
}

static mr_status host_emit_bytes(mr_task *task, uint32_t port, const char *meta, const void *data, size_t len)
{
    mr_content *content = NULL;
    mr_status status = host_content_new(task, &content);
    if (status == MR_OK && len > 0)
        status = host_content_write_at(content, 0, data, len);
    if (status != MR_OK) {
        host_content_free(content);
        return status;
    }
    return host_emit(task, port, meta, content);
}

static mr_status host_emit_from(mr_task *task, uint32_t port, const char *meta, const mr_artifact *content_of)
{
    const mr_item *from = item_of(content_of);
    if (!content_of->has_content)
        return emit_item(task, port, meta, NULL, 0);
    if (from->fd < 0)
        return emit_item(task, port, meta, from->digest, content_of->size);
    /* A source is not ours to keep: copy it. */
    mr_content *content = NULL;
    mr_autofree char *buf = malloc(1 << 20);
    mr_status status = buf ? host_content_new(task, &content) : MR_ERR_NOMEM;
    for (uint64_t offset = 0; status == MR_OK && offset < content_of->size;) {
        size_t got = 0;
        status = host_read_at(task, content_of, offset, buf, 1 << 20, &got);
        if (status == MR_OK && got == 0)
            break;
        if (status == MR_OK)
            status = host_content_write_at(content, offset, buf, got);
        offset += got;
    }
    if (status != MR_OK) {
        host_content_free(content);
        return status;
    }
    return host_emit(task, port, meta, content);
}

/* ---- being a task ---- */

static void host_progress(mr_task *task, double fraction)
{
    char item[96];
    int64_t now = mr_now_us();
    if (now - task->last_progress_us < PROGRESS_INTERVAL_US)
        return;
    task->last_progress_us = now;
    pthread_mutex_lock(&task->run->engine->lock);
    mr_run_emit(task->run, (mr_event){.type = MR_EVENT_TASK_PROGRESS,
                                      .node = task->node->node->name,
                                      .item = mr_task_item_text(task, item),
                                      .fraction = fraction < 0   ? 0
                                                  : fraction > 1 ? 1
                                                                 : fraction});
    pthread_mutex_unlock(&task->run->engine->lock);
}

static int host_cancelled(const mr_task *task)
{
    return atomic_load(&((mr_task *)task)->cancel);
}

static mr_status host_finish(mr_task *task, mr_status status)
{
    if (task->batch->concluded[task->batch_slot])
        return plugin_mistake(task, "finished a task twice");
    int64_t now = mr_thread_cpu_us();
    task->cpu_us = now - task->batch->cpu_mark_us;
    task->batch->cpu_mark_us = now;
    mr_task_conclude(task, status > 0 && status != MR_NOT_YET ? MR_ERR_INTERNAL : status);
    return MR_OK;
}

static const char *host_scratch(mr_task *task)
{
    char **place = &task->batch->scratch[task->batch_slot];
    if (!*place) {
        mr_diags *diags = mr_diags_new();
        if (mr_objects_scratch(task->run->engine->objects, diags, place) != MR_OK)
            *place = NULL;
        report_first(task, diags);
        mr_diags_free(diags);
    }
    return *place;
}

static void host_report(mr_task *task, mr_severity severity, const char *param, const char *hint, const char *fmt, ...)
{
    char *message = NULL;
    va_list args;
    va_start(args, fmt);
    int len = vasprintf(&message, fmt, args);
    va_end(args);
    if (len >= 0)
        mr_report_add(task, severity, param, hint, message);
}

/* ---- effects ---- */

static bool is_effect(const mr_task *task)
{
    return task->node->node->op->flags & MR_OP_EFFECT;
}

static const char *host_output_dir(const mr_task *task)
{
    return is_effect(task) ? task->run->output_dir : NULL;
}

static const char *host_output_url(const mr_task *task)
{
    const mr_run *run = task->run;
    return !is_effect(task) ? NULL : run->output_url ? run->output_url : run->output_dir;
}

static const mr_service *host_service(const mr_task *task, const char *service_class, const char *selector)
{
    const mr_plugins *plugins = task->run->engine->plugins;
    return is_effect(task) && plugins ? mr_plugins_service(plugins, service_class, selector) : NULL;
}

static const char *host_effect_key(const mr_task *task)
{
    mr_task *mine = (mr_task *)task; /* kept with the task so that the text can be borrowed */
    char item[96];
    char text[512];
    if (!is_effect(task))
        return NULL;
    if (!mine->effect_key && (mine->effect_key = malloc(MR_DIGEST_TEXT))) {
        int len = snprintf(text, sizeof(text), "%s\n%s\n%s", task->run->id, task->node->node->name, mr_task_item_text(task, item));
        mr_digest(text, len < (int)sizeof(text) ? (size_t)len : sizeof(text) - 1, mine->effect_key);
    }
    return mine->effect_key;
}

static const char *host_run_state(const mr_task *task)
{
    mr_task *mine = (mr_task *)task;
    mr_run *run = task->run;
    if (!is_effect(task))
        return NULL;
    if (!mine->run_state) {
        pthread_mutex_lock(&run->engine->lock);
        json_t *outputs = mr_run_outputs_locked(run);
        json_t *state =
            json_pack("{s:s, s:s, s:s, s:o}", "run", run->id, "pipeline", run->bound->pipeline->name ? run->bound->pipeline->name : "", "state",
                      run->stopping ? (run->cancelled ? "cancelled" : "failed") : "succeeded", "outputs", outputs ? outputs : json_object());
        if (state && run->failed_node)
            json_object_set_new(state, "failed_node", json_string(run->failed_node));
        if (state && run->failure_count)
            json_object_set_new(state, "reason", json_string(run->failures[0].message));
        pthread_mutex_unlock(&run->engine->lock);
        mine->run_state = state ? mr_json_text(state) : NULL;
        json_decref(state);
    }
    return mine->run_state;
}

static const mr_limits *host_limits(const mr_task *task)
{
    return &task->run->engine->settings.limits;
}

/* In the engine's own process there is nobody whose last words they could be. */
static void host_log_line(const char *line)
{
    (void)line;
}

const mr_host mr_host_table = {
    .size = sizeof(mr_host),
    .abi_major = MR_ABI_MAJOR,
    .abi_minor = MR_ABI_MINOR,
    .input_count = host_input_count,
    .input = host_input,
    .next = host_next,
    .read_at = host_read_at,
    .content_fd = host_content_fd,
    .content_new = host_content_new,
    .content_write_at = host_content_write_at,
    .content_copy_at = host_content_copy_at,
    .content_free = host_content_free,
    .emit = host_emit,
    .emit_bytes = host_emit_bytes,
    .emit_from = host_emit_from,
    .progress = host_progress,
    .cancelled = host_cancelled,
    .finish = host_finish,
    .scratch = host_scratch,
    .report = host_report,
    .output_dir = host_output_dir,
    .effect_key = host_effect_key,
    .run_state = host_run_state,
    .limits = host_limits,
    .output_url = host_output_url,
    .service = host_service,
    .log_line = host_log_line,
    .arrived = host_arrived,
};
