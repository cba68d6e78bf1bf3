/* SPDX-License-Identifier: MIT */
/*
 * The thread that asks the hooks' process, and the queue in front of it.
 *
 * Invariants
 *   - The thread starts the process, and starts it again when it was lost: it lives as long as the process. One at a time talks to it ('busy'): the
 *     thread, or who asks while nothing waits, which saves two changes of thread.
 *   - Nothing that a hook answers is believed: its kinds and lengths are checked here, what it means by whoever asked.
 */
#include "runtime/hooks.h"

#include "base/clock.h"
#include "base/file.h"
#include "runtime/hosts/script_host.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define RESTARTS_MAX 8u   /* of the process */
#define VETO_MAX     1000 /* bytes of a reason that are taken */
#define NOTIFY_MAX   16u

typedef struct question {
    const mr_hook *hook;
    json_t *argument;
    mr_hook_answer *answer; /* of who waits; NULL: nobody does */
    mr_diags *diags;        /* of who waits */
    mr_status status;
    bool answered;
    struct question *next;
} question;

struct mr_hooks {
    mr_settings settings;
    mr_arena *arena;
    const mr_bundle *bundle;
    uint64_t present; /* by row of the table */
    mr_script_host *host;
    uint32_t starts;
    pthread_t thread;
    bool started;
    mr_hooks_verdict verdict;
    void *context;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    question *first;
    question **last;
    size_t queued; /* and under way */
    bool busy;     /* someone talks to the process */
    bool opened;   /* the process has read the file, or could not */
    mr_status status;
    bool closing;
    mr_diags *told; /* what was wrong with what nobody waited for */
};

static const mr_span nowhere;

/* ---- answers ---- */

void mr_hook_answer_clear(mr_hook_answer *answer)
{
    free(answer->veto);
    free(answer->pipeline);
    json_decref(answer->params);
    json_decref(answer->notify);
    *answer = (mr_hook_answer){0};
}

static mr_status wrong_answer(const mr_hook *hook, const char *why, mr_diags *diags)
{
    mr_error(diags, "hook", nowhere, "hook '%s' %s", hook->name, why);
    return MR_ERR_PARAM;
}

static bool known_field(const mr_hook *hook, const char *field)
{
    return (strcmp(field, "veto") == 0 && (hook->flags & MR_HOOK_MAY_VETO)) || (strcmp(field, "params") == 0 && (hook->flags & MR_HOOK_MAY_CHANGE)) ||
           (strcmp(field, "notify") == 0 && (hook->flags & MR_HOOK_MAY_NOTIFY)) ||
           (strcmp(field, "pipeline") == 0 && (hook->flags & MR_HOOK_MAY_CHOOSE));
}

static mr_status check_fields(const mr_hook *hook, const json_t *said, mr_diags *diags)
{
    char text[160];
    const char *field;
    json_t *value;
    json_object_foreach((json_t *)said, field, value)
    {
        if (known_field(hook, field))
            continue;
        snprintf(text, sizeof(text), "answered '%.64s', which it can't", field);
        wrong_answer(hook, text, diags);
        mr_hint(diags, "%s",
                hook->flags & MR_HOOK_MAY_CHOOSE   ? "it may answer pipeline and params"
                : hook->flags & MR_HOOK_MAY_CHANGE ? "it may answer veto, params and notify"
                : hook->flags & MR_HOOK_MAY_VETO   ? "it may answer veto"
                                                   : "it is told, and has no say");
        return MR_ERR_PARAM;
    }
    return MR_OK;
}

/* {url = …} is as good as a list of it. */
static json_t *notifications(const json_t *value)
{
    size_t i;
    const json_t *one;
    if (json_is_object(value))
        return json_pack("[O]", value);
    if (!json_is_array(value) || json_array_size(value) > NOTIFY_MAX)
        return NULL;
    json_array_foreach(value, i, one)
    {
        if (!json_is_object(one))
            return NULL;
    }
    return json_incref((json_t *)value);
}

