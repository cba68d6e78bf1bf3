/* SPDX-License-Identifier: MIT */
/* The checks of a plugin's tables: one mistake at a time on tables that are fine otherwise. */
#include "runtime/plugins_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static mr_status run(const mr_host *host, const mr_batch *batch)
{
    (void)host;
    (void)batch;
    return MR_OK;
}

/* A plugin with one op, all of it writable. */
typedef struct tables {
    mr_port inputs[MR_PLUGIN_PORTS_MAX + 2];
    mr_port outputs[4];
    mr_op op;
    mr_op other;
    const mr_op *ops[3];
    mr_plugin plugin;
    struct {
        int64_t level;
    } params;
    mr_param table[2];
} tables;

static void make(tables *it)
{
    *it = (tables){
        .inputs = {{.name = "source", .types = MR_TYPE_MEDIA | MR_TYPE_TEXT, .help = "what to look at"},
                   {.name = "chunk", .types = MR_TYPE_CHUNK, .help = "which part"},
                   {.name = "all", .types = MR_TYPE_ANY, .flags = MR_PORT_MANY, .help = "the rest"}},
        .outputs = {{.name = "count", .types = MR_TYPE_JSON, .help = "how much there is"}},
        .op = {.size = sizeof(mr_op), .version = 1, .name = "test.op", .summary = "does nothing", .batch_max = 4, .batch_by = "chunk", .run = run},
        .plugin =
            {.size = sizeof(mr_plugin), .abi_major = MR_ABI_MAJOR, .abi_minor = MR_ABI_MINOR, .name = "test", .version = "1", .summary = "for tests"},
        .table = {{.name = "level", .type = MR_PARAM_TYPE_INT, .standard = "1", .help = "how much of nothing"}},
    };
    it->op.inputs = it->inputs;
    it->op.outputs = it->outputs;
    it->op.params = it->table;
    it->op.params_size = sizeof(it->params);
    it->ops[0] = &it->op;
    it->plugin.ops = it->ops;
}

static void no_change(tables *it)
{
    (void)it;
}
static void no_ops(tables *it)
{
    it->plugin.ops = NULL;
}
static void no_tables(tables *it)
{
    it->op.inputs = NULL;
    it->op.outputs = NULL;
    it->op.params = NULL;
    it->op.batch_by = NULL;
    it->op.batch_max = 0;
}
static void plugin_name(tables *it)
{
    it->plugin.name = "Test";
}
static void plugin_no_name(tables *it)
{
    it->plugin.name = NULL;
}
static void plugin_no_version(tables *it)
{
    it->plugin.version = "";
}
static void plugin_no_summary(tables *it)
{
    it->plugin.summary = NULL;
}
static void op_name_without_dot(tables *it)
{
    it->op.name = "count";
}
static void op_name_two_dots(tables *it)
{
    it->op.name = "test.op.more";
}
static void op_name_upper(tables *it)
{
    it->op.name = "test.Op";
}
static void op_no_name(tables *it)
{
    it->op.name = NULL;
}
static void op_long_name(tables *it)
{
    it->op.name = "test.a234567890123456789012345678901234567890123456789012345678901234x";
}
static void op_size(tables *it)
{
    it->op.size = 16;
}
static void op_no_summary(tables *it)
{
    it->op.summary = "";
}
static void op_no_run(tables *it)
{
    it->op.run = NULL;
}
static void op_flags(tables *it)
{
    it->op.flags = 0x80;
}
static void op_twice(tables *it)
{
    it->other = it->op;
    it->ops[1] = &it->other;
}
static void port_name(tables *it)
{
    it->inputs[0].name = "the source";
}
static void port_reserved(tables *it)
{
    it->inputs[0].name = "params";
}
static void port_twice(tables *it)
{
    it->inputs[2].name = "source";
}
static void port_no_type(tables *it)
{
    it->inputs[0].types = 0;
}
static void port_type(tables *it)
{
    it->inputs[0].types = 0x1000;
}
static void port_flags(tables *it)
{
    it->inputs[0].flags = 0x100;
}
static void port_no_help(tables *it)
{
    it->inputs[0].help = NULL;
}
static void output_types(tables *it)
{
    it->outputs[0].types = MR_TYPE_JSON | MR_TYPE_TEXT;
}
static void output_streaming(tables *it)
{
    it->outputs[0].flags = MR_PORT_STREAMING;
}
static void too_many_ports(tables *it)
{
    static char names[MR_PLUGIN_PORTS_MAX + 1][8];
    for (unsigned i = 0; i <= MR_PLUGIN_PORTS_MAX; i++) {
        snprintf(names[i], sizeof(names[i]), "p%u", i);
        it->inputs[i] = (mr_port){.name = names[i], .types = MR_TYPE_CHUNK, .help = "one of many"};
    }
    it->op.batch_by = "p0";
}
static void batch_unknown(tables *it)
{
    it->op.batch_by = "chunks";
}
static void batch_many(tables *it)
{
    it->op.batch_by = "all";
}
static void batch_missing(tables *it)
{
    it->op.batch_by = NULL;
}
static void batch_without_inputs(tables *it)
{
    it->op.inputs = NULL;
}
static void param_help(tables *it)
{
    it->table[0].help = NULL;
}
static void param_offset(tables *it)
{
    it->table[0].offset = 4096;
}

