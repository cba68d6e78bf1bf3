/* SPDX-License-Identifier: MIT */
#include "engine_ops.h"

#include <jansson.h>
#include <millrace/plugin.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

atomic_int ops_runs;
atomic_int ops_batches;
atomic_int ops_largest;
atomic_int ops_flaky_left;
atomic_bool ops_hold;
atomic_int ops_blocked;
atomic_int ops_noted;
char ops_note[512];

static int64_t value_of(const mr_artifact *artifact)
{
    json_t *meta = json_loads(artifact->meta, 0, NULL);
    int64_t value = json_integer_value(json_object_get(meta, "value"));
    json_decref(meta);
    return value;
}

static mr_status emit_value(const mr_host *host, mr_task *task, uint32_t port, int64_t value)
{
    char meta[64];
    snprintf(meta, sizeof(meta), "{\"value\":%lld}", (long long)value);
    return host->emit(task, port, meta, NULL);
}

/* test.count: emits 0 … n-1, when what comes in on 'after' is complete */
typedef struct count_params {
    int64_t n;
} count_params;

static mr_status run_count(const mr_host *host, const mr_batch *batch)
{
    const count_params *params = batch->tasks[0].params;
    mr_status status = MR_OK;
    atomic_fetch_add(&ops_runs, 1);
    for (int64_t i = 0; i < params->n && status == MR_OK; i++)
        status = emit_value(host, batch->tasks[0].task, 0, i);
    return status;
}

/* test.add: value + by */
typedef struct add_params {
    int64_t by;
} add_params;

static mr_status run_add(const mr_host *host, const mr_batch *batch)
{
    const add_params *params = batch->tasks[0].params;
    mr_task *task = batch->tasks[0].task;
    atomic_fetch_add(&ops_runs, 1);
    const mr_artifact *other = host->input(task, 1, 0);
    return emit_value(host, task, 0, value_of(host->input(task, 0, 0)) * 100 + params->by + (other ? value_of(other) : 0));
}

/* test.list: all values of the input, as text content, in order */
static mr_status run_list(const mr_host *host, const mr_batch *batch)
{
    mr_task *task = batch->tasks[0].task;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    atomic_fetch_add(&ops_runs, 1);
    for (size_t i = 0; i < host->input_count(task, 0); i++)
        fprintf(out, "%s%lld", i ? " " : "", (long long)value_of(host->input(task, 0, i)));
    fclose(out);
    json_t *meta = json_pack("{s:s}", "list", text);
    char *meta_text = json_dumps(meta, 0);
    mr_status status = host->emit_bytes(task, 0, meta_text, text, size);
    json_decref(meta);
    free(meta_text);
    free(text);
    return status;
}

/* test.fold: the same over a streaming port */
static mr_status run_fold(const mr_host *host, const mr_batch *batch)
{
    mr_task *task = batch->tasks[0].task;
    const mr_artifact *item = NULL;
    uint32_t port = 0;
    mr_status status;
    while ((status = host->next(task, &port, &item)) == MR_OK)
        emit_value(host, task, 0, value_of(item));
    return status == MR_END ? MR_OK : status;
}

/* test.flaky: unavailable at first */
static mr_status run_flaky(const mr_host *host, const mr_batch *batch)
{
    mr_task *task = batch->tasks[0].task;
    atomic_fetch_add(&ops_runs, 1);
    if (atomic_fetch_sub(&ops_flaky_left, 1) > 0) {
        host->report(task, MR_SEVERITY_ERROR, NULL, NULL, "the far side is away");
        return MR_ERR_UNAVAILABLE;
    }
    return emit_value(host, task, 0, value_of(host->input(task, 0, 0)));
}

/* test.fail: fails on one value */
typedef struct fail_params {
    int64_t on;
} fail_params;

static mr_status run_fail(const mr_host *host, const mr_batch *batch)
{
    const fail_params *params = batch->tasks[0].params;
    mr_task *task = batch->tasks[0].task;
    int64_t value = value_of(host->input(task, 0, 0));
    if (value == params->on) {
        host->report(task, MR_SEVERITY_ERROR, "on", "give another number", "the value is %lld", (long long)value);
        return MR_ERR_LIMIT;
    }
    return emit_value(host, task, 0, value);
}

/* test.block: until it is cancelled */
static mr_status run_block(const mr_host *host, const mr_batch *batch)
{
    const struct timespec moment = {.tv_nsec = 2000000};
    atomic_fetch_add(&ops_blocked, 1);
    while (!host->cancelled(batch->tasks[0].task))
        clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL);
    return MR_ERR_CANCELLED;
}

/* test.hold: passes values on; 0 when it is let go */
static mr_status run_hold(const mr_host *host, const mr_batch *batch)
{
    const struct timespec moment = {.tv_nsec = 2000000};
    mr_task *task = batch->tasks[0].task;
    const int64_t value = value_of(host->input(task, 0, 0));
    if (value == 0)
        atomic_fetch_add(&ops_blocked, 1);
    while (value == 0 && atomic_load(&ops_hold) && !host->cancelled(task))
        clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL);
    return emit_value(host, task, 0, value);
}

/* test.half and test.join: a batch over one item; join reads what half made in it */
static const mr_op op_half;

