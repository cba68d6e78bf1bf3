/* SPDX-License-Identifier: MIT */
/* What the parts of the expression library share: the token scan, the compiled form, and the conversion to and from Lua. */
#ifndef MR_SCRIPTING_EXPR_INTERNAL_H
#define MR_SCRIPTING_EXPR_INTERNAL_H

#include "scripting/expr.h"
#include <lua.h>

typedef enum mr_token_kind {
    MR_TOKEN_END,
    MR_TOKEN_NAME,
    MR_TOKEN_KEYWORD,
    MR_TOKEN_NUMBER,
    MR_TOKEN_TEXT,      /* 'a' "a" [[a]] */
    MR_TOKEN_SYMBOL,    /* operators and punctuation; also characters that Lua does not know */
    MR_TOKEN_UNFINISHED /* a text without its end */
} mr_token_kind;

typedef struct mr_token {
    mr_token_kind kind;
    uint32_t start; /* offset in the scanned text */
    uint32_t len;
} mr_token;

/* The token at or after offset pos of text, which is NUL-terminated. */
mr_token mr_token_next(const char *text, size_t pos);
mr_token mr_token_next_code(const char *text, size_t pos); /* the same in a script: comments are passed over */
bool mr_token_is(const char *text, mr_token token, const char *word);

typedef struct mr_expr_part {
    const char *text; /* literal text, or the code between "${" and "}" */
    size_t len;
    bool code;
    mr_span span; /* code: with its braces */
} mr_expr_part;

struct mr_expr {
    const char *text;
    mr_span span;
    const mr_expr_part *parts;
    size_t part_count;
    bool whole;               /* one part, code */
    const char *const *names; /* variables that are read, each once */
    size_t name_count;
    const char *const *params; /* fields of params that are read, each once */
    size_t param_count;
    bool all_params;        /* reads params in a way that may reach any field */
    const char *pure_param; /* whole text is ${params.NAME}: NAME */
};

/* Names that are there without being variables of the scope; fields: NULL for a function, else its NULL-terminated fields. */
typedef struct mr_builtin {
    const char *name;
    const char *const *fields;
} mr_builtin;
extern const mr_builtin mr_builtins[]; /* ends with {NULL, NULL} */

/* Checks one part's code and notes what it reads. check is the state of one mr_expr_compile(). */
typedef struct mr_expr_check {
    mr_arena *arena;
    const char *const *names;
    size_t name_count;
    const char *const *param_names;
    size_t param_count;
    mr_diags *diags;
    mr_span span;      /* of the scalar */
    const char *text;  /* of the scalar */
    size_t inset;      /* where text begins within the span; SIZE_MAX: text and file differ, so the whole scalar is underlined */
    const char **used; /* room for MR_EXPR_NAMES_MAX */
    size_t used_count;
    const char **used_params;
    size_t used_param_count;
    bool all_params;
} mr_expr_check;
#define MR_EXPR_NAMES_MAX 64
mr_span mr_expr_span(const mr_expr_check *check, size_t offset, size_t len);
mr_status mr_expr_check_code(mr_expr_check *check, size_t offset, size_t len);

/* Pushes value; may raise a Lua error, so only under lua_pcall. */
void mr_lua_push_json(lua_State *lua, const json_t *value);
/* Reads the value at the top of the stack, raises nothing. NULL: *ret_why says why. */
json_t *mr_lua_read_json(lua_State *lua, const char **ret_why);
/* The same of at most max bytes, and a sixteenth as many values: for scripts. */
json_t *mr_lua_read_json_within(lua_State *lua, size_t max, const char **ret_why);
void mr_lua_push_object_mark(lua_State *lua); /* the metatable of a table that is an object also when it is empty */
/* "attempt to …" without the chunk's name and line in front. */
const char *mr_lua_error_text(lua_State *lua);
/* A state with an allocator that refuses more than MR_EXPR_MEMORY bytes. */
typedef struct mr_lua_memory {
    size_t used;
    bool refused; /* the limit was reached since it was last cleared */
} mr_lua_memory;
lua_State *mr_lua_new(mr_lua_memory *memory);

#endif
