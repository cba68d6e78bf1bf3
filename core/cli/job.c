/* SPDX-License-Identifier: MIT */
/* From the words of a command line to a checked pipeline with inputs and params. */
#include "cli/job.h"

#include "base/file.h"
#include "base/units.h"
#include "cli/pipeline_file.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const mr_span nowhere = {0};

uint32_t mr_job_number(struct argp_state *state, const char *option, const char *text, int64_t least, int64_t most)
{
    int64_t value = 0;
    const char *why = NULL;
    if (mr_parse_int(text, &value, &why) != MR_OK || value < least || value > most)
        argp_error(state, "%s: '%s' is not a whole number from %lld to %lld", option, text, (long long)least, (long long)most);
    return (uint32_t)value;
}

static void add_param(mr_job *job, char *arg, struct argp_state *state)
{
    char *equals = strchr(arg, '=');
    if (!equals || equals == arg)
        argp_error(state, "--param: '%s' is not NAME=VALUE", arg);
    mr_given *given = &job->params[job->param_count++];
    given->name = equals ? strndup(arg, (size_t)(equals - arg)) : NULL;
    given->text = equals ? strdup(equals + 1) : NULL;
    if (!given->name || !given->text)
        argp_failure(state, MR_EXIT_FAILED, 0, "out of memory");
}

/* There can't be more of either than there are words on the command line. */
static void make_room(mr_job *job, struct argp_state *state)
{
    job->input_texts = calloc((size_t)state->argc, sizeof(*job->input_texts));
    job->params = calloc((size_t)state->argc, sizeof(*job->params));
    if (!job->input_texts || !job->params)
        argp_failure(state, MR_EXIT_FAILED, 0, "out of memory");
}

error_t mr_job_parse(mr_job *job, int key, char *arg, struct argp_state *state)
{
    switch (key) {
    case ARGP_KEY_INIT: make_room(job, state); return mr_configure_parse(&job->configure, key, arg, state);
    case 'i': job->input_texts[job->input_count++] = arg; return 0;
    case 'p': add_param(job, arg, state); return 0;
    case MR_KEY_STATE: job->state = arg; return 0;
    case MR_KEY_NO_CACHE: job->no_cache = true; return 0;
    case ARGP_KEY_ARG:
        if (job->pipeline)
            mr_verb_unexpected(state, arg);
        job->pipeline = arg;
        return 0;
    case ARGP_KEY_END:
        if (!job->pipeline)
            argp_error(state, "which pipeline? Name a file, or one that comes with millrace, as in 'vod'");
        return 0;
    default: return mr_configure_parse(&job->configure, key, arg, state);
    }
}

static const mr_pipeline_input *find_input(const mr_pipeline *pipeline, const char *name, size_t len)
{
    for (size_t i = 0; i < pipeline->input_count; i++) {
        const char *known = pipeline->inputs[i].name;
        if (strlen(known) == len && strncmp(known, name, len) == 0)
            return &pipeline->inputs[i];
    }
    return NULL;
}

static void suggest_input(const mr_pipeline *pipeline, const char *word, mr_diags *diags)
{
    const char *names[64];
    size_t count = 0;
    for (size_t i = 0; i < pipeline->input_count && count < 64; i++)
        names[count++] = pipeline->inputs[i].name;
    const char *near = mr_nearest(word, names, count);
    if (near)
        mr_hint(diags, "did you mean '%s'?", near);
    else if (count > 0)
        mr_hint(diags, "it has '%s'%s", names[0], count > 1 ? " and others; 'millrace graph' shows them" : "");
}

static bool is_name(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!(islower((unsigned char)text[i]) || text[i] == '_' || (i > 0 && isdigit((unsigned char)text[i]))))
            return false;
    }
    return len > 0;
}

