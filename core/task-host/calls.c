/* SPDX-License-Identifier: MIT */
/*
 * The calls that an op makes, as frames to the engine (runtime/hosts/protocol.h). Reading needs none: an input's descriptor is asked for
 * once, and read here. Small writes to a content are gathered, since each frame costs two switches of process.
 */
#include "task-host/child.h"

#include "base/file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define GATHER            (128u << 10)
#define WRITE_MAX         (1u << 20) /* bytes in one frame */
#define PROGRESS_EVERY_US 200000

struct mr_content {
    mr_task *task;
    uint32_t number;
    bool sent; /* the engine knows of it */
    uint64_t offset;
    size_t len;
    char data[GATHER];
};

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t mr_child_cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now); /* also of threads that a library made */
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- asking ---- */

void mr_child_send(mr_child *child)
{
    mr_status status = mr_wire_send(&child->wire, &child->packer, -1, -1);
    if (status == MR_END || status == MR_ERR_IO)
        _exit(0);
    if (status != MR_OK) {
        fprintf(stderr, "a message to the engine is too large\n");
        _exit(1);
    }
}

mr_frame mr_child_ask(mr_child *child, mr_status *ret_status)
{
    mr_frame frame = {0};
    mr_child_send(child);
    mr_status status = mr_wire_receive(&child->wire, -1, &frame);
    if (status == MR_END)
        _exit(0);
    if (status != MR_OK || frame.type != MR_FRAME_REPLY) {
        fprintf(stderr, "the engine's reply can't be read\n");
        _exit(1);
    }
    *ret_status = (mr_status)mr_frame_i64(&frame);
    return frame;
}

static mr_status ask(mr_child *child)
{
    mr_status status = MR_OK;
    mr_child_ask(child, &status);
    return status;
}

static mr_packer *begin(const mr_task *task, uint32_t type)
{
    mr_packer *packer = &task->child->packer;
    pthread_mutex_lock(&task->child->lock);
    mr_pack_begin(packer, type);
    mr_pack_u32(packer, task->slot);
    return packer;
}

static void end(const mr_task *task)
{
    pthread_mutex_unlock(&task->child->lock);
}

/* ---- inputs ---- */

static mr_known *read_artifact(mr_child *child, mr_frame *frame)
{
    const uint32_t number = mr_frame_u32(frame);
    mr_artifact pub = {.type = mr_frame_u32(frame), .has_content = mr_frame_u32(frame), .index = mr_frame_u64(frame), .size = mr_frame_u64(frame)};
    const uint64_t have = mr_frame_u64(frame);
    const char *digest = mr_frame_text(frame);
    const char *name = mr_frame_text(frame);
    const char *meta = mr_frame_text(frame);
    const size_t digest_len = strlen(digest) + 1;
    const size_t name_len = strlen(name) + 1;
    const size_t meta_len = strlen(meta) + 1;
    pub.name = name;
    const size_t reads_len = mr_child_reads_size(&pub);
    mr_known *known = malloc(sizeof(*known) + digest_len + name_len + meta_len + reads_len);
    if (!known)
        return NULL;
    known->reads = reads_len ? (unsigned char *)known->texts + digest_len + name_len + meta_len : NULL;
    known->new_first = 0;
    known->new_end = 0;
    if (reads_len)
        memset(known->reads, 0, reads_len);
    memcpy(known->texts, digest, digest_len);
    memcpy(known->texts + digest_len, name, name_len);
    memcpy(known->texts + digest_len + name_len, meta, meta_len);
    pub.digest = known->texts;
    pub.name = known->texts + digest_len;
    pub.meta = known->texts + digest_len + name_len;
    pub.meta_len = meta_len - 1;
    known->pub = pub;
    known->have = have;
    known->number = number;
    known->next = child->known;
    child->known = known;
    return known;
}

