/* SPDX-License-Identifier: MIT */
/*
 * Moves: contents whose bytes lie in a source are made beside the op that emits them. It says where they lie, and goes on to the next; threads of
 * the engine read, hash, write and store them, as many at a time as there are slots.
 *
 * Invariants
 *   - A task is not concluded before its moves have ended, so what they use (task, source, item) lives as long as they do.
 *   - The item that a move fills is seen by nobody until then: outputs of a task are seen when it has ended. Streaming tasks have none.
 *   - After the first move of a task that fails, its others end without being made, and the task ends with that failure.
 */
#include "runtime/internal.h"

#include <stdlib.h>
#include <string.h>

#define MOVERS_MAX 16u
#define MOVES_MAX  64u        /* on their way, of all tasks: the next one waits, so that an op does not run far ahead of the disk */
#define RANGES_MAX (1u << 14) /* of one move; those of a content with more are made when they come */

typedef struct piece {
    const mr_item *from;
    uint64_t offset; /* in the content */
    mr_range *ranges;
    size_t count;
    struct piece *next;
} piece;

struct mr_move {
    piece *first;
    piece **end; /* where the next piece goes */
    size_t ranges;
    mr_task *task;
    mr_item *item;
    mr_object_writer *writer;
    mr_move *next;
};

struct mr_movers {
    pthread_mutex_t lock;
    pthread_cond_t wanted; /* a move is queued, or closing */
    pthread_cond_t ended;  /* a move */
    mr_move *first;
    mr_move **end;
    uint32_t open;  /* queued or being made */
    uint32_t count; /* threads */
    uint32_t most;
    bool closing;
    pthread_t threads[MOVERS_MAX];
};

/* ---- one move ---- */

static void drop_pieces(mr_move *move)
{
    while (move->first) {
        piece *one = move->first;
        move->first = one->next;
        free(one->ranges);
        free(one);
    }
    move->end = &move->first;
    move->ranges = 0;
}

void mr_move_free(mr_move *move)
{
    if (!move)
        return;
    drop_pieces(move);
    free(move);
}

bool mr_move_add(mr_move **move, const mr_item *from, uint64_t offset, const mr_range *ranges, size_t count)
{
    if (!*move && (*move = calloc(1, sizeof(**move))))
        (*move)->end = &(*move)->first;
    if (!*move || count > RANGES_MAX - (*move)->ranges)
        return false;
    piece *one = malloc(sizeof(*one));
    mr_range *copy = one ? malloc((count ? count : 1) * sizeof(*copy)) : NULL;
    if (!copy) {
        free(one);
        return false;
    }
    memcpy(copy, ranges, count * sizeof(*copy));
    *one = (piece){.from = from, .offset = offset, .ranges = copy, .count = count};
    *(*move)->end = one;
    (*move)->end = &one->next;
    (*move)->ranges += count;
    return true;
}

mr_status mr_move_make(mr_move *move, mr_task *task, mr_object_writer *writer, mr_diags *diags)
{
    mr_status status = MR_OK;
    for (const piece *one = move->first; one && status == MR_OK; one = one->next) {
        const mr_object_source from = {.fd = one->from->fd, .name = one->from->pub.name, .cancel = &task->cancel};
        status = mr_object_copy_at(writer, one->offset, &from, one->ranges, one->count, diags);
    }
    drop_pieces(move);
    return status;
}

/* ---- the threads ---- */

static bool is_wanted(mr_movers *movers, const mr_task *task)
{
    pthread_mutex_lock(&movers->lock);
    const bool wanted = task->moves.status == MR_OK;
    pthread_mutex_unlock(&movers->lock);
    return wanted;
}

/* Lock held. */
static void note_failure(mr_task *task, mr_status status, const mr_diags *diags)
{
    const mr_diag *diag = mr_diags_first(diags);
    if (task->moves.status != MR_OK)
        return;
    task->moves.status = status;
    task->moves.message = diag ? strdup(diag->message) : NULL;
    task->moves.hint = diag && diag->hint ? strdup(diag->hint) : NULL;
}

