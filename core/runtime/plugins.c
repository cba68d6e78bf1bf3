/* SPDX-License-Identifier: MIT */
/*
 * Finds and loads plugins.
 *
 * Invariants
 *   - A file becomes a plugin only when all of it is fine; otherwise it gets exactly one diagnostic (further mistakes are its notes)
 *     and nothing of it is used.
 *   - What dlopen() gave is never closed: ops, strings and libraries (FFmpeg's static tables) stay where they are.
 *   - The set of ops is sorted and has each name once. It is rebuilt by each addition; entries of the former set are gone then.
 */
#include "runtime/plugins.h"

#include "base/file.h"
#include "runtime/plugins_check.h"
#include "runtime/plugins_internal.h"

#include <dirent.h>
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLUGINS_MAX     256u
#define FOLDERS_MAX     64u   /* of MILLRACE_PLUGIN_PATH */
#define FILES_MAX       4096u /* entries of one folder */
#define WHY_SIZE        256
#define PLUGIN_SIZE_1_0 ((uint32_t)(offsetof(mr_plugin, load) + sizeof(((mr_plugin *)0)->load)))

static const mr_span nowhere;

static bool ends_with(const char *text, const char *end)
{
    const size_t len = strlen(text);
    return len > strlen(end) && strcmp(text + len - strlen(end), end) == 0;
}

static mr_status no_memory(mr_diags *diags)
{
    mr_error(diags, "no-memory", nowhere, "out of memory");
    return MR_ERR_NOMEM;
}

/* ---- one file ---- */

static mr_status open_object(const char *path, mr_diags *diags, void **ret_handle)
{
    struct stat info;
    mr_autofree char *real = realpath(path, NULL); /* dlopen() searches for names without a slash */
    if (!real || stat(real, &info) != 0 || access(real, R_OK) != 0) {
        int error = errno;
        mr_error(diags, "plugin-file", nowhere, "can't read plugin '%s': %s", path,
                 strerror(error)); // NOLINT(concurrency-mt-unsafe): glibc's is safe
        return error == ENOENT ? MR_ERR_NOT_FOUND : MR_ERR_IO;
    }
    if (!S_ISREG(info.st_mode)) {
        mr_error(diags, "plugin-file", nowhere, "plugin '%s' is not a file", path);
        return MR_ERR_INPUT;
    }
    if (info.st_mode & S_IWOTH) {
        mr_warning(diags, "plugin-writable", nowhere, "plugin '%s' may be changed by every user of this machine", path);
        mr_hint(diags, "chmod o-w '%s'", path);
    }
    *ret_handle = dlopen(real, RTLD_NOW | RTLD_LOCAL);
    if (*ret_handle)
        return MR_OK;
    const char *why = dlerror(); // NOLINT(concurrency-mt-unsafe): per thread in glibc
    size_t len = strlen(real);
    if (why && strncmp(why, real, len) == 0 && strncmp(why + len, ": ", 2) == 0)
        why += len + 2; /* the path is said once */
    mr_error(diags, "plugin-file", nowhere, "can't load plugin '%s': %s", path, why ? why : "no reason given");
    return MR_ERR_INPUT;
}

/* The entry, when the file has one that is data and long enough to hold its own size and ABI. */
static mr_status find_entry(void *handle, const char *path, mr_diags *diags, const mr_plugin **ret_entry)
{
    Dl_info info;
    const ElfW(Sym) *symbol = NULL;
    void *entry = dlsym(handle, MR_PLUGIN_SYMBOL);
    if (!entry) {
        mr_error(diags, "plugin-entry", nowhere, "'%s' is not a plugin: it does not export '%s'", path, MR_PLUGIN_SYMBOL);
        mr_hint(diags, "write MR_PLUGIN_EXPORT in front of the constant; see millrace/plugin.h");
        return MR_ERR_INPUT;
    }
    if (dladdr1(entry, &info, (void **)&symbol, RTLD_DL_SYMENT) != 0 && symbol &&
        (ELF64_ST_TYPE(symbol->st_info) != STT_OBJECT || symbol->st_size < offsetof(mr_plugin, name))) {
        mr_error(diags, "plugin-entry", nowhere, "'%s' is not a plugin: its '%s' is not a constant of type mr_plugin", path, MR_PLUGIN_SYMBOL);
        return MR_ERR_INPUT;
    }
    *ret_entry = entry;
    return MR_OK;
}

