/* SPDX-License-Identifier: MIT */
/* The editor's annotations say what there is, no more and no less: scripting/types against the tables that scripts are checked by. */
#include "base/file.h"
#include "scripting/hooks.h"
#include "scripting/ops_internal.h"
#include "scripting/pipeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define TYPES SOURCE_ROOT "/scripting/types/"

enum { NAMES = 64 };

typedef struct names {
    char name[NAMES][64];
    size_t count;
} names;

static char *types;

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void add(names *to, const char *text, size_t len)
{
    assert_true(to->count < NAMES && len < sizeof(to->name[0]));
    memcpy(to->name[to->count], text, len);
    to->name[to->count++][len] = '\0';
}

static size_t word(const char *text)
{
    size_t len = 0;
    while (isalnum((unsigned char)text[len]) || text[len] == '_')
        len++;
    return len;
}

/* The fields that "---@class NAME" lists. */
static void fields_of(const char *class, names *to)
{
    char head[128];
    snprintf(head, sizeof(head), "---@class %s\n", class);
    const char *at = strstr(types, head);
    if (!at) {
        fail_msg("there is no class '%s'", class);
        return; /* for those who don't know that it does not get here */
    }
    for (at = strchr(at, '\n') + 1; strncmp(at, "---@field ", 10) == 0; at = strchr(at, '\n') + 1)
        add(to, at + 10, word(at + 10));
}

/* NAME of "function OWNER:NAME(" and "function OWNER.NAME(". */
static void functions_of(const char *owner, names *to)
{
    char head[64];
    snprintf(head, sizeof(head), "\nfunction %s", owner);
    for (const char *at = strstr(types, head); at; at = strstr(at + 1, head)) {
        const char *name = at + strlen(head);
        if (*name == ':' || *name == '.')
            add(to, name + 1, word(name + 1));
    }
}

static void same(const char *what, names *said, names *real)
{
    qsort(said->name, said->count, sizeof(said->name[0]), compare);
    qsort(real->name, real->count, sizeof(real->name[0]), compare);
    for (size_t i = 0; i < said->count || i < real->count; i++) {
        const char *a = i < said->count ? said->name[i] : "nothing more";
        const char *b = i < real->count ? real->name[i] : "nothing more";
        if (strcmp(a, b) != 0)
            fail_msg("%s: the annotations say '%s', and there is '%s'", what, a, b);
    }
}

static void same_as_list(const char *class, const char *owner, const char *const *list)
{
    names said = {0};
    names real = {0};
    fields_of(class, &said);
    if (owner)
        functions_of(owner, &said);
    for (; *list; list++)
        add(&real, *list, strlen(*list));
    assert_true(real.count > 0);
    same(class, &said, &real);
}

static void test_fields(void **state)
{
    (void)state;
    same_as_list("millrace.PipelineFields", NULL, mr_script_pipeline_fields);
    same_as_list("millrace.Pipeline", "Pipeline", mr_script_pipeline_methods);
    same_as_list("millrace.NodeFields", NULL, mr_script_node_fields);
    same_as_list("millrace.OpFields", NULL, mr_ops_fields);
    same_as_list("millrace.FilterFields", NULL, mr_ops_filter_fields);
    same_as_list("millrace.PortFields", NULL, mr_ops_port_fields);
    same_as_list("millrace.ParamFields", NULL, mr_ops_param_fields);
    same_as_list("millrace.Artifact", "Artifact", mr_ops_artifact_fields);
}

static void test_tasks_and_hooks(void **state)
{
    (void)state;
    const char *list[NAMES] = {"inputs", "params"};
    size_t count = 2;
    for (const luaL_Reg *function = mr_ops_task_functions; function->name; function++)
        list[count++] = function->name;
    list[count] = NULL;
    same_as_list("millrace.Task", "Task", list);
    count = 0;
    for (const mr_hook *hook = mr_hooks_table; hook->name; hook++)
        list[count++] = hook->name;
    list[count] = NULL;
    same_as_list("millrace.Hooks", NULL, list);
}

/* What a script says of itself: the words of the error that it ends with. */
static void said_by(const char *script, names *to)
{
    const mr_bundle *bundle = NULL;
    json_t *description = NULL;
    mr_arena *arena = mr_arena_new(0);
    mr_diags *diags = mr_diags_new();
    assert_int_equal(mr_bundle_of_text(arena, "test.lua", script, strlen(script), diags, &bundle), MR_OK);
    assert_int_equal(mr_script_pipeline_describe(bundle, 0, diags, &description), MR_ERR_PARAM);
    const char *at = mr_diags_first(diags)->message;
    for (size_t len = word(at); len > 0; len = word(at)) {
        add(to, at, len);
        at += len + (at[len] == ' ');
    }
    mr_diags_free(diags);
    mr_arena_free(arena);
}

static void test_functions_of_millrace(void **state)
{
    (void)state;
    names said = {0};
    names real = {0};
    functions_of("millrace", &said);
    said_by("local names = {}\nfor name in pairs(millrace) do names[#names + 1] = name end\nerror(table.concat(names, ' '), 0)", &real);
    same("millrace", &said, &real);
}

/* Libraries of Lua that scripts don't have are switched off in the editor, and no others. */
static void test_libraries(void **state)
{
    (void)state;
    json_t *settings = json_load_file(TYPES ".luarc.json", 0, NULL);
    const json_t *builtin = json_object_get(settings, "runtime.builtin");
    static const char *const libraries[] = {"basic", "coroutine", "debug", "io", "math", "os", "package", "string", "table", "utf8"};
    assert_string_equal(json_string_value(json_object_get(settings, "runtime.version")), "Lua 5.4");
    assert_int_equal(json_object_size(builtin), 4);
    for (size_t i = 1; i < sizeof(libraries) / sizeof(libraries[0]); i++) {
        char script[128];
        names real = {0};
        snprintf(script, sizeof(script), "error(rawget(_G, '%s') and 'there' or 'absent', 0)", libraries[i]);
        said_by(script, &real);
        assert_string_equal(real.name[0], json_object_get(builtin, libraries[i]) ? "absent" : "there");
    }
    json_decref(settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fields), cmocka_unit_test(test_tasks_and_hooks),
                                       cmocka_unit_test(test_functions_of_millrace), cmocka_unit_test(test_libraries)};
    size_t len = 0;
    if (mr_file_read(TYPES "millrace.lua", 1 << 20, &types, &len, NULL) != MR_OK) {
        fprintf(stderr, "can't read %smillrace.lua\n", TYPES);
        return 1;
    }
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(types);
    return failed;
}
