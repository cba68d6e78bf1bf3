/* SPDX-License-Identifier: MIT */
/*
 * Checks the code of one ${…}: what the language leaves out (statements, functions, comments), names that will not be there, and
 * the syntax. Lua's parser gives no columns, so it is fed one token at a time: the last one that it took is where it stumbled.
 */
#include "scripting/expr_internal.h"
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

static const char *const math_fields[] = {"abs",        "ceil", "exp",        "floor", "fmod", "huge",      "log",  "max",
                                          "maxinteger", "min",  "mininteger", "pi",    "sqrt", "tointeger", "type", NULL};
static const char *const string_fields[] = {"format", "len", "lower", "sub", "upper", NULL};
const mr_builtin mr_builtins[] = {{"math", math_fields}, {"string", string_fields}, {"tonumber", NULL}, {"tostring", NULL}, {NULL, NULL}};

/* Words of other languages, and what Lua says instead. */
static const char *const elsewhere[][2] = {
    {"!=", "'is not equal' is written '~='"}, {"&&", "write 'and'"},   {"||", "write 'or'"},    {"!", "write 'not'"},
    {"?", "write 'condition and a or b'"},    {"null", "write 'nil'"}, {"None", "write 'nil'"}, {"undefined", "write 'nil'"},
    {"=", "'is equal' is written '=='"},
};

static const char *elsewhere_hint(const char *text, mr_token token)
{
    for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++)
        if (mr_token_is(text, token, elsewhere[i][0]))
            return elsewhere[i][1];
    return NULL;
}

mr_span mr_expr_span(const mr_expr_check *check, size_t offset, size_t len)
{
    mr_span span = check->span;
    if (check->inset == SIZE_MAX)
        return span;
    span.col += (uint32_t)(check->inset + offset);
    span.len = len > 0 ? (uint32_t)len : 1;
    return span;
}

/* --- names --- */

static bool note(mr_arena *arena, const char **list, size_t *count, const char *name, size_t len)
{
    for (size_t i = 0; i < *count; i++)
        if (strlen(list[i]) == len && memcmp(list[i], name, len) == 0)
            return true;
    if (*count == MR_EXPR_NAMES_MAX)
        return false;
    list[*count] = mr_arena_copy(arena, name, len);
    return list[(*count)++] != NULL;
}

static bool listed(const char *const *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i], name) == 0)
            return true;
    return false;
}

static const mr_builtin *find_builtin(const char *name)
{
    for (const mr_builtin *builtin = mr_builtins; builtin->name; builtin++)
        if (strcmp(builtin->name, name) == 0)
            return builtin;
    return NULL;
}

static const char *join_names(mr_arena *arena, const char *const *list, size_t count)
{
    const char *text = "";
    for (size_t i = 0; i < count && i < 16 && text; i++)
        text = mr_arena_printf(arena, "%s%s%s", text, i > 0 ? ", " : "", list[i]);
    return text && count > 16 ? mr_arena_printf(arena, "%s, …", text) : text;
}

static mr_status unknown_name(mr_expr_check *check, mr_token token, const char *name)
{
    const char *all[MR_EXPR_NAMES_MAX + 8];
    size_t count = 0;
    for (size_t i = 0; i < check->name_count && count < MR_EXPR_NAMES_MAX; i++)
        all[count++] = check->names[i];
    for (const mr_builtin *builtin = mr_builtins; builtin->name; builtin++)
        all[count++] = builtin->name;
    mr_error(check->diags, "unknown-name", mr_expr_span(check, token.start, token.len), "unknown name '%s' in an expression", name);
    const char *hint = elsewhere_hint(check->text, token);
    const char *near = mr_nearest(name, all, count);
    if (hint)
        mr_hint(check->diags, "%s", hint);
    else if (listed(check->param_names, check->param_count, name))
        mr_hint(check->diags, "a param is read as 'params.%s'", name);
    else if (near)
        mr_hint(check->diags, "did you mean '%s'?", near);
    else
        mr_hint(check->diags, "an expression here sees: %s", join_names(check->arena, all, count));
    return MR_ERR_PARAM;
}

static mr_status unknown_field(mr_expr_check *check, mr_token token, const char *of, const char *name, const char *const *fields, size_t count)
{
    mr_span span = mr_expr_span(check, token.start, token.len);
    if (strcmp(of, "params") == 0)
        mr_error(check->diags, "unknown-param", span, "unknown param '%s': the pipeline declares no such param", name);
    else
        mr_error(check->diags, "unknown-name", span, "unknown function '%s.%s' in an expression", of, name);
    const char *near = mr_nearest(name, fields, count);
    if (near)
        mr_hint(check->diags, "did you mean '%s.%s'?", of, near);
    else if (count == 0)
        mr_hint(check->diags, "declare it under 'params'");
    else
        mr_hint(check->diags, "there are: %s", join_names(check->arena, fields, count));
    return MR_ERR_PARAM;
}

