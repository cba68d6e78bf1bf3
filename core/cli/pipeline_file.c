/* SPDX-License-Identifier: MIT */
/* From a pipeline's file to its value tree, whichever language it is in. */
#include "cli/pipeline_file.h"

#include "base/file.h"
#include "config/yaml.h"
#include "runtime/hosts/script_host.h"
#include "scripting/pipeline.h"

#include <stdlib.h>
#include <string.h>

#define EVALUATE_US (15ll * 1000000) /* after which the script's process is killed: it may hang where no limit of its own is looked at */
#define TEXT_MAX    (16u << 20)      /* bytes of a script with its modules, as JSON */

static const mr_span nowhere;

static bool is_lua(const char *file)
{
    const size_t len = strlen(file);
    return len > 4 && strcmp(file + len - 4, ".lua") == 0;
}

/* ---- texts ---- */

static mr_status bundle_text(mr_session *session, const char *file, const char **ret_text, size_t *ret_len)
{
    const mr_bundle *bundle = NULL;
    mr_status status = mr_bundle_read(session->arena, file, nowhere, session->diags, &bundle);
    if (status != MR_OK)
        return status;
    mr_autojson json_t *json = mr_bundle_json(bundle);
    mr_autofree char *text = json ? mr_json_text(json) : NULL;
    *ret_len = text ? strlen(text) : 0;
    *ret_text = text ? mr_arena_copy(session->arena, text, *ret_len) : NULL;
    return *ret_text ? MR_OK : MR_ERR_NOMEM;
}

mr_status mr_pipeline_text(mr_session *session, const char *file, const char **ret_text, size_t *ret_len)
{
    if (mr_pipeline_is_unknown(session, file))
        return MR_ERR_NOT_FOUND;
    if (is_lua(file))
        return bundle_text(session, file, ret_text, ret_len);
    mr_autofree char *text = NULL;
    mr_status status = mr_file_read(file, mr_yaml_limits_default.bytes, &text, ret_len, session->diags);
    if (status != MR_OK)
        return status;
    *ret_text = mr_arena_copy(session->arena, text, *ret_len);
    return *ret_text ? MR_OK : MR_ERR_NOMEM;
}

static mr_status read_bundle(mr_session *session, const char *file, const char *text, size_t len, const mr_bundle **ret_bundle)
{
    char why[160] = "it is not what was kept";
    mr_autojson json_t *json = mr_json_read(text, len, TEXT_MAX, why);
    mr_status status = json ? mr_bundle_from_json(session->arena, json, ret_bundle) : MR_ERR_INPUT;
    if (status != MR_OK)
        mr_error(session->diags, "script", nowhere, "script '%s' can't be read again: %s", file, why);
    return status;
}

void mr_pipeline_quote(mr_session *session, const char *file, const char *text, size_t len)
{
    const mr_bundle *bundle = NULL;
    if (!is_lua(file))
        mr_diags_add_text(session->diags, file, text, len);
    else if (read_bundle(session, file, text, len, &bundle) == MR_OK)
        mr_bundle_add_texts(bundle, session->diags);
}

bool mr_pipeline_is_same(mr_session *session, const char *file, const char *text, size_t len, mr_status *ret_status)
{
    mr_autofree char *now = NULL;
    size_t now_len = 0;
    const mr_bundle *kept = NULL;
    const mr_bundle *other = NULL;
    if (!is_lua(file)) {
        *ret_status = mr_file_read(file, mr_yaml_limits_default.bytes, &now, &now_len, NULL);
        return *ret_status == MR_OK && now_len == len && memcmp(now, text, len) == 0;
    }
    *ret_status = mr_bundle_read(session->arena, file, nowhere, NULL, &other);
    mr_autojson json_t *json = mr_json_read(text, len, TEXT_MAX, NULL);
    return *ret_status == MR_OK && json && mr_bundle_from_json(session->arena, json, &kept) == MR_OK && strcmp(kept->digest, other->digest) == 0;
}

/* ---- trees ---- */

static mr_status evaluate(mr_session *session, const mr_bundle *bundle, json_t **ret_description)
{
    mr_script_host *host = NULL;
    const mr_settings *settings = mr_settings_default();
    const mr_script_limits limits = {.memory = MR_SCRIPT_MEMORY, .time_us = MR_SCRIPT_PIPELINE_TIME};
    mr_status status = settings ? mr_script_host_start(settings, session->diags, &host) : MR_ERR_NOMEM;
    if (status == MR_OK)
        status = mr_script_host_evaluate(host, MR_SCRIPT_PIPELINE, bundle, &limits, EVALUATE_US, session->diags, ret_description);
    mr_script_host_end(host);
    return status;
}

static mr_status lua_tree(mr_session *session, const mr_bundle *bundle, const mr_value **ret_root)
{
    mr_autojson json_t *description = NULL;
    const size_t errors = mr_diags_errors(session->diags);
    mr_bundle_add_texts(bundle, session->diags);
    mr_status status = evaluate(session, bundle, &description);
    if (status != MR_OK)
        return status;
    status = mr_script_pipeline_tree(session->arena, bundle, description, ret_root);
    if (status != MR_OK)
        mr_error(session->diags, "script-host", nowhere, "the process of script '%s' gave no pipeline", bundle->path);
    return status == MR_OK && mr_diags_errors(session->diags) > errors ? MR_ERR_PARAM : status;
}

mr_status mr_pipeline_tree(mr_session *session, const char *file, const char *text, size_t len, const mr_value **ret_root)
{
    const mr_bundle *bundle = NULL;
    *ret_root = NULL;
    if (!is_lua(file))
        return mr_yaml_read(session->arena, file, text, len, &mr_yaml_limits_default, session->diags, ret_root);
    mr_status status = read_bundle(session, file, text, len, &bundle);
    return status == MR_OK ? lua_tree(session, bundle, ret_root) : status;
}
