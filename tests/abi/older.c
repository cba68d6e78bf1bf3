/* SPDX-License-Identifier: MIT */
/*
 * A plugin that uses all that ABI 1.0 has: every kind of param, every call of the host, batches and streaming. It is compiled against the headers of
 * each minor (frozen/), and must load and run as it did then: its cases are in older.yaml.
 */
#include <millrace/plugin.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- older.params: says what it was given ---- */

struct rung {
    const char *label;
    int64_t height;
};

struct params {
    bool flag;
    int64_t integer;
    double number;
    const char *text;
    int32_t choice;
    int64_t duration;
    int64_t bitrate;
    int64_t size;
    mr_ratio ratio;
    const char *url;
    mr_list rungs;
    mr_list words;
    const char *json;
};

static const char *const choices[] = {"slow", "fast", NULL};

static const mr_param rung_params[] = {
    MR_TEXT(struct rung, label, .flags = MR_PARAM_REQUIRED, .help = "its name"),
    MR_INT(struct rung, height, .help = "in lines"),
    MR_PARAM_END,
};

static const mr_param all_params[] = {
    MR_BOOL(struct params, flag, .standard = "false", .help = "a flag"),
    MR_INT(struct params, integer, .standard = "7", .min = "0", .max = "9", .help = "an integer"),
    MR_NUMBER(struct params, number, .standard = "0.5", .help = "a number"),
    MR_TEXT(struct params, text, .standard = "none", .help = "a text"),
    MR_CHOICE(struct params, choice, .choices = choices, .standard = "fast", .help = "a choice"),
    MR_DURATION(struct params, duration, .standard = "4s", .help = "a duration"),
    MR_BITRATE(struct params, bitrate, .standard = "800k", .help = "a bit rate"),
    MR_SIZE(struct params, size, .standard = "64MiB", .help = "a size"),
    MR_RATIO(struct params, ratio, .standard = "30000/1001", .help = "a ratio"),
    MR_URL(struct params, url, .standard = "https://example.com/hook", .help = "an address"),
    MR_LIST(struct params, rungs, .fields = rung_params, .item_size = sizeof(struct rung), .help = "a list of maps"),
    MR_LIST(struct params, words, .item_type = MR_PARAM_TYPE_TEXT, .help = "a list of texts"),
    MR_JSON(struct params, json, .help = "anything"),
    MR_PARAM_END,
};

static mr_status run_params(const mr_host *host, const mr_batch *batch)
{
    const struct params *given = (const struct params *)batch->tasks[0].params;
    const struct rung *rungs = (const struct rung *)given->rungs.items;
    const char *const *words = (const char *const *)given->words.items;
    char meta[1024];
    snprintf(meta, sizeof(meta),
             "{\"flag\":%s,\"integer\":%" PRId64 ",\"number\":%g,\"text\":\"%s\",\"choice\":\"%s\",\"duration\":%" PRId64 ",\"bitrate\":%" PRId64
             ",\"size\":%" PRId64 ",\"ratio\":[%d,%d],\"url\":\"%s\",\"rung\":\"%s\",\"height\":%" PRId64
             ",\"rungs\":%zu,\"word\":\"%s\",\"json\":%s}",
             given->flag ? "true" : "false", given->integer, given->number, given->text, choices[given->choice], given->duration, given->bitrate,
             given->size, given->ratio.num, given->ratio.den, given->url, given->rungs.count ? rungs[0].label : "",
             given->rungs.count ? rungs[0].height : 0, given->rungs.count, given->words.count ? words[given->words.count - 1] : "",
             given->json ? given->json : "0");
    return host->emit(batch->tasks[0].task, 0, meta, NULL);
}

/* ---- older.copy: the same text by every way there is ---- */

enum { IN_SOURCE, IN_MORE };
enum { OUT_WRITTEN, OUT_BYTES, OUT_FROM, OUT_ABOUT };

static mr_status write_through_scratch(const mr_host *host, mr_task *task, const char *text, size_t len)
{
    char path[512];
    char back[64] = "";
    const char *scratch = host->scratch(task);
    mr_content *content = NULL;
    if (!scratch)
        return MR_ERR_IO;
    snprintf(path, sizeof(path), "%s/text", scratch);
    FILE *file = fopen(path, "w+");
    if (!file)
        return MR_ERR_IO;
    const int whole = fwrite(text, 1, len, file) == len && fseek(file, 0, SEEK_SET) == 0 && fread(back, 1, sizeof(back), file) == len;
    fclose(file);
    mr_status status = whole ? host->content_new(task, &content) : MR_ERR_IO;
    if (status == MR_OK)
        status = host->content_write_at(content, 0, back, len);
    if (status == MR_OK)
        return host->emit(task, OUT_WRITTEN, NULL, content);
    host->content_free(content);
    return status;
}