static size_t host_input_count(const mr_task *task, uint32_t port)
{
    mr_task *mine = (mr_task *)task;
    mr_child_port *known = port < MR_CHILD_PORTS ? &mine->ports[port] : NULL;
    mr_status status = MR_OK;
    if (!known || port >= MR_CHILD_PORTS)
        return 0;
    if (!known->counted) {
        mr_pack_u32(begin(task, MR_FRAME_INPUT_COUNT), port);
        mr_frame frame = mr_child_ask(task->child, &status);
        known->count = mr_frame_u64(&frame);
        known->counted = true;
        end(task);
    }
    return (size_t)known->count;
}

static bool make_room(mr_child_port *port, size_t index)
{
    if (index < port->room)
        return true;
    size_t room = port->room ? port->room : 4;
    while (room <= index)
        room *= 2;
    mr_known **grown = realloc(port->items, room * sizeof(*grown));
    if (!grown)
        return false;
    memset(grown + port->room, 0, (room - port->room) * sizeof(*grown));
    port->items = grown;
    port->room = room;
    return true;
}

static const mr_artifact *host_input(const mr_task *task, uint32_t port, size_t index)
{
    mr_status status = MR_OK;
    if (port >= MR_CHILD_PORTS || index >= host_input_count(task, port))
        return NULL;
    mr_child_port *known = &((mr_task *)task)->ports[port];
    if (!make_room(known, index))
        return NULL;
    if (!known->items[index]) {
        mr_packer *packer = begin(task, MR_FRAME_INPUT);
        mr_pack_u32(packer, port);
        mr_pack_u64(packer, index);
        mr_frame frame = mr_child_ask(task->child, &status);
        if (status == MR_OK)
            known->items[index] = read_artifact(task->child, &frame);
        end(task);
    }
    return known->items[index] ? &known->items[index]->pub : NULL;
}

/* Asks for the next ones. */
static mr_status read_ahead(mr_task *task)
{
    mr_status status = MR_OK;
    begin(task, MR_FRAME_NEXT);
    mr_frame frame = mr_child_ask(task->child, &status);
    const uint32_t count = mr_frame_u32(&frame);
    task->ahead_next = 0;
    task->ahead_count = status == MR_OK && count <= MR_HOST_AHEAD ? count : 0;
    for (uint32_t i = 0; i < task->ahead_count && status == MR_OK; i++) {
        task->ahead_ports[i] = mr_frame_u32(&frame);
        task->ahead[i] = read_artifact(task->child, &frame);
        status = task->ahead[i] ? MR_OK : MR_ERR_NOMEM;
    }
    end(task);
    return status == MR_OK && task->ahead_count == 0 ? MR_ERR_INTERNAL : status;
}

static int host_cancelled(const mr_task *task)
{
    return __atomic_load_n(&task->child->control->cancel[task->slot], __ATOMIC_ACQUIRE) != 0;
}

static mr_status host_next(mr_task *task, uint32_t *ret_port, const mr_artifact **ret_item)
{
    if (host_cancelled(task))
        return MR_ERR_CANCELLED;
    const mr_status status = task->ahead_next < task->ahead_count ? MR_OK : read_ahead(task);
    if (status != MR_OK)
        return status;
    *ret_port = task->ahead_ports[task->ahead_next];
    *ret_item = &task->ahead[task->ahead_next++]->pub;
    return MR_OK;
}

static int open_input(mr_task *task, const mr_known *artifact)
{
    mr_status status = MR_OK;
    for (uint32_t i = 0; i < MR_CHILD_OPEN; i++) {
        if (task->open[i].artifact == artifact)
            return task->open[i].fd;
    }
    mr_pack_u32(begin(task, MR_FRAME_OPEN), artifact->number);
    mr_child_ask(task->child, &status);
    int fd = mr_wire_take_fd(&task->child->wire);
    end(task);
    if (status != MR_OK || fd < 0)
        return -1;
    mr_open_input *place = &task->open[task->open_next++ % MR_CHILD_OPEN];
    if (place->artifact)
        close(place->fd);
    *place = (mr_open_input){.artifact = artifact, .fd = fd};
    return fd;
}

static void host_report(mr_task *task, mr_severity severity, const char *param, const char *hint, const char *fmt, ...) MR_PRINTF(5, 6);

