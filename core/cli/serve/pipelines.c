/* SPDX-License-Identifier: MIT */
/* Pipelines for a server: which there are, what one says, and whether a text is one. */
#include "cli/doc.h"
#include "cli/pipeline_file.h"
#include "cli/serve/platform.h"

#include "base/file.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 1 << 20 };

static const mr_span nowhere;

/* ---- the model of one ---- */

static json_t *describe_inputs(const mr_pipeline *pipeline)
{
    json_t *list = json_array();
    for (size_t i = 0; i < pipeline->input_count; i++) {
        const mr_pipeline_input *input = &pipeline->inputs[i];
        json_array_append_new(
            list, json_pack("{s:s, s:b, s:b, s:s*}", "name", input->name, "required", input->required, "many", input->many, "help", input->help));
    }
    return list;
}

static json_t *describe_given(const mr_pipeline *pipeline)
{
    json_t *list = json_array();
    for (size_t i = 0; i < pipeline->param_count; i++) {
        const mr_pipeline_param *param = &pipeline->params[i];
        json_t *one =
            json_pack("{s:s, s:s, s:b, s:s*}", "name", param->spec.name, "type", param->type, "required", param->required, "help", param->spec.help);
        if (param->standard)
            json_object_set_new(one, "default", mr_value_to_json(param->standard));
        json_array_append_new(list, one);
    }
    return list;
}

static const char *source_node(const mr_pipeline *pipeline, const mr_source *source)
{
    return source->kind == MR_SOURCE_NODE ? pipeline->nodes[source->index].name : NULL;
}

static bool has_edge(const json_t *edges, const char *from, const char *to)
{
    size_t i;
    const json_t *edge;
    json_array_foreach(edges, i, edge)
    {
        if (strcmp(json_string_value(json_array_get(edge, 0)), from) == 0 && strcmp(json_string_value(json_array_get(edge, 1)), to) == 0)
            return true;
    }
    return false;
}

static void add_edges(const mr_pipeline *pipeline, const mr_node *node, json_t *edges)
{
    for (size_t i = 0; i < node->binding_count; i++) {
        for (size_t k = 0; k < node->bindings[i].source_count; k++) {
            const char *from = source_node(pipeline, &node->bindings[i].sources[k]);
            if (from && !has_edge(edges, from, node->name))
                json_array_append_new(edges, json_pack("[s, s]", from, node->name));
        }
    }
}

static json_t *find_node(json_t *nodes, const char *name)
{
    size_t i;
    json_t *node;
    json_array_foreach(nodes, i, node)
    {
        const char *known = json_string_value(json_object_get(node, "node"));
        if (known && strcmp(known, name) == 0)
            return json_incref(node);
    }
    return json_pack("{s:s, s:i, s:i, s:i, s:i}", "node", name, "tasks", 0, "cached", 0, "failed", 0, "cpu_us", 0);
}

void mr_platform_describe(const mr_pipeline *pipeline, json_t *run)
{
    json_t *nodes = json_array();
    json_t *edges = json_array();
    for (size_t i = 0; i < pipeline->node_count; i++) {
        const mr_node *node = &pipeline->nodes[pipeline->order[i]];
        json_t *one = find_node(json_object_get(run, "nodes"), node->name);
        json_object_set_new(one, "op", json_string(node->op->name));
        json_array_append_new(nodes, one);
        add_edges(pipeline, node, edges);
    }
    json_object_set_new(run, "nodes", nodes);
    json_object_set_new(run, "edges", edges);
}

/* ---- all of them ---- */

static json_t *describe_pipeline(mr_platform *platform, const char *name)
{
    mr_session session;
    const mr_pipeline *pipeline = NULL;
    json_t *one = NULL;
    if (!mr_session_open_with(&session, platform->session->plugins))
        return NULL;
    if (mr_session_pipeline(&session, mr_find_pipeline(&session, name), NULL, 0, &pipeline) == MR_OK && pipeline)
        one = json_pack("{s:s, s:s*, s:o, s:o}", "name", name, "description", pipeline->description, "inputs", describe_inputs(pipeline), "params",
                        describe_given(pipeline));
    mr_session_close(&session);
    return one;
}

