/* SPDX-License-Identifier: MIT */
/* See op_host.h. One batch at a time, single-threaded; content lives in memory. */
#include "op_host.h"
#include "base/file.h"
#include "config/params.h"
#include "config/yaml.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct mr_content {
    uint8_t *data;
    size_t size;
};

typedef struct held_input {
    mr_artifact artifact; /* first: an mr_artifact * is a held_input * */
    uint32_t port;
    int fd;
    const uint8_t *data;
} held_input;

struct mr_task {
    const mr_op *op;
    const op_run_options *options;
    held_input *inputs;
    size_t input_count;
    size_t next_input;
    op_result *result;
    uint32_t cancel_calls;
    char scratch[64];
    FILE *messages;
    size_t messages_size;
    mr_status finished;
    bool is_finished;
    const op_batch_task *batch; /* its tasks; NULL: alone */
    mr_task *siblings;
    size_t sibling_count;
};

static bool hold_input(mr_task *task, const op_input *input);

static size_t host_input_count(const mr_task *task, uint32_t port)
{
    size_t count = 0;
    for (size_t i = 0; i < task->input_count; i++)
        count += task->inputs[i].port == port;
    return count;
}

static const mr_artifact *host_input(const mr_task *task, uint32_t port, size_t index)
{
    for (size_t i = 0; i < task->input_count; i++) {
        if (task->inputs[i].port == port && index-- == 0)
            return &task->inputs[i].artifact;
    }
    return NULL;
}

static mr_status host_next(mr_task *task, uint32_t *ret_port, const mr_artifact **ret_item)
{
    while (task->next_input < task->input_count) {
        const held_input *input = &task->inputs[task->next_input++];
        if (task->op->inputs[input->port].flags & MR_PORT_STREAMING) {
            *ret_port = input->port;
            *ret_item = &input->artifact;
            return MR_OK;
        }
    }
    return MR_END;
}

static mr_status host_read_at(mr_task *task, const mr_artifact *artifact, uint64_t offset, void *buf, size_t len, size_t *ret_len)
{
    const held_input *input = (const held_input *)artifact;
    (void)task;
    *ret_len = 0;
    if (offset >= artifact->size)
        return MR_OK;
    if (len > artifact->size - offset)
        len = (size_t)(artifact->size - offset);
    if (input->fd < 0) {
        memcpy(buf, input->data + offset, len);
        *ret_len = len;
        return MR_OK;
    }
    while (*ret_len < len) {
        ssize_t got = pread(input->fd, (char *)buf + *ret_len, len - *ret_len, (off_t)(offset + *ret_len));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return MR_ERR_IO;
        if (got == 0)
            break;
        *ret_len += (size_t)got;
    }
    return MR_OK;
}

static int host_content_fd(mr_task *task, const mr_artifact *artifact)
{
    (void)task;
    return ((const held_input *)artifact)->fd;
}

static mr_status host_content_new(mr_task *task, mr_content **ret_content)
{
    (void)task;
    *ret_content = calloc(1, sizeof(**ret_content));
    return *ret_content ? MR_OK : MR_ERR_NOMEM;
}

static mr_status host_content_write_at(mr_content *content, uint64_t offset, const void *data, size_t len)
{
    if (len == 0)
        return MR_OK;
    if (offset + len > content->size) {
        uint8_t *grown = realloc(content->data, offset + len + 1);
        if (!grown)
            return MR_ERR_NOMEM;
        if (offset > content->size)
            memset(grown + content->size, 0, offset - content->size);
        content->data = grown;
        content->size = offset + len;
        content->data[content->size] = '\0'; /* so that text can be read as such */
    }
    memcpy(content->data + offset, data, len);
    return MR_OK;
}