/* What a hook returned: nil, or a table of what it may say. */
static mr_status read_answer(const mr_hook *hook, const json_t *said, mr_hook_answer *ret_answer, mr_diags *diags)
{
    if (json_is_null(said) || (json_is_array(said) && json_array_size(said) == 0))
        return MR_OK;
    if (!json_is_object(said))
        return wrong_answer(hook, "answered something that is neither nil nor a table with named fields", diags);
    if (check_fields(hook, said, diags) != MR_OK)
        return MR_ERR_PARAM;
    const json_t *veto = json_object_get(said, "veto");
    const json_t *params = json_object_get(said, "params");
    const json_t *pipeline = json_object_get(said, "pipeline");
    const json_t *notify = json_object_get(said, "notify");
    if (veto && (!json_is_string(veto) || json_string_length(veto) == 0 || json_string_length(veto) > VETO_MAX))
        return wrong_answer(hook, "answered a veto that is not a reason: veto = \"why\"", diags);
    if (pipeline && (!json_is_string(pipeline) || json_string_length(pipeline) == 0))
        return wrong_answer(hook, "answered a pipeline that is not a name: pipeline = \"vod\"", diags);
    if (params && !json_is_object(params))
        return wrong_answer(hook, "answered params that are not a table of names and values", diags);
    if (veto && !(ret_answer->veto = strdup(json_string_value(veto))))
        return MR_ERR_NOMEM;
    if (pipeline && !(ret_answer->pipeline = strdup(json_string_value(pipeline))))
        return MR_ERR_NOMEM;
    ret_answer->params = json_incref((json_t *)params);
    if (notify && !(ret_answer->notify = notifications(notify)))
        return wrong_answer(hook, "answered a notify that is neither {url = …} nor a list of at most 16 of these", diags);
    return MR_OK;
}

/* ---- the process ---- */

static mr_status start(mr_hooks *hooks, mr_diags *diags)
{
    const mr_script_limits limits = {.memory = (uint64_t)hooks->settings.scripts_memory, .time_us = hooks->settings.hooks_timeout};
    json_t *description = NULL;
    if (++hooks->starts > RESTARTS_MAX) {
        mr_error(diags, "hook", nowhere, "the process of the hooks was lost %u times: they are not called any more", RESTARTS_MAX);
        return MR_ERR_UNAVAILABLE;
    }
    mr_script_host_end(hooks->host);
    hooks->host = NULL;
    mr_status status = mr_script_host_start(&hooks->settings, diags, &hooks->host);
    if (status == MR_OK)
        status = mr_script_host_evaluate(hooks->host, MR_SCRIPT_HOOKS, hooks->bundle, &limits, MR_SCRIPT_HOST_START_US, diags, &description);
    const json_t *names = json_object_get(description, "hooks");
    for (size_t i = 0; i < json_array_size(names) && hooks->starts == 1; i++) { /* others read it from then on */
        const char *name = json_string_value(json_array_get(names, i));
        const mr_hook *hook = name ? mr_hook_find(name) : NULL;
        hooks->present |= hook ? 1ull << (hook - mr_hooks_table) : 0;
    }
    json_decref(description);
    return status;
}

static mr_status call(mr_hooks *hooks, const question *what, mr_diags *diags, mr_hook_answer *ret_answer)
{
    json_t *said = NULL;
    mr_status status = mr_script_host_is_whole(hooks->host) ? MR_OK : start(hooks, diags);
    if (status == MR_OK)
        status = mr_script_host_call(hooks->host, what->hook->name, what->argument, hooks->settings.hooks_timeout, diags, &said);
    if (status == MR_OK)
        status = read_answer(what->hook, said, ret_answer, diags);
    json_decref(said);
    return status;
}

/* Errors that are to be ignored become warnings. */
static void hand_over(const mr_diags *from, bool ignore, mr_diags *to)
{
    for (const mr_diag *diag = mr_diags_first(from); diag; diag = diag->next) {
        if (ignore || diag->severity != MR_SEVERITY_ERROR)
            mr_warning(to, diag->code, diag->span, "%s", diag->message);
        else
            mr_error(to, diag->code, diag->span, "%s", diag->message);
        if (diag->hint)
            mr_hint(to, "%s", diag->hint);
        for (const mr_diag *note = diag->notes; note; note = note->next)
            mr_note(to, note->span, "%s", note->message);
    }
}

static void tell_verdict(const mr_hooks *hooks, const mr_hook *hook, const mr_hook_answer *answer, mr_status status, const mr_diags *diags)
{
    char *why = NULL;
    const mr_diag *diag = mr_diags_first(diags);
    const bool fatal = status != MR_OK && hooks->settings.hooks_on_error == MR_HOOKS_FATAL;
    int len = 0;
    if (answer->veto)
        len = asprintf(&why, "hook '%s' vetoes: %s", hook->name, answer->veto);
    else if (fatal)
        len = asprintf(&why, "hook '%s' failed: %s", hook->name, diag ? diag->message : "memory ran out");
    if (hooks->verdict && (answer->veto || fatal))
        hooks->verdict(hooks->context, answer->veto ? "veto" : "hook", len >= 0 && why ? why : hook->name);
    free(why);
}

