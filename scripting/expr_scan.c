/* SPDX-License-Identifier: MIT */
/*
 * The tokens of Lua 5.4, as far as expressions need them (reference manual §3.1): enough to find where "${…}" ends, which names
 * are read, and where a syntax error stands. Lua's own parser remains the judge of what is well formed.
 */
#include "scripting/expr_internal.h"
#include <ctype.h>
#include <string.h>

static const char *const keywords[] = {"and",   "break", "do",  "else", "elseif", "end",    "false", "for",  "function", "goto",  "if", "in",
                                       "local", "nil",   "not", "or",   "repeat", "return", "then",  "true", "until",    "while", NULL};

bool mr_token_is(const char *text, mr_token token, const char *word)
{
    return strlen(word) == token.len && memcmp(text + token.start, word, token.len) == 0;
}

static bool is_name_char(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Length of "[[…]]" or "[=[…]=]" at text; 0: none begins here. *ret_ends: it has its end. */
static size_t long_text(const char *text, bool *ret_ends)
{
    size_t level = 1;
    while (text[level] == '=')
        level++;
    if (text[level] != '[')
        return 0;
    for (const char *at = text + level + 1; *at; at++) {
        if (*at != ']')
            continue;
        size_t n = 1;
        while (at[n] == '=')
            n++;
        if (n == level && at[n] == ']') {
            *ret_ends = true;
            return (size_t)(at - text) + n + 1;
        }
    }
    *ret_ends = false;
    return strlen(text);
}

static mr_token quoted_text(const char *text, size_t start)
{
    char quote = text[start];
    size_t at = start + 1;
    while (text[at] && text[at] != quote && text[at] != '\n')
        at += text[at] == '\\' && text[at + 1] ? 2 : 1;
    bool ends = text[at] == quote;
    return (mr_token){ends ? MR_TOKEN_TEXT : MR_TOKEN_UNFINISHED, (uint32_t)start, (uint32_t)(at - start + (ends ? 1 : 0))};
}

/* As generous as Lua's read_numeral: what it takes and can't convert is its error, at this place. */
static size_t number_end(const char *text, size_t at)
{
    bool hex = text[at] == '0' && (text[at + 1] == 'x' || text[at + 1] == 'X');
    for (;; at++) {
        char c = text[at];
        bool exponent = hex ? (c == 'p' || c == 'P') : (c == 'e' || c == 'E');
        if (exponent && (text[at + 1] == '+' || text[at + 1] == '-'))
            at++;
        else if (!is_name_char(c) && c != '.')
            return at;
    }
}

static size_t symbol_len(const char *at)
{
    static const char *const symbols[] = {"...", "==", "~=", "<=", ">=", "//", "::", "<<", ">>", "..", "--", "!=", "&&", "||", NULL};
    for (size_t i = 0; symbols[i]; i++) {
        size_t len = strlen(symbols[i]);
        if (strncmp(at, symbols[i], len) == 0)
            return len;
    }
    /* A character outside ASCII is one symbol, so that it is not cut in a message. */
    size_t len = 1;
    while ((*at & 0x80) && ((unsigned char)at[len] & 0xc0) == 0x80)
        len++;
    return len;
}

mr_token mr_token_next(const char *text, size_t pos)
{
    while (text[pos] && strchr(" \t\r\n\v\f", text[pos]))
        pos++;
    mr_token token = {MR_TOKEN_END, (uint32_t)pos, 0};
    char c = text[pos];
    if (c == '\0')
        return token;
    if (c == '\'' || c == '"')
        return quoted_text(text, pos);
    bool ends = false;
    size_t bracket = c == '[' ? long_text(text + pos, &ends) : 0;
    if (bracket > 0) {
        token.kind = ends ? MR_TOKEN_TEXT : MR_TOKEN_UNFINISHED;
        token.len = (uint32_t)bracket;
    } else if (isdigit((unsigned char)c) || (c == '.' && isdigit((unsigned char)text[pos + 1]))) {
        token.kind = MR_TOKEN_NUMBER;
        token.len = (uint32_t)(number_end(text, pos) - pos);
    } else if (is_name_char(c)) {
        while (is_name_char(text[pos + token.len]))
            token.len++;
        token.kind = MR_TOKEN_NAME;
        for (size_t i = 0; keywords[i]; i++)
            if (mr_token_is(text, token, keywords[i]))
                token.kind = MR_TOKEN_KEYWORD;
    } else {
        token.kind = MR_TOKEN_SYMBOL;
        token.len = (uint32_t)symbol_len(text + pos);
    }
    return token;
}

/* Behind the comment whose "--" ends before at. */
static size_t skip_comment(const char *text, size_t at)
{
    const mr_token token = mr_token_next(text, at);
    if (token.start == at && text[at] == '[' && (token.kind == MR_TOKEN_TEXT || token.kind == MR_TOKEN_UNFINISHED))
        return at + token.len;
    return at + strcspn(text + at, "\n");
}

mr_token mr_token_next_code(const char *text, size_t pos)
{
    mr_token token = mr_token_next(text, pos);
    while (token.kind == MR_TOKEN_SYMBOL && mr_token_is(text, token, "--"))
        token = mr_token_next(text, skip_comment(text, token.start + token.len));
    return token;
}
