/* SPDX-License-Identifier: MIT */
/* The model and what is bound to it; the words of diagnostics are tested by tests/golden/pipeline. */
#include "config/params.h"
#include "config/yaml.h"
#include "graph/print.h"
#include "test_ops.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct fixture {
    mr_arena *arena;
    mr_diags *diags;
    mr_expr_vm *vm;
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof(*f));
    f->arena = mr_arena_new(0);
    f->diags = mr_diags_new();
    f->vm = mr_expr_vm_new();
    *state = f;
    return f->arena && f->diags && f->vm ? 0 : -1;
}

static int teardown(void **state)
{
    fixture *f = *state;
    mr_expr_vm_free(f->vm);
    mr_diags_free(f->diags);
    mr_arena_free(f->arena);
    free(f);
    return 0;
}

static const mr_pipeline *load(fixture *f, const char *text)
{
    const mr_value *root = NULL;
    const mr_pipeline *pipeline = NULL;
    assert_int_equal(mr_yaml_read(f->arena, "test.yaml", text, strlen(text), &mr_yaml_limits_default, f->diags, &root), MR_OK);
    if (mr_pipeline_check(f->arena, "test.yaml", root, &test_ops, f->diags, &pipeline) != MR_OK) {
        mr_diags_print(f->diags, stderr, false);
        fail();
    }
    return pipeline;
}

static const char fanned[] =
    "millrace: 1\n"
    "inputs: {source: {type: media}}\n"
    "params: {height: {type: int, default: 720}, wait: {type: duration, default: 2500ms}}\n"
    "outputs: {segments: video.segments}\n"
    "nodes:\n"
    "  video:\n"
    "    op: transcode.video\n"
    "    for: {rung: ladder.rungs}\n"
    "    each: {analysis: analysis.stats, chunk: plan.chunks}\n"
    "    in: {source: inputs.source}\n"
    "    with: {max_bitrate: \"${rung.max_bitrate // 2}\", preset: \"${params.height}-${rung.id}\", quality: \"${params.wait / 5}\",\n"
    "           filters: [a, \"${rung.id}\"], options: {h: \"${params.height}\", c: \"${chunk.index}\"}}\n"
    "    when: \"${rung.height <= params.height}\"\n"
    "  analysis: {op: transcode.analyse, each: {chunk: plan.chunks}, in: {source: inputs.source}}\n"
    "  plan: {op: segment.plan, in: {source: inputs.source, info: probe.info}}\n"
    "  ladder: {op: transcode.ladder, in: {info: probe.info}}\n"
    "  probe: {op: probe.media, in: {source: inputs.source}}\n"
    "  tell: {op: notify.webhook, trigger: always, with: {url: \"http://localhost/x\"}, when: \"${params.height < 100}\"}\n";

static void test_model(void **state)
{
    fixture *f = *state;
    const mr_pipeline *p = load(f, fanned);
    static const uint32_t order[] = {4, 2, 1, 3, 0, 5}; /* probe, plan, analysis, ladder, video; tell last */
    assert_int_equal(p->node_count, 6);
    assert_memory_equal(p->order, order, sizeof(order));
    assert_string_equal(p->name, "test");
    const mr_node *video = &p->nodes[0];
    assert_int_equal(video->binding_count, 4);
    assert_int_equal(video->bindings[0].how, MR_BIND_EACH);
    assert_string_equal(video->op->inputs[video->bindings[0].port].name, "chunk"); /* port order within 'each' */
    assert_string_equal(video->op->inputs[video->bindings[1].port].name, "analysis");
    assert_int_equal(video->bindings[2].how, MR_BIND_FOR);
    assert_int_equal(video->bindings[3].how, MR_BIND_IN);
    assert_int_equal(video->bindings[3].sources[0].kind, MR_SOURCE_INPUT);
    assert_int_equal(video->attempts, 1);
    assert_int_equal(video->retry_delay_us, 1000000);
    assert_true(mr_source_is_one(p, &video->bindings[3].sources[0]));
    assert_false(mr_source_is_one(p, &video->bindings[0].sources[0])); /* a MANY port */
    assert_false(mr_source_is_one(p, &video->bindings[1].sources[0])); /* one per task of a node with 'each' */
    assert_string_equal(mr_source_text(f->arena, p, &video->bindings[1].sources[0]), "analysis.stats");
    assert_int_equal(p->nodes[5].trigger, MR_TRIGGER_ALWAYS);
}