/* The field that is read of the name before tokens[i]: `.field` or `["field"]`; false: none, or not known here. */
static bool field_token(const char *text, const mr_token *tokens, size_t i, mr_token *ret_field)
{
    if (mr_token_is(text, tokens[i], ".") && tokens[i + 1].kind == MR_TOKEN_NAME) {
        *ret_field = tokens[i + 1];
        return true;
    }
    mr_token literal = mr_token_is(text, tokens[i], "[") ? tokens[i + 1] : tokens[i];
    char quote = text[literal.start];
    if (literal.kind != MR_TOKEN_TEXT || (quote != '"' && quote != '\'') || !mr_token_is(text, tokens[i + 2], "]"))
        return false;
    if (memchr(text + literal.start, '\\', literal.len))
        return false; /* escapes: the name is known to Lua only */
    *ret_field = (mr_token){MR_TOKEN_TEXT, literal.start + 1, literal.len - 2};
    return true;
}

static mr_status check_field(mr_expr_check *check, const mr_token *tokens, size_t i, const char *of, const char *const *fields, size_t count)
{
    mr_token token = {0};
    bool params = strcmp(of, "params") == 0;
    if (!field_token(check->text, tokens, i, &token)) {
        check->all_params |= params;
        return MR_OK;
    }
    const char *name = mr_arena_copy(check->arena, check->text + token.start, token.len);
    if (!name)
        return MR_ERR_NOMEM;
    if (!listed(fields, count, name))
        return unknown_field(check, token, of, name, fields, count);
    if (params && !note(check->arena, check->used_params, &check->used_param_count, name, token.len))
        return MR_ERR_NOMEM;
    return MR_OK;
}

/* A name that is read: neither a field (after '.' or ':') nor a key of a table ({name = …}). */
static mr_status check_name(mr_expr_check *check, const mr_token *tokens, size_t i)
{
    const char *name = mr_arena_copy(check->arena, check->text + tokens[i].start, tokens[i].len);
    if (!name)
        return MR_ERR_NOMEM;
    if (!listed(check->names, check->name_count, name)) {
        const mr_builtin *builtin = find_builtin(name);
        if (!builtin)
            return unknown_name(check, tokens[i], name);
        size_t count = 0;
        while (builtin->fields && builtin->fields[count])
            count++;
        return count > 0 ? check_field(check, tokens, i + 1, name, builtin->fields, count) : MR_OK;
    }
    if (!note(check->arena, check->used, &check->used_count, name, tokens[i].len)) {
        mr_error(check->diags, "limit", check->span, "an expression may read at most %d names", MR_EXPR_NAMES_MAX);
        return MR_ERR_LIMIT;
    }
    if (strcmp(name, "params") == 0)
        return check_field(check, tokens, i + 1, name, check->param_names, check->param_count);
    return MR_OK;
}

static mr_status check_method(mr_expr_check *check, mr_token token)
{
    const char *name = mr_arena_copy(check->arena, check->text + token.start, token.len);
    if (!name)
        return MR_ERR_NOMEM;
    size_t count = sizeof(string_fields) / sizeof(string_fields[0]) - 1;
    return listed(string_fields, count, name) ? MR_OK : unknown_field(check, token, "string", name, string_fields, count);
}

static mr_status check_names(mr_expr_check *check, const mr_token *tokens, size_t count)
{
    mr_status status = MR_OK;
    for (size_t i = 0; i < count; i++) {
        if (tokens[i].kind != MR_TOKEN_NAME)
            continue;
        mr_status one = MR_OK;
        if (i > 0 && mr_token_is(check->text, tokens[i - 1], ":"))
            one = check_method(check, tokens[i]);
        else if (!(i > 0 && mr_token_is(check->text, tokens[i - 1], ".")) && !mr_token_is(check->text, tokens[i + 1], "="))
            one = check_name(check, tokens, i);
        status = one != MR_OK ? one : status;
    }
    return status;
}

/* --- syntax --- */

/* What Lua has and expressions do not. */
static mr_status check_subset(mr_expr_check *check, mr_token token)
{
    static const char *const fine[] = {"and", "or", "not", "nil", "true", "false"};
    mr_span span = mr_expr_span(check, token.start, token.len);
    const char *hint = token.kind == MR_TOKEN_SYMBOL && token.len <= 2 && check->text[token.start] != '=' ? elsewhere_hint(check->text, token) : NULL;
    if (token.kind == MR_TOKEN_KEYWORD) {
        for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
            if (mr_token_is(check->text, token, fine[i]))
                return MR_OK;
        mr_error(check->diags, "expression-syntax", span, "an expression has no statements or functions, so no '%.*s'", (int)token.len,
                 check->text + token.start);
        mr_hint(check->diags, "a choice is written 'condition and a or b'");
        return MR_ERR_PARAM;
    }
    if (token.kind == MR_TOKEN_SYMBOL && (hint || mr_token_is(check->text, token, "--") || mr_token_is(check->text, token, "..."))) {
        mr_error(check->diags, "expression-syntax", span, "'%.*s' has no meaning in an expression", (int)token.len, check->text + token.start);
        mr_hint(check->diags, "%s", hint ? hint : "comments belong to the YAML around it, after ' #'");
        return MR_ERR_PARAM;
    }
    return MR_OK;
}

