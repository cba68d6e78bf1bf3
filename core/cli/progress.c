/* SPDX-License-Identifier: MIT */
/*
 * The tally and what is drawn of it are behind one lock. Bars are redrawn by one thread: cursor up, each line over its older self, the rest of the
 * screen cleared, in one write; so nothing flickers. Messages are printed where the bars stood, and the bars below them anew.
 */
#include "cli/progress.h"

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/frame.h"

#include <langinfo.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { REDRAW_MS = 100, IDLE_MS = 1000 };

struct mr_progress {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t drawer;
    bool has_drawer;
    bool stopping;
    bool dirty;
    bool verbose;
    mr_show show;
    mr_tally tally;
    mr_screen screen;
    unsigned drawn; /* lines of the frame that stand on the terminal */
};

static void measure(mr_screen *screen)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
        screen->columns = size.ws_col;
        screen->rows = size.ws_row;
    }
}

static void send_out(const char *text, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t wrote = write(STDERR_FILENO, text + done, size - done);
        if (wrote <= 0)
            return; /* a terminal that is gone must not stop the run */
        done += (size_t)wrote;
    }
}

static void put_frame(FILE *out, mr_progress *progress)
{
    char *text = NULL;
    size_t size = 0;
    FILE *frame = open_memstream(&text, &size);
    if (!frame)
        return;
    measure(&progress->screen);
    progress->drawn = mr_frame_write(frame, &progress->tally, &progress->screen, mr_wall_us());
    if (fclose(frame) == 0) {
        for (const char *at = text; *at;) {
            size_t len = strcspn(at, "\n");
            fprintf(out, "%.*s\033[K\n", (int)len, at);
            at += len + (at[len] == '\n');
        }
    }
    free(text);
}

/* Puts words (NULL: none) where the frame stands, and the frame (when asked for) below them. */
static void show(mr_progress *progress, const char *words, bool frame)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return;
    bool was_drawn = progress->drawn > 0;
    if (was_drawn)
        fprintf(out, "\033[%uA\r", progress->drawn);
    progress->drawn = 0;
    if (words) {
        mr_put_words(out, words);
        fputs(was_drawn ? "\033[K\n" : "\n", out);
    }
    if (frame)
        put_frame(out, progress);
    if (was_drawn)
        fputs("\033[J", out);
    if (fclose(out) == 0)
        send_out(text, size);
    free(text);
    progress->dirty = false;
}

static void wait_ms(mr_progress *progress, int ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    while (!progress->stopping && pthread_cond_clockwait(&progress->changed, &progress->lock, CLOCK_MONOTONIC, &until) == 0)
        ;
}

static void *draw_loop(void *context)
{
    mr_progress *progress = context;
    pthread_mutex_lock(&progress->lock);
    int64_t drawn_us = 0;
    while (!progress->stopping) {
        if (progress->dirty || mr_now_us() - drawn_us >= (int64_t)IDLE_MS * 1000) { /* times move on by themselves */
            show(progress, NULL, true);
            drawn_us = mr_now_us();
        }
        wait_ms(progress, REDRAW_MS);
    }
    pthread_mutex_unlock(&progress->lock);
    return NULL;
}

mr_progress *mr_progress_new(const mr_pipeline *pipeline, mr_show show, bool verbose)
{
    mr_progress *progress = calloc(1, sizeof(*progress));
    if (!progress)
        goto fail;
    pthread_mutex_init(&progress->lock, NULL);
    pthread_cond_init(&progress->changed, NULL);
    progress->show = show;
    progress->verbose = verbose;
    progress->screen = (mr_screen){80, 24, mr_wants_colour(stderr), strcmp(nl_langinfo(CODESET), "UTF-8") == 0};
    if (!mr_tally_init(&progress->tally, pipeline))
        goto fail;
    if (show == MR_SHOW_BARS) {
        progress->has_drawer = pthread_create(&progress->drawer, NULL, draw_loop, progress) == 0;
        if (!progress->has_drawer)
            progress->show = MR_SHOW_LINES;
    }
    return progress;
fail:
    mr_complain("out of memory");
    mr_progress_free(progress);
    return NULL;
}

/* A line for people: above the bars where there are bars. */
__attribute__((format(printf, 2, 3))) static void say(mr_progress *progress, const char *fmt, ...)
{
    char *words = NULL;
    va_list args;
    va_start(args, fmt);
    if (vasprintf(&words, fmt, args) >= 0) {
        show(progress, words, progress->show == MR_SHOW_BARS);
        free(words);
    }
    va_end(args);
}

/* What ended only because the run does is no news: what it ended for is. */
static bool is_news(const mr_progress *progress, const mr_tally_node *node)
{
    if (node->state == MR_NODE_CANCELLED)
        return false;
    return node->state != MR_NODE_SKIPPED || mr_tally_totals(&progress->tally).failed == 0;
}