/* Nothing behind the first three fields is looked at before they fit. */
static mr_status check_abi(const mr_plugin *entry, const char *path, mr_diags *diags)
{
    if (entry->abi_major != MR_ABI_MAJOR || entry->abi_minor > MR_ABI_MINOR) {
        mr_error(diags, "plugin-abi", nowhere, "plugin '%s' was built for plugin ABI %u.%u, this millrace has %u.%u", path, entry->abi_major,
                 entry->abi_minor, MR_ABI_MAJOR, MR_ABI_MINOR);
        if (entry->abi_major == MR_ABI_MAJOR || entry->abi_major > MR_ABI_MAJOR)
            mr_hint(diags, "use a newer millrace, or build the plugin against this one");
        else
            mr_hint(diags, "build the plugin against this millrace");
        return MR_ERR_UNSUPPORTED;
    }
    if (entry->size < PLUGIN_SIZE_1_0) {
        mr_error(diags, "plugin-abi", nowhere, "plugin '%s' says ABI %u.%u, but its table is %u bytes long where %u.%u has %zu", path,
                 entry->abi_major, entry->abi_minor, (unsigned)entry->size, MR_ABI_MAJOR, MR_ABI_MINOR, sizeof(mr_plugin));
        mr_hint(diags, "begin the table with .size = sizeof(mr_plugin)");
        return MR_ERR_UNSUPPORTED;
    }
    return MR_OK;
}

static bool names(const char *message, const char *name)
{
    char quoted[MR_PLUGIN_NAME_MAX * 2 + 8];
    snprintf(quoted, sizeof(quoted), "'%s'", name);
    return strstr(message, quoted) != NULL;
}

/* Where a mistake in the tables of a script is told: at the op or filter that the message names. */
static mr_span place_of(const mr_plugin *entry, const char *message)
{
    const mr_frame_filter *const *filters = mr_plugin_filters(entry);
    for (size_t i = 0; entry->ops[i]; i++)
        if (names(message, entry->ops[i]->name))
            return mr_ops_span(entry->ops[i]);
    for (size_t i = 0; filters[i]; i++)
        if (names(message, filters[i]->name))
            return mr_filter_span(filters[i]);
    return entry->ops[0] ? mr_ops_span(entry->ops[0]) : mr_filter_span(filters[0]);
}

/* All that is wrong with the tables, as one diagnostic: the first mistake, with the others as notes. */
static mr_status check_tables(const mr_plugin *entry, const char *path, bool script, mr_diags *diags)
{
    mr_diags *found = mr_diags_new();
    if (!found)
        return no_memory(diags);
    mr_status status = mr_plugin_check(entry, found);
    bool first = true;
    for (const mr_diag *diag = mr_diags_first(found); status != MR_OK && diag; diag = diag->next) {
        const mr_span span = script ? place_of(entry, diag->message) : nowhere;
        if (!first) {
            mr_note(diags, span, "%s", diag->message);
            continue;
        }
        mr_error(diags, "plugin-table", span, script ? "script '%s' is refused: %s" : "plugin '%s' is refused: %s", path, diag->message);
        if (diag->hint)
            mr_hint(diags, "%s", diag->hint);
        first = false;
    }
    mr_diags_free(found);
    return status;
}

static mr_status call_load(const mr_plugin *entry, const char *path, const mr_host *host, mr_diags *diags)
{
    char why[WHY_SIZE] = "";
    if (!entry->load)
        return MR_OK;
    mr_status status = entry->load(host, why, sizeof(why));
    if (status == MR_OK)
        return MR_OK;
    why[sizeof(why) - 1] = '\0';
    mr_error(diags, "plugin-load", nowhere, "plugin '%s' can't be used here: %s", path, why[0] ? why : "it gave no reason");
    return status < 0 ? status : MR_ERR_INTERNAL;
}

/* ---- among others ---- */

static mr_status refuse_duplicate(const mr_plugins *plugins, const char *path, const char *what, const char *name, const char *owner, mr_diags *diags)
{
    const char *other = owner;
    for (size_t i = 0; i < plugins->count; i++) {
        if (strcmp(plugins->loaded[i].plugin->name, owner) == 0 || strcmp(plugins->loaded[i].label, owner) == 0)
            other = plugins->loaded[i].path;
    }
    mr_error(diags, strcmp(what, "op") == 0 ? "duplicate-op" : "duplicate", nowhere, "plugin '%s' is refused: its %s '%s' is in plugin '%s' already",
             path, what, name, other);
    mr_hint(diags, "remove one of the two, or name the %s otherwise", what);
    return MR_ERR_CONFLICT;
}

