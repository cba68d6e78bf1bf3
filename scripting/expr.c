/* SPDX-License-Identifier: MIT */
/*
 * Compiles text with ${…} into its parts, each checked at its place. The result is data in an arena: it holds no Lua state, so that
 * threads can share it.
 */
#include "scripting/expr_internal.h"
#include <string.h>

/* "$${" stands for the text "${". */
static bool is_escape(const char *at)
{
    return at[0] == '$' && at[1] == '$' && at[2] == '{';
}
static bool is_open(const char *at)
{
    return at[0] == '$' && at[1] == '{';
}

bool mr_expr_present(const char *text)
{
    for (const char *at = text; *at; at++) {
        if (is_escape(at))
            at += 2;
        else if (is_open(at))
            return true;
    }
    return false;
}

/* The offset of the "}" that ends the expression whose code begins at offset; braces in texts and tables do not count. */
static bool find_end(const mr_expr_check *check, size_t offset, size_t *ret_end)
{
    size_t depth = 0;
    for (size_t at = offset;;) {
        mr_token token = mr_token_next(check->text, at);
        if (token.kind == MR_TOKEN_UNFINISHED) {
            mr_error(check->diags, "unterminated-expression", mr_expr_span(check, token.start, token.len), "the text that begins here has no end");
            mr_hint(check->diags, "close it with %c; in YAML's double quotes write single quotes inside an expression", check->text[token.start]);
            return false;
        }
        if (token.kind == MR_TOKEN_END) {
            mr_error(check->diags, "unterminated-expression", mr_expr_span(check, offset - 2, strlen(check->text) - offset + 2),
                     "'${' without its '}'");
            mr_hint(check->diags, "close it; in flow collections ({…}, […]) and where ' #' or ': ' occurs, quote the whole scalar: \"${…}\"");
            return false;
        }
        if (mr_token_is(check->text, token, "{"))
            depth++;
        if (mr_token_is(check->text, token, "}") && depth-- == 0) {
            *ret_end = token.start;
            return true;
        }
        at = token.start + token.len;
    }
}

/* Literal text up to the next expression; "$${" becomes "${". */
static char *take_literal(mr_arena *arena, const char *text, size_t *at, size_t *ret_len)
{
    const char *from = text + *at;
    char *out = mr_arena_take(arena, strlen(from) + 1);
    size_t len = 0;
    const char *c = from;
    while (out && *c && (is_escape(c) || !is_open(c))) {
        c += is_escape(c) ? 1 : 0;
        bool brace = is_open(c);
        out[len++] = *c++;
        if (brace)
            out[len++] = *c++;
    }
    *at += (size_t)(c - from);
    *ret_len = len;
    return out;
}

static mr_status split(mr_expr_check *check, mr_expr_part *parts, size_t *ret_count)
{
    mr_status status = MR_OK;
    const char *text = check->text;
    for (size_t at = 0; text[at];) {
        if (*ret_count == MR_EXPR_PARTS_MAX) {
            mr_error(check->diags, "limit", check->span, "the text has more than %d parts", MR_EXPR_PARTS_MAX);
            return MR_ERR_LIMIT;
        }
        mr_expr_part *part = &parts[(*ret_count)++];
        if (!is_open(text + at)) {
            part->text = take_literal(check->arena, text, &at, &part->len);
            if (!part->text)
                return MR_ERR_NOMEM;
            continue;
        }
        size_t end = 0;
        if (!find_end(check, at + 2, &end))
            return MR_ERR_PARAM;
        *part = (mr_expr_part){.code = true, .len = end - at - 2, .span = mr_expr_span(check, at, end + 1 - at)};
        part->text = mr_arena_copy(check->arena, text + at + 2, part->len);
        if (!part->text)
            return MR_ERR_NOMEM;
        mr_status one = mr_expr_check_code(check, at + 2, part->len);
        status = one != MR_OK ? one : status;
        at = end + 1;
    }
    return status;
}