/* NAME=PATH where NAME is one of the inputs; else all of it is a path, as file names may hold '='. */
static bool match_input(const mr_pipeline *pipeline, const char *text, mr_run_input *ret_input, mr_diags *diags)
{
    size_t len = strcspn(text, "=");
    const mr_pipeline_input *named = text[len] ? find_input(pipeline, text, len) : NULL;
    if (named) {
        *ret_input = (mr_run_input){named->name, text + len + 1};
        return true;
    }
    if (pipeline->input_count == 1 && (!text[len] || !is_name(text, len) || access(text, F_OK) == 0)) {
        *ret_input = (mr_run_input){pipeline->inputs[0].name, text};
        return true;
    }
    if (pipeline->input_count == 0) {
        mr_error(diags, "unexpected-input", nowhere, "pipeline '%s' takes no inputs, but '%s' is given", pipeline->name, text);
    } else if (text[len]) {
        char word[64];
        snprintf(word, sizeof(word), "%.*s", (int)(len < 63 ? len : 63), text);
        mr_error(diags, "unknown-input", nowhere, "pipeline '%s' has no input '%s'", pipeline->name, word);
        suggest_input(pipeline, word, diags);
    } else {
        mr_error(diags, "unnamed-input", nowhere, "pipeline '%s' has several inputs: which one is '%s'?", pipeline->name, text);
        mr_hint(diags, "name it: --input %s=%s", pipeline->inputs[0].name, text);
    }
    return false;
}

static size_t count_given(const mr_job *job, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < job->input_count; i++)
        count += job->inputs[i].name && strcmp(job->inputs[i].name, name) == 0;
    return count;
}

static void check_counts(const mr_job *job, const mr_pipeline *pipeline, mr_diags *diags)
{
    for (size_t i = 0; i < pipeline->input_count; i++) {
        const mr_pipeline_input *input = &pipeline->inputs[i];
        size_t count = count_given(job, input->name);
        if (count == 0 && input->required) {
            mr_error(diags, "missing-input", input->span, "input '%s' is needed and was not given", input->name);
            mr_hint(diags, "say --input %s=PATH", input->name);
        } else if (count > 1 && !input->many) {
            mr_error(diags, "repeated-input", input->span, "input '%s' takes one file, and %zu were given", input->name, count);
        }
    }
}

static bool match_inputs(mr_job *job, const mr_pipeline *pipeline, mr_diags *diags)
{
    job->inputs = calloc(job->input_count + 1, sizeof(*job->inputs));
    if (!job->inputs) {
        mr_complain("out of memory");
        return false;
    }
    bool good = true;
    for (size_t i = 0; i < job->input_count; i++)
        good = match_input(pipeline, job->input_texts[i], &job->inputs[i], diags) && good;
    if (good)
        check_counts(job, pipeline, diags);
    return mr_diags_errors(diags) == 0;
}

/* The text is kept: a run that is resumed goes on with what it began with. */
static mr_status read_pipeline(mr_job *job, mr_session *session, const mr_pipeline **ret_pipeline)
{
    *ret_pipeline = NULL;
    if (!job->text) {
        mr_status status = mr_pipeline_text(session, job->file, &job->text, &job->text_len);
        if (status != MR_OK)
            return status;
    }
    return mr_session_pipeline(session, job->file, job->text, job->text_len, ret_pipeline);
}

static void clear_given(mr_given *given)
{
    free((char *)given->name);
    free((char *)given->text);
}

static bool has_param(const mr_pipeline *pipeline, const char *name)
{
    size_t i = 0;
    while (i < pipeline->param_count && strcmp(pipeline->params[i].spec.name, name) != 0)
        i++;
    return i < pipeline->param_count;
}

/* What is offered to a pipeline that has no such param is not given to it. */
static void withdraw_offers(mr_job *job, const mr_pipeline *pipeline)
{
    size_t kept = 0;
    for (size_t i = 0; i < job->param_count; i++) {
        if (job->params[i].offered && !has_param(pipeline, job->params[i].name))
            clear_given(&job->params[i]);
        else
            job->params[kept++] = job->params[i];
    }
    job->param_count = kept;
}

bool mr_job_prepare(mr_job *job, mr_session *session)
{
    const mr_pipeline *pipeline = NULL;
    job->file = mr_find_pipeline(session, job->pipeline);
    if (job->scripts)
        session->scripts = json_deep_copy(job->scripts);
    mr_status status = read_pipeline(job, session, &pipeline);
    if (pipeline)
        withdraw_offers(job, pipeline);
    if (status == MR_OK)
        status = mr_pipeline_bind(session->arena, pipeline, job->params, job->param_count, session->diags, &job->bound);
    bool good = status == MR_OK;
    if (pipeline)
        good = match_inputs(job, pipeline, session->diags) && good;
    return good;
}

