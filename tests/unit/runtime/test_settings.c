/* SPDX-License-Identifier: MIT */
/* Settings: the table, the file, --set over it, and what is said about mistakes. */
#include "base/file.h"
#include "runtime/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct world {
    mr_arena *arena;
    mr_diags *diags;
    char dir[64];
    char path[96];
    mr_loaded_settings loaded;
} world;

static int set_up(void **context)
{
    world *w = calloc(1, sizeof(*w));
    assert_non_null(w);
    w->arena = mr_arena_new(0);
    w->diags = mr_diags_new();
    snprintf(w->dir, sizeof(w->dir), "/tmp/millrace-settings-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->path, sizeof(w->path), "%s/config.yaml", w->dir);
    *context = w;
    return 0;
}

static int tear_down(void **context)
{
    world *w = *context;
    mr_dir_remove(w->dir, NULL);
    mr_diags_free(w->diags);
    mr_arena_free(w->arena);
    free(w);
    return 0;
}

static mr_status load(world *w, const char *text, const mr_set *set, size_t count)
{
    if (text)
        assert_int_equal(mr_file_write_atomic(w->path, text, strlen(text), 0600, NULL), MR_OK);
    return mr_settings_load(w->arena, text ? w->path : NULL, set, count, w->diags, &w->loaded);
}

static size_t row_of(const char *name)
{
    size_t row = 0;
    while (mr_setting_table[row].name && strcmp(mr_setting_table[row].name, name) != 0)
        row++;
    assert_non_null(mr_setting_table[row].name);
    return row;
}

/* The n-th diagnostic, as "line:col message | hint". */
static void assert_said(const world *w, size_t n, const char *expected)
{
    char text[512];
    const mr_diag *diag = mr_diags_first(w->diags);
    while (diag && n-- > 0)
        diag = diag->next;
    if (!diag) {
        fail_msg("nothing was said where expected: %s", expected);
        return;
    }
    snprintf(text, sizeof(text), "%u:%u %s | %s", diag->span.line, diag->span.col, diag->message, diag->hint ? diag->hint : "");
    assert_string_equal(text, expected);
}

static void test_the_table_is_right(void **context)
{
    world *w = *context;
    size_t rows = 0;
    for (const mr_setting_group *group = mr_setting_groups; group->name; group++) {
        mr_param of_group[MR_SETTINGS_MAX];
        mr_setting_group_rows(group, of_group);
        assert_int_equal(mr_params_check_table(of_group, sizeof(mr_settings), "settings", w->diags), MR_OK);
        for (const mr_param *row = of_group; row->name; row++, rows++)
            assert_non_null(row->standard);
    }
    assert_true(rows < MR_SETTINGS_MAX);
    assert_null(mr_setting_table[rows].name); /* each row is in exactly one group */
    assert_int_equal(mr_diags_errors(w->diags), 0);
}

static void test_defaults(void **context)
{
    world *w = *context;
    static const mr_limits standard = MR_LIMITS_STANDARD;
    const mr_settings *settings = mr_settings_default();
    assert_non_null(settings);
    assert_int_equal(settings->sandbox, MR_SANDBOX_AUTO);
    assert_int_equal(settings->host_memory, INT64_C(4) << 30);
    assert_int_equal(settings->host_cpu, INT64_C(4) * 3600 * 1000000);
    assert_memory_equal(&settings->limits, &standard, sizeof(standard)); /* the header's say is the table's */
    assert_int_equal(load(w, NULL, NULL, 0), MR_OK);
    assert_memory_equal(settings, &w->loaded.values, sizeof(*settings));
    assert_null(w->loaded.file);
    for (size_t row = 0; row < MR_SETTINGS_MAX; row++)
        assert_null(w->loaded.given[row]);
}

static void test_a_file(void **context)
{
    world *w = *context;
    assert_int_equal(load(w, "sandbox: off\nhost:\n  memory: 8GiB\n  hang: 30s\nlimits: {picture_side: 4096}\n", NULL, 0), MR_OK);
    assert_int_equal(w->loaded.values.sandbox, MR_SANDBOX_OFF);
    assert_int_equal(w->loaded.values.host_memory, INT64_C(8) << 30);
    assert_int_equal(w->loaded.values.host_hang, 30000000);
    assert_int_equal(w->loaded.values.host_tasks, 64);
    assert_int_equal(w->loaded.values.limits.picture_side, 4096);
    assert_int_equal(w->loaded.values.limits.size, sizeof(mr_limits));
    assert_string_equal(w->loaded.file, w->path);
    assert_int_equal(w->loaded.given[row_of("host.hang")]->span.line, 4);
    assert_null(w->loaded.given[row_of("host.tasks")]);
}

static void test_dotted_names_do_too(void **context)
{
    world *w = *context;
    assert_int_equal(load(w, "host.memory: 1GiB\nhost:\n", NULL, 0), MR_OK);
    assert_int_equal(w->loaded.values.host_memory, INT64_C(1) << 30);
}

static void test_nothing_in_it(void **context)
{
    world *w = *context;
    assert_int_equal(load(w, "# later\n", NULL, 0), MR_OK);
    assert_int_equal(load(w, "", NULL, 0), MR_OK);
    assert_memory_equal(mr_settings_default(), &w->loaded.values, sizeof(mr_settings));
}

static void test_set_goes_over_the_file(void **context)
{
    world *w = *context;
    static const mr_set set[] = {{"host.memory", "2GiB"}, {"sandbox", "require"}, {"host.tasks", "5"}, {"host.tasks", "6"}, {"host.strikes", "null"}};
    assert_int_equal(load(w, "sandbox: off\nhost: {memory: 8GiB, strikes: 9}\n", set, 5), MR_OK);
    assert_int_equal(w->loaded.values.sandbox, MR_SANDBOX_REQUIRE);
    assert_int_equal(w->loaded.values.host_memory, INT64_C(2) << 30);
    assert_int_equal(w->loaded.values.host_tasks, 6);   /* the last one counts */
    assert_int_equal(w->loaded.values.host_strikes, 3); /* null: the default */
    assert_int_equal(w->loaded.given[row_of("sandbox")]->span.line, 0);
}

static void test_all_mistakes_are_told_at_their_place(void **context)
{
    world *w = *context;
    static const mr_set set[] = {{"limits.cue", "4"}, {"host.cpu", "ever"}};
    assert_int_equal(load(w, "sandbox: of\nhots: {memory: 8GiB}\nhost: {memory: 1, tasks: [2]}\nlimits: 4\nmemory: 1GiB\nsandbax: off\n", set, 2),
                     MR_ERR_PARAM);
    assert_int_equal(mr_diags_errors(w->diags), 9);
    assert_said(w, 0, "1:10 settings: 'sandbox' can't be 'of' | did you mean 'off'?");
    assert_said(w, 1, "2:1 unknown setting 'hots' | 'millrace settings' lists them all");
    assert_said(w, 2, "3:16 settings: 'host.memory' is too small: '1' | expected 256MiB … 1TiB");
    assert_said(w, 3, "3:26 settings: 'host.tasks' takes a whole number, not a list | ");
    assert_said(w, 4, "4:9 'limits' is a group of settings, not a whole number | write its settings below it, indented");
    assert_said(w, 5, "5:1 unknown setting 'memory' | did you mean 'host.memory'?");
    assert_said(w, 6, "6:1 unknown setting 'sandbax' | did you mean 'sandbox'?");
    assert_said(w, 7, "0:0 unknown setting 'limits.cue' | did you mean 'limits.cues'?");
    assert_said(w, 8, "0:0 settings: 'host.cpu' takes a duration such as 4s, not 'ever' | expected a duration, like 4s, 250ms, 1m30s or 2h");
}

static void test_twice_is_once_too_often(void **context)
{
    world *w = *context;
    assert_int_equal(load(w, "host: {memory: 1GiB}\nhost.memory: 2GiB\n", NULL, 0), MR_ERR_PARAM);
    assert_said(w, 0, "2:1 'host.memory' is set twice | ");
}

static void test_files_that_are_none(void **context)
{
    world *w = *context;
    assert_int_equal(load(w, "[sandbox, off]\n", NULL, 0), MR_ERR_PARAM);
    assert_said(w, 0, "1:1 settings must be a map, not a list | write it as 'sandbox: auto'");
    assert_int_not_equal(load(w, "sandbox: {\n", NULL, 0), MR_OK);
    assert_int_equal(mr_settings_load(w->arena, "/none/config.yaml", NULL, 0, w->diags, &w->loaded), MR_ERR_INPUT);
    assert_int_equal(mr_settings_load(w->arena, w->dir, NULL, 0, w->diags, &w->loaded), MR_ERR_INPUT);
    assert_int_equal(mr_diags_errors(w->diags), 4);
}

static void test_where_it_is_looked_for(void **context)
{
    world *w = *context;
    char expected[160];
    snprintf(expected, sizeof(expected), "%s/millrace/config.yaml", w->dir);
    setenv("HOME", "/nowhere", 1);
    setenv("XDG_CONFIG_HOME", w->dir, 1);
    const char *everyones = mr_settings_find(w->arena); /* NULL, but where this machine has one in /etc */
    assert_true(!everyones || strcmp(everyones, "/etc/millrace/config.yaml") == 0);
    assert_int_equal(mr_dir_make(mr_arena_printf(w->arena, "%s/millrace", w->dir), 0700, NULL), MR_OK);
    assert_int_equal(mr_file_write_atomic(expected, "", 0, 0600, NULL), MR_OK);
    assert_string_equal(mr_settings_find(w->arena), expected);

    unsetenv("XDG_CONFIG_HOME");
    setenv("HOME", w->dir, 1);
    snprintf(expected, sizeof(expected), "%s/.config/millrace/config.yaml", w->dir);
    assert_int_equal(mr_dir_make(mr_arena_printf(w->arena, "%s/.config/millrace", w->dir), 0700, NULL), MR_OK);
    assert_int_equal(mr_file_write_atomic(expected, "", 0, 0600, NULL), MR_OK);
    assert_string_equal(mr_settings_find(w->arena), expected);
}

static void test_schema(void **context)
{
    (void)context;
    char *text = mr_settings_schema();
    assert_non_null(text);
    json_t *schema = mr_json_read(text, strlen(text), strlen(text), NULL);
    assert_non_null(schema);
    const json_t *properties = json_object_get(schema, "properties");
    for (const mr_param *row = mr_setting_table; row->name; row++) {
        const char *dot = strchr(row->name, '.');
        char group[64] = "";
        memcpy(group, row->name, dot ? (size_t)(dot - row->name) : 0);
        const json_t *place = dot ? json_object_get(json_object_get(properties, group), "properties") : properties;
        const json_t *setting = json_object_get(place, dot ? dot + 1 : row->name);
        assert_non_null(json_object_get(setting, "description"));
        assert_non_null(json_object_get(setting, "default"));
        assert_true(json_array_size(json_object_get(setting, "anyOf")) > 0);
    }
    assert_null(strstr(text, "\\$\\{")); /* no expressions */
    json_decref(schema);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_table_is_right, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_defaults, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_dotted_names_do_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_in_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_set_goes_over_the_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_all_mistakes_are_told_at_their_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_twice_is_once_too_often, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_files_that_are_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_where_it_is_looked_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_schema, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
