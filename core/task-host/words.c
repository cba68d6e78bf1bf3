/* SPDX-License-Identifier: MIT */
/*
 * What libraries log, on the way to the engine: by stderr, of which that keeps the end, and quotes it when this process is lost. A damaged file makes
 * a decoder complain thousands of times: no line twice in a row, so many a second, and none that would have to wait for the engine.
 */
#include "base/clock.h"
#include "task-host/child.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MOST = 200, LINES_A_SECOND = 20 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char last[LINE_MOST + 2];
static int64_t second_us; /* begin of the second that is counted */
static int in_second;

static bool is_due(const char *line)
{
    const int64_t now = mr_now_us();
    if (now - second_us >= 1000000) {
        second_us = now;
        in_second = 0;
    }
    return in_second < LINES_A_SECOND && strcmp(line, last) != 0;
}

void mr_child_log_line(const char *line)
{
    char text[LINE_MOST + 2];
    const size_t len = strcspn(line, "\r\n");
    const int cut = (int)(len < LINE_MOST ? len : LINE_MOST);
    struct pollfd words = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (cut == 0)
        return;
    snprintf(text, sizeof(text), "%.*s\n", cut, line);
    pthread_mutex_lock(&lock);
    if (is_due(text) && poll(&words, 1, 0) == 1 && (words.revents & POLLOUT)) { /* a pipe that is ready takes a line whole */
        memcpy(last, text, sizeof(last));
        in_second++;
        if (write(STDERR_FILENO, text, strlen(text)) < 0)
            last[0] = '\0'; /* nobody listens */
    }
    pthread_mutex_unlock(&lock);
}