static mr_status run_pair(const mr_host *host, const mr_batch *batch)
{
    atomic_fetch_add(&ops_batches, 1);
    int largest = atomic_load(&ops_largest);
    while ((int)batch->count > largest && !atomic_compare_exchange_weak(&ops_largest, &largest, (int)batch->count))
        ;
    for (uint32_t i = 0; i < batch->count; i++) {
        mr_task *task = batch->tasks[i].task;
        const mr_artifact *item = host->input(task, 0, 0);
        atomic_fetch_add(&ops_runs, 1);
        mr_status status;
        if (batch->tasks[i].op == &op_half) {
            status = emit_value(host, task, 0, value_of(item) / 2);
        } else {
            const mr_artifact *half = host->input(task, 1, 0);
            if (!half)
                return MR_ERR_INTERNAL;
            status = emit_value(host, task, 0, value_of(item) * 10000 + value_of(half) * 100 + value_of(host->input(task, 2, 0)));
        }
        host->finish(task, status);
    }
    return MR_OK;
}

/* test.note: an effect; remembers how the run stood */
static mr_status run_note(const mr_host *host, const mr_batch *batch)
{
    const char *state = host->run_state(batch->tasks[0].task);
    snprintf(ops_note, sizeof(ops_note), "%s", state);
    atomic_fetch_add(&ops_noted, 1);
    return host->emit(batch->tasks[0].task, 0, state, NULL);
}

#define VALUE(port_name, port_flags)                                                                                                                 \
    {                                                                                                                                                \
        .name = port_name, .types = MR_TYPE_JSON, .flags = (port_flags), .help = "a number"                                                          \
    }
#define PORTS(...) ((const mr_port[]){__VA_ARGS__, {0}})

static const mr_param count_table[] = {MR_INT(count_params, n, .standard = "4", .min = "0", .max = "200000", .help = "how many"), MR_PARAM_END};
static const mr_param add_table[] = {MR_INT(add_params, by, .standard = "1", .help = "what to add"), MR_PARAM_END};
static const mr_param fail_table[] = {MR_INT(fail_params, on, .standard = "2", .help = "the value to fail on"), MR_PARAM_END};

#define OP(op_name, entry) .size = sizeof(mr_op), .version = 1, .name = op_name, .summary = "for tests of the engine", .memory_mb = 1, .run = entry

static const mr_op op_count = {OP("test.count", run_count),
                               .cpu = 1,
                               .inputs = PORTS(VALUE("after", MR_PORT_MANY | MR_PORT_OPTIONAL)),
                               .outputs = PORTS(VALUE("values", MR_PORT_MANY)),
                               .params = count_table,
                               .params_size = sizeof(count_params)};
static const mr_op op_add = {OP("test.add", run_add),
                             .cpu = 1,
                             .inputs = PORTS(VALUE("value", 0), VALUE("other", MR_PORT_OPTIONAL)),
                             .outputs = PORTS(VALUE("sum", 0)),
                             .params = add_table,
                             .params_size = sizeof(add_params)};
static const mr_op op_list = {OP("test.list", run_list), .cpu = 1, .inputs = PORTS(VALUE("values", MR_PORT_MANY)),
                              .outputs = PORTS(VALUE("list", 0))};
static const mr_op op_fold = {OP("test.fold", run_fold), .inputs = PORTS(VALUE("values", MR_PORT_MANY | MR_PORT_STREAMING)),
                              .outputs = PORTS(VALUE("values", MR_PORT_MANY))};
static const mr_op op_heap = {OP("test.heap", run_fold), .inputs = PORTS(VALUE("values", MR_PORT_MANY | MR_PORT_STREAMING | MR_PORT_ANY_ORDER)),
                              .outputs = PORTS(VALUE("values", MR_PORT_MANY))};
static const mr_op op_hold = {OP("test.hold", run_hold), .cpu = 1, .inputs = PORTS(VALUE("value", 0)), .outputs = PORTS(VALUE("value", 0))};
static const mr_op op_flaky = {OP("test.flaky", run_flaky), .cpu = 1, .inputs = PORTS(VALUE("value", 0)), .outputs = PORTS(VALUE("value", 0))};
static const mr_op op_fail = {
    OP("test.fail", run_fail),         .cpu = 1, .inputs = PORTS(VALUE("value", 0)), .outputs = PORTS(VALUE("value", 0)), .params = fail_table,
    .params_size = sizeof(fail_params)};
static const mr_op op_block = {OP("test.block", run_block), .cpu = 1, .inputs = PORTS(VALUE("value", 0)), .outputs = PORTS(VALUE("value", 0))};
static const mr_op op_half = {OP("test.half", run_pair),         .cpu = 1, .batch_max = 16, .batch_by = "item", .inputs = PORTS(VALUE("item", 0)),
                              .outputs = PORTS(VALUE("half", 0))};
static const mr_op op_join = {OP("test.join", run_pair),
                              .cpu = 1,
                              .batch_max = 16,
                              .batch_by = "item",
                              .inputs = PORTS(VALUE("item", 0), VALUE("half", 0), VALUE("rung", 0)),
                              .outputs = PORTS(VALUE("joined", MR_PORT_MANY))};
static const mr_op op_note = {OP("test.note", run_note), .flags = MR_OP_EFFECT, .inputs = PORTS(VALUE("value", MR_PORT_OPTIONAL)),
                              .outputs = PORTS(VALUE("state", MR_PORT_OPTIONAL))};

static const mr_op_entry entries[] = {{&op_add, "test"},   {&op_block, "test"}, {&op_count, "test"}, {&op_fail, "test"},
                                      {&op_flaky, "test"}, {&op_fold, "test"},  {&op_half, "test"},  {&op_heap, "test"},
                                      {&op_hold, "test"},  {&op_join, "test"},  {&op_list, "test"},  {&op_note, "test"}};
const mr_op_set engine_ops = {.entries = entries, .count = sizeof(entries) / sizeof(entries[0])};
