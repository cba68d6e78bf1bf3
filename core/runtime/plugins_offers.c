/* SPDX-License-Identifier: MIT */
/* Checks the frame filters and services of a plugin, once, at load: what plugins_check.c does for its ops. */
#include "runtime/plugins.h"
#include "runtime/plugins_check.h"

#include "config/params.h"

#include <string.h>

static const mr_span nowhere;

#define FILTER_FLAGS               ((uint32_t)(MR_FILTER_IN_PLACE | MR_FILTER_STILL))
#define FILTER_SIZE_1_2            ((uint32_t)(offsetof(mr_frame_filter, toolchain) + sizeof(((mr_frame_filter *)0)->toolchain)))
#define SERVICE_SIZE_1_2           ((uint32_t)(offsetof(mr_service, table) + sizeof(((mr_service *)0)->table)))
#define STORAGE_SIZE_1_2           ((uint32_t)(offsetof(mr_storage_driver, public_url) + sizeof(((mr_storage_driver *)0)->public_url)))
#define STORAGE_FLAGS              ((uint32_t)(MR_STORAGE_DURABLE | MR_STORAGE_CONDITIONS | MR_STORAGE_HEADERS))
#define SERVER_SIZE_1_3            ((uint32_t)(offsetof(mr_server_driver, administer) + sizeof(((mr_server_driver *)0)->administer)))
#define FILTER_PIXELS_MAX          16u
#define FILTER_SETTINGS_MAX        64u
#define SCHEMES_MAX                16u
#define PLUGIN_HAS(plugin, member) ((plugin)->size >= offsetof(mr_plugin, member) + sizeof((plugin)->member))

const mr_frame_filter *const *mr_plugin_filters(const mr_plugin *plugin)
{
    static const mr_frame_filter *const none[] = {NULL};
    return PLUGIN_HAS(plugin, filters) && plugin->filters ? plugin->filters : none;
}

const mr_service *const *mr_plugin_services(const mr_plugin *plugin)
{
    static const mr_service *const none[] = {NULL};
    return PLUGIN_HAS(plugin, services) && plugin->services ? plugin->services : none;
}

const mr_storage_driver *mr_service_storage(const mr_service *service)
{
    return strcmp(service->service_class, MR_SERVICE_STORAGE) == 0 ? service->table : NULL;
}

/* ---- filters ---- */

static bool has_filters_within(const mr_param *table, unsigned depth)
{
    for (const mr_param *param = table; param && param->name; param++) {
        if (param->type == MR_PARAM_TYPE_FILTERS || (depth < 8 && param->fields && has_filters_within(param->fields, depth + 1)))
            return true;
    }
    return false;
}

static void check_pixels(const mr_frame_filter *filter, mr_diags *diags)
{
    for (size_t i = 0; filter->pixels && filter->pixels[i] != MR_PIXELS_END; i++) {
        if (i == FILTER_PIXELS_MAX || filter->pixels[i] > MR_PIXELS_YUV420P10) {
            mr_error(diags, "plugin-filter", nowhere, "filter '%s': its list of pixel formats has an unknown one, %u, or no end", filter->name,
                     (unsigned)filter->pixels[i]);
            return;
        }
    }
    if (filter->pixels && filter->pixels[0] == MR_PIXELS_END)
        mr_error(diags, "plugin-filter", nowhere, "filter '%s': its list of pixel formats is empty", filter->name);
}

/* "filter.option", "filter@name.option" */
static bool is_setting(const char *text)
{
    const char *dot = strrchr(text, '.');
    return dot && dot != text && dot[1] && strlen(text) < 128;
}