/* What has not arrived must not be read, though the file may seem to have it. */
static mr_status need(mr_task *task, mr_known *artifact, uint64_t until)
{
    mr_status status = MR_OK;
    if (__atomic_load_n(&artifact->have, __ATOMIC_RELAXED) >= until)
        return MR_OK;
    mr_packer *packer = begin(task, MR_FRAME_NEED);
    mr_pack_u32(packer, artifact->number);
    mr_pack_u64(packer, until);
    mr_frame frame = mr_child_ask(task->child, &status);
    __atomic_store_n(&artifact->have, mr_frame_u64(&frame), __ATOMIC_RELAXED);
    end(task);
    return status;
}

static mr_status host_read_at(mr_task *task, const mr_artifact *artifact, uint64_t offset, void *buf, size_t len, size_t *ret_len)
{
    *ret_len = 0;
    if (!artifact->has_content || offset >= artifact->size)
        return MR_OK;
    if (len > artifact->size - offset)
        len = (size_t)(artifact->size - offset);
    mr_status status = need(task, (mr_known *)(void *)artifact, offset + len);
    int fd = status == MR_OK ? open_input(task, (const mr_known *)(const void *)artifact) : -1;
    if (fd < 0)
        return status != MR_OK ? status : MR_ERR_IO; /* the engine has said why */
    mr_child_count_read((mr_known *)(void *)artifact, offset, len);
    while (*ret_len < len) {
        ssize_t got = pread(fd, (char *)buf + *ret_len, len - *ret_len, (off_t)(offset + *ret_len));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            host_report(task, MR_SEVERITY_ERROR, NULL, NULL, "can't read %s: %s", artifact->name[0] ? artifact->name : "a stored content",
                        strerrordesc_np(errno));
            return MR_ERR_IO;
        }
        if (got == 0)
            break; /* a source that was cut while we read it: the op sees the end */
        *ret_len += (size_t)got;
    }
    return MR_OK;
}

/* As it was when the engine was asked last: a read beyond it asks again. */
static uint64_t host_arrived(mr_task *task, const mr_artifact *artifact)
{
    (void)task;
    return __atomic_load_n(&((const mr_known *)(const void *)artifact)->have, __ATOMIC_RELAXED);
}

static int host_content_fd(mr_task *task, const mr_artifact *artifact)
{
    if (host_arrived(task, artifact) < artifact->size)
        return -1;                                                        /* what is read by it would not be waited for */
    mr_child_count_read((mr_known *)(void *)artifact, 0, artifact->size); /* what is read of it, nobody sees */
    return artifact->has_content ? open_input(task, (const mr_known *)(const void *)artifact) : -1;
}

/* ---- outputs ---- */

static mr_status host_content_new(mr_task *task, mr_content **ret_content)
{
    mr_child *child = task->child;
    mr_content *content = malloc(sizeof(*content));
    uint32_t number = 0;
    *ret_content = NULL;
    pthread_mutex_lock(&child->lock);
    while (number < MR_HOST_CONTENTS && child->content_used[number])
        number++;
    if (content && number < MR_HOST_CONTENTS)
        child->content_used[number] = true;
    pthread_mutex_unlock(&child->lock);
    if (!content || number == MR_HOST_CONTENTS) {
        free(content);
        host_report(task, MR_SEVERITY_ERROR, NULL, "this is a defect of the plugin", "op '%s' has more than %u contents under way", task->op->name,
                    MR_HOST_CONTENTS);
        return MR_ERR_LIMIT;
    }
    content->task = task;
    content->number = number;
    content->sent = false;
    content->offset = 0;
    content->len = 0;
    *ret_content = content;
    return MR_OK;
}

static void send_bytes(mr_content *content, uint64_t offset, const void *data, size_t len)
{
    mr_packer *packer = begin(content->task, MR_FRAME_WRITE);
    mr_pack_u32(packer, content->number);
    mr_pack_u64(packer, offset);
    mr_pack_bytes(packer, data, len);
    mr_child_send(content->task->child);
    end(content->task);
    content->sent = true;
}