/* Without the lock. */
static void answer_one(mr_hooks *hooks, question *what)
{
    const bool ignore = hooks->settings.hooks_on_error == MR_HOOKS_IGNORE;
    mr_hook_answer answer = {0};
    mr_diags *diags = mr_diags_new();
    mr_status status = diags ? call(hooks, what, diags, &answer) : MR_ERR_NOMEM;
    if (status != MR_OK)
        mr_hook_answer_clear(&answer);
    if (mr_diags_first(diags)) {
        mr_bundle_add_texts(hooks->bundle, what->diags ? what->diags : hooks->told);
        hand_over(diags, ignore, what->diags ? what->diags : hooks->told);
    }
    if (what->answer) {
        *what->answer = answer;
        what->status = ignore ? MR_OK : status;
    } else {
        tell_verdict(hooks, what->hook, &answer, status, diags);
        mr_hook_answer_clear(&answer);
    }
    mr_diags_free(diags);
}

static void drop_question(question *what)
{
    json_decref(what->argument);
    free(what);
}

static void *answer_all(void *context)
{
    mr_hooks *hooks = context;
    mr_status status = start(hooks, hooks->told);
    pthread_mutex_lock(&hooks->lock);
    hooks->status = status;
    hooks->opened = true;
    pthread_cond_broadcast(&hooks->changed);
    while (!hooks->closing) {
        question *what = hooks->first;
        if (!what || hooks->busy) {
            pthread_cond_wait(&hooks->changed, &hooks->lock);
            continue;
        }
        hooks->first = what->next;
        if (!hooks->first)
            hooks->last = &hooks->first;
        hooks->busy = true;
        pthread_mutex_unlock(&hooks->lock);
        answer_one(hooks, what);
        pthread_mutex_lock(&hooks->lock);
        hooks->busy = false;
        hooks->queued--;
        what->answered = true;
        if (!what->answer)
            drop_question(what);
        pthread_cond_broadcast(&hooks->changed);
    }
    pthread_mutex_unlock(&hooks->lock);
    mr_script_host_end(hooks->host);
    hooks->host = NULL;
    return NULL;
}

/* ---- public ---- */

mr_status mr_hooks_open(const char *file, const mr_settings *settings, mr_diags *diags, mr_hooks **ret_hooks)
{
    mr_hooks *hooks = calloc(1, sizeof(*hooks));
    *ret_hooks = NULL;
    if (!hooks)
        return MR_ERR_NOMEM;
    pthread_mutex_init(&hooks->lock, NULL);
    pthread_cond_init(&hooks->changed, NULL);
    hooks->settings = *settings;
    hooks->last = &hooks->first;
    hooks->arena = mr_arena_new(0);
    hooks->told = mr_diags_new();
    mr_status status = hooks->arena && hooks->told ? mr_bundle_read(hooks->arena, file, nowhere, diags, &hooks->bundle) : MR_ERR_NOMEM;
    if (status == MR_OK) {
        mr_bundle_add_texts(hooks->bundle, hooks->told);
        hooks->started = pthread_create(&hooks->thread, NULL, answer_all, hooks) == 0;
        status = hooks->started ? MR_OK : MR_ERR_LIMIT;
    }
    pthread_mutex_lock(&hooks->lock);
    while (status == MR_OK && !hooks->opened)
        pthread_cond_wait(&hooks->changed, &hooks->lock);
    status = status == MR_OK ? hooks->status : status;
    pthread_mutex_unlock(&hooks->lock);
    if (hooks->bundle && status != MR_OK) {
        mr_bundle_add_texts(hooks->bundle, diags);
        hand_over(hooks->told, false, diags);
    }
    if (status != MR_OK) {
        mr_hooks_close(hooks);
        return status;
    }
    *ret_hooks = hooks;
    return MR_OK;
}