static void check_kind(const mr_frame_filter *filter, mr_diags *diags)
{
    if (!filter->open)
        mr_error(diags, "plugin-filter", nowhere, "filter '%s' has no open function", filter->name);
    if ((filter->apply != NULL) == (filter->steer != NULL))
        mr_error(diags, "plugin-filter", nowhere, "filter '%s' has %s: a filter makes pixels, or steers a chain", filter->name,
                 filter->apply ? "both apply() and steer()" : "neither apply() nor steer()");
    if (!filter->steer)
        return;
    if (!filter->chain || !filter->settings || !filter->settings[0])
        mr_error(diags, "plugin-filter", nowhere, "filter '%s' has steer(), but no chain, or no settings", filter->name);
    for (size_t i = 0; filter->settings && filter->settings[i]; i++) {
        if (i == FILTER_SETTINGS_MAX) {
            mr_error(diags, "plugin-filter", nowhere, "filter '%s' has more than %u settings, or its list has no end", filter->name,
                     FILTER_SETTINGS_MAX);
            return;
        }
        if (!is_setting(filter->settings[i]))
            mr_error(diags, "plugin-filter", nowhere, "filter '%s': the setting '%s' is not written as filter.option", filter->name,
                     filter->settings[i]);
    }
}

static void check_filter(const mr_frame_filter *filter, mr_diags *diags)
{
    char what[MR_PLUGIN_NAME_MAX * 2 + 16];
    if (!filter->summary || !filter->summary[0])
        mr_error(diags, "plugin-help", nowhere, "filter '%s' has no summary", filter->name);
    if ((filter->flags & ~FILTER_FLAGS) != 0)
        mr_error(diags, "plugin-filter", nowhere, "filter '%s' has unknown flags 0x%x", filter->name, (unsigned)filter->flags);
    check_pixels(filter, diags);
    check_kind(filter, diags);
    if (!filter->params)
        return;
    snprintf(what, sizeof(what), "filter '%s'", filter->name);
    mr_params_check_table(filter->params, filter->params_size, what, diags); /* what it finds is in diags */
    if (has_filters_within(filter->params, 0))
        mr_error(diags, "plugin-filter", nowhere, "filter '%s' has a param that takes filters", filter->name);
}

static void check_filters(const mr_plugin *plugin, mr_diags *diags)
{
    const mr_frame_filter *const *filters = mr_plugin_filters(plugin);
    for (size_t i = 0; filters[i]; i++) {
        const mr_frame_filter *filter = filters[i];
        if (i == MR_PLUGIN_OPS_MAX) {
            mr_error(diags, "plugin-filter", nowhere, "it has more than %u filters, or its table has no end", MR_PLUGIN_OPS_MAX);
            return;
        }
        if (filter->size < FILTER_SIZE_1_2) {
            mr_error(diags, "plugin-filter", nowhere, "filter number %zu says that it is %u bytes long; it takes %u", i + 1, (unsigned)filter->size,
                     FILTER_SIZE_1_2);
            return; /* nothing behind it can be trusted */
        }
        if (!mr_plugin_is_name(filter->name)) {
            mr_error(diags, "plugin-filter", nowhere, "filter number %zu has the name '%s'; it takes one like 'plugin.noun'", i + 1,
                     filter->name ? filter->name : "");
            continue;
        }
        for (size_t k = 0; k < i; k++)
            if (filters[k]->name && strcmp(filters[k]->name, filter->name) == 0)
                mr_error(diags, "plugin-filter", nowhere, "it has two filters '%s'", filter->name);
        check_filter(filter, diags);
    }
}

/* ---- services ---- */

typedef struct service_class {
    const char *name;
    void (*check)(const mr_service *service, mr_diags *diags);
} service_class;

/* RFC 3986, section 3.1; lower case. */
static bool is_scheme(const char *text)
{
    return text[0] >= 'a' && text[0] <= 'z' && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+-.") == strlen(text) &&
           strlen(text) <= MR_PLUGIN_NAME_MAX;
}

