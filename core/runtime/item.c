/* SPDX-License-Identifier: MIT */
/*
 * Items: artifacts as the engine holds them, from sources, from ops, and from what the store kept of earlier runs.
 * Invariant: an item is sealed (its key computed) before anyone else sees it, and never changes afterwards.
 */
#include "base/file.h"
#include "base/json.h"
#include "runtime/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

mr_item *mr_item_new(mr_run *run, uint32_t type, const char *meta)
{
    mr_item *item = calloc(1, sizeof(*item));
    if (!item)
        return NULL;
    item->fd = -1;
    item->meta = strdup(meta ? meta : "{}");
    if (!item->meta) {
        free(item);
        return NULL;
    }
    item->pub = (mr_artifact){.type = type, .digest = item->digest, .name = "", .meta = item->meta, .meta_len = strlen(item->meta)};
    item->next_owned = run->items;
    run->items = item;
    return item;
}

void mr_item_set_content(mr_item *item, const char *digest, uint64_t size)
{
    size_t len = strnlen(digest, sizeof(item->digest) - 1);
    memcpy(item->digest, digest, len);
    item->digest[len] = '\0';
    item->pub.size = size;
    item->pub.has_content = 1;
}

void mr_item_seal(mr_item *item)
{
    char text[64];
    mr_hash *hash = mr_hash_new();
    if (!hash)
        return; /* an empty key: the task that reads it has no identity, and is not cached */
    snprintf(text, sizeof(text), "%u:%u", item->pub.type, item->pub.has_content);
    mr_hash_add_text(hash, text);
    mr_hash_add_text(hash, item->meta);
    mr_hash_add_text(hash, item->digest);
    mr_hash_finish(hash, item->key);
    mr_hash_free(hash);
}

static mr_status source_error(mr_diags *diags, const char *input, const char *path, const char *why, const char *hint)
{
    mr_error(diags, "input", (mr_span){0}, "input '%s': '%s' %s", input, path, why);
    if (hint)
        mr_hint(diags, "%s", hint);
    return MR_ERR_INPUT;
}