static void flush(mr_content *content)
{
    if (content->len > 0)
        send_bytes(content, content->offset, content->data, content->len);
    content->len = 0;
}

static mr_status host_content_write_at(mr_content *content, uint64_t offset, const void *data, size_t len)
{
    if (offset != content->offset + content->len || content->len + len > GATHER)
        flush(content);
    if (len > GATHER) {
        for (size_t at = 0; at < len; at += WRITE_MAX)
            send_bytes(content, offset + at, (const char *)data + at, len - at < WRITE_MAX ? len - at : WRITE_MAX);
        content->offset = offset + len;
        return MR_OK;
    }
    if (content->len == 0)
        content->offset = offset;
    if (len > 0)
        memcpy(content->data + content->len, data, len);
    content->len += len;
    return MR_OK; /* what goes wrong with it, emit() tells */
}

static void send_ranges(mr_content *content, uint64_t offset, const mr_known *from, const mr_range *ranges, size_t count)
{
    mr_packer *packer = begin(content->task, MR_FRAME_COPY);
    mr_pack_u32(packer, content->number);
    mr_pack_u64(packer, offset);
    mr_pack_u32(packer, from->number);
    mr_pack_bytes(packer, ranges, count * sizeof(*ranges));
    mr_child_send(content->task->child);
    end(content->task);
    content->sent = true;
}

static mr_status host_content_copy_at(mr_content *content, uint64_t offset, const mr_artifact *from, const mr_range *ranges, size_t count)
{
    const mr_known *known = (const mr_known *)(const void *)from;
    mr_range some[MR_HOST_RANGES];
    uint64_t bytes = 0;
    size_t used = 0;
    flush(content);
    for (size_t i = 0; i < count; i++) {
        for (uint64_t done = 0; done < ranges[i].size;) {
            const uint64_t left = ranges[i].size - done;
            const uint64_t len = left < MR_HOST_COPY - bytes ? left : MR_HOST_COPY - bytes;
            some[used++] = (mr_range){ranges[i].offset + done, len};
            bytes += len;
            done += len;
            if (used < MR_HOST_RANGES && bytes < MR_HOST_COPY)
                continue;
            send_ranges(content, offset, known, some, used);
            offset += bytes;
            bytes = used = 0;
        }
    }
    if (used > 0)
        send_ranges(content, offset, known, some, used);
    content->offset = offset + bytes;
    return MR_OK; /* as with bytes */
}

static void give_back(mr_content *content)
{
    pthread_mutex_lock(&content->task->child->lock);
    content->task->child->content_used[content->number] = false;
    pthread_mutex_unlock(&content->task->child->lock);
    free(content);
}

static void host_content_free(mr_content *content)
{
    if (!content)
        return;
    if (content->sent) {
        mr_child *child = content->task->child;
        pthread_mutex_lock(&child->lock);
        mr_pack_begin(&child->packer, MR_FRAME_DROP);
        mr_pack_u32(&child->packer, content->number);
        mr_child_send(child);
        pthread_mutex_unlock(&child->lock);
    }
    give_back(content);
}

static mr_status host_emit(mr_task *task, uint32_t port, const char *meta, mr_content *take_content)
{
    if (take_content) {
        flush(take_content);
        if (!take_content->sent)
            send_bytes(take_content, 0, "", 0); /* an empty content is one, too */
    }
    mr_packer *packer = begin(task, MR_FRAME_EMIT);
    mr_pack_u32(packer, port);
    mr_pack_u32(packer, take_content ? take_content->number : MR_HOST_NOTHING);
    mr_pack_text(packer, meta ? meta : "{}");
    mr_status status = ask(task->child);
    end(task);
    if (take_content)
        give_back(take_content);
    return status;
}

static mr_status host_emit_bytes(mr_task *task, uint32_t port, const char *meta, const void *data, size_t len)
{
    mr_content *content = NULL;
    mr_status status = host_content_new(task, &content);
    if (status == MR_OK)
        status = host_content_write_at(content, 0, data, len);
    return status == MR_OK ? host_emit(task, port, meta, content) : status;
}