static char *params_of(fixture *f, const mr_bound *bound, uint32_t node, const json_t *scope)
{
    void *params = NULL;
    if (mr_bound_params(f->arena, f->vm, bound, node, scope, f->diags, &params) != MR_OK)
        return NULL;
    json_t *json = mr_params_json(bound->pipeline->nodes[node].op->params, params);
    char *text = mr_json_text(json);
    json_decref(json);
    return text;
}

static void test_bound(void **state)
{
    fixture *f = *state;
    const mr_pipeline *p = load(f, fanned);
    const mr_given given[] = {{.name = "height", .text = "480"}};
    mr_bound bound;
    assert_int_equal(mr_pipeline_bind(f->arena, p, given, 1, f->diags, &bound), MR_OK);
    assert_int_equal(json_integer_value(json_object_get(bound.params, "height")), 480);
    assert_true(json_real_value(json_object_get(bound.params, "wait")) == 2.5); /* seconds */
    assert_true(bound.nodes[5].never == false || json_integer_value(json_object_get(bound.params, "height")) >= 100);
    assert_true(bound.nodes[5].never);
    assert_false(bound.nodes[0].never);

    json_t *scope = json_pack("{s:{s:s,s:i,s:i},s:{s:i}}", "rung", "id", "480p", "height", 480, "max_bitrate", 2000000, "chunk", "index", 7);
    char *text = params_of(f, &bound, 0, scope);
    assert_string_equal(text, "{\"buffer\":1048576,\"codec\":\"h264\",\"deinterlace\":true,\"filters\":[\"a\",\"480p\"],\"max_bitrate\":1000000,"
                              "\"options\":{\"c\":7,\"h\":480},\"preset\":\"480-480p\",\"quality\":0.5}");
    free(text);
    assert_null(json_object_get(scope, "params")); /* the caller's scope is left as it was */
    /* Without a scope, open values keep their defaults. */
    text = params_of(f, &bound, 0, NULL);
    assert_non_null(text);
    assert_non_null(strstr(text, "\"max_bitrate\":5000000"));
    assert_non_null(strstr(text, "\"preset\":\"medium\""));
    assert_non_null(strstr(text, "\"quality\":0.5"));
    free(text);

    bool run = false;
    json_object_set(scope, "params", bound.params);
    assert_int_equal(mr_expr_test(f->vm, p->nodes[0].when, scope, f->diags, &run), MR_OK);
    assert_true(run);
    /* What an item makes of a param is checked like any value. */
    json_object_set_new(json_object_get(scope, "rung"), "max_bitrate", json_integer(10));
    assert_null(params_of(f, &bound, 0, scope));
    assert_int_equal(mr_diags_errors(f->diags), 1);
    assert_string_equal(mr_diags_first(f->diags)->span.file, "test.yaml");
    assert_int_equal(mr_diags_first(f->diags)->span.line, 11);
    json_decref(scope);
    mr_bound_clear(&bound);
    mr_bound_clear(&bound);
    mr_bound_clear(NULL);
}

typedef struct worker {
    const mr_bound *bound;
    int index;
    bool good;
} worker;

static void *evaluate(void *data)
{
    worker *w = data;
    mr_expr_vm *vm = mr_expr_vm_new();
    w->good = vm != NULL;
    for (int i = 0; i < 50 && w->good; i++) {
        mr_arena *arena = mr_arena_new(0);
        char expected[40];
        void *params = NULL;
        json_t *scope = json_pack("{s:{s:s,s:i},s:{s:i}}", "rung", "id", "x", "max_bitrate", 1000000 + w->index * 1000 + i, "chunk", "index", i);
        w->good = mr_bound_params(arena, vm, w->bound, 0, scope, NULL, &params) == MR_OK;
        json_t *json = w->good ? mr_params_json(w->bound->pipeline->nodes[0].op->params, params) : NULL;
        char *text = mr_json_text(json);
        snprintf(expected, sizeof(expected), "\"max_bitrate\":%d,", (1000000 + w->index * 1000 + i) / 2);
        w->good = text && strstr(text, expected) && strstr(text, "\"preset\":\"720-x\"");
        free(text);
        json_decref(json);
        json_decref(scope);
        mr_arena_free(arena);
    }
    mr_expr_vm_free(vm);
    return NULL;
}