typedef struct feed {
    const char *text;
    const mr_token *tokens;
    size_t count;
    size_t next; /* 0: "return " comes first */
    char *piece; /* room for the longest token and a space */
} feed;

/* The space behind each token ends it for the lexer, so it need not look into the next piece. */
static const char *feed_token(lua_State *lua, void *data, size_t *ret_size)
{
    (void)lua;
    feed *f = data;
    if (f->next++ == 0) {
        *ret_size = strlen("return ");
        return "return ";
    }
    if (f->next - 1 > f->count) {
        *ret_size = 0;
        return NULL;
    }
    const mr_token *token = &f->tokens[f->next - 2];
    memcpy(f->piece, f->text + token->start, token->len);
    f->piece[token->len] = ' ';
    *ret_size = token->len + 1;
    return f->piece;
}

/* why is Lua's "')' expected near 'x'" or the like; what it says of the end of its chunk means nothing to the reader. */
static void report_syntax(mr_expr_check *check, mr_token token, bool at_end, const char *why)
{
    mr_span span = mr_expr_span(check, token.start, token.len);
    const char *expected = strstr(why, " expected");
    const char *hint = elsewhere_hint(check->text, token);
    if (at_end)
        mr_error(check->diags, "expression-syntax", span, "the expression ends too early");
    else if (expected || strncmp(why, "unexpected symbol", strlen("unexpected symbol")) == 0)
        mr_error(check->diags, "expression-syntax", span, "unexpected '%.*s' in an expression", (int)token.len, check->text + token.start);
    else
        mr_error(check->diags, "expression-syntax", span, "syntax error in an expression: %s", why);
    if (hint && !at_end)
        mr_hint(check->diags, "%s", hint);
    else if (expected && !strstr(why, "<eof>' expected") && !strstr(why, "<eof> expected"))
        mr_hint(check->diags, "%s is missing here",
                strncmp(why, "<name>", 6) == 0 ? "a name" : mr_arena_printf(check->arena, "%.*s", (int)(expected - why), why));
}

static mr_status check_syntax(mr_expr_check *check, const mr_token *tokens, size_t count, size_t end)
{
    mr_lua_memory memory = {0};
    mr_status status = MR_ERR_NOMEM;
    feed f = {.text = check->text, .tokens = tokens, .count = count, .piece = malloc(end - tokens[0].start + 2)};
    lua_State *lua = f.piece ? mr_lua_new(&memory) : NULL;
    if (!lua)
        goto out;
    int loaded = lua_load(lua, feed_token, &f, "=@", "t");
    status = loaded == LUA_OK ? MR_OK : loaded == LUA_ERRMEM ? MR_ERR_LIMIT : MR_ERR_PARAM;
    if (status == MR_OK)
        goto out;
    bool at_end = f.next > count + 1 || f.next < 2;
    mr_token token = at_end ? (mr_token){MR_TOKEN_END, (uint32_t)end, 1} : tokens[f.next - 2];
    report_syntax(check, token, at_end, mr_lua_error_text(lua));
out:
    free(f.piece);
    if (lua)
        lua_close(lua);
    return status;
}

/* "a, b" is fine for Lua's return, not for one value. */
static mr_status check_single(mr_expr_check *check, const mr_token *tokens, size_t count)
{
    int depth = 0;
    for (size_t i = 0; i < count; i++) {
        char c = tokens[i].kind == MR_TOKEN_SYMBOL && tokens[i].len == 1 ? check->text[tokens[i].start] : '\0';
        depth += (c == '(' || c == '[' || c == '{') - (c == ')' || c == ']' || c == '}');
        if (depth == 0 && (c == ',' || c == ';')) {
            mr_error(check->diags, "expression-syntax", mr_expr_span(check, tokens[i].start, 1), "an expression gives one value, so no '%c' here", c);
            mr_hint(check->diags, "a list is written {a, b}");
            return MR_ERR_PARAM;
        }
    }
    return MR_OK;
}

mr_status mr_expr_check_code(mr_expr_check *check, size_t offset, size_t len)
{
    mr_status status = MR_OK;
    size_t count = 0;
    mr_token *tokens = calloc(len + 3, sizeof(*tokens)); /* zeroed ones at the end let checks look ahead */
    if (!tokens)
        return MR_ERR_NOMEM;
    for (size_t at = offset; at < offset + len;) {
        mr_token token = mr_token_next(check->text, at);
        if (token.kind == MR_TOKEN_END || token.start >= offset + len)
            break;
        tokens[count++] = token;
        at = token.start + token.len;
        status = status == MR_OK ? check_subset(check, token) : status;
    }
    if (status != MR_OK)
        goto out;
    if (count == 0) {
        mr_error(check->diags, "expression-syntax", mr_expr_span(check, offset - 2, len + 3), "'${}' holds no expression");
        mr_hint(check->diags, "write a value between the braces; '$${' stands for the text '${'");
        status = MR_ERR_PARAM;
        goto out;
    }
    status = check_single(check, tokens, count);
    if (status == MR_OK)
        status = check_syntax(check, tokens, count, offset + len);
    if (status == MR_OK)
        status = check_names(check, tokens, count);
out:
    free(tokens);
    return status;
}
