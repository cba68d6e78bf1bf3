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

struct mr_content {
    mr_task *task;
    mr_object_writer *writer;
    mr_move *move; /* bytes of sources that will be there; NULL: none */
};

static const mr_item *item_of(const mr_artifact *artifact)
{
    return (const mr_item *)artifact;
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

/* What was to be moved later is moved now. */
static mr_status move_now(mr_content *content)
{
    if (!content->move)
        return MR_OK;
    mr_diags *diags = mr_diags_new();
    mr_status status = mr_move_make(content->move, content->task, content->writer, diags);
    report_first(content->task, diags);
    mr_diags_free(diags);
    return status;
}

static mr_status host_content_write_at(mr_content *content, uint64_t offset, const void *data, size_t len)
{
    mr_status status = move_now(content); /* who comes last is who is seen */
    if (status != MR_OK)
        return status;
    mr_diags *diags = mr_diags_new();
    status = mr_object_write_at(content->writer, offset, data, len, diags);
    report_first(content->task, diags);
    mr_diags_free(diags);
    return status;
}

static mr_status copy_now(mr_content *content, uint64_t offset, const mr_artifact *artifact, const mr_range *ranges, size_t count)
{
    mr_task *task = content->task;
    const mr_object_source from = {
        .fd = open_content(task, item_of(artifact)), .name = artifact->name[0] ? artifact->name : "a stored content", .cancel = &task->cancel};
    mr_status status = move_now(content);
    if (from.fd < 0 || status != MR_OK)
        return status != MR_OK ? status : MR_ERR_IO;
    mr_diags *diags = mr_diags_new();
    status = mr_object_copy_at(content->writer, offset, &from, ranges, count, diags);
    report_first(task, diags);
    mr_diags_free(diags);
    return status;
}

static mr_status host_content_copy_at(mr_content *content, uint64_t offset, const mr_artifact *from, const mr_range *ranges, size_t count)
{
    const mr_item *item = item_of(from);
    mr_task *task = content->task;
    uint64_t end = 0;
    if (!from->has_content)
        return MR_ERR_PARAM;
    for (size_t i = 0; i < count; i++)
        end = ranges[i].offset + ranges[i].size > end ? ranges[i].offset + ranges[i].size : end;
    mr_status status = mr_task_need(task, item, end);
    if (status != MR_OK)
        return status;
    for (size_t i = 0; i < count; i++)
        mr_reads_add(task, item, ranges[i].offset, ranges[i].size);
    if (item->fd >= 0 && !task->node->streaming && mr_move_add(&content->move, item, offset, ranges, count))
        return MR_OK;
    return copy_now(content, offset, from, ranges, count);
}

static void host_content_free(mr_content *content)
{
    if (!content)
        return;
    mr_object_discard(content->writer);
    mr_move_free(content->move);
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

static mr_status new_item(mr_task *task, uint32_t port, const char *meta, mr_item **ret_item)
{
    mr_engine *engine = task->run->engine;
    *ret_item = NULL;
    if (port >= task->node->output_count)
        return plugin_mistake(task, "emitted on a port that it does not have");
    if (task->node->streaming)
        mr_delivery_wait(task->run->delivery); /* each item is told at once */
    char *text = canonical(meta ? meta : "{}");
    if (!text)
        return plugin_mistake(task, "emitted metadata that is not a JSON object");
    pthread_mutex_lock(&engine->lock);
    *ret_item = mr_item_new(task->run, task->node->node->op->outputs[port].types, text);
    pthread_mutex_unlock(&engine->lock);
    free(text);
    return *ret_item ? MR_OK : MR_ERR_NOMEM;
}

static mr_status emit_item(mr_task *task, uint32_t port, const char *meta, const char *digest, uint64_t size)
{
    mr_engine *engine = task->run->engine;
    mr_item *item = NULL;
    mr_status status = new_item(task, port, meta, &item);
    if (status != MR_OK)
        return status;
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

/* Its digest is known when the task has ended. */
static mr_status emit_moving(mr_task *task, uint32_t port, const char *meta, mr_content *take_content)
{
    mr_item *item = NULL;
    mr_status status = new_item(task, port, meta, &item);
    if (status == MR_OK)
        status = mr_task_add_output(task, port, item);
    if (status != MR_OK) {
        host_content_free(take_content);
        return status;
    }
    status = mr_task_move(task, take_content->move, take_content->writer, item);
    free(take_content);
    return status;
}

static mr_status host_emit(mr_task *task, uint32_t port, const char *meta, mr_content *take_content)
{
    char digest[MR_DIGEST_TEXT] = "";
    uint64_t size = 0;
    if (take_content && take_content->move)
        return emit_moving(task, port, meta, take_content);
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
    .input_count = mr_host_input_count,
    .input = mr_host_input,
    .next = mr_host_next,
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