/* NAME when the code is exactly "params.NAME". */
static const char *pure_param(mr_arena *arena, const char *code)
{
    mr_token params = mr_token_next(code, 0);
    mr_token dot = mr_token_next(code, params.start + params.len);
    mr_token name = mr_token_next(code, dot.start + dot.len);
    mr_token end = mr_token_next(code, name.start + name.len);
    if (!mr_token_is(code, params, "params") || !mr_token_is(code, dot, ".") || name.kind != MR_TOKEN_NAME || end.kind != MR_TOKEN_END)
        return NULL;
    return mr_arena_copy(arena, code + name.start, name.len);
}

/* Where text lies within the scalar's span: at once when plain, after the quote when quoted; unknown with escapes or folded lines. */
static size_t text_inset(const char *text, mr_span span)
{
    size_t len = strlen(text);
    if (strchr(text, '\n'))
        return SIZE_MAX;
    return span.len == len ? 0 : span.len == len + 2 ? 1 : SIZE_MAX;
}

mr_status mr_expr_compile(mr_arena *arena, const char *text, mr_span span, const char *const *names, size_t name_count,
                          const char *const *param_names, size_t param_count, mr_diags *diags, const mr_expr **ret_expr)
{
    *ret_expr = NULL;
    if (strlen(text) > MR_EXPR_TEXT_MAX) {
        mr_error(diags, "limit", span, "a text with expressions may have at most %d bytes, this one has %zu", MR_EXPR_TEXT_MAX, strlen(text));
        return MR_ERR_LIMIT;
    }
    mr_expr *expr = mr_arena_take(arena, sizeof(*expr));
    mr_expr_part *parts = mr_arena_take_array(arena, MR_EXPR_PARTS_MAX, sizeof(*parts));
    const char **used = mr_arena_take_array(arena, MR_EXPR_NAMES_MAX, sizeof(*used));
    const char **used_params = mr_arena_take_array(arena, MR_EXPR_NAMES_MAX, sizeof(*used_params));
    char *copy = mr_arena_copy(arena, text, strlen(text));
    if (!expr || !parts || !used || !used_params || !copy)
        return MR_ERR_NOMEM;
    mr_expr_check check = {.arena = arena,
                           .names = names,
                           .name_count = name_count,
                           .param_names = param_names,
                           .param_count = param_count,
                           .diags = diags,
                           .span = span,
                           .text = copy,
                           .inset = text_inset(text, span),
                           .used = used,
                           .used_params = used_params};
    size_t end = strlen(copy);
    if (strchr(copy, '\n'))
        while (end > 0 && copy[end - 1] == '\n')
            copy[--end] = '\0'; /* a block scalar's last line break is not part of what it says */
    mr_status status = split(&check, parts, &expr->part_count);
    if (status != MR_OK)
        return status;
    *expr = (mr_expr){.text = copy,
                      .span = span,
                      .parts = parts,
                      .part_count = expr->part_count,
                      .whole = expr->part_count == 1 && parts[0].code,
                      .names = used,
                      .name_count = check.used_count,
                      .params = used_params,
                      .param_count = check.used_param_count,
                      .all_params = check.all_params};
    if (expr->whole && mr_expr_uses(expr, "params"))
        expr->pure_param = pure_param(arena, parts[0].text);
    *ret_expr = expr;
    return MR_OK;
}

bool mr_expr_uses(const mr_expr *expr, const char *name)
{
    for (size_t i = 0; i < expr->name_count; i++)
        if (strcmp(expr->names[i], name) == 0)
            return true;
    return false;
}

bool mr_expr_uses_param(const mr_expr *expr, const char *name)
{
    if (expr->all_params)
        return true;
    for (size_t i = 0; i < expr->param_count; i++)
        if (strcmp(expr->params[i], name) == 0)
            return true;
    return false;
}

bool mr_expr_only_params(const mr_expr *expr)
{
    for (size_t i = 0; i < expr->name_count; i++)
        if (strcmp(expr->names[i], "params") != 0)
            return false;
    return true;
}

const char *mr_expr_text(const mr_expr *expr)
{
    return expr->text;
}

bool mr_expr_whole(const mr_expr *expr)
{
    return expr->whole;
}

const char *mr_expr_pure_param(const mr_expr *expr)
{
    return expr->pure_param;
}
