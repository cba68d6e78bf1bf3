/* SPDX-License-Identifier: MIT */
/*
 * The bench: a private folder with a state folder in it, the plugin and a copy of the inspector, and the page that it shares with the task host.
 *
 * Invariant: page is mapped, and the copy of the inspector lies beside its file, before any host is started.
 */
#include "cli/kit/kit_internal.h"

#include "base/file.h"
#include "cli/session.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { INSPECTOR_MAX = 64 << 20, ARENA_MAX = 512 << 20, STRIKES = 2, HANG_US = 10 * 1000000 };

static const mr_span nowhere;

static mr_status fail(mr_diags *diags, const char *what, int error)
{
    mr_error(diags, "bench", nowhere, "%s: %s", what, strerrordesc_np(error));
    return MR_ERR_IO;
}

static mr_status make_dir(mr_bench *bench, mr_diags *diags)
{
    const char *parent = getenv("TMPDIR");
    bench->arena = mr_arena_new(ARENA_MAX);
    if (!bench->arena || asprintf(&bench->dir, "%s/millrace-test-plugin-XXXXXX", parent && *parent ? parent : "/tmp") < 0)
        return MR_ERR_NOMEM;
    if (mkdtemp(bench->dir)) {
        bench->state_dir = mr_arena_printf(bench->arena, "%s/state", bench->dir);
        return bench->state_dir ? MR_OK : MR_ERR_NOMEM;
    }
    const int error = errno;
    free(bench->dir);
    bench->dir = NULL;
    return fail(diags, "can't make a folder for the test", error);
}

static mr_status make_page(mr_bench *bench, mr_diags *diags)
{
    const char *path = mr_arena_printf(bench->arena, "%s/%s", bench->dir, MR_INSPECTION_FILE);
    void *page = MAP_FAILED;
    mr_autoclose int fd = path ? open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    if (fd >= 0 && ftruncate(fd, sizeof(*bench->page)) == 0)
        page = mmap(NULL, sizeof(*bench->page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED)
        return fail(diags, "can't make what is shared with the task host", errno);
    bench->page = page;
    snprintf(bench->page->plugin, sizeof(bench->page->plugin), "%s", bench->path);
    return MR_OK;
}

/* A copy: it finds the page beside itself. */
static mr_status add_inspector(mr_bench *bench, mr_diags *diags)
{
    const char *program_dir = mr_program_dir(bench->arena);
    const char *from = mr_arena_printf(bench->arena, "%s/../libexec/millrace/inspector.so", program_dir ? program_dir : "");
    const char *to = mr_arena_printf(bench->arena, "%s/inspector.so", bench->dir);
    mr_autofree char *bytes = NULL;
    size_t len = 0;
    mr_status status = from && to ? mr_file_read(from, INSPECTOR_MAX, &bytes, &len, diags) : MR_ERR_NOMEM;
    if (status == MR_OK)
        status = mr_file_write_atomic(to, bytes, len, 0600, diags);
    return status == MR_OK ? mr_plugins_add(bench->plugins, to, mr_engine_host(), diags) : status;
}

static int compare_entries(const void *a, const void *b)
{
    return strcmp(((const mr_op_entry *)a)->op->name, ((const mr_op_entry *)b)->op->name);
}

/* The plugin's ops as copies, whose batches trials may make smaller, and ours. */
static mr_status make_ops(mr_bench *bench)
{
    const mr_op_set *own = mr_plugins_ops(bench->plugins);
    size_t count = 0;
    size_t ours = 0;
    while (mr_kit_ops[ours])
        ours++;
    mr_op_entry *entries = mr_arena_take_array(bench->arena, own->count + ours, sizeof(*entries));
    bench->copies = mr_arena_take_array(bench->arena, own->count + 1, sizeof(*bench->copies));
    if (!entries || !bench->copies)
        return MR_ERR_NOMEM;
    for (; count < own->count; count++) {
        if (bench->is_script) { /* which knows its ops by their place in memory */
            entries[count] = own->entries[count];
            continue;
        }
        const size_t size = own->entries[count].op->size < sizeof(mr_op) ? own->entries[count].op->size : sizeof(mr_op);
        memcpy(&bench->copies[count], own->entries[count].op, size);
        entries[count] = (mr_op_entry){.op = &bench->copies[count], .plugin = own->entries[count].plugin};
    }
    for (size_t i = 0; i < ours; i++)
        entries[count++] = (mr_op_entry){.op = mr_kit_ops[i], .plugin = bench->plugin->name};
    qsort(entries, count, sizeof(*entries), compare_entries);
    bench->ops = (mr_op_set){.entries = entries, .count = count, .filters = own->filters};
    return MR_OK;
}

mr_status mr_bench_open(const mr_bench_options *options, mr_diags *diags, mr_bench *ret_bench)
{
    mr_bench *bench = ret_bench;
    struct mr_interrupt *interrupt = bench->interrupt;
    char real[PATH_MAX];
    *bench = (mr_bench){.options = *options, .interrupt = interrupt, .plugins = mr_plugins_new()};
    mr_status status = bench->plugins ? make_dir(bench, diags) : MR_ERR_NOMEM;
    if (status == MR_OK)
        status = mr_plugins_add(bench->plugins, options->plugin, mr_engine_host(), diags);
    if (status != MR_OK)
        return status;
    bench->plugin = mr_plugins_get(bench->plugins, 0)->plugin;
    bench->is_script = mr_plugins_get(bench->plugins, 0)->bundle != NULL;
    bench->path = realpath(options->plugin, real) ? mr_arena_printf(bench->arena, "%s", real) : NULL;
    status = bench->path ? make_page(bench, diags) : fail(diags, options->plugin, errno);
    if (status == MR_OK && !bench->is_script)
        status = add_inspector(bench, diags);
    return status == MR_OK ? make_ops(bench) : status;
}

void mr_bench_renew(mr_bench *bench)
{
    mr_engine_close(bench->engine);
    bench->engine = NULL;
}

void mr_bench_close(mr_bench *bench)
{
    mr_bench_renew(bench);
    if (bench->page)
        munmap(bench->page, sizeof(*bench->page));
    if (bench->dir)
        mr_dir_remove(bench->dir, NULL);
    free(bench->dir);
    mr_plugins_free(bench->plugins);
    mr_arena_free(bench->arena);
    *bench = (mr_bench){0};
}

const char *mr_bench_file(mr_bench *bench, const void *data, size_t len)
{
    const char *path = mr_arena_printf(bench->arena, "%s/input-%u", bench->dir, ++bench->files);
    return path && mr_file_write_atomic(path, data, len, 0600, NULL) == MR_OK ? path : NULL;
}

const char *mr_bench_json(mr_bench *bench, const json_t *value)
{
    mr_autofree char *text = value ? mr_json_text(value) : NULL;
    return text ? mr_bench_file(bench, text, strlen(text)) : NULL;
}

mr_status mr_bench_start(mr_bench *bench, mr_diags *diags)
{
    mr_settings settings = *bench->options.settings;
    settings.host_strikes = STRIKES; /* the first loss is told as one, and tried again; that is enough */
    settings.host_hang = HANG_US;
    const mr_engine_options options = {.state_dir = bench->state_dir, .jobs = 1, .settings = &settings, .plugins = bench->plugins};
    return bench->engine ? MR_OK : mr_engine_open(&options, diags, &bench->engine);
}