static const struct mistake {
    const char *what;
    void (*make)(tables *it);
    const char *says; /* NULL: it is fine */
} mistakes[] = {
    {"nothing", no_change, NULL},
    {"no ops", no_ops, NULL},
    {"no ports and params", no_tables, NULL},
    {"plugin's name in capitals", plugin_name, "'Test' can't be a plugin's name"},
    {"plugin without name", plugin_no_name, "'' can't be a plugin's name"},
    {"plugin without version", plugin_no_version, "no version"},
    {"plugin without summary", plugin_no_summary, "no summary"},
    {"op's name without dot", op_name_without_dot, "op number 1 has the name 'count'"},
    {"op's name with two dots", op_name_two_dots, "'test.op.more'"},
    {"op's name in capitals", op_name_upper, "'test.Op'"},
    {"op without name", op_no_name, "op number 1 has the name ''"},
    {"op's name too long", op_long_name, "op number 1 has the name"},
    {"op's size", op_size, "16 bytes"},
    {"op without summary", op_no_summary, "op 'test.op' has no summary"},
    {"op without run", op_no_run, "has no run function"},
    {"op's flags", op_flags, "unknown flags 0x80"},
    {"op twice", op_twice, "two ops 'test.op'"},
    {"port's name", port_name, "'the source' can't be the name of an input port"},
    {"port's name taken", port_reserved, "'params' has a name that pipelines use"},
    {"port twice", port_twice, "two input ports 'source'"},
    {"port without type", port_no_type, "unknown type 0x0"},
    {"port's type", port_type, "unknown type 0x1000"},
    {"port's flags", port_flags, "unknown flags 0x100"},
    {"port without help", port_no_help, "input port 'source' has no help"},
    {"output with two types", output_types, "output port 'count' has more than one type"},
    {"output that streams", output_streaming, "output port 'count' says streaming"},
    {"too many ports", too_many_ports, "more than 32 input ports"},
    {"batch_by unknown", batch_unknown, "batch_by names 'chunks', which is not an input port"},
    {"batch_by many", batch_many, "batch_by names 'all', which takes more than one artifact"},
    {"batch_by missing", batch_missing, "batch_max 4, but no batch_by"},
    {"batch_by without inputs", batch_without_inputs, "batch_by names 'chunk'"},
    {"param without help", param_help, "help"},
    {"param outside of the struct", param_offset, "level"},
};

static void test_each_mistake_is_named(void **context)
{
    (void)context;
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        const struct mistake *mistake = &mistakes[i];
        tables it;
        mr_diags *diags = mr_diags_new();
        make(&it);
        mistake->make(&it);
        mr_status status = mr_plugin_check(&it.plugin, diags);
        const mr_diag *diag = mr_diags_first(diags);
        if (!mistake->says && (status != MR_OK || diag))
            fail_msg("%s: %s", mistake->what, diag ? diag->message : "refused without a word");
        if (mistake->says && (status != MR_ERR_PARAM || !diag || !strstr(diag->message, mistake->says)))
            fail_msg("%s: status %d, '%s' does not contain '%s'", mistake->what, status, diag ? diag->message : "", mistake->says);
        if (diag && diag->next)
            fail_msg("%s: '%s' besides '%s'", mistake->what, diag->next->message, diag->message);
        mr_diags_free(diags);
    }
}

static void test_several_mistakes_are_all_named(void **context)
{
    (void)context;
    tables it;
    mr_diags *diags = mr_diags_new();
    make(&it);
    op_no_summary(&it);
    op_no_run(&it);
    port_no_help(&it);
    assert_int_equal(mr_plugin_check(&it.plugin, diags), MR_ERR_PARAM);
    assert_int_equal(mr_diags_errors(diags), 3);
    mr_diags_free(diags);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_mistake_is_named),
        cmocka_unit_test(test_several_mistakes_are_all_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
