/* SPDX-License-Identifier: MIT */
/* The checks of what a plugin offers besides ops, its frame filters and services: one mistake at a time on tables that are fine otherwise. */
#include "runtime/plugins_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- functions that are there, and never called ---- */

static mr_status open_filter(const mr_host *host, mr_task *task, const mr_frame_filter *filter, const void *params, const mr_video_format *in,
                             mr_video_format *out, void **ret_state)
{
    (void)host, (void)task, (void)filter, (void)params, (void)in, (void)out, (void)ret_state;
    return MR_ERR_INTERNAL;
}

static mr_status apply(void *state, const mr_frame_window *window, const mr_picture *out)
{
    (void)state, (void)window, (void)out;
    return MR_ERR_INTERNAL;
}

static const char *chain(void *state)
{
    (void)state;
    return "crop";
}

static mr_status steer(void *state, const mr_picture *frame, const mr_steering *to)
{
    (void)state, (void)frame, (void)to;
    return MR_ERR_INTERNAL;
}

static mr_status open_store(const mr_storage_client *client, const char *url, mr_storage **ret_store, mr_storage_error *error)
{
    (void)client, (void)url, (void)ret_store, (void)error;
    return MR_ERR_INTERNAL;
}

static void close_store(mr_storage *store)
{
    (void)store;
}

static mr_status head(mr_storage *store, const char *key, mr_storage_object *ret_object, mr_storage_error *error)
{
    (void)store, (void)key, (void)ret_object, (void)error;
    return MR_ERR_INTERNAL;
}

static mr_status read_object(mr_storage *store, const char *key, const char *tag, uint64_t offset, void *buf, size_t len, size_t *ret_len,
                             mr_storage_error *error)
{
    (void)store, (void)key, (void)tag, (void)offset, (void)buf, (void)len, (void)ret_len, (void)error;
    return MR_ERR_INTERNAL;
}

static mr_status list(mr_storage *store, const char *prefix, const char *after,
                      mr_status (*visit)(void *context, const char *key, const mr_storage_object *object), void *context, mr_storage_error *error)
{
    (void)store, (void)prefix, (void)after, (void)visit, (void)context, (void)error;
    return MR_ERR_INTERNAL;
}

static mr_status put_new(mr_storage *store, const char *key, const mr_storage_put_options *options, mr_storage_put **ret_put, mr_storage_error *error)
{
    (void)store, (void)key, (void)options, (void)ret_put, (void)error;
    return MR_ERR_INTERNAL;
}

static mr_status put_write(mr_storage_put *put, const void *data, size_t len, mr_storage_error *error)
{
    (void)put, (void)data, (void)len, (void)error;
    return MR_ERR_INTERNAL;
}

static mr_status put_commit(mr_storage_put *put, mr_storage_object *ret_object, mr_storage_error *error)
{
    (void)put, (void)ret_object, (void)error;
    return MR_ERR_INTERNAL;
}

static void put_free(mr_storage_put *put)
{
    (void)put;
}

static mr_status remove_object(mr_storage *store, const char *key, const char *tag, mr_storage_error *error)
{
    (void)store, (void)key, (void)tag, (void)error;
    return MR_ERR_INTERNAL;
}

static uint64_t part_bytes(mr_storage *store, uint64_t object_bytes)
{
    (void)store;
    return object_bytes;
}

/* ---- tables, all of them writable ---- */

typedef struct tables {
    mr_frame_filter filter;
    mr_frame_filter other;
    const mr_frame_filter *filters[MR_PLUGIN_OPS_MAX + 2];
    const char *settings[70];
    uint32_t pixels[20];
    mr_param table[2];
    struct {
        mr_filters filters;
        int64_t level;
    } params;
    mr_storage_driver driver;
    const char *schemes[20];
    mr_service service;
    const mr_service *services[MR_PLUGIN_OPS_MAX + 2];
    mr_plugin plugin;
} tables;

