/* SPDX-License-Identifier: MIT */
/* Which file an address means, and in which of its forms it is sent. */
#include "api-server/page/page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const files[] = {"web/index.html",   "web/assets/a.js",      "web/assets/a.js.br", "web/assets/a.js.gz",
                                    "web/lonely.js.gz", "web/api/v1/docs.html", "web/.hidden",        "openapi.yaml"};
static const char *const folders[] = {"web", "web/assets", "web/api", "web/api/v1"};
enum { FILES = sizeof(files) / sizeof(*files), FOLDERS = sizeof(folders) / sizeof(*folders) };

static char root[] = "/tmp/millrace-page-XXXXXX";
static mr_page *page;

/* Each file holds its own name. */
static int open_page(void **state)
{
    char path[256];
    (void)state;
    if (!mkdtemp(root))
        return -1;
    for (size_t i = 0; i < FOLDERS; i++) {
        snprintf(path, sizeof(path), "%s/%s", root, folders[i]);
        if (mkdir(path, 0700) != 0)
            return -1;
    }
    for (size_t i = 0; i < FILES; i++) {
        snprintf(path, sizeof(path), "%s/%s", root, files[i]);
        FILE *out = fopen(path, "we");
        if (!out || fputs(files[i], out) < 0 || fclose(out) != 0)
            return -1;
    }
    return mr_page_open(root, &page) == MR_OK ? 0 : -1;
}

static int close_page(void **state)
{
    char path[256];
    (void)state;
    mr_page_close(page);
    for (size_t i = 0; i < FILES; i++) {
        snprintf(path, sizeof(path), "%s/%s", root, files[i]);
        unlink(path);
    }
    for (size_t i = FOLDERS; i > 0; i--) {
        snprintf(path, sizeof(path), "%s/%s", root, folders[i - 1]);
        rmdir(path);
    }
    return rmdir(root);
}

/* What is sent for it. */
static const char *sent(const char *path, const char *accept)
{
    static char text[64];
    const mr_page_file *file = mr_page_find(page, path);
    if (!file)
        return NULL;
    const mr_page_form *form = mr_page_choose(file, accept);
    snprintf(text, sizeof(text), "%.*s", (int)form->len, (const char *)form->data);
    return text;
}

static void test_addresses(void **state)
{
    (void)state;
    assert_string_equal(sent("", NULL), "web/index.html");
    assert_string_equal(sent("assets/a.js", NULL), "web/assets/a.js");
    assert_string_equal(sent("api/v1/docs", NULL), "web/api/v1/docs.html");
    assert_string_equal(sent("api/v1/openapi.yaml", NULL), "openapi.yaml");
    assert_string_equal(mr_page_find(page, "api/v1/docs")->type, "text/html; charset=utf-8");
    assert_true(mr_page_find(page, "assets/a.js")->immutable);
    assert_false(mr_page_find(page, "api/v1/docs")->immutable);
    static const char *const none[] = {"api/v1/docs.html", "assets/a.js.br", "index", ".hidden", "../openapi.yaml", "assets"};
    for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
        assert_null(mr_page_find(page, none[i]));
    assert_string_equal(sent("lonely.js.gz", "gzip"), "web/lonely.js.gz"); /* of nothing a form */
}

static void test_forms(void **state)
{
    static const struct {
        const char *accept, *sent;
    } cases[] = {
        {NULL, "web/assets/a.js"},
        {"", "web/assets/a.js"},
        {"gzip, deflate, br", "web/assets/a.js.br"},
        {"gzip", "web/assets/a.js.gz"},
        {"GZip", "web/assets/a.js.gz"},
        {"br;q=0, gzip", "web/assets/a.js.gz"},
        {"br; q=0.000,gzip;q=0.5", "web/assets/a.js.gz"},
        {"*", "web/assets/a.js.br"},
        {"*;q=0", "web/assets/a.js"},
        {"br;q=0, *", "web/assets/a.js.gz"},
        {"brx, xgzip, identity", "web/assets/a.js"},
        {",, ;q=1,=, gzip", "web/assets/a.js.gz"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_string_equal(sent("assets/a.js", cases[i].accept), cases[i].sent);
    const mr_page_file *file = mr_page_find(page, "assets/a.js");
    assert_string_not_equal(mr_page_choose(file, "br")->etag, mr_page_choose(file, "gzip")->etag);
    assert_string_equal(mr_page_choose(file, "br")->coding, "br");
    assert_null(mr_page_choose(file, "identity")->coding);
    assert_string_equal(sent("", "br"), "web/index.html"); /* it has no other form */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_addresses), cmocka_unit_test(test_forms)};
    return cmocka_run_group_tests(tests, open_page, close_page);
}