static mr_status host_content_copy_at(mr_content *content, uint64_t offset, const mr_artifact *from, const mr_range *ranges, size_t count)
{
    mr_status status = MR_OK;
    for (size_t i = 0; i < count && status == MR_OK; i++) {
        size_t got = 0;
        uint8_t *data = malloc(ranges[i].size + 1);
        status = data ? host_read_at(NULL, from, ranges[i].offset, data, ranges[i].size, &got) : MR_ERR_NOMEM;
        if (status == MR_OK)
            status = got == ranges[i].size ? host_content_write_at(content, offset, data, got) : MR_ERR_INTERNAL;
        offset += got;
        free(data);
    }
    return status;
}

static void host_content_free(mr_content *content)
{
    if (!content)
        return;
    free(content->data);
    free(content);
}

static mr_status host_emit(mr_task *task, uint32_t port, const char *meta, mr_content *take_content)
{
    op_result *result = task->result;
    op_item *grown = realloc(result->items, (result->count + 1) * sizeof(*grown));
    if (!grown) {
        host_content_free(take_content);
        return MR_ERR_NOMEM;
    }
    result->items = grown;
    op_item *item = &grown[result->count++];
    *item = (op_item){.port = port, .type = task->op->outputs[port].types, .meta = strdup(meta ? meta : "{}")};
    if (take_content) {
        item->data = take_content->data;
        item->size = take_content->size;
        item->has_content = true;
        free(take_content);
    }
    return item->meta ? MR_OK : MR_ERR_NOMEM;
}

static mr_status host_emit_bytes(mr_task *task, uint32_t port, const char *meta, const void *data, size_t len)
{
    mr_content *content = NULL;
    mr_status status = host_content_new(task, &content);
    if (status == MR_OK)
        status = host_content_write_at(content, 0, data, len);
    if (status != MR_OK) {
        host_content_free(content);
        return status;
    }
    return host_emit(task, port, meta, content);
}

static mr_status host_emit_from(mr_task *task, uint32_t port, const char *meta, const mr_artifact *content_of)
{
    char *data = malloc(content_of->size + 1);
    size_t len = 0;
    mr_status status = data ? host_read_at(task, content_of, 0, data, content_of->size, &len) : MR_ERR_NOMEM;
    if (status == MR_OK)
        status = host_emit_bytes(task, port, meta, data, len);
    free(data);
    return status;
}

static void host_progress(mr_task *task, double fraction)
{
    (void)task;
    (void)fraction;
}

static int host_cancelled(const mr_task *task)
{
    mr_task *mine = (mr_task *)task;
    return task->options->cancel_after && ++mine->cancel_calls > task->options->cancel_after;
}

/* What this task emitted first reaches those tasks of the batch that wait for it. */
static void feed_siblings(mr_task *task)
{
    const op_result *made = task->result;
    for (size_t i = 0; i < task->sibling_count && made->count; i++) {
        const op_batch_task *waits = &task->batch[i];
        mr_task *to = &task->siblings[i];
        if (waits->from == 0 || &task->siblings[waits->from - 1] != task)
            continue;
        const op_item *item = &made->items[0];
        const op_input input = {.port = waits->port, .type = item->type, .meta = item->meta, .data = item->data, .size = item->size};
        hold_input(to, &input);
    }
}

static mr_status host_finish(mr_task *task, mr_status status)
{
    task->finished = status;
    task->is_finished = true;
    if (status == MR_OK)
        feed_siblings(task);
    return MR_OK;
}

static const char *host_scratch(mr_task *task)
{
    if (!task->scratch[0]) {
        memcpy(task->scratch, "/tmp/millrace-op-XXXXXX", sizeof("/tmp/millrace-op-XXXXXX"));
        if (!mkdtemp(task->scratch))
            return NULL;
    }
    return task->scratch;
}

