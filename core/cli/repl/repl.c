/* SPDX-License-Identifier: MIT */
/* The lines of millrace repl: expressions, names for their values, and commands that begin with a colon. */
#include "cli/repl/repl.h"

#include "cli/doc.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 100, NAMES = 256 }; /* columns of a value that stands on one line */

/* ---- values ---- */

void mr_repl_print(const json_t *value)
{
    if (!value || json_is_null(value)) {
        puts("nil");
        return;
    }
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_SORT_KEYS | JSON_REAL_PRECISION(12));
    if (text && strlen(text) > SHOWN) {
        free(text);
        text = json_dumps(value, JSON_ENCODE_ANY | JSON_SORT_KEYS | JSON_INDENT(2) | JSON_REAL_PRECISION(12));
    }
    puts(text ? text : "out of memory");
    free(text);
}

static size_t names_of(const json_t *object, const char *names[NAMES])
{
    size_t count = 0;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        if (count < NAMES)
            names[count++] = key;
    }
    return count;
}

/* A text with ${…} may stand in quotes, as it does in YAML. */
static const char *as_written(mr_arena *arena, const char *line)
{
    const size_t len = strlen(line);
    return len >= 2 && line[0] == '"' && line[len - 1] == '"' ? mr_arena_copy(arena, line + 1, len - 2) : line;
}

/* What the line gives: an expression, or a text with ${…} in it. New reference; NULL: it was said what is wrong. */
static json_t *evaluate(mr_repl *repl, const char *line)
{
    const char *names[NAMES];
    const char *params[NAMES];
    json_t *value = NULL;
    const mr_expr *expr = NULL;
    mr_session *session = repl->session;
    mr_arena *arena = mr_arena_new(0);
    const char *text = !arena ? NULL : mr_expr_present(line) ? as_written(arena, line) : mr_arena_printf(arena, "${%s}", line);
    const size_t name_count = names_of(repl->scope, names);
    const size_t param_count = names_of(json_object_get(repl->scope, "params"), params);
    mr_status status = text ? MR_OK : MR_ERR_NOMEM;
    if (status == MR_OK) {
        const mr_span span = {.file = "expression", .line = 1, .col = 1, .len = (uint32_t)strlen(text)};
        mr_diags_add_text(session->diags, "expression", text, strlen(text));
        status = mr_expr_compile(arena, text, span, names, name_count, params, param_count, session->diags, &expr);
    }
    if (status == MR_OK)
        status = mr_expr_eval(repl->vm, expr, repl->scope, session->diags, &value);
    if (status == MR_ERR_NOMEM)
        mr_complain("out of memory");
    mr_session_flush(session);
    mr_arena_free(arena);
    return value;
}

/* ---- what is given ---- */

bool mr_repl_bind(mr_repl *repl)
{
    mr_bound bound = {0};
    mr_session *session = repl->session;
    mr_status status = mr_pipeline_bind(session->arena, repl->pipeline, repl->given, repl->given_count, session->diags, &bound);
    mr_session_flush(session);
    if (status == MR_OK)
        json_object_set(repl->scope, "params", bound.params);
    mr_bound_clear(&bound);
    return status == MR_OK;
}

static const char *split(mr_repl *repl, const char *text, const char *what, const char **ret_value)
{
    const size_t len = strcspn(text, "=");
    const char *name = text[len] && len > 0 ? mr_arena_copy(repl->session->arena, text, len) : NULL;
    *ret_value = name ? mr_arena_copy(repl->session->arena, text + len + 1, strlen(text + len + 1)) : NULL;
    if (!*ret_value)
        mr_complain("'%s' is not %s", text, what);
    return *ret_value ? name : NULL;
}

bool mr_repl_set(mr_repl *repl, const char *text)
{
    const char *value = NULL;
    const char *name = split(repl, text, "NAME=VALUE", &value);
    size_t at = 0;
    if (!name)
        return false;
    while (at < repl->given_count && strcmp(repl->given[at].name, name) != 0)
        at++;
    if (at == MR_REPL_GIVEN) {
        mr_complain("at most %d params can be given", MR_REPL_GIVEN);
        return false;
    }
    const mr_given before = repl->given[at];
    const size_t count = repl->given_count;
    repl->given[at] = (mr_given){.name = name, .text = value};
    repl->given_count += at == count;
    if (mr_repl_bind(repl))
        return true;
    repl->given[at] = before;
    repl->given_count = count;
    return false;
}

bool mr_repl_input(mr_repl *repl, const char *text)
{
    const mr_pipeline *pipeline = repl->pipeline;
    const char *path = NULL;
    const char *name = NULL;
    if (!strchr(text, '=') && pipeline->input_count == 1) {
        name = pipeline->inputs[0].name;
        path = mr_arena_copy(repl->session->arena, text, strlen(text));
    } else {
        name = split(repl, text, "NAME=PATH", &path);
    }
    if (!name || !path)
        return false;
    for (size_t i = 0; i < pipeline->input_count; i++) {
        if (strcmp(pipeline->inputs[i].name, name) != 0)
            continue;
        size_t at = 0;
        while (at < repl->input_count && strcmp(repl->inputs[at].name, name) != 0)
            at++;
        repl->input_count += at == repl->input_count;
        repl->inputs[at] = (mr_run_input){pipeline->inputs[i].name, path};
        return true;
    }
    mr_complain("pipeline '%s' has no input '%s'", pipeline->name, name);
    return false;
}

/* ---- commands ---- */