static mr_status host_emit_from(mr_task *task, uint32_t port, const char *meta, const mr_artifact *content_of)
{
    mr_packer *packer = begin(task, MR_FRAME_EMIT_FROM);
    mr_pack_u32(packer, port);
    mr_pack_u32(packer, ((const mr_known *)(const void *)content_of)->number);
    mr_pack_text(packer, meta ? meta : "{}");
    mr_status status = ask(task->child);
    end(task);
    return status;
}

/* ---- being a task ---- */

static void host_progress(mr_task *task, double fraction)
{
    const int64_t now = now_us();
    if (now - task->progress_us < PROGRESS_EVERY_US)
        return;
    task->progress_us = now;
    mr_pack_f64(begin(task, MR_FRAME_PROGRESS), fraction >= 0 && fraction <= 1 ? fraction : 0);
    mr_child_send(task->child);
    end(task);
}

static mr_status host_finish(mr_task *task, mr_status status)
{
    mr_child_tell_reads(task->child);
    const int64_t now = mr_child_cpu_us();
    mr_packer *packer = begin(task, MR_FRAME_FINISH);
    mr_pack_i64(packer, status);
    mr_pack_i64(packer, now - task->child->cpu_mark_us);
    task->child->cpu_mark_us = now;
    mr_status answer = ask(task->child);
    end(task);
    return answer;
}

static const char *host_scratch(mr_task *task)
{
    if (!task->scratch && asprintf(&task->scratch, "%s/%u", task->child->scratch, task->slot) < 0)
        task->scratch = NULL;
    if (!task->scratch || mkdir(task->scratch, 0700) == 0 || errno == EEXIST)
        return task->scratch;
    host_report(task, MR_SEVERITY_ERROR, NULL, NULL, "can't make a scratch folder: %s", strerrordesc_np(errno));
    return NULL;
}

static void host_report(mr_task *task, mr_severity severity, const char *param, const char *hint, const char *fmt, ...)
{
    char message[4096];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof(message), fmt, args); // NOLINT(clang-analyzer-valist.Uninitialized): clang 14 does not see va_start here
    va_end(args);
    mr_packer *packer = begin(task, MR_FRAME_REPORT);
    mr_pack_u32(packer, severity);
    mr_pack_text(packer, param);
    mr_pack_text(packer, hint);
    mr_pack_text(packer, message);
    mr_child_send(task->child);
    end(task);
}

static const mr_limits *host_limits(const mr_task *task)
{
    return &task->child->limits;
}

/* Effects don't run in task hosts. */
static const char *host_nothing(const mr_task *task)
{
    (void)task;
    return NULL;
}

void mr_child_clear(mr_child *child)
{
    for (uint32_t t = 0; t < child->task_count; t++) {
        mr_task *task = &child->tasks[t];
        for (uint32_t i = 0; i < MR_CHILD_OPEN; i++) {
            if (task->open[i].artifact)
                close(task->open[i].fd);
        }
        for (uint32_t p = 0; p < MR_CHILD_PORTS; p++)
            free(task->ports[p].items);
        if (task->scratch)
            mr_dir_remove(task->scratch, NULL);
        free(task->scratch);
    }
    while (child->known) {
        mr_known *known = child->known;
        child->known = known->next;
        free(known);
    }
    free(child->tasks);
    child->tasks = NULL;
    child->task_count = 0;
    memset(child->content_used, 0, sizeof(child->content_used));
}

static const mr_service *host_no_service(const mr_task *task, const char *service_class, const char *selector)
{
    (void)task;
    (void)service_class;
    (void)selector;
    return NULL;
}

const mr_host mr_child_host = {
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
    .output_dir = host_nothing,
    .effect_key = host_nothing,
    .run_state = host_nothing,
    .limits = host_limits,
    .output_url = host_nothing,
    .service = host_no_service,
    .log_line = mr_child_log_line,
    .arrived = host_arrived,
};
