/* SPDX-License-Identifier: MIT */
/*
 * The watcher: a thread that looks four times a second, while a run goes on, whether someone asked for its end from another process, and keeps what
 * the run had to say (reports, retries, ends of nodes) in the store. Now and then it gives back memory. Reading and writing is done without the
 * engine's lock; run->watching holds the run meanwhile.
 */
#include "base/clock.h"
#include "base/memory.h"
#include "runtime/internal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOK_US    250000
#define TIDY_LOOKS 4 /* between two times that free memory is given back: a plan of hours, as JSON, leaves megabytes */

/* ---- what is kept ---- */

static void free_line(mr_journal_line *line)
{
    free(line->item);
    free(line->reason);
    free(line->detail);
}

static void free_lines(mr_journal_line *lines, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free_line(&lines[i]);
    free(lines);
}

static bool make_room(mr_run *run)
{
    if (run->line_count < run->line_room)
        return true;
    size_t room = run->line_room ? run->line_room * 2 : 16;
    mr_journal_line *grown = realloc(run->lines, room * sizeof(*grown));
    if (!grown)
        return false;
    run->lines = grown;
    run->line_room = room;
    return true;
}

/* The last one says that there were more. Whether a run failed, and why, always finds room. */
static void add_line(mr_run *run, mr_journal_line take_line, bool always)
{
    if (run->lines_seen == MR_JOURNAL_LINES) {
        if (make_room(run))
            run->lines[run->line_count++] = (mr_journal_line){.time_us = take_line.time_us, .event = "log.full"};
        run->lines_seen++;
    }
    if ((run->lines_seen > MR_JOURNAL_LINES && !always) || !make_room(run)) {
        free_line(&take_line);
        return;
    }
    run->lines_seen += run->lines_seen < MR_JOURNAL_LINES;
    run->lines[run->line_count++] = take_line;
}

/* Of texts that may hold anything; json_pack takes UTF-8 only, and gives NULL for others: then the sentence stands without. */
static char *detail_text(const char *severity, const char *code, const char *hint)
{
    if (!severity && !code && !hint)
        return NULL;
    mr_autojson json_t *detail = json_pack("{s:s*, s:s*, s:s*}", "severity", severity, "code", code, "hint", hint);
    return detail ? mr_json_text(detail) : NULL;
}

void mr_run_keep_line(mr_run *run, const mr_event *event)
{
    static const char *const severities[] = {[MR_SEVERITY_NOTE] = "note", [MR_SEVERITY_WARNING] = "warning", [MR_SEVERITY_ERROR] = "error"};
    const bool report = event->type == MR_EVENT_TASK_REPORT;
    if (!report && event->type != MR_EVENT_TASK_RETRY && event->type != MR_EVENT_NODE_DONE)
        return;
    add_line(run,
             (mr_journal_line){.time_us = event->time_us,
                               .event = mr_event_name(event->type),
                               .node = event->node,
                               .state = event->state,
                               .item = event->item ? strdup(event->item) : NULL,
                               .reason = event->reason ? strdup(event->reason) : NULL,
                               .detail = detail_text(report ? severities[event->severity] : NULL, NULL, event->hint),
                               .attempt = event->attempt},
             false);
}

void mr_run_keep_failure(mr_run *run, const mr_failure *failure)
{
    add_line(run,
             (mr_journal_line){.time_us = mr_wall_us(),
                               .event = "run.failure",
                               .reason = strdup(failure->message),
                               .detail = detail_text("error", failure->code, failure->hint)},
             true);
}

void mr_run_flush_lines(mr_run *run)
{
    if (run->line_count)
        mr_journal_add(run->engine->journal, run->id, run->lines, run->line_count);
    mr_run_drop_lines(run);
}

void mr_run_drop_lines(mr_run *run)
{
    free_lines(run->lines, run->line_count);
    run->lines = NULL;
    run->line_count = 0;
    run->line_room = 0;
}

/* ---- the thread: lock held, but where it is let go ---- */

static void look_at(mr_engine *engine, mr_run *run)
{
    mr_journal_line *lines = run->lines;
    const size_t count = run->line_count;
    run->lines = NULL;
    run->line_count = 0;
    run->line_room = 0;
    run->watching = true;
    pthread_mutex_unlock(&engine->lock);
    if (count)
        mr_journal_add(engine->journal, run->id, lines, count);
    const bool cancel = mr_journal_wants_cancel(engine->journal, run->id);
    free_lines(lines, count);
    pthread_mutex_lock(&engine->lock);
    run->watching = false;
    if (cancel && !run->over && !run->cancelled) {
        add_line(run, (mr_journal_line){.time_us = mr_wall_us(), .event = "run.cancel", .reason = strdup("asked for by 'millrace cancel'")}, true);
        mr_run_cancel_locked(run);
    }
    pthread_cond_broadcast(&run->ended);
}

static bool goes_on(const mr_run *run)
{
    return !run->planning && !run->over;
}

static mr_run *next_run(const mr_engine *engine, uint64_t round)
{
    for (mr_run *run = engine->runs; run; run = run->next) {
        if (goes_on(run) && run->watch_round != round)
            return run;
    }
    return NULL;
}

void *mr_watch(void *context)
{
    mr_engine *engine = context;
    uint64_t round = 0;
    pthread_mutex_lock(&engine->lock);
    while (!engine->closing) {
        mr_run *run;
        if (!next_run(engine, round + 1)) {
            pthread_cond_wait(&engine->watch, &engine->lock);
            continue;
        }
        const int64_t next = mr_now_us() + LOOK_US;
        const struct timespec until = {.tv_sec = next / 1000000, .tv_nsec = (next % 1000000) * 1000};
        while (!engine->closing && pthread_cond_timedwait(&engine->watch, &engine->lock, &until) == 0)
            ;
        round++;
        while (!engine->closing && (run = next_run(engine, round))) {
            run->watch_round = round;
            look_at(engine, run);
        }
        if ((round % TIDY_LOOKS == 0 || engine->untidy) && !engine->closing) {
            engine->untidy = false;
            pthread_mutex_unlock(&engine->lock);
            mr_memory_give_back();
            pthread_mutex_lock(&engine->lock);
        }
    }
    pthread_mutex_unlock(&engine->lock);
    return NULL;
}