/* Whether a scheme of the service is taken by a plugin that is there already. */
static mr_status check_service(const mr_plugins *plugins, const mr_service *service, const char *path, mr_diags *diags)
{
    const mr_storage_driver *driver = mr_service_storage(service);
    for (size_t i = 0; driver && driver->schemes[i]; i++) {
        const mr_service *taken = mr_plugins_service(plugins, service->service_class, driver->schemes[i]);
        if (!taken)
            continue;
        mr_error(diags, "duplicate", nowhere, "plugin '%s' is refused: the service '%s' serves the scheme '%s' already", path, taken->name,
                 driver->schemes[i]);
        return MR_ERR_CONFLICT;
    }
    return MR_OK;
}

/* MR_ERR_CONFLICT: a plugin of that name, or what it offers, is there already. MR_END: this very object is. */
static mr_status check_names(const mr_plugins *plugins, const mr_plugin *entry, const char *path, mr_diags *diags)
{
    for (size_t i = 0; i < plugins->count; i++) {
        const mr_loaded_plugin *other = &plugins->loaded[i];
        if (other->plugin == entry)
            return MR_END;
        if (strcmp(other->plugin->name, entry->name) != 0)
            continue;
        mr_warning(diags, "plugin-shadowed", nowhere, "plugin '%s' is not used: '%s' is a plugin '%s' too, and comes first", path, other->path,
                   entry->name);
        return MR_ERR_CONFLICT;
    }
    for (size_t i = 0; entry->ops && entry->ops[i]; i++) {
        const mr_op_entry *taken = mr_op_set_find(&plugins->ops, entry->ops[i]->name);
        if (taken)
            return refuse_duplicate(plugins, path, "op", entry->ops[i]->name, taken->plugin, diags);
    }
    for (const mr_frame_filter *const *filter = mr_plugin_filters(entry); *filter; filter++) {
        const mr_filter_entry *taken = mr_filter_set_find(&plugins->ops.filters, (*filter)->name);
        if (taken)
            return refuse_duplicate(plugins, path, "filter", (*filter)->name, taken->plugin, diags);
    }
    mr_status status = MR_OK;
    for (const mr_service *const *service = mr_plugin_services(entry); *service && status == MR_OK; service++)
        status = check_service(plugins, *service, path, diags);
    return status;
}

static int compare_entries(const void *a, const void *b)
{
    return strcmp(((const mr_op_entry *)a)->op->name, ((const mr_op_entry *)b)->op->name);
}

static int compare_filters(const void *a, const void *b)
{
    return strcmp(((const mr_filter_entry *)a)->filter->name, ((const mr_filter_entry *)b)->filter->name);
}

/* The set with what the plugin adds to it. False: memory is short. */
static bool extend_ops(mr_op_set *set, const mr_plugin *entry)
{
    size_t added = 0;
    while (entry->ops && entry->ops[added])
        added++;
    mr_op_entry *entries = calloc(set->count + added + 1, sizeof(*entries));
    if (!entries)
        return false;
    if (set->count)
        memcpy(entries, set->entries, set->count * sizeof(*entries));
    for (size_t i = 0; i < added; i++)
        entries[set->count + i] = (mr_op_entry){.op = entry->ops[i], .plugin = entry->name};
    set->entries = entries;
    set->count += added;
    qsort(entries, set->count, sizeof(*entries), compare_entries);
    return true;
}

static bool extend_filters(mr_filter_set *set, const mr_plugin *entry, const char *label)
{
    const mr_frame_filter *const *filters = mr_plugin_filters(entry);
    size_t added = 0;
    while (filters[added])
        added++;
    mr_filter_entry *entries = calloc(set->count + added + 1, sizeof(*entries));
    if (!entries)
        return false;
    if (set->count)
        memcpy(entries, set->entries, set->count * sizeof(*entries));
    for (size_t i = 0; i < added; i++)
        entries[set->count + i] = (mr_filter_entry){.filter = filters[i], .plugin = label};
    set->entries = entries;
    set->count += added;
    qsort(entries, set->count, sizeof(*entries), compare_filters);
    return true;
}