char *mr_platform_pipelines(mr_platform *platform)
{
    mr_session session;
    const char *name;
    json_t *there;
    if (!mr_session_open_with(&session, platform->session->plugins))
        return NULL;
    mr_autojson json_t *list = json_array();
    mr_autojson json_t *names = mr_pipeline_names(&session);
    pthread_mutex_lock(&platform->reading);
    json_object_foreach(names, name, there)
    {
        json_t *one = describe_pipeline(platform, name);
        if (one)
            json_array_append_new(list, one);
    }
    pthread_mutex_unlock(&platform->reading);
    mr_session_close(&session);
    return list ? mr_json_text(list) : NULL;
}

char *mr_platform_pipeline(mr_platform *platform, const char *name)
{
    mr_session session;
    char *answer = NULL;
    if (strchr(name, '/') || name[0] == '.' || !mr_session_open_with(&session, platform->session->plugins))
        return NULL;
    const char *file = mr_find_pipeline(&session, name);
    mr_autofree char *text = NULL;
    size_t len = 0;
    /* A name that is found nowhere comes back as it is, and may be a file of the folder that the server was started in. */
    if (file != name && mr_file_read(file, TEXT_MAX, &text, &len, NULL) == MR_OK) {
        const char *dot = strrchr(file, '.');
        mr_autojson json_t *json =
            json_pack("{s:s, s:s, s:s%}", "name", name, "language", dot && strcmp(dot, ".lua") == 0 ? "lua" : "yaml", "text", text, len);
        answer = json ? mr_json_text(json) : NULL;
    }
    mr_session_close(&session);
    return answer;
}

/* ---- whether a text is one ---- */

/* A script as it is kept: alone, so that what it requires is not looked for. */
static const char *lua_text(mr_session *session, const char *file, const char *text, size_t len, size_t *ret_len)
{
    mr_autojson json_t *json =
        json_pack("{s:s, s:[{s:s, s:s, s:s, s:s%}]}", "path", file, "files", "name", "", "chunk", file, "path", file, "text", text, len);
    mr_autofree char *bundle = json ? mr_json_text(json) : NULL;
    *ret_len = bundle ? strlen(bundle) : 0;
    return bundle ? mr_arena_copy(session->arena, bundle, *ret_len) : NULL;
}

/* A stranger's pipeline must not make this process read files of the machine: scripts, modules. */
static mr_status check(mr_session *session, bool lua, const char *text, size_t len)
{
    const char *file = lua ? "pipeline.lua" : "pipeline.yaml";
    const mr_value *root = NULL;
    const mr_value *scripts[MR_PIPELINE_SCRIPTS_MAX];
    const mr_pipeline *pipeline = NULL;
    if (lua)
        text = lua_text(session, file, text, len, &len);
    if (!text) {
        mr_error(session->diags, "not-utf-8", nowhere, "the script is not UTF-8");
        return MR_ERR_PARAM;
    }
    mr_status status = mr_pipeline_tree(session, file, text, len, &root);
    if (!root)
        return status;
    if (mr_pipeline_scripts(root, scripts) > 0) {
        mr_error(session->diags, "scripts", scripts[0]->span, "a pipeline that is sent can't name scripts");
        mr_hint(session->diags, "put scripts on the plugin path of the server; their ops are known everywhere then");
        return MR_ERR_PARAM;
    }
    mr_status checked = mr_session_check(session, file, root, &pipeline);
    return status == MR_OK ? checked : status;
}

char *mr_platform_pipeline_check(mr_platform *platform, const char *language, const char *text, size_t len)
{
    mr_session session;
    if (!mr_session_open_with(&session, platform->session->plugins))
        return NULL;
    pthread_mutex_lock(&platform->reading);
    mr_status status = check(&session, strcmp(language, "lua") == 0, text, len);
    pthread_mutex_unlock(&platform->reading);
    mr_autofree char *found = mr_diags_json(session.diags);
    mr_autojson json_t *diagnostics = found ? json_loads(found, 0, NULL) : NULL;
    mr_autojson json_t *answer = diagnostics ? json_pack("{s:b, s:O}", "ok", status == MR_OK, "diagnostics", diagnostics) : NULL;
    mr_session_close(&session);
    return answer ? mr_json_text(answer) : NULL;
}

char *mr_platform_ops(mr_platform *platform)
{
    mr_session session;
    if (!mr_session_open_with(&session, platform->session->plugins))
        return NULL;
    pthread_mutex_lock(&platform->reading);
    mr_autojson json_t *list = mr_describe_ops(mr_session_ops(&session), session.arena);
    pthread_mutex_unlock(&platform->reading);
    mr_session_close(&session);
    return list ? mr_json_text(list) : NULL;
}
