/* SPDX-License-Identifier: MIT */
/* See media_host.h. */
#include "media_host.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
/* x265 leaks a few rows of each encoder. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libx265\n";
}
#endif
#endif

static mr_status read_at(mr_task *task, const mr_artifact *artifact, uint64_t offset, void *buf, size_t len, size_t *ret_len)
{
    *ret_len = 0;
    if (task->have > 0 && offset < artifact->size && offset + len > task->have && task->have < artifact->size)
        return MR_NOT_YET;
    ssize_t got = pread(task->fd, buf, len, (off_t)offset);
    *ret_len = got > 0 ? (size_t)got : 0;
    task->bytes_read += *ret_len;
    return got < 0 ? MR_ERR_IO : MR_OK;
}

static uint64_t arrived(mr_task *task, const mr_artifact *artifact)
{
    return task->have > 0 ? task->have : artifact->size;
}

static int cancelled(const mr_task *task)
{
    return task->cancelled;
}

static void progress(mr_task *task, double fraction)
{
    (void)task;
    (void)fraction;
}

static int content_fd(mr_task *task, const mr_artifact *artifact)
{
    (void)artifact;
    return task->fd;
}

static void report(mr_task *task, mr_severity severity, const char *param, const char *hint, const char *fmt, ...)
{
    static const char *const words[] = {"note", "warning", "error"};
    size_t len = strlen(task->messages);
    va_list args;
    (void)param;
    (void)hint;
    len += (size_t)snprintf(task->messages + len, sizeof(task->messages) - len, "%s: ", words[severity]);
    va_start(args, fmt);
    if (len < sizeof(task->messages))
        vsnprintf(task->messages + len, sizeof(task->messages) - len, fmt, args);
    va_end(args);
}

static const mr_limits *limits(const mr_task *task)
{
    return task->limits.size ? &task->limits : NULL;
}

char media_log[4096];

static void log_line(const char *line)
{
    const size_t len = strlen(media_log);
    snprintf(media_log + len, sizeof(media_log) - len, "%s", line);
}

const mr_host media_host = {.size = sizeof(mr_host),
                            .read_at = read_at,
                            .content_fd = content_fd,
                            .cancelled = cancelled,
                            .progress = progress,
                            .report = report,
                            .limits = limits,
                            .log_line = log_line,
                            .arrived = arrived};

void media_task_open(mr_task *task, const char *path)
{
    struct stat info;
    const char *slash = strrchr(path, '/');
    memset(task, 0, sizeof(*task));
    task->limits = (mr_limits)MR_LIMITS_STANDARD;
    task->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (task->fd < 0 || fstat(task->fd, &info) != 0) {
        perror(path);
        return;
    }
    task->source = (mr_artifact){.type = MR_TYPE_MEDIA,
                                 .has_content = 1,
                                 .size = (uint64_t)info.st_size,
                                 .digest = "",
                                 .name = slash ? slash + 1 : path,
                                 .meta = "{}",
                                 .meta_len = 2};
}

void media_task_close(mr_task *task)
{
    if (task->fd > 0)
        close(task->fd);
    task->fd = 0;
}