static void host_report(mr_task *task, mr_severity severity, const char *param, const char *hint, const char *fmt, ...)
{
    static const char *const words[] = {"note", "warning", "error"};
    va_list args;
    fprintf(task->messages, "%s: ", words[severity]);
    if (param)
        fprintf(task->messages, "param '%s': ", param);
    va_start(args, fmt);
    vfprintf(task->messages, fmt, args);
    va_end(args);
    fprintf(task->messages, hint ? " (%s)\n" : "\n", hint ? hint : "");
}

static const mr_service *host_service(const mr_task *task, const char *service_class, const char *selector)
{
    const mr_service *service = task->options->service;
    (void)selector;
    return service && strcmp(service->service_class, service_class) == 0 ? service : NULL;
}

static const char *host_output_dir(const mr_task *task)
{
    return task->op->flags & MR_OP_EFFECT ? task->options->output_dir : NULL;
}
static const char *host_effect_key(const mr_task *task)
{
    return task->op->flags & MR_OP_EFFECT ? "test-effect-key" : NULL;
}
static const char *host_run_state(const mr_task *task)
{
    return task->options->run_state ? task->options->run_state : "{}";
}

static const mr_limits *host_limits(const mr_task *task)
{
    static const mr_limits standard = MR_LIMITS_STANDARD;
    return task->options->limits ? task->options->limits : &standard;
}

static const mr_host host = {
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
    .output_dir = host_output_dir,
    .output_url = host_output_dir,
    .service = host_service,
    .effect_key = host_effect_key,
    .run_state = host_run_state,
    .limits = host_limits,
};

const mr_op *op_load(const char *plugin_path, const char *op_name)
{
    void *object = dlopen(plugin_path, RTLD_NOW | RTLD_LOCAL);
    const mr_plugin *plugin = object ? dlsym(object, MR_PLUGIN_SYMBOL) : NULL;
    if (!plugin) {
        fprintf(stderr, "%s\n", dlerror());
        return NULL;
    }
    char why[256] = "";
    if (plugin->load && plugin->load(&host, why, sizeof(why)) != MR_OK) {
        fprintf(stderr, "%s: %s\n", plugin_path, why);
        return NULL;
    }
    for (const mr_op *const *op = plugin->ops; op && *op; op++) {
        if (strcmp((*op)->name, op_name) == 0)
            return *op;
    }
    fprintf(stderr, "%s has no op '%s'\n", plugin_path, op_name);
    return NULL;
}

static bool hold_input(mr_task *task, const op_input *input)
{
    held_input *held = &task->inputs[task->input_count];
    uint32_t port = 0;
    const mr_port *ports = task->op->inputs;
    while (ports[port].name && strcmp(ports[port].name, input->port) != 0)
        port++;
    if (!ports[port].name) {
        fprintf(stderr, "op %s has no input '%s'\n", task->op->name, input->port);
        return false;
    }
    const char *meta = input->meta ? input->meta : "{}";
    *held = (held_input){.port = port, .fd = -1, .data = input->data};
    held->artifact = (mr_artifact){
        .type = input->type, .size = input->size, .digest = input->digest ? input->digest : "", .name = "", .meta = meta, .meta_len = strlen(meta)};
    held->artifact.index = host_input_count(task, port);
    held->artifact.has_content = input->path || input->data;
    task->input_count++;
    if (!input->path)
        return true;
    struct stat info;
    const char *slash = strrchr(input->path, '/');
    held->artifact.name = slash ? slash + 1 : input->path;
    held->fd = open(input->path, O_RDONLY | O_CLOEXEC);
    if (held->fd < 0 || fstat(held->fd, &info) != 0) {
        perror(input->path);
        return false;
    }
    held->artifact.size = (uint64_t)info.st_size;
    return true;
}