void mr_hooks_close(mr_hooks *hooks)
{
    if (!hooks)
        return;
    pthread_mutex_lock(&hooks->lock);
    hooks->closing = true;
    pthread_cond_broadcast(&hooks->changed);
    pthread_mutex_unlock(&hooks->lock);
    if (hooks->started)
        pthread_join(hooks->thread, NULL);
    while (hooks->first) {
        question *what = hooks->first;
        hooks->first = what->next;
        drop_question(what);
    }
    pthread_cond_destroy(&hooks->changed);
    pthread_mutex_destroy(&hooks->lock);
    mr_diags_free(hooks->told);
    mr_arena_free(hooks->arena);
    free(hooks);
}

bool mr_hooks_has(const mr_hooks *hooks, const char *name)
{
    const mr_hook *hook = hooks ? mr_hook_find(name) : NULL;
    return hook && (hooks->present >> (hook - mr_hooks_table) & 1);
}

void mr_hooks_listen(mr_hooks *hooks, mr_hooks_verdict verdict, void *context)
{
    hooks->verdict = verdict;
    hooks->context = context;
}

/* NULL: memory is short. */
static question *enqueue(mr_hooks *hooks, const char *name, json_t *take_argument, mr_diags *diags, mr_hook_answer *answer)
{
    question *what = calloc(1, sizeof(*what));
    if (!what) {
        json_decref(take_argument);
        return NULL;
    }
    *what = (question){.hook = mr_hook_find(name), .argument = take_argument, .diags = diags, .answer = answer};
    pthread_mutex_lock(&hooks->lock);
    while (hooks->queued >= MR_HOOKS_QUEUE)
        pthread_cond_wait(&hooks->changed, &hooks->lock);
    *hooks->last = what;
    hooks->last = &what->next;
    hooks->queued++;
    pthread_cond_broadcast(&hooks->changed);
    pthread_mutex_unlock(&hooks->lock);
    return what;
}

/* Where nothing waits, on the calling thread. False: something does, or the process is lost. */
static bool ask_at_once(mr_hooks *hooks, question *what)
{
    pthread_mutex_lock(&hooks->lock);
    const bool idle = hooks->queued == 0 && !hooks->busy && mr_script_host_is_whole(hooks->host);
    hooks->busy = hooks->busy || idle;
    pthread_mutex_unlock(&hooks->lock);
    if (!idle)
        return false;
    answer_one(hooks, what);
    pthread_mutex_lock(&hooks->lock);
    hooks->busy = false;
    if (hooks->queued > 0) /* else nobody waits for it, and waking the thread costs more than the question */
        pthread_cond_broadcast(&hooks->changed);
    pthread_mutex_unlock(&hooks->lock);
    return true;
}

mr_status mr_hooks_ask(mr_hooks *hooks, const char *name, const json_t *argument, mr_diags *diags, mr_hook_answer *ret_answer)
{
    *ret_answer = (mr_hook_answer){0};
    if (!mr_hooks_has(hooks, name))
        return MR_OK;
    question now = {.hook = mr_hook_find(name), .argument = (json_t *)argument, .diags = diags, .answer = ret_answer};
    if (ask_at_once(hooks, &now))
        return now.status;
    json_t *copy = json_deep_copy(argument); /* reference counts are not for several threads */
    question *what = copy ? enqueue(hooks, name, copy, diags, ret_answer) : NULL;
    if (!what)
        return MR_ERR_NOMEM;
    pthread_mutex_lock(&hooks->lock);
    while (!what->answered)
        pthread_cond_wait(&hooks->changed, &hooks->lock);
    pthread_mutex_unlock(&hooks->lock);
    mr_status status = what->status;
    drop_question(what);
    return status;
}

void mr_hooks_tell(mr_hooks *hooks, const char *name, json_t *take_argument)
{
    if (!take_argument || !mr_hooks_has(hooks, name))
        json_decref(take_argument);
    else
        enqueue(hooks, name, take_argument, NULL, NULL); /* without memory it is not told */
}

void mr_hooks_drain(mr_hooks *hooks, mr_diags *diags)
{
    pthread_mutex_lock(&hooks->lock);
    while (hooks->queued > 0)
        pthread_cond_wait(&hooks->changed, &hooks->lock);
    pthread_mutex_unlock(&hooks->lock);
    mr_diags *fresh = mr_diags_new();
    if (!fresh)
        return;
    if (mr_diags_first(hooks->told))
        mr_bundle_add_texts(hooks->bundle, diags);
    hand_over(hooks->told, false, diags);
    mr_diags_free(hooks->told);
    hooks->told = fresh;
}
