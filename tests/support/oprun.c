/* SPDX-License-Identifier: MIT */
/*
 * Tries one op by hand, outside the engine:
 *   oprun PLUGIN.so OP [--params YAML] [--out DIR] [PORT=TYPE:FILE | PORT=TYPE@META.json[:FILE]] …
 * Prints what the op reported and one line per artifact (port, size, metadata). With --out, metadata and content are written as
 * DIR/PORT.N.json and DIR/PORT.N.bin, so that they can be given to another op.
 */
#include "base/file.h"
#include "graph/ops.h"
#include "op_host.h"

#include <stdlib.h>
#include <string.h>

static bool parse_input(char *text, op_input *ret_input)
{
    char *type = strchr(text, '=');
    if (!type)
        return false;
    *type++ = '\0';
    char *at = strpbrk(type, "@:");
    if (!at)
        return false;
    bool has_meta = *at == '@';
    *at++ = '\0';
    *ret_input = (op_input){.port = text, .type = mr_type_parse(type)};
    if (!has_meta) {
        ret_input->path = at;
        return ret_input->type != 0;
    }
    char *file = strchr(at, ':');
    if (file) {
        *file++ = '\0';
        ret_input->path = file;
    }
    char *meta = NULL;
    size_t len;
    if (mr_file_read(at, 64u << 20, &meta, &len, NULL) != MR_OK)
        return false;
    ret_input->meta = meta;
    return ret_input->type != 0;
}

static void save(const char *dir, const mr_op *op, const op_result *result)
{
    size_t counts[64] = {0};
    char name[256];
    mr_dir_make(dir, 0755, NULL);
    for (size_t i = 0; i < result->count; i++) {
        const op_item *item = &result->items[i];
        const char *port = op->outputs[item->port].name;
        size_t n = counts[item->port % 64]++;
        snprintf(name, sizeof(name), "%s/%s.%zu.json", dir, port, n);
        mr_file_write_atomic(name, item->meta, strlen(item->meta), 0644, NULL);
        snprintf(name, sizeof(name), "%s/%s.%zu.bin", dir, port, n);
        if (item->has_content)
            mr_file_write_atomic(name, item->data, item->size, 0644, NULL);
    }
}

int main(int argc, char **argv)
{
    op_input inputs[256];
    size_t count = 0;
    const char *params = NULL;
    const char *out = NULL;
    if (argc < 3) {
        fprintf(stderr, "usage: oprun PLUGIN.so OP [--params YAML] [--out DIR] [PORT=TYPE:FILE | PORT=TYPE@META.json[:FILE]] ...\n");
        return 2;
    }
    const mr_op *op = op_load(argv[1], argv[2]);
    for (int i = 3; op && i < argc; i++) {
        if (strcmp(argv[i], "--params") == 0 && i + 1 < argc) {
            params = argv[++i];
        } else if (strcmp(argv[i], "--out") == 0 && i + 1 < argc) {
            out = argv[++i];
        } else if (count == 256 || !parse_input(argv[i], &inputs[count++])) {
            fprintf(stderr, "can't use input '%s'\n", argv[i]);
            return 2;
        }
    }
    if (!op)
        return 2;
    const op_run_options options = {.output_dir = out};
    op_result result = op_run(op, params, inputs, count, &options);
    fputs(result.messages, stderr);
    for (size_t i = 0; i < result.count; i++) {
        const op_item *item = &result.items[i];
        printf("%s\t%zu\t%s\n", op->outputs[item->port].name, item->size, item->meta);
    }
    if (out)
        save(out, op, &result);
    mr_status status = result.status;
    op_result_free(&result);
    for (size_t i = 0; i < count; i++)
        free((void *)inputs[i].meta);
    return status == MR_OK ? 0 : 1;
}