int mr_job_load(mr_job *job, mr_session *session)
{
    int code = mr_configure_load(&job->configure, session, &job->settings);
    if (code != MR_EXIT_DONE)
        return code;
    bool good = mr_job_prepare(job, session);
    mr_session_flush(session);
    if (job->text)
        mr_pipeline_quote(session, job->file, job->text, job->text_len);
    return good ? MR_EXIT_DONE : MR_EXIT_USAGE;
}

/* ---- records ---- */

static json_t *absolute(const char *path)
{
    if (mr_url_scheme(path))
        return json_string(path);
    mr_autofree char *here = path[0] == '/' ? NULL : getcwd(NULL, 0);
    mr_autofree char *whole = here ? mr_path_join(here, path) : NULL;
    return path[0] == '/' ? json_string(path) : whole ? json_string(whole) : NULL;
}

json_t *mr_job_record(const mr_job *job, const mr_session *session)
{
    json_t *inputs = json_array();
    json_t *params = json_array();
    json_t *set = json_array();
    int bad = !inputs || !params || !set;
    for (size_t i = 0; i < job->input_count && !bad; i++)
        bad = json_array_append_new(inputs, json_pack("{s:s, s:o}", "name", job->inputs[i].name, "path", absolute(job->inputs[i].path)));
    for (size_t i = 0; i < job->param_count && !bad; i++)
        bad = json_array_append_new(params, json_pack("{s:s, s:s}", "name", job->params[i].name, "text", job->params[i].text));
    for (size_t i = 0; i < job->configure.set_count && !bad; i++)
        bad = json_array_append_new(set, json_pack("{s:s, s:s}", "name", job->configure.set[i].name, "text", job->configure.set[i].text));
    json_t *record = json_pack("{s:o, s:s%, s:O*, s:o, s:o, s:o, s:o, s:o*, s:i}", "file", absolute(job->file), "text", job->text, job->text_len,
                               "scripts", session->scripts, "inputs", inputs, "params", params, "set", set, "output", absolute(job->output), "config",
                               job->settings.file ? absolute(job->settings.file) : NULL, "jobs", (int)job->jobs);
    if (!bad)
        return record;
    json_decref(record);
    return NULL;
}

static const char *text_in(const json_t *object, const char *name, mr_arena *arena)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? mr_arena_copy(arena, text, strlen(text)) : NULL;
}

static bool restore_pairs(const json_t *list, mr_given *pairs)
{
    size_t i;
    const json_t *one;
    bool good = true;
    json_array_foreach(list, i, one)
    {
        const char *name = json_string_value(json_object_get(one, "name"));
        const char *text = json_string_value(json_object_get(one, "text"));
        pairs[i] = (mr_given){.name = name ? strdup(name) : NULL, .text = text ? strdup(text) : NULL};
        good = good && pairs[i].name && pairs[i].text;
    }
    return good;
}

bool mr_job_restore(mr_job *job, const json_t *record, mr_arena *arena)
{
    size_t i;
    const json_t *one;
    const json_t *inputs = json_object_get(record, "inputs");
    const json_t *params = json_object_get(record, "params");
    job->pipeline = text_in(record, "file", arena);
    job->text = text_in(record, "text", arena);
    job->output = text_in(record, "output", arena);
    job->scripts = json_object_get(record, "scripts");
    if (!job->pipeline || !job->text || !job->output)
        return false;
    job->text_len = strlen(job->text);
    job->param_count = json_array_size(params);
    job->params = calloc(job->param_count + 1, sizeof(*job->params));
    job->input_texts = calloc(json_array_size(inputs) + 1, sizeof(*job->input_texts));
    if (!job->params || !job->input_texts)
        return false;
    json_array_foreach(inputs, i, one)
    {
        const char *name = json_string_value(json_object_get(one, "name"));
        const char *path = json_string_value(json_object_get(one, "path"));
        job->input_texts[job->input_count++] = name && path ? mr_arena_printf(arena, "%s=%s", name, path) : "";
    }
    return restore_pairs(params, job->params) && mr_configure_restore(&job->configure, record, arena);
}

const char *mr_job_state_dir(const mr_job *job, mr_session *session)
{
    return job->state ? job->state : mr_default_state_dir(session);
}

void mr_job_clear(mr_job *job)
{
    for (size_t i = 0; i < job->param_count; i++)
        clear_given(&job->params[i]);
    mr_configure_clear(&job->configure);
    mr_bound_clear(&job->bound);
    free(job->params);
    free(job->input_texts);
    free(job->inputs);
}