static mr_status bind_params(const mr_op *op, const char *text, const mr_filter_set *filters, mr_arena *arena, void **ret_params)
{
    const mr_value *map = NULL;
    mr_diags *diags = mr_diags_new();
    mr_status status = MR_OK;
    if (text)
        status = mr_yaml_read(arena, "params", text, strlen(text), &mr_yaml_limits_default, diags, &map);
    *ret_params = mr_arena_take(arena, op->params_size + 1);
    if (status == MR_OK && op->params)
        status = mr_params_bind_with(filters, op->params, map, op->name, (mr_span){0}, arena, *ret_params, op->params_size, NULL, diags);
    mr_diags_print(diags, stderr, false);
    mr_diags_free(diags);
    return status;
}

static bool start_task(mr_task *task, const op_batch_task *from, const op_run_options *options, op_result *result)
{
    bool held = true;
    *result = (op_result){.status = MR_ERR_INTERNAL};
    *task = (mr_task){.op = from->op, .options = options, .result = result};
    task->messages = open_memstream(&result->messages, &task->messages_size);
    task->inputs = calloc(from->input_count + 2, sizeof(*task->inputs)); /* one more may come from a sibling */
    for (size_t i = 0; i < from->input_count && held; i++)
        held = hold_input(task, &from->inputs[i]);
    return held;
}

static void end_task(mr_task *task)
{
    for (size_t i = 0; i < task->input_count; i++)
        mr_cleanup_fd(&task->inputs[i].fd);
    if (task->scratch[0])
        mr_dir_remove(task->scratch, NULL);
    free(task->inputs);
    fclose(task->messages);
}

void op_run_batch(const op_batch_task *tasks, size_t count, const op_run_options *options, op_result *results)
{
    static const op_run_options nothing;
    mr_arena *arena = mr_arena_new(0);
    mr_task *mine = calloc(count, sizeof(*mine));
    mr_batch_task *all = calloc(count, sizeof(*all));
    mr_status bound = MR_OK;
    for (size_t i = 0; i < count; i++) {
        void *params = NULL;
        if (!start_task(&mine[i], &tasks[i], options ? options : &nothing, &results[i]))
            bound = MR_ERR_INTERNAL;
        mine[i].batch = tasks;
        mine[i].siblings = mine;
        mine[i].sibling_count = count;
        results[i].status = bind_params(tasks[i].op, tasks[i].params, options ? options->filters : NULL, arena, &params);
        if (results[i].status != MR_OK)
            bound = results[i].status;
        all[i] = (mr_batch_task){.task = &mine[i], .op = tasks[i].op, .params = params};
    }
    if (bound == MR_OK) {
        const uint32_t processors = options && options->processors ? options->processors : 1;
        const mr_batch batch = {.size = sizeof(batch), .count = (uint32_t)count, .tasks = all, .processors = processors};
        mr_status returned = tasks[0].op->run(&host, &batch);
        for (size_t i = 0; i < count; i++)
            results[i].status = mine[i].is_finished ? mine[i].finished : returned;
    }
    for (size_t i = 0; i < count; i++)
        end_task(&mine[i]);
    free(all);
    free(mine);
    mr_arena_free(arena);
}

op_result op_run(const mr_op *op, const char *params, const op_input *inputs, size_t input_count, const op_run_options *options)
{
    op_result result;
    const op_batch_task one = {.op = op, .params = params, .inputs = inputs, .input_count = input_count};
    op_run_batch(&one, 1, options, &result);
    return result;
}

void op_result_free(op_result *result)
{
    for (size_t i = 0; i < result->count; i++) {
        free(result->items[i].meta);
        free(result->items[i].data);
    }
    free(result->items);
    free(result->messages);
    *result = (op_result){0};
}

const op_item *op_result_item(const op_result *result, const mr_op *op, const char *port, size_t n)
{
    for (size_t i = 0; i < result->count; i++) {
        if (strcmp(op->outputs[result->items[i].port].name, port) == 0 && n-- == 0)
            return &result->items[i];
    }
    return NULL;
}

size_t op_result_count(const op_result *result, const mr_op *op, const char *port)
{
    size_t count = 0;
    while (op_result_item(result, op, port, count))
        count++;
    return count;
}
