/* SPDX-License-Identifier: MIT */
/*
 * Gathers what the committed artifacts say of themselves. A rendition's numbers are measured from its media segments: each counts once, by
 * rendition and index, whichever node passed it on. The file is the one thing in the output folder that may differ between two runs.
 */
#include "cli/report.h"

#include "base/units.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

enum { KEY_MAX = 1100, SEEN_MAX = 4 << 20 };

typedef struct seen { /* a segment or a published path that was counted */
    UT_hash_handle hh;
    uint64_t size;
    char key[];
} seen;

typedef struct rendition {
    UT_hash_handle hh;
    json_t *init; /* what its init artifact says; NULL: none came */
    char *kind;
    uint64_t segments, bytes;
    double seconds, peak_bps;
    char name[];
} rendition;

struct mr_report {
    seen *segments;
    seen *files;
    uint64_t file_bytes;
    rendition *renditions;
};

mr_report *mr_report_new(void)
{
    return calloc(1, sizeof(mr_report));
}

static void free_seen(seen **table)
{
    seen *one = *table;
    HASH_CLEAR(hh, *table); /* the table's own memory; the entries are still linked */
    while (one) {
        seen *next = one->hh.next;
        free(one);
        one = next;
    }
}

void mr_report_free(mr_report *report)
{
    if (!report)
        return;
    free_seen(&report->segments);
    free_seen(&report->files);
    rendition *one = report->renditions;
    HASH_CLEAR(hh, report->renditions);
    while (one) {
        rendition *next = one->hh.next;
        json_decref(one->init);
        free(one->kind);
        free(one);
        one = next;
    }
    free(report);
}

/* The entry for key, made when missing; NULL when memory is short or the table is full. */
static seen *see(seen **table, const char *key, bool *ret_is_new)
{
    seen *one;
    HASH_FIND_STR(*table, key, one);
    *ret_is_new = !one;
    if (one || HASH_COUNT(*table) >= SEEN_MAX)
        return one;
    size_t size = strlen(key) + 1;
    one = calloc(1, sizeof(*one) + size);
    if (!one)
        return NULL;
    memcpy(one->key, key, size);
    HASH_ADD_KEYPTR(hh, *table, one->key, size - 1, one);
    if (!one->hh.tbl) {
        free(one);
        return NULL;
    }
    return one;
}