static void make(tables *it)
{
    *it = (tables){
        .filter =
            {.size = sizeof(mr_frame_filter), .version = 1, .name = "test.filter", .summary = "does nothing", .open = open_filter, .apply = apply},
        .settings = {"crop.x"},
        .pixels = {MR_PIXELS_YUV420P},
        .table =
            {{.name = "level", .type = MR_PARAM_TYPE_INT, .offset = offsetof(tables, params.level) - offsetof(tables, params), .help = "how much"}},
        .driver = {.size = sizeof(mr_storage_driver),
                   .open = open_store,
                   .close = close_store,
                   .head = head,
                   .read = read_object,
                   .list = list,
                   .put_new = put_new,
                   .put_write = put_write,
                   .put_commit = put_commit,
                   .put_free = put_free,
                   .remove = remove_object},
        .schemes = {"test"},
        .service = {.size = sizeof(mr_service), .service_class = MR_SERVICE_STORAGE, .name = "test.store", .summary = "keeps nothing"},
        .plugin =
            {.size = sizeof(mr_plugin), .abi_major = MR_ABI_MAJOR, .abi_minor = MR_ABI_MINOR, .name = "test", .version = "1", .summary = "for tests"},
    };
    it->filter.pixels = it->pixels;
    it->filter.params = it->table;
    it->filter.params_size = sizeof(it->params);
    it->filters[0] = &it->filter;
    it->driver.schemes = it->schemes;
    it->service.table = &it->driver;
    it->services[0] = &it->service;
    it->plugin.filters = it->filters;
    it->plugin.services = it->services;
}

/* ---- mistakes ---- */

#define CHANGE(name, ...)                                                                                                                            \
    static void name(tables *it)                                                                                                                     \
    {                                                                                                                                                \
        __VA_ARGS__;                                                                                                                                 \
    }
#define FILL(array, value)                                                                                                                           \
    for (size_t i = 0; i < sizeof(it->array) / sizeof(it->array[0]); i++)                                                                            \
    it->array[i] = (value)

CHANGE(no_change, (void)it)
CHANGE(offers_nothing, it->plugin.filters = NULL; it->plugin.services = NULL)
CHANGE(older_plugin, it->plugin.size = offsetof(mr_plugin, filters); it->filter.name = NULL) /* what is there is none of its table */
CHANGE(steers, it->filter.apply = NULL; it->filter.steer = steer; it->filter.chain = chain; it->filter.settings = it->settings)
CHANGE(filter_size, it->filter.size = 16)
CHANGE(filter_name, it->filter.name = "filter")
CHANGE(filter_no_summary, it->filter.summary = NULL)
CHANGE(filter_flags, it->filter.flags = 0x80)
CHANGE(filter_twice, it->other = it->filter; it->filters[1] = &it->other)
CHANGE(filters_endless, FILL(filters, &it->filter))
CHANGE(filter_no_open, it->filter.open = NULL)
CHANGE(filter_both, steers(it); it->filter.apply = apply)
CHANGE(filter_neither, it->filter.apply = NULL)
CHANGE(filter_no_chain, steers(it); it->filter.chain = NULL)
CHANGE(filter_no_settings, steers(it); it->settings[0] = NULL)
CHANGE(filter_setting, steers(it); it->settings[0] = "x")
CHANGE(filter_settings_endless, steers(it); FILL(settings, "crop.x"))
CHANGE(filter_pixels, it->pixels[0] = 77)
CHANGE(filter_pixels_endless, FILL(pixels, MR_PIXELS_YUV420P))
CHANGE(filter_no_pixels, it->pixels[0] = MR_PIXELS_END)
CHANGE(filter_param, it->table[0].help = NULL)
CHANGE(filter_in_filter, it->table[0].type = MR_PARAM_TYPE_FILTERS; it->table[0].offset = 0)
CHANGE(service_size, it->service.size = 8)
CHANGE(services_endless, FILL(services, &it->service))
CHANGE(service_name, it->service.name = "store")
CHANGE(service_no_summary, it->service.summary = "")
CHANGE(service_class, it->service.service_class = "storag")
CHANGE(service_no_class, it->service.service_class = NULL)
CHANGE(service_no_table, it->service.table = NULL)
CHANGE(driver_size, it->driver.size = 64)
CHANGE(driver_flags, it->driver.flags = 0x80)
CHANGE(driver_no_head, it->driver.head = NULL)
CHANGE(driver_half_parts, it->driver.part_bytes = part_bytes)
CHANGE(driver_no_scheme, it->schemes[0] = NULL)
CHANGE(driver_scheme, it->schemes[0] = "S3")
CHANGE(driver_schemes_endless, FILL(schemes, "test"))