static mr_status open_regular(const char *input, const char *path, mr_diags *diags, int *ret_fd, struct stat *ret_info)
{
    char why[160];
    const char *hint = NULL;
    /* O_NONBLOCK: a FIFO must not hang us before we can refuse it. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, ret_info) != 0) {
        int error = errno;
        snprintf(why, sizeof(why), "can't be read: %s", strerrordesc_np(error));
        if (error == ENOENT || error == ENOTDIR)
            hint = "check the path; it is taken relative to the current folder";
        else if (error == EACCES || error == EPERM)
            hint = "the user who runs millrace needs the right to read it, and to enter the folders it lies in";
        if (fd >= 0)
            close(fd);
        return source_error(diags, input, path, why, hint);
    }
    if (!S_ISREG(ret_info->st_mode)) {
        close(fd);
        return source_error(diags, input, path, S_ISDIR(ret_info->st_mode) ? "is a folder" : "is not a regular file", "name a file");
    }
    *ret_fd = fd;
    return MR_OK;
}

/* A json input is its value; anything else is bytes. Read after the source was looked at, so that the value is that of its key. */
static mr_status json_source_meta(const char *input, const char *path, int fd, mr_source *source, mr_diags *diags, char **ret_meta)
{
    char why[160] = "";
    char same[64];
    char *text = NULL;
    mr_autofree char *changed = NULL;
    size_t len = 0;
    snprintf(same, sizeof(same), "/proc/self/fd/%d", fd); /* not path: that may be another file by now */
    mr_status status = mr_file_read(same, MR_MAX_META, &text, &len, NULL);
    if (status == MR_ERR_LIMIT)
        return source_error(diags, input, path, "is larger than a JSON input may be", "16 MiB at most");
    if (status != MR_OK)
        return status == MR_ERR_NOMEM ? status : source_error(diags, input, path, "can't be read", NULL);
    json_t *value = mr_json_read(text, len, MR_MAX_META, why);
    free(text);
    if (!json_is_object(value)) {
        json_decref(value);
        return source_error(diags, input, path, "is not a JSON object", why[0] ? why : NULL);
    }
    *ret_meta = mr_json_text(value);
    json_decref(value);
    if (*ret_meta && mr_source_check(source, &changed) != MR_OK)
        return source_error(diags, input, path, "changes while it is read", "run again when nothing writes to it any more");
    return *ret_meta ? MR_OK : MR_ERR_NOMEM;
}

static mr_status make_source_item(mr_run *run, uint32_t type, const char *path, const char *meta, int take_fd, mr_source *take_source,
                                  mr_growth *take_growth, mr_item **ret_item)
{
    const char *slash = strrchr(path, '/');
    mr_item *item = mr_item_new(run, type, meta);
    if (!item) {
        mr_source_close(take_source, false);
        mr_growth_release(run->engine, take_growth);
        close(take_fd);
        return MR_ERR_NOMEM;
    }
    item->fd = take_fd;
    item->source = take_source;
    item->growth = take_growth;
    item->name = strdup(slash ? slash + 1 : path);
    if (!item->name)
        return MR_ERR_NOMEM;
    item->pub.name = item->name;
    item->pub.size = mr_source_size(take_source);
    item->pub.has_content = 1;
    if (mr_source_key(take_source)[0]) { /* stands for its content, whose digest need not be known yet */
        snprintf(item->digest, sizeof(item->digest), "%s", mr_source_key(take_source));
        mr_item_seal(item);
    }
    item->pub.digest = "";
    *ret_item = item;
    return MR_OK;
}

mr_status mr_item_open_source(mr_run *run, const mr_pipeline_input *input, const char *path, mr_diags *diags, mr_item **ret_item)
{
    struct stat info;
    int fd = -1;
    mr_source *source = NULL;
    mr_autofree char *meta = NULL;
    mr_source_options options = {.catalogue = run->engine->catalogue,
                                 .input = input->name,
                                 .path = path,
                                 .jobs = run->engine->jobs,
                                 .first = input->type == MR_TYPE_JSON,
                                 .planning = run->planning};
    mr_status status = open_regular(input->name, path, diags, &fd, &info);
    mr_growth *growth = status == MR_OK ? mr_growth_of(run->engine, fd) : NULL;
    options.grows = growth != NULL;
    options.length = growth ? mr_growth_length(growth) : 0;
    if (growth && input->type == MR_TYPE_JSON)
        status = source_error(diags, input->name, path, "has not arrived as a whole yet", "begin when it is complete");
    if (status == MR_OK && input->type == MR_TYPE_JSON && info.st_size > (off_t)MR_MAX_META)
        status = source_error(diags, input->name, path, "is larger than a JSON input may be", "16 MiB at most");
    if (status == MR_OK)
        status = mr_source_open(&options, fd, diags, &source);
    if (status == MR_OK && input->type == MR_TYPE_JSON)
        status = json_source_meta(input->name, path, fd, source, diags, &meta);
    if (status == MR_OK)
        return make_source_item(run, input->type, path, meta, fd, source, growth, ret_item);
    mr_source_close(source, false);
    mr_growth_release(run->engine, growth);
    if (fd >= 0)
        close(fd);
    return status;
}

void mr_items_free(mr_run *run)
{
    while (run->items) {
        mr_item *item = run->items;
        run->items = item->next_owned;
        mr_source_close(item->source, run->over && !run->stopping && !run->planning);
        mr_growth_release(run->engine, item->growth);
        if (item->fd >= 0)
            close(item->fd);
        free(item->meta);
        free(item->name);
        free(item);
    }
}

mr_status mr_task_add_output(mr_task *task, uint32_t port, mr_item *item)
{
    if (task->output_count == task->output_room) {
        size_t room = task->output_room ? task->output_room * 2 : 4;
        mr_output *grown = room <= MR_MAX_ITEMS ? realloc(task->outputs, room * sizeof(*grown)) : NULL;
        if (!grown)
            return MR_ERR_NOMEM;
        task->outputs = grown;
        task->output_room = room;
    }
    task->outputs[task->output_count++] = (mr_output){.port = port, .item = item};
    return MR_OK;
}

json_t *mr_outputs_json(const mr_task *task)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < task->output_count; i++) {
        const mr_output *output = &task->outputs[i];
        const mr_artifact *artifact = &output->item->pub;
        char type[80];
        json_t *meta = mr_json_read(artifact->meta, artifact->meta_len, MR_MAX_META, NULL);
        json_t *one = json_pack("{s:s, s:s, s:o}", "port", task->node->node->op->outputs[output->port].name, "type",
                                mr_types_text(artifact->type, type, sizeof(type)), "meta", meta ? meta : json_object());
        if (one && artifact->has_content) {
            json_object_set_new(one, "digest", json_string(artifact->digest));
            json_object_set_new(one, "size", json_integer((json_int_t)artifact->size));
        }
        if (!one || json_array_append_new(list, one) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static mr_status load_output(mr_task *task, const json_t *one)
{
    const mr_op *op = task->node->node->op;
    mr_engine *engine = task->run->engine;
    const char *name = json_string_value(json_object_get(one, "port"));
    const char *digest = json_string_value(json_object_get(one, "digest"));
    const json_int_t size = json_integer_value(json_object_get(one, "size"));
    int port = name ? mr_port_find(op->outputs, name) : -1;
    if (port < 0 || (digest && !mr_objects_has(engine->objects, digest, (uint64_t)size)))
        return MR_ERR_NOT_FOUND;
    mr_autofree char *meta = mr_json_text(json_object_get(one, "meta"));
    if (!meta)
        return MR_ERR_NOMEM;
    pthread_mutex_lock(&engine->lock);
    mr_item *item = mr_item_new(task->run, op->outputs[port].types, meta);
    pthread_mutex_unlock(&engine->lock);
    if (!item)
        return MR_ERR_NOMEM;
    if (digest)
        mr_item_set_content(item, digest, (uint64_t)size);
    mr_item_seal(item);
    return mr_task_add_output(task, (uint32_t)port, item);
}

mr_status mr_outputs_load(mr_task *task, const json_t *outputs)
{
    size_t i;
    const json_t *one;
    mr_status status = MR_OK;
    json_array_foreach(outputs, i, one)
    {
        status = load_output(task, one);
        if (status != MR_OK)
            break;
    }
    if (status != MR_OK)
        task->output_count = 0; /* the items stay with the run, unseen */
    return status;
}