static rendition *find_rendition(mr_report *report, const char *name)
{
    rendition *one;
    HASH_FIND_STR(report->renditions, name, one);
    if (one)
        return one;
    size_t size = strlen(name) + 1;
    one = calloc(1, sizeof(*one) + size);
    if (!one)
        return NULL;
    memcpy(one->name, name, size);
    HASH_ADD_KEYPTR(hh, report->renditions, one->name, size - 1, one);
    if (!one->hh.tbl) {
        free(one);
        return NULL;
    }
    return one;
}

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}
static double number_of(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

static void add_segment(mr_report *report, const json_t *meta, uint64_t size)
{
    const char *name = text_of(meta, "rendition");
    const char *role = text_of(meta, "role");
    const char *kind = text_of(meta, "kind");
    rendition *of = name && role ? find_rendition(report, name) : NULL;
    if (!of)
        return;
    if (strcmp(role, "init") == 0) {
        if (!of->init)
            of->init = json_deep_copy(meta);
        return;
    }
    if (!of->kind && kind)
        of->kind = strdup(kind);
    if (strcmp(role, "media") != 0)
        return;
    char key[KEY_MAX];
    bool is_new = false;
    snprintf(key, sizeof(key), "%s %.0f", name, number_of(meta, "index"));
    if (!see(&report->segments, key, &is_new) || !is_new)
        return;
    double scale = number_of(meta, "timescale");
    double seconds = scale > 0 ? number_of(meta, "duration") / scale : 0;
    double bps = seconds > 0 ? (double)size * 8 / seconds : 0;
    of->segments++;
    of->bytes += size;
    of->seconds += seconds;
    of->peak_bps = bps > of->peak_bps ? bps : of->peak_bps;
}

static void add_file(mr_report *report, const json_t *meta, uint64_t size)
{
    const char *path = text_of(meta, "path");
    bool is_new = false;
    seen *file = path ? see(&report->files, path, &is_new) : NULL;
    if (!file)
        return;
    report->file_bytes += size - file->size; /* a later generation replaces the former */
    file->size = size;
}

void mr_report_event(mr_report *report, const mr_event *event)
{
    if (event->type != MR_EVENT_OUTPUT || !event->detail)
        return;
    const char *type = text_of(event->detail, "type");
    const json_t *meta = json_object_get(event->detail, "meta");
    uint64_t size = (uint64_t)json_integer_value(json_object_get(event->detail, "size"));
    if (type && strcmp(type, "segment") == 0)
        add_segment(report, meta, size);
    else if (type && strcmp(type, "file") == 0)
        add_file(report, meta, size);
}

/* Paths need not be UTF-8, JSON must be. */
static json_t *path_json(const char *path)
{
    json_t *value = json_string(path);
    if (value)
        return value;
    char *ascii = strdup(path);
    for (size_t i = 0; ascii && ascii[i]; i++)
        ascii[i] = (unsigned char)ascii[i] < 0x80 ? ascii[i] : '?';
    value = ascii ? json_string(ascii) : NULL;
    free(ascii);
    return value;
}

static json_t *describe_inputs(const mr_job *job)
{
    json_t *list = json_array();
    for (size_t i = 0; i < job->input_count; i++) {
        struct stat info;
        json_int_t size = stat(job->inputs[i].path, &info) == 0 ? (json_int_t)info.st_size : -1;
        json_t *input = json_pack("{s:s, s:o}", "name", job->inputs[i].name, "path", path_json(job->inputs[i].path));
        if (input && size >= 0)
            json_object_set_new(input, "size", json_integer(size));
        json_array_append_new(list, input);
    }
    return list;
}

static json_t *describe_params(const mr_bound *bound)
{
    json_t *params = json_copy(bound->params);
    for (size_t i = 0; i < bound->pipeline->param_count; i++) {
        const mr_param *spec = &bound->pipeline->params[i].spec;
        if ((spec->flags & MR_PARAM_SECRET) && json_object_get(params, spec->name))
            json_object_set_new(params, spec->name, json_string("(secret)"));
    }
    return params;
}

static json_t *describe_plugins(const mr_session *session)
{
    json_t *list = json_array();
    for (size_t i = 0; i < mr_plugins_count(session->plugins); i++) {
        const mr_plugin *plugin = mr_plugins_get(session->plugins, i)->plugin;
        json_array_append_new(list, json_pack("{s:s, s:s}", "name", plugin->name, "version", plugin->version));
    }
    return list;
}

static json_t *describe_nodes(const mr_tally *tally)
{
    json_t *list = json_array();
    for (size_t i = 0; i < tally->count; i++) {
        const mr_tally_node *node = &tally->nodes[i];
        const mr_op *op = node->node->op;
        int64_t wall = node->started_us && node->ended_us ? node->ended_us - node->started_us : 0;
        json_t *entry =
            json_pack("{s:s, s:s, s:i, s:s, s:I, s:I, s:I, s:I, s:I}", "node", node->node->name, "op", op->name, "op_version", (int)op->version,
                      "state", mr_node_state_name(node->state), "tasks", (json_int_t)node->done, "cached", (json_int_t)node->cached, "failed",
                      (json_int_t)node->failed, "wall_ms", (json_int_t)(wall / 1000), "cpu_ms", (json_int_t)(node->cpu_us / 1000));
        const char *toolchain = op->toolchain ? op->toolchain() : NULL;
        if (entry && toolchain)
            json_object_set_new(entry, "toolchain", json_string(toolchain));
        json_array_append_new(list, entry);
    }
    return list;
}

static int by_name(const rendition *a, const rendition *b)
{
    return strcmp(a->name, b->name);
}

static json_t *describe_rendition(const rendition *of)
{
    static const char *const copied[] = {"codec", "width", "height", "fps", "sample_rate", "channels", "language", "max_bitrate"};
    json_t *entry = json_pack("{s:s, s:I, s:I, s:f}", "rendition", of->name, "segments", (json_int_t)of->segments, "bytes", (json_int_t)of->bytes,
                              "seconds", of->seconds);
    const char *kind = of->kind ? of->kind : text_of(of->init, "kind");
    if (entry && kind)
        json_object_set_new(entry, "kind", json_string(kind));
    if (entry && of->seconds > 0) {
        json_object_set_new(entry, "average_bitrate", json_integer((json_int_t)((double)of->bytes * 8 / of->seconds)));
        json_object_set_new(entry, "peak_bitrate", json_integer((json_int_t)of->peak_bps));
    }
    for (size_t i = 0; entry && i < sizeof(copied) / sizeof(*copied); i++) {
        json_t *value = json_object_get(of->init, copied[i]);
        if (value)
            json_object_set(entry, copied[i], value);
    }
    return entry;
}

static json_t *describe_renditions(const mr_report *report)
{
    json_t *list = json_array();
    rendition *sorted = report->renditions;
    HASH_SORT(sorted, by_name);
    ((mr_report *)report)->renditions = sorted;
    for (const rendition *of = sorted; of; of = of->hh.next)
        json_array_append_new(list, describe_rendition(of));
    return list;
}

static json_t *describe(const mr_report *report, const mr_job *job, const mr_session *session, const mr_tally *tally, const mr_run *run)
{
    char started[32];
    char ended[32];
    const mr_pipeline *pipeline = job->bound.pipeline;
    int64_t end_us = tally->ended_us ? tally->ended_us : mr_wall_us();
    mr_time_text(tally->started_us, started);
    mr_time_text(end_us, ended);
    return json_pack("{s:s, s:{s:s, s:o}, s:s, s:s, s:s, s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:{s:I, s:I}}", "millrace", MR_VERSION, "pipeline",
                     "name", pipeline->name, "file", path_json(job->file), "run", mr_run_id(run), "state",
                     tally->state[0] ? tally->state : "cancelled", "started", started, "ended", ended, "elapsed_ms",
                     (json_int_t)((end_us - tally->started_us) / 1000), "inputs", describe_inputs(job), "params", describe_params(&job->bound),
                     "plugins", describe_plugins(session), "nodes", describe_nodes(tally), "outputs", mr_run_outputs(run), "renditions",
                     describe_renditions(report), "published", "files", (json_int_t)HASH_COUNT(report->files), "bytes",
                     (json_int_t)report->file_bytes);
}

/* Where the output is a store: the driver that its address chooses. */
static mr_status put_in_store(const mr_session *session, const char *url, const char *text, mr_diags *diags)
{
    const mr_storage_client client = {.size = sizeof(client)};
    const mr_storage_put_options options = {
        .size = sizeof(options), .flags = MR_PUT_DURABLE, .bytes = (int64_t)strlen(text), .content_type = "application/json"};
    mr_storage_error error = {.size = sizeof(error)};
    mr_storage *store = NULL;
    mr_storage_put *put = NULL;
    const mr_service *service = mr_plugins_service(session->plugins, MR_SERVICE_STORAGE, url);
    if (!service) {
        mr_error(diags, "output", (mr_span){0}, "run.json was not written: no storage driver knows addresses like '%s'", url);
        return MR_ERR_UNSUPPORTED;
    }
    const mr_storage_driver *driver = service->table;
    mr_status status = driver->open(&client, url, &store, &error);
    if (status == MR_OK)
        status = driver->put_new(store, "run.json", &options, &put, &error);
    if (status == MR_OK)
        status = driver->put_write(put, text, strlen(text), &error);
    if (status == MR_OK)
        status = driver->put_commit(put, NULL, &error);
    driver->put_free(put);
    driver->close(store);
    if (status != MR_OK)
        mr_error(diags, "output", (mr_span){0}, "run.json was not written to '%s': %s", url, error.message);
    return status;
}

mr_status mr_report_write(const mr_report *report, const mr_job *job, const mr_session *session, const mr_tally *tally, const mr_run *run,
                          mr_diags *diags)
{
    mr_autojson json_t *all = describe(report, job, session, tally, run);
    mr_autofree char *text = all ? json_dumps(all, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
    mr_autofree char *path = mr_path_join(job->output, "run.json");
    mr_autofree char *line = NULL;
    if (!text || !path || asprintf(&line, "%s\n", text) < 0) {
        mr_error(diags, "no-memory", (mr_span){0}, "out of memory: run.json was not written");
        return MR_ERR_NOMEM;
    }
    if (mr_url_scheme(job->output))
        return put_in_store(session, job->output, line, diags);
    return mr_file_write_atomic(path, line, strlen(line), 0644, diags);
}