static const struct mistake {
    const char *what;
    void (*make)(tables *it);
    const char *says; /* NULL: nothing is wrong */
} mistakes[] = {
    {"nothing", no_change, NULL},
    {"no filters and services", offers_nothing, NULL},
    {"a plugin of an older minor", older_plugin, NULL},
    {"a filter that steers", steers, NULL},
    {"filter's size", filter_size, "filter number 1 says that it is 16 bytes long"},
    {"filter's name", filter_name, "filter number 1 has the name 'filter'"},
    {"filter without summary", filter_no_summary, "filter 'test.filter' has no summary"},
    {"filter's flags", filter_flags, "filter 'test.filter' has unknown flags 0x80"},
    {"filter twice", filter_twice, "two filters 'test.filter'"},
    {"filters without end", filters_endless, "two filters"},
    {"filter without open", filter_no_open, "has no open function"},
    {"filter of both kinds", filter_both, "has both apply() and steer()"},
    {"filter of no kind", filter_neither, "has neither apply() nor steer()"},
    {"filter without chain", filter_no_chain, "has steer(), but no chain, or no settings"},
    {"filter without settings", filter_no_settings, "has steer(), but no chain, or no settings"},
    {"filter's setting", filter_setting, "the setting 'x' is not written as filter.option"},
    {"filter's settings without end", filter_settings_endless, "more than 64 settings"},
    {"filter's pixels", filter_pixels, "has an unknown one, 77, or no end"},
    {"filter's pixels without end", filter_pixels_endless, "or no end"},
    {"filter's pixels empty", filter_no_pixels, "list of pixel formats is empty"},
    {"filter's param", filter_param, "filter 'test.filter'"},
    {"filters within a filter", filter_in_filter, "has a param that takes filters"},
    {"service's size", service_size, "service number 1 is too short"},
    {"services without end", services_endless, "or the table has no end"},
    {"service's name", service_name, "service number 1 has the name 'store'"},
    {"service without summary", service_no_summary, "service 'test.store' has no summary"},
    {"service's class", service_class, "is of the class 'storag', which is not known: there are 'storage' and 'server'"},
    {"service without class", service_no_class, "is of the class '', which is not known"},
    {"service without table", service_no_table, "service 'test.store' has no table"},
    {"driver's size", driver_size, "its table says that it is 64 bytes long"},
    {"driver's flags", driver_flags, "service 'test.store' has unknown flags 0x80"},
    {"driver without head", driver_no_head, "lacks one of open, close, head"},
    {"driver with half of parts", driver_half_parts, "has only one of part_bytes and put_part"},
    {"driver without scheme", driver_no_scheme, "names no scheme"},
    {"driver's scheme", driver_scheme, "'S3' can't be the scheme of a URL"},
    {"driver's schemes without end", driver_schemes_endless, "or the list has no end"},
};

/* The first of what is said: some mistakes bring others with them. */
static void test_each_mistake_is_named(void **context)
{
    (void)context;
    tables *it = malloc(sizeof(*it));
    assert_non_null(it);
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        const struct mistake *mistake = &mistakes[i];
        mr_diags *diags = mr_diags_new();
        make(it);
        mistake->make(it);
        mr_status status = mr_plugin_check(&it->plugin, diags);
        const mr_diag *diag = mr_diags_first(diags);
        if (!mistake->says && (status != MR_OK || diag))
            fail_msg("%s: %s", mistake->what, diag ? diag->message : "refused without a word");
        if (mistake->says && (status != MR_ERR_PARAM || !diag || !strstr(diag->message, mistake->says)))
            fail_msg("%s: status %d, '%s' does not contain '%s'", mistake->what, status, diag ? diag->message : "", mistake->says);
        mr_diags_free(diags);
    }
    free(it);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_mistake_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