static mr_status keep(mr_plugins *plugins, const mr_plugin *entry, const char *path, const mr_bundle *bundle, mr_arena *arena, mr_diags *diags)
{
    mr_op_set ops = plugins->ops;
    char *path_copy = strdup(path);
    char *label = NULL;
    mr_loaded_plugin *loaded = calloc(plugins->count + 1, sizeof(*loaded));
    if (asprintf(&label, "%s %s", entry->name, entry->version) < 0)
        label = NULL;
    bool kept = path_copy && loaded && label && extend_ops(&ops, entry);
    if (kept && !extend_filters(&ops.filters, entry, label)) {
        free((void *)ops.entries);
        kept = false;
    }
    if (!kept) {
        free(path_copy);
        free(label);
        free(loaded);
        return no_memory(diags);
    }
    if (plugins->count)
        memcpy(loaded, plugins->loaded, plugins->count * sizeof(*loaded));
    loaded[plugins->count] = (mr_loaded_plugin){.plugin = entry, .path = path_copy, .label = label, .bundle = bundle, .arena = arena};
    free(plugins->loaded);
    free((void *)plugins->ops.entries);
    free((void *)plugins->ops.filters.entries);
    plugins->loaded = loaded;
    plugins->count++;
    plugins->ops = ops;
    return MR_OK;
}

static mr_status check_room(const mr_plugins *plugins, const char *path, mr_diags *diags)
{
    if (plugins->count < PLUGINS_MAX)
        return MR_OK;
    mr_error(diags, "plugin-limit", nowhere, "plugin '%s' is not loaded: %u are, which is the limit", path, PLUGINS_MAX);
    return MR_ERR_LIMIT;
}

mr_status mr_plugins_keep_script(mr_plugins *plugins, const mr_plugin *entry, const mr_bundle *bundle, mr_arena *arena, mr_diags *diags)
{
    mr_status status = check_room(plugins, bundle->path, diags);
    if (status == MR_OK)
        status = check_tables(entry, bundle->path, true, diags);
    if (status == MR_OK)
        status = check_names(plugins, entry, bundle->path, diags);
    return status == MR_OK ? keep(plugins, entry, bundle->path, bundle, arena, diags) : status;
}

mr_status mr_plugins_add(mr_plugins *plugins, const char *path, const mr_host *host, mr_diags *diags)
{
    void *handle = NULL;
    const mr_plugin *entry = NULL;
    if (ends_with(path, ".lua"))
        return mr_plugins_add_script(plugins, path, nowhere, diags);
    mr_status status = check_room(plugins, path, diags);
    if (status == MR_OK)
        status = open_object(path, diags, &handle);
    if (status == MR_OK)
        status = find_entry(handle, path, diags, &entry);
    if (status == MR_OK)
        status = check_abi(entry, path, diags);
    if (status == MR_OK)
        status = check_tables(entry, path, false, diags);
    if (status == MR_OK)
        status = check_names(plugins, entry, path, diags);
    if (status == MR_END)
        return MR_OK; /* the same file by another way */
    if (status == MR_OK)
        status = call_load(entry, path, host, diags);
    return status == MR_OK ? keep(plugins, entry, path, NULL, NULL, diags) : status;
}

/* ---- folders ---- */

static int is_object_file(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && ends_with(entry->d_name, ".so");
}

