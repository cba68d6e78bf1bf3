/* SPDX-License-Identifier: MIT */
/* Pages in three formats: each must escape what its readers would trip over. */
#include "cli/doc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct page {
    mr_doc doc;
    char *text;
    size_t size;
} page;

static void open_page(page *of, mr_doc_format format)
{
    *of = (page){.doc = {.format = format, .width = 40}};
    of->doc.out = open_memstream(&of->text, &of->size);
    assert_non_null(of->doc.out);
}

static const char *read_page(page *of)
{
    fflush(of->doc.out);
    return of->text;
}

static void close_page(page *of)
{
    fclose(of->doc.out);
    free(of->text);
}

static void man_escapes(void **state)
{
    (void)state;
    page of;
    open_page(&of, MR_DOC_MAN);
    mr_doc_text(&of.doc, ".SH is not a heading, and C:\\new -1");
    assert_string_equal(read_page(&of), ".PP\n\\&.SH is not a heading, and C:\\enew \\-1\n");
    close_page(&of);
}

static void markdown_escapes(void **state)
{
    (void)state;
    page of;
    open_page(&of, MR_DOC_MARKDOWN);
    mr_doc_item(&of.doc, 0, "max_bitrate", "list of {<a>}", "at *most* [this]");
    assert_string_equal(read_page(&of), "- `max_bitrate` (list of {\\<a\\>}): at \\*most\\* \\[this\\]\n");
    close_page(&of);
}

static void text_is_wrapped(void **state)
{
    (void)state;
    page of;
    open_page(&of, MR_DOC_TEXT);
    mr_doc_text(&of.doc, "one two three four five six seven eight nine ten eleven twelve\n\n    code  as it is");
    assert_string_equal(read_page(&of), "\n  one two three four five six seven\n  eight nine ten eleven twelve\n\n      code  as it is\n");
    close_page(&of);
}

static void every_verb_has_words(void **state)
{
    (void)state;
    for (const mr_verb *const *verb = mr_verbs; *verb; verb++) {
        assert_non_null((*verb)->summary);
        assert_non_null((*verb)->help);
        assert_non_null((*verb)->run);
        assert_ptr_equal(mr_verb_find((*verb)->name), *verb);
        for (const struct argp_option *option = (*verb)->options; option->name || option->key; option++) {
            assert_non_null(option->name);
            assert_non_null(option->doc);
        }
    }
    assert_null(mr_verb_find("nothing"));
    assert_string_equal(mr_verb_nearest("chekc"), "check");
}

static void words_of_others_are_harmless(void **state)
{
    (void)state;
    page of;
    open_page(&of, MR_DOC_TEXT);
    mr_put_words(of.doc.out, "\033[31mred\a\n\xc2\x9bm ümläut … \x7f");
    assert_string_equal(read_page(&of), "?[31mred???m ümläut … ?");
    close_page(&of);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_of_others_are_harmless),
        cmocka_unit_test(man_escapes),
        cmocka_unit_test(markdown_escapes),
        cmocka_unit_test(text_is_wrapped),
        cmocka_unit_test(every_verb_has_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