static bool list_nodes(const mr_repl *repl)
{
    for (size_t i = 0; i < repl->pipeline->node_count; i++)
        printf("  %-16s %-24s %s\n", repl->pipeline->nodes[i].name, repl->pipeline->nodes[i].op->name, repl->pipeline->nodes[i].op->summary);
    return true;
}

static bool list_ops(const mr_repl *repl, const char *word)
{
    const mr_op_set *ops = mr_session_ops(repl->session);
    for (size_t i = 0; i < ops->count; i++)
        if (strstr(ops->entries[i].op->name, word) || strstr(ops->entries[i].op->summary, word))
            printf("  %-24s %s\n", ops->entries[i].op->name, ops->entries[i].op->summary);
    return true;
}

static bool explain_op(const mr_repl *repl, const char *name)
{
    const mr_op_set *ops = mr_session_ops(repl->session);
    const mr_op_entry *entry = mr_op_set_find(ops, name);
    const mr_doc doc = {.out = stdout, .format = MR_DOC_TEXT, .width = 80, .colour = mr_wants_colour(stdout)};
    if (entry)
        mr_doc_op(&doc, entry, repl->session->arena);
    else
        mr_complain("unknown op '%s'; ':ops' lists them", name);
    return entry;
}

static bool list_names(const mr_repl *repl)
{
    const char *names[NAMES];
    const size_t count = names_of(repl->scope, names);
    for (size_t i = 0; i < count; i++)
        printf("  %s\n", names[i]);
    return true;
}

static bool help(void)
{
    puts("  EXPRESSION           its value: params.preset, 720 // 2, \"${params.preset} at ${1 + 1}\"\n"
         "  NAME = EXPRESSION    gives the value a name\n"
         "  :run NODE            runs a node of the pipeline and what it needs; what comes out is NODE.PORT\n"
         "  :try OP NAME=VALUE … runs one op, with files for its inputs and values for its params; what comes out is it.PORT\n"
         "  :input NAME=PATH     the file of an input\n"
         "  :set NAME=VALUE      the value of a param, as after --param\n"
         "  :params  :names      what is given; what has a name\n"
         "  :nodes  :ops [WORD]  what there is\n"
         "  :op NAME             explains an op\n"
         "  :quit                or Ctrl-D");
    return true;
}

static bool command(mr_repl *repl, char *line, bool *ret_quit)
{
    static const char *const commands[] = {":run", ":try", ":input", ":set", ":params", ":names", ":nodes", ":ops", ":op", ":help", ":quit"};
    char *rest = line + strcspn(line, " \t");
    if (*rest)
        *rest++ = '\0';
    rest += strspn(rest, " \t");
    const char *near = mr_nearest(line, commands, sizeof(commands) / sizeof(commands[0]));
    if (strcmp(line, ":run") == 0)
        return mr_repl_run(repl, rest);
    if (strcmp(line, ":try") == 0)
        return mr_repl_try(repl, rest);
    if (strcmp(line, ":input") == 0)
        return mr_repl_input(repl, rest);
    if (strcmp(line, ":set") == 0)
        return mr_repl_set(repl, rest);
    if (strcmp(line, ":params") == 0)
        return mr_repl_print(json_object_get(repl->scope, "params")), true;
    if (strcmp(line, ":names") == 0)
        return list_names(repl);
    if (strcmp(line, ":nodes") == 0)
        return list_nodes(repl);
    if (strcmp(line, ":ops") == 0)
        return list_ops(repl, rest);
    if (strcmp(line, ":op") == 0)
        return explain_op(repl, rest);
    if (strcmp(line, ":help") == 0)
        return help();
    *ret_quit = strcmp(line, ":quit") == 0 || strcmp(line, ":q") == 0;
    if (*ret_quit)
        return true;
    mr_complain(near ? "unknown command '%s'; did you mean '%s'?" : "unknown command '%s'; ':help' lists them", line, near);
    return false;
}

/* "NAME = EXPRESSION": the length of NAME, and where the expression begins; 0: it is none. */
static size_t assignment(const char *line, const char **ret_value)
{
    size_t len = 0;
    while (isalnum((unsigned char)line[len]) || line[len] == '_')
        len++;
    const char *at = line + len + strspn(line + len, " \t");
    if (len == 0 || isdigit((unsigned char)line[0]) || at[0] != '=' || at[1] == '=')
        return 0;
    *ret_value = at + 1 + strspn(at + 1, " \t");
    return len;
}

static bool assign(mr_repl *repl, const char *line, size_t len, const char *text)
{
    char name[65];
    snprintf(name, sizeof(name), "%.*s", (int)(len < 64 ? len : 64), line);
    if (strcmp(name, "params") == 0) {
        mr_complain("params are given with :set NAME=VALUE");
        return false;
    }
    json_t *value = evaluate(repl, text);
    if (value)
        json_object_set_new(repl->scope, name, value);
    return value;
}

bool mr_repl_line(mr_repl *repl, char *line, bool *ret_quit)
{
    const char *text = NULL;
    line += strspn(line, " \t");
    size_t len = strlen(line);
    while (len > 0 && isspace((unsigned char)line[len - 1]))
        line[--len] = '\0';
    if (len == 0 || strncmp(line, "--", 2) == 0)
        return true;
    if (line[0] == ':')
        return command(repl, line, ret_quit);
    const size_t name = assignment(line, &text);
    if (name > 0)
        return assign(repl, line, name, text);
    json_t *value = evaluate(repl, line);
    if (value)
        mr_repl_print(value);
    json_decref(value);
    return value;
}
