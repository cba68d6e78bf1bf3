/* SPDX-License-Identifier: MIT */
/*
 * One case of the YAML reader: golden_yaml FOLDER reads FOLDER/input.yaml. FOLDER/expected.txt holds what must come of it: the value tree,
 * a line a value with the type, the text and the place (line:column+length) of each key and value; or the diagnostics as people see them.
 * UPDATE=1 rewrites it. Exit code 0: as expected.
 */
#include "base/file.h"
#include "base/text.h"
#include "config/yaml.h"
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 4 << 20 };

static void print_text(FILE *out, const char *text)
{
    char shown[512];
    fprintf(out, "'%s'", mr_text_show_all(text, strlen(text), shown, sizeof(shown)));
}

static void print_place(FILE *out, mr_span span)
{
    fprintf(out, "@%u:%u+%u", span.line, span.col, span.len);
}

static void print_value(FILE *out, const mr_value *value, unsigned depth)
{
    static const char *const names[] = {"null", "bool", "int", "number", "text", "list", "map"};
    fprintf(out, "%s%s ", value->quoted ? "quoted " : "", names[value->type]);
    switch (value->type) {
    case MR_VALUE_BOOL: fprintf(out, "%s ", value->boolean ? "true" : "false"); break;
    case MR_VALUE_INT: fprintf(out, "%lld ", (long long)value->integer); break;
    case MR_VALUE_NUMBER: fprintf(out, "%.17g ", value->number); break;
    default: break;
    }
    if (value->text)
        print_text(out, value->text);
    fputs(value->text ? " " : "", out);
    print_place(out, value->span);
    fputc('\n', out);
    for (size_t i = 0; value->type == MR_VALUE_LIST && i < value->list.count; i++) {
        fprintf(out, "%*s- ", (int)depth * 2, "");
        print_value(out, value->list.items[i], depth + 1);
    }
    for (size_t i = 0; value->type == MR_VALUE_MAP && i < value->map.count; i++) {
        const mr_entry *entry = &value->map.entries[i];
        fprintf(out, "%*s", (int)depth * 2, "");
        print_text(out, entry->key);
        fputc(' ', out);
        print_place(out, entry->key_span);
        fputs(": ", out);
        print_value(out, entry->value, depth + 1);
    }
}

static bool run(const char *folder, char **ret_result, size_t *ret_len, mr_diags *trouble)
{
    mr_autofree char *path = mr_path_join(folder, "input.yaml");
    mr_autofree char *text = NULL;
    size_t len = 0;
    const mr_value *value = NULL;
    mr_arena *arena = mr_arena_new((size_t)64 << 20);
    mr_diags *diags = mr_diags_new();
    FILE *out = open_memstream(ret_result, ret_len);
    bool done = path && arena && diags && out && mr_file_read(path, TEXT_MAX, &text, &len, trouble) == MR_OK;
    /* Exactly as long as it is, so that a sanitizer sees a read past its end. */
    char *exact = done ? mr_arena_take(arena, len) : NULL;
    done = exact;
    if (done) {
        memcpy(exact, text, len);
        mr_status status = mr_yaml_read(arena, "input.yaml", exact, len, NULL, diags, &value);
        if (value)
            print_value(out, value, 0);
        mr_diags_print(diags, out, false);
        /* What can't be read has said why; what can has a value. */
        done = (status == MR_OK) == (value != NULL) && (status == MR_OK) == (mr_diags_errors(diags) == 0);
        if (!done)
            fprintf(stderr, "status %d does not go with %zu errors\n", status, mr_diags_errors(diags));
    }
    if (out && fclose(out) != 0)
        done = false;
    mr_diags_free(diags);
    mr_arena_free(arena);
    return done;
}

int main(int argc, char **argv)
{
    mr_autofree char *result = NULL;
    mr_autofree char *expected = NULL;
    size_t len = 0;
    size_t expected_len = 0;
    if (argc != 2) {
        fprintf(stderr, "usage: golden_yaml FOLDER\n");
        return 2;
    }
    mr_autofree char *path = mr_path_join(argv[1], "expected.txt");
    mr_diags *diags = mr_diags_new();
    bool right = path && run(argv[1], &result, &len, diags);
    if (right && getenv("UPDATE")) /* NOLINT(concurrency-mt-unsafe): one thread */
        right = mr_file_write_atomic(path, result, len, 0644, diags) == MR_OK;
    else if (right)
        right = mr_file_read(path, TEXT_MAX, &expected, &expected_len, diags) == MR_OK && expected_len == len && memcmp(expected, result, len) == 0;
    mr_diags_print(diags, stderr, false);
    mr_diags_free(diags);
    if (!right)
        printf("--- expected:\n%s--- but got:\n%s--- (UPDATE=1 accepts it)\n", expected ? expected : "", result ? result : "");
    return right ? 0 : 1;
}