static int is_plugin_file(const struct dirent *entry)
{
    return is_object_file(entry) || (entry->d_name[0] != '.' && ends_with(entry->d_name, ".lua"));
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void load_folder(mr_plugins *plugins, const char *folder, bool named, const mr_host *host, mr_diags *diags)
{
    struct stat info;
    struct dirent **names = NULL;
    int count = scandir(folder, &names, is_plugin_file, compare_names);
    if (count < 0) {
        if (named || errno != ENOENT) {
            mr_warning(diags, "plugin-folder", nowhere, "can't read plugin folder '%s': %s", folder,
                       strerror(errno)); // NOLINT(concurrency-mt-unsafe)
            if (named)
                mr_hint(diags, "it is named in MILLRACE_PLUGIN_PATH");
        }
        return;
    }
    if (count > 0 && stat(folder, &info) == 0 && (info.st_mode & S_IWOTH)) {
        mr_warning(diags, "plugin-writable", nowhere, "plugin folder '%s' may be changed by every user of this machine", folder);
        mr_hint(diags, "chmod o-w '%s'", folder);
    }
    if ((unsigned)count > FILES_MAX)
        mr_warning(diags, "plugin-limit", nowhere, "plugin folder '%s' has %d files, only the first %u are looked at", folder, count, FILES_MAX);
    for (int i = 0; i < count; i++) {
        mr_autofree char *path = (unsigned)i < FILES_MAX ? mr_path_join(folder, names[i]->d_name) : NULL;
        bool folder_entry = path && stat(path, &info) == 0 && S_ISDIR(info.st_mode);
        if (path && !folder_entry && ends_with(path, ".lua"))
            mr_plugins_add_found(plugins, path, diags); /* what is wrong with it is in diags */
        else if (path && !folder_entry)
            mr_plugins_add(plugins, path, host, diags);
        free(names[i]);
    }
    free(names);
}

static void load_named_folders(mr_plugins *plugins, const char *list, const mr_host *host, mr_diags *diags)
{
    for (unsigned i = 0; list && *list && i < FOLDERS_MAX; i++) {
        size_t len = strcspn(list, ":");
        char *folder = len > 0 ? strndup(list, len) : NULL;
        if (folder)
            load_folder(plugins, folder, true, host, diags);
        free(folder);
        list += len + (list[len] == ':');
    }
    if (list && *list)
        mr_warning(diags, "plugin-limit", nowhere, "MILLRACE_PLUGIN_PATH names more than %u folders, the rest is not looked at", FOLDERS_MAX);
}

/* "…/bin/millrace" -> "…/lib/millrace/plugins": depth 2. NULL: not to be known. */
static char *own_folder(int depth, const char *name)
{
    char path[PATH_MAX];
    char *folder = NULL;
    ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (len <= 0)
        return NULL;
    path[len] = '\0';
    for (int i = 0; i < depth; i++) {
        char *slash = strrchr(path, '/');
        if (!slash)
            return NULL;
        *slash = '\0';
    }
    return asprintf(&folder, "%s/lib/millrace/%s", path, name) < 0 ? NULL : folder;
}

mr_plugins *mr_plugins_new(void)
{
    return calloc(1, sizeof(mr_plugins));
}

void mr_plugins_load_ahead(void)
{
    struct dirent **names = NULL;
    mr_autofree char *folder = own_folder(3, "plugins"); /* "…/libexec/millrace/millrace-task-host" */
    int count = folder ? scandir(folder, &names, is_object_file, compare_names) : 0;
    for (int i = 0; i < count; i++) {
        mr_autofree char *path = (unsigned)i < FILES_MAX ? mr_path_join(folder, names[i]->d_name) : NULL;
        mr_autofree char *real = path ? realpath(path, NULL) : NULL;
        if (real)
            dlopen(real, RTLD_NOW | RTLD_LOCAL); /* once more, by mr_plugins_add(), is a look into the loader's list */
        free(names[i]);
    }
    free(names);
}

mr_plugins *mr_plugins_load(const mr_host *host, mr_diags *diags)
{
    mr_plugins *plugins = mr_plugins_new();
    if (!plugins)
        return NULL;
    load_named_folders(plugins, secure_getenv("MILLRACE_PLUGIN_PATH"), host, diags);
    mr_autofree char *own = own_folder(2, "plugins");
    if (own)
        load_folder(plugins, own, false, host, diags);
    mr_plugins_end_reading(plugins);
    return plugins;
}

void mr_plugins_load_servers(mr_plugins *plugins, const mr_host *host, mr_diags *diags)
{
    mr_autofree char *own = own_folder(2, "servers");
    if (own)
        load_folder(plugins, own, false, host, diags);
}

void mr_plugins_free(mr_plugins *plugins)
{
    if (!plugins)
        return;
    mr_plugins_end_reading(plugins);
    for (size_t i = 0; i < plugins->count; i++) {
        free((void *)plugins->loaded[i].path);
        free((void *)plugins->loaded[i].label);
        mr_arena_free(plugins->loaded[i].arena);
    }
    free(plugins->loaded);
    free((void *)plugins->ops.entries);
    free((void *)plugins->ops.filters.entries);
    free(plugins);
}

const mr_op_set *mr_plugins_ops(const mr_plugins *plugins)
{
    return &plugins->ops;
}

size_t mr_plugins_count(const mr_plugins *plugins)
{
    return plugins->count;
}

const mr_loaded_plugin *mr_plugins_get(const mr_plugins *plugins, size_t index)
{
    return index < plugins->count ? &plugins->loaded[index] : NULL;
}

static bool serves(const mr_service *service, const char *service_class, const char *selector, size_t len)
{
    const mr_storage_driver *driver = mr_service_storage(service);
    if (strcmp(service->service_class, service_class) != 0)
        return false;
    if (!driver)
        return true; /* of a class where there is one */
    for (size_t i = 0; driver->schemes[i]; i++) {
        if (strncasecmp(driver->schemes[i], selector, len) == 0 && driver->schemes[i][len] == '\0')
            return true;
    }
    return false;
}

const mr_service *mr_plugins_service(const mr_plugins *plugins, const char *service_class, const char *selector)
{
    const size_t len = strcspn(selector, ":");
    for (size_t i = 0; i < plugins->count; i++) {
        for (const mr_service *const *service = mr_plugin_services(plugins->loaded[i].plugin); *service; service++) {
            if (serves(*service, service_class, selector, len))
                return *service;
        }
    }
    return NULL;
}