static void check_storage(const mr_service *service, mr_diags *diags)
{
    const mr_storage_driver *driver = service->table;
    if (driver->size < STORAGE_SIZE_1_2) {
        mr_error(diags, "plugin-service", nowhere, "service '%s': its table says that it is %u bytes long; it takes %u", service->name,
                 (unsigned)driver->size, STORAGE_SIZE_1_2);
        return;
    }
    if ((driver->flags & ~STORAGE_FLAGS) != 0)
        mr_error(diags, "plugin-service", nowhere, "service '%s' has unknown flags 0x%x", service->name, (unsigned)driver->flags);
    if (!driver->open || !driver->close || !driver->head || !driver->read || !driver->list || !driver->put_new || !driver->put_write ||
        !driver->put_commit || !driver->put_free || !driver->remove)
        mr_error(diags, "plugin-service", nowhere,
                 "service '%s' lacks one of open, close, head, read, list, put_new, put_write, put_commit, put_free and remove", service->name);
    if ((driver->part_bytes != NULL) != (driver->put_part != NULL))
        mr_error(diags, "plugin-service", nowhere, "service '%s' has only one of part_bytes and put_part", service->name);
    if (!driver->schemes || !driver->schemes[0])
        mr_error(diags, "plugin-service", nowhere, "service '%s' names no scheme", service->name);
    for (size_t i = 0; driver->schemes && driver->schemes[i]; i++) {
        if (i == SCHEMES_MAX || !is_scheme(driver->schemes[i])) {
            mr_error(diags, "plugin-service", nowhere, "service '%s': '%.64s' can't be the scheme of a URL, or the list has no end", service->name,
                     driver->schemes[i]);
            return;
        }
    }
}

static void check_server(const mr_service *service, mr_diags *diags)
{
    const mr_server_driver *driver = service->table;
    if (driver->size < SERVER_SIZE_1_3) {
        mr_error(diags, "plugin-service", nowhere, "service '%s': its table says that it is %u bytes long; it takes %u", service->name,
                 (unsigned)driver->size, SERVER_SIZE_1_3);
        return;
    }
    if (driver->flags != 0)
        mr_error(diags, "plugin-service", nowhere, "service '%s' has unknown flags 0x%x", service->name, (unsigned)driver->flags);
    if (!driver->open || !driver->address || !driver->event || !driver->drain || !driver->close || !driver->administer)
        mr_error(diags, "plugin-service", nowhere, "service '%s' lacks one of open, address, event, drain, close and administer", service->name);
    if (driver->settings)
        mr_params_check_table(driver->settings, driver->settings_size, service->name, diags); /* what it finds is in diags */
    else
        mr_error(diags, "plugin-service", nowhere, "service '%s' has no table of settings", service->name);
}

static const service_class classes[] = {
    {MR_SERVICE_STORAGE, check_storage},
    {MR_SERVICE_SERVER, check_server},
};

static const service_class *find_class(const char *name)
{
    for (size_t i = 0; name && i < sizeof(classes) / sizeof(*classes); i++)
        if (strcmp(classes[i].name, name) == 0)
            return &classes[i];
    return NULL;
}

static void check_services(const mr_plugin *plugin, mr_diags *diags)
{
    const mr_service *const *services = mr_plugin_services(plugin);
    for (size_t i = 0; services[i]; i++) {
        const mr_service *service = services[i];
        if (i == MR_PLUGIN_OPS_MAX || service->size < SERVICE_SIZE_1_2) {
            mr_error(diags, "plugin-service", nowhere, "service number %zu is too short (it takes %u bytes), or the table has no end", i + 1,
                     SERVICE_SIZE_1_2);
            return;
        }
        if (!mr_plugin_is_name(service->name)) {
            mr_error(diags, "plugin-service", nowhere, "service number %zu has the name '%s'; it takes one like 'plugin.driver'", i + 1,
                     service->name ? service->name : "");
            continue;
        }
        if (!service->summary || !service->summary[0])
            mr_error(diags, "plugin-help", nowhere, "service '%s' has no summary", service->name);
        const service_class *known = find_class(service->service_class);
        if (!known)
            mr_error(diags, "plugin-service", nowhere, "service '%s' is of the class '%s', which is not known: there are '%s' and '%s'",
                     service->name, service->service_class ? service->service_class : "", MR_SERVICE_STORAGE, MR_SERVICE_SERVER);
        else if (!service->table)
            mr_error(diags, "plugin-service", nowhere, "service '%s' has no table", service->name);
        else
            known->check(service, diags);
    }
}

void mr_plugin_check_offers(const mr_plugin *plugin, mr_diags *diags)
{
    check_filters(plugin, diags);
    check_services(plugin, diags);
}