/* On any thread; the task may be gone when it returns. */
static void carry_out(mr_movers *movers, mr_move *take_move)
{
    mr_task *task = take_move->task;
    char digest[MR_DIGEST_TEXT];
    uint64_t size = 0;
    mr_diags *diags = mr_diags_new();
    mr_status status = is_wanted(movers, task) ? mr_move_make(take_move, task, take_move->writer, diags) : MR_ERR_CANCELLED;
    if (status == MR_OK) {
        status = mr_object_commit(take_move->writer, diags, digest, &size);
    } else {
        mr_object_discard(take_move->writer);
    }
    if (status == MR_OK) {
        mr_item_set_content(take_move->item, digest, size);
        mr_item_seal(take_move->item);
    }
    mr_move_free(take_move);
    pthread_mutex_lock(&movers->lock);
    if (status != MR_OK)
        note_failure(task, status, diags);
    task->moves.open--;
    movers->open--;
    pthread_cond_broadcast(&movers->ended);
    pthread_mutex_unlock(&movers->lock);
    mr_diags_free(diags);
}

static void *work(void *context)
{
    mr_movers *movers = context;
    pthread_mutex_lock(&movers->lock);
    while (movers->first || !movers->closing) {
        mr_move *move = movers->first;
        if (!move) {
            pthread_cond_wait(&movers->wanted, &movers->lock);
            continue;
        }
        movers->first = move->next;
        if (!movers->first)
            movers->end = &movers->first;
        pthread_mutex_unlock(&movers->lock);
        carry_out(movers, move);
        pthread_mutex_lock(&movers->lock);
    }
    pthread_mutex_unlock(&movers->lock);
    return NULL;
}

mr_movers *mr_movers_new(uint32_t most)
{
    mr_movers *movers = calloc(1, sizeof(*movers));
    if (!movers)
        return NULL;
    pthread_mutex_init(&movers->lock, NULL);
    pthread_cond_init(&movers->wanted, NULL);
    pthread_cond_init(&movers->ended, NULL);
    movers->end = &movers->first;
    movers->most = most < MOVERS_MAX ? most : MOVERS_MAX;
    return movers;
}

void mr_movers_free(mr_movers *movers)
{
    if (!movers)
        return;
    pthread_mutex_lock(&movers->lock);
    movers->closing = true;
    pthread_cond_broadcast(&movers->wanted);
    pthread_mutex_unlock(&movers->lock);
    for (uint32_t i = 0; i < movers->count; i++)
        pthread_join(movers->threads[i], NULL);
    pthread_cond_destroy(&movers->ended);
    pthread_cond_destroy(&movers->wanted);
    pthread_mutex_destroy(&movers->lock);
    free(movers);
}

/* ---- of a task ---- */

mr_status mr_task_move(mr_task *task, mr_move *take_move, mr_object_writer *take_writer, mr_item *item)
{
    mr_movers *movers = task->run->engine->movers;
    take_move->task = task;
    take_move->writer = take_writer;
    take_move->item = item;
    pthread_mutex_lock(&movers->lock);
    while (movers->open >= MOVES_MAX)
        pthread_cond_wait(&movers->ended, &movers->lock);
    const mr_status status = task->moves.status;
    task->moves.open++;
    movers->open++;
    if (movers->count < movers->open && movers->count < movers->most && pthread_create(&movers->threads[movers->count], NULL, work, movers) == 0)
        movers->count++;
    const bool alone = movers->count == 0; /* no thread could be had */
    if (!alone) {
        *movers->end = take_move;
        movers->end = &take_move->next;
        pthread_cond_signal(&movers->wanted);
    }
    pthread_mutex_unlock(&movers->lock);
    if (alone)
        carry_out(movers, take_move);
    return status;
}

mr_status mr_task_end_moves(mr_task *task, mr_status status)
{
    mr_movers *movers = task->run->engine->movers;
    pthread_mutex_lock(&movers->lock);
    if (status != MR_OK)
        note_failure(task, status, NULL); /* what is not made yet need not be */
    while (task->moves.open > 0)
        pthread_cond_wait(&movers->ended, &movers->lock);
    const mr_task_moves ended = task->moves;
    task->moves = (mr_task_moves){0};
    pthread_mutex_unlock(&movers->lock);
    if (ended.message)
        mr_report_add(task, MR_SEVERITY_ERROR, NULL, ended.hint, ended.message);
    free(ended.hint);
    return status == MR_OK ? ended.status : status;
}