static mr_status copy(const mr_host *host, mr_task *task)
{
    const mr_artifact *source = host->input(task, IN_SOURCE, 0);
    char text[64];
    char meta[256];
    char by_fd = 0;
    size_t len = 0;
    if (source->size > sizeof(text)) {
        host->report(task, MR_SEVERITY_ERROR, NULL, "give it less", "the text has %" PRIu64 " bytes, more than %zu", source->size, sizeof(text));
        return MR_ERR_LIMIT;
    }
    if (host->cancelled(task))
        return MR_ERR_CANCELLED;
    mr_status status = host->read_at(task, source, 0, text, sizeof(text), &len);
    host->progress(task, 0.5);
    const int fd = status == MR_OK ? host->content_fd(task, source) : -1;
    if (status == MR_OK && (fd < 0 || (len > 0 && pread(fd, &by_fd, 1, 0) != 1)))
        status = MR_ERR_IO;
    if (status == MR_OK)
        status = write_through_scratch(host, task, text, len);
    if (status == MR_OK)
        status = host->emit_bytes(task, OUT_BYTES, NULL, text, len);
    if (status == MR_OK)
        status = host->emit_from(task, OUT_FROM, NULL, source);
    snprintf(meta, sizeof(meta), "{\"size\":%" PRIu64 ",\"first\":%d,\"index\":%" PRIu64 ",\"type\":%u,\"more\":%zu,\"digest\":%s,\"meta\":%s}",
             source->size, by_fd, source->index, source->type, host->input_count(task, IN_MORE),
             strncmp(source->digest, "sha256:", 7) == 0 ? "true" : "false", source->meta);
    return status == MR_OK ? host->emit(task, OUT_ABOUT, meta, NULL) : status;
}

static mr_status run_copy(const mr_host *host, const mr_batch *batch)
{
    mr_status status = MR_OK;
    for (uint32_t i = 0; i < batch->count && status == MR_OK; i++)
        status = host->finish(batch->tasks[i].task, copy(host, batch->tasks[i].task));
    return status;
}

/* ---- older.fold: a streaming port ---- */

static mr_status run_fold(const mr_host *host, const mr_batch *batch)
{
    mr_task *task = batch->tasks[0].task;
    const mr_artifact *item = NULL;
    uint32_t port = 0;
    uint64_t bytes = 0;
    unsigned count = 0;
    char meta[64];
    mr_status status = MR_OK;
    while ((status = host->next(task, &port, &item)) == MR_OK) {
        bytes += item->size;
        count++;
    }
    if (status != MR_END)
        return status;
    snprintf(meta, sizeof(meta), "{\"bytes\":%" PRIu64 ",\"count\":%u}", bytes, count);
    return host->emit(task, 0, meta, NULL);
}

/* ---- tables ---- */

static const mr_port params_outputs[] = {{"given", MR_TYPE_JSON, 0, "what it was given"}, {0}};
static const mr_port copy_inputs[] = {
    {"source", MR_TYPE_TEXT, 0, "a short text"}, {"more", MR_TYPE_ANY, MR_PORT_MANY | MR_PORT_OPTIONAL, "counted"}, {0}};
static const mr_port copy_outputs[] = {{"written", MR_TYPE_TEXT, 0, "the text"},
                                       {"bytes", MR_TYPE_TEXT, 0, "the text"},
                                       {"from", MR_TYPE_TEXT, 0, "the text"},
                                       {"about", MR_TYPE_JSON, 0, "what is known of it"},
                                       {0}};
static const mr_port fold_inputs[] = {{"items", MR_TYPE_TEXT, MR_PORT_STREAMING, "texts"}, {0}};
static const mr_port fold_outputs[] = {{"sum", MR_TYPE_JSON, 0, "how much there was"}, {0}};

#define OP(variable, ...) static const mr_op variable = {.size = sizeof(mr_op), .version = 1, .cpu = 1, .memory_mb = 1, __VA_ARGS__}
OP(op_params, .name = "older.params", .summary = "says what it was given", .outputs = params_outputs, .params = all_params,
   .params_size = sizeof(struct params), .run = run_params);
OP(op_copy, .name = "older.copy", .summary = "copies a text", .inputs = copy_inputs, .outputs = copy_outputs, .batch_max = 4, .batch_by = "source",
   .run = run_copy);
OP(op_fold, .name = "older.fold", .summary = "sums up texts", .inputs = fold_inputs, .outputs = fold_outputs, .run = run_fold);

static const mr_op *const ops[] = {&op_params, &op_copy, &op_fold, NULL};

static mr_status load(const mr_host *host, char *why, size_t why_size)
{
    if (host->abi_major == MR_ABI_MAJOR && host->abi_minor + 1 > MR_ABI_MINOR && host->size >= sizeof(mr_host))
        return MR_OK;
    snprintf(why, why_size, "the host is older than the plugin");
    return MR_ERR_UNSUPPORTED;
}

MR_PLUGIN_EXPORT const mr_plugin mr_plugin_entry = {
    .size = sizeof(mr_plugin),
    .abi_major = MR_ABI_MAJOR,
    .abi_minor = MR_ABI_MINOR,
    .name = "older",
    .version = "1.0.0",
    .summary = "uses all that ABI 1.0 has",
    .licence = "MIT",
    .ops = ops,
    .load = load,
};