static void say_node(mr_progress *progress, const mr_tally_node *node)
{
    char took[32];
    if (!is_news(progress, node))
        return;
    mr_duration_text(node->started_us ? node->ended_us - node->started_us : 0, took, sizeof(took));
    if (node->state == MR_NODE_SKIPPED)
        say(progress, "%s: skipped", node->node->name);
    else if (node->cached > 0)
        say(progress, "%s: %s, %llu task%s (%llu cached) in %s", node->node->name, mr_node_state_name(node->state), (unsigned long long)node->done,
            mr_plural(node->done), (unsigned long long)node->cached, took);
    else
        say(progress, "%s: %s, %llu task%s in %s", node->node->name, mr_node_state_name(node->state), (unsigned long long)node->done,
            mr_plural(node->done), took);
}

/* "video[3,1]" */
static void task_name(const mr_event *event, char *ret_name, size_t size)
{
    if (event->item && *event->item)
        snprintf(ret_name, size, "%s[%s]", event->node ? event->node : "run", event->item);
    else
        snprintf(ret_name, size, "%s", event->node ? event->node : "run");
}

static void say_task(mr_progress *progress, const mr_event *event)
{
    const char *state = event->state ? event->state : "ended";
    char name[256];
    if (event->elapsed_us == 0 && (strcmp(state, "cancelled") == 0 || strcmp(state, "skipped") == 0))
        return; /* it never ran: there may be thousands of these at the end of a run that was stopped */
    char took[32];
    task_name(event, name, sizeof(name));
    mr_duration_text(event->elapsed_us, took, sizeof(took));
    say(progress, "%s: %s in %s", name, state, took);
}

/* What an op left as a message. Errors come with the run's diagnostics at its end. */
static void say_report(mr_progress *progress, const mr_event *event)
{
    static const char *const words[] = {"note", "warning"};
    char name[256];
    task_name(event, name, sizeof(name));
    say(progress, "%s: %s: %s", name, words[event->severity == MR_SEVERITY_WARNING], event->reason ? event->reason : "");
}

static void say_retry(mr_progress *progress, const mr_event *event)
{
    char name[256];
    task_name(event, name, sizeof(name));
    say(progress, "%s: attempt %u failed%s%s; trying again", name, event->attempt, event->reason ? ": " : "", event->reason ? event->reason : "");
}

static void speak(mr_progress *progress, const mr_event *event, const mr_tally_node *node)
{
    bool lines = progress->show == MR_SHOW_LINES;
    if (event->type == MR_EVENT_NODE_DONE && lines && node)
        say_node(progress, node);
    else if (event->type == MR_EVENT_TASK_DONE && progress->verbose)
        say_task(progress, event);
    else if (event->type == MR_EVENT_TASK_REPORT &&
             (event->severity == MR_SEVERITY_WARNING || (progress->verbose && event->severity == MR_SEVERITY_NOTE)))
        say_report(progress, event);
    else if (event->type == MR_EVENT_TASK_RETRY)
        say_retry(progress, event);
}

void mr_progress_event(mr_progress *progress, const mr_event *event)
{
    pthread_mutex_lock(&progress->lock);
    mr_tally_node *node = mr_tally_add(&progress->tally, event);
    if (progress->show >= MR_SHOW_LINES && !progress->stopping)
        speak(progress, event, node);
    progress->dirty = true; /* the drawer looks ten times a second */
    pthread_mutex_unlock(&progress->lock);
}

void mr_progress_stop(mr_progress *progress)
{
    pthread_mutex_lock(&progress->lock);
    progress->stopping = true;
    pthread_cond_signal(&progress->changed);
    pthread_mutex_unlock(&progress->lock);
    if (progress->has_drawer) {
        pthread_join(progress->drawer, NULL);
        progress->has_drawer = false;
        pthread_mutex_lock(&progress->lock);
        show(progress, NULL, true);
        pthread_mutex_unlock(&progress->lock);
    }
}

void mr_progress_abandon(mr_progress *progress)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 100000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    if (pthread_mutex_timedlock(&progress->lock, &until) != 0)
        return; /* the terminal is stopped: leave it as it is */
    progress->stopping = true;
    show(progress, NULL, false);
    pthread_mutex_unlock(&progress->lock);
}

const mr_tally *mr_progress_tally(const mr_progress *progress)
{
    return &progress->tally;
}

void mr_progress_free(mr_progress *progress)
{
    if (!progress)
        return;
    mr_progress_stop(progress);
    mr_tally_clear(&progress->tally);
    pthread_cond_destroy(&progress->changed);
    pthread_mutex_destroy(&progress->lock);
    free(progress);
}