/* One bound pipeline serves all workers at once, each with its own machine. */
static void test_threads(void **state)
{
    fixture *f = *state;
    const mr_pipeline *p = load(f, fanned);
    mr_bound bound;
    assert_int_equal(mr_pipeline_bind(f->arena, p, NULL, 0, f->diags, &bound), MR_OK);
    pthread_t threads[4];
    worker workers[4];
    for (int i = 0; i < 4; i++) {
        workers[i] = (worker){&bound, i, false};
        assert_int_equal(pthread_create(&threads[i], NULL, evaluate, &workers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(workers[i].good);
    }
    mr_bound_clear(&bound);
}

/* A mistake in a given param is shown there, not in the pipeline. */
static void test_given_place(void **state)
{
    fixture *f = *state;
    const mr_pipeline *p = load(f, fanned);
    const mr_given given[] = {{.name = "height", .text = "tall"}, {.name = "wait", .text = "3 weeks"}};
    mr_bound bound;
    assert_true(mr_pipeline_bind(f->arena, p, given, 2, f->diags, &bound) < 0);
    assert_int_equal(mr_diags_errors(f->diags), 2);
    assert_string_equal(mr_diags_first(f->diags)->span.file, "--param height");
    assert_null(bound.params);
}

static void test_null_diags(void **state)
{
    fixture *f = *state;
    const mr_value *root = NULL;
    const mr_pipeline *pipeline = NULL;
    const char *text = "millrace: 1\nnodes: {a: {op: nope, in: {x: b.c}, with: {y: \"${z\"}}}\n";
    assert_int_equal(mr_yaml_read(f->arena, "t", text, strlen(text), &mr_yaml_limits_default, NULL, &root), MR_OK);
    assert_int_equal(mr_pipeline_check(f->arena, "t", root, &test_ops, NULL, &pipeline), MR_ERR_PARAM);
    assert_null(pipeline);
}

/* A chain of count probes and plans, as text. */
static char *chain(size_t count)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    fputs("millrace: 1\ninputs: {source: {type: media}}\nnodes:\n  n0: {op: probe.media, in: {source: inputs.source}}\n", out);
    for (size_t i = 1; i < count; i++)
        fprintf(out, "  n%zu: {op: segment.plan, in: {source: inputs.source, info: n%zu.%s}}\n", i, i - 1, i == 1 ? "info" : "plan");
    fprintf(out, "outputs: {plan: n%zu.plan}\n", count - 1);
    fclose(out);
    return text;
}

static char *draw(const mr_pipeline *p, mr_graph_format format)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_int_equal(mr_graph_print(p, format, out), MR_OK);
    fclose(out);
    return text;
}

static void test_largest(void **state)
{
    fixture *f = *state;
    char *text = chain(MR_PIPELINE_NODES_MAX);
    const mr_pipeline *p = load(f, text);
    assert_int_equal(p->node_count, MR_PIPELINE_NODES_MAX);
    for (int format = MR_GRAPH_TEXT; format <= MR_GRAPH_SVG; format++) {
        char *first = draw(p, (mr_graph_format)format);
        char *second = draw(p, (mr_graph_format)format);
        assert_string_equal(first, second);
        free(first);
        free(second);
    }
    free(text);
    text = chain(MR_PIPELINE_NODES_MAX + 1);
    const mr_value *root = NULL;
    assert_int_equal(mr_yaml_read(f->arena, "t", text, strlen(text), &mr_yaml_limits_default, f->diags, &root), MR_OK);
    assert_int_equal(mr_pipeline_check(f->arena, "t", root, &test_ops, f->diags, &p), MR_ERR_PARAM);
    assert_string_equal(mr_diags_first(f->diags)->code, "limit");
    free(text);
}

/* Boxes of a picture never overlap, and all of it lies within the frame. */
static void test_svg_boxes(void **state)
{
    fixture *f = *state;
    char *svg = draw(load(f, fanned), MR_GRAPH_SVG);
    int boxes[32][4];
    int width = 0;
    int height = 0;
    size_t count = 0;
    assert_int_equal(sscanf(svg, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\"", &width, &height), 2);
    for (const char *at = svg; (at = strstr(at, "<rect class=\"")); at++) {
        int *b = boxes[count];
        if (sscanf(at, "<rect class=\"%*[a-z]\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"", &b[0], &b[1], &b[2], &b[3]) == 4)
            count++;
    }
    assert_int_equal(count, 8); /* one input, six nodes, one output */
    for (size_t i = 0; i < count; i++) {
        assert_true(boxes[i][0] >= 0 && boxes[i][1] >= 0 && boxes[i][0] + boxes[i][2] <= width && boxes[i][1] + boxes[i][3] <= height);
        for (size_t k = 0; k < i; k++) {
            bool apart = boxes[i][0] >= boxes[k][0] + boxes[k][2] || boxes[k][0] >= boxes[i][0] + boxes[i][2] ||
                         boxes[i][1] >= boxes[k][1] + boxes[k][3] || boxes[k][1] >= boxes[i][1] + boxes[i][3];
            assert_true(apart);
        }
    }
    free(svg);
}

static void test_schema(void **state)
{
    (void)state;
    char *text = mr_pipeline_schema(&test_ops);
    char *again = mr_pipeline_schema(&test_ops);
    assert_non_null(text);
    assert_string_equal(text, again);
    json_t *schema = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(schema);
    const json_t *node = json_object_get(json_object_get(schema, "$defs"), "node");
    assert_int_equal(json_array_size(json_object_get(json_object_get(json_object_get(node, "properties"), "op"), "oneOf")), test_ops.count);
    const json_t *rule = json_array_get(json_object_get(node, "allOf"), 11);
    const json_t *then = json_object_get(json_object_get(rule, "then"), "properties");
    assert_non_null(json_object_get(json_object_get(json_object_get(then, "in"), "properties"), "chunk"));
    assert_string_equal(json_string_value(json_object_get(json_object_get(then, "with"), "$ref")), "#/$defs/with_transcode.video");
    const json_t *with = json_object_get(json_object_get(schema, "$defs"), "with_transcode.video");
    assert_non_null(json_object_get(json_object_get(with, "properties"), "preset"));
    json_decref(schema);
    free(text);
    free(again);
    const mr_op_set none = {0};
    text = mr_pipeline_schema(&none);
    assert_non_null(text);
    free(text);
}

static void test_ops_and_ports(void **state)
{
    (void)state;
    char buf[96];
    assert_string_equal(mr_op_set_find(&test_ops, "segment.plan")->plugin, "segment");
    assert_string_equal(mr_op_set_find(&test_ops, "transcode.video")->op->name, "transcode.video");
    assert_string_equal(mr_op_set_find(&test_ops, "manifest.package")->op->name, "manifest.package");
    assert_null(mr_op_set_find(&test_ops, "segment"));
    assert_null(mr_op_set_find(&test_ops, "zzz"));
    const mr_port *ports = mr_op_set_find(&test_ops, "transcode.video")->op->inputs;
    assert_int_equal(mr_port_count(ports), 4);
    assert_int_equal(mr_port_find(ports, "rung"), 2);
    assert_int_equal(mr_port_find(ports, "run"), -1);
    assert_int_equal(mr_port_find(NULL, "run"), -1);
    assert_int_equal(mr_port_count(NULL), 0);
    assert_string_equal(mr_types_text(MR_TYPE_MEDIA, buf, sizeof(buf)), "media");
    assert_string_equal(mr_types_text(MR_TYPE_SEGMENT | MR_TYPE_IMAGE, buf, sizeof(buf)), "segment or image");
    assert_string_equal(mr_types_text(MR_TYPE_SEGMENT | MR_TYPE_IMAGE | MR_TYPE_FILE, buf, sizeof(buf)), "segment, image or file");
    assert_string_equal(mr_types_text(MR_TYPE_ANY, buf, sizeof(buf)), "anything");
    assert_int_equal(mr_type_parse("json"), MR_TYPE_JSON);
    assert_int_equal(mr_type_parse("video"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_model, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bound, setup, teardown),
        cmocka_unit_test_setup_teardown(test_given_place, setup, teardown),
        cmocka_unit_test_setup_teardown(test_null_diags, setup, teardown),
        cmocka_unit_test_setup_teardown(test_largest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_svg_boxes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
        cmocka_unit_test(test_schema),
        cmocka_unit_test(test_ops_and_ports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
