/* SPDX-License-Identifier: MIT */
/*
 * libyaml's errors in the words of who wrote the file. What is most often meant is looked for first: tabs, expressions without quotes,
 * brackets and quotes that are never closed.
 */
#include "base/text.h"
#include "config/yaml_internal.h"
#include <string.h>

typedef struct trouble {
    const mr_yaml_text *text;
    mr_diags *diags;
    const char *problem;
    const char *context; /* "": none */
    size_t at;           /* of the problem */
    size_t context_at;
    size_t line_at; /* where the problem's line begins */
} trouble;

static char char_at(const trouble *t, size_t at)
{
    return at < t->text->len ? t->text->text[at] : '\0';
}

/* To the end of the word. */
static mr_span word_span(const trouble *t, size_t at)
{
    size_t end = mr_yaml_until(t->text, at, " \t\r\n,:[]{}");
    return mr_yaml_span(t->text, at, end > at ? end : at + 1);
}

static bool is(const char *text, const char *what)
{
    return strstr(text, what) != NULL;
}

/* --- what is most often meant --- */

static bool report_tab(const trouble *t)
{
    size_t at = t->line_at;
    while (char_at(t, at) == ' ')
        at++;
    if (char_at(t, at) != '\t' || at > t->at)
        return false;
    size_t end = at;
    while (char_at(t, end) == '\t')
        end++;
    mr_error(t->diags, "tab", mr_yaml_span(t->text, at, end), "a tab is used for indentation");
    mr_hint(t->diags, "YAML is indented with spaces only: replace it by spaces");
    return true;
}

/* "${" outside of quotes in [...] or {...}: to YAML it opens a map. */
static bool report_expression(const trouble *t)
{
    static const char mark[] = "${";
    const char *text = t->text->text;
    size_t at = t->at;
    bool here = at > 0 && at < t->text->len && text[at - 1] == '$' && text[at] == '{';
    if (here) {
        size_t begin = at - 1;
        while (begin > t->line_at && !strchr(" \t,:[{", text[begin - 1]))
            begin--;
        const char *close = memchr(text + at, '}', t->text->len - at);
        size_t end = close ? (size_t)(close - text) + 1 : at + 1;
        mr_span span = mr_yaml_span(t->text, begin, end);
        mr_error(t->diags, "unquoted-expression", span, "an expression within [...] or {...} must be in quotes");
        if (close && !memchr(text + at, '\n', (size_t)(close - text) - at) && !memchr(text + begin, '"', end - begin))
            mr_hint(t->diags, "write \"%.*s\"", (int)(end - begin), text + begin);
        else
            mr_hint(t->diags, "write \"${…}\"");
        return true;
    }
    const char *found = memmem(text + t->line_at, at - t->line_at, mark, 2);
    size_t before = found ? (size_t)(found - text) - t->line_at : 0;
    if (!found || memchr(text + t->line_at, '"', before) || memchr(text + t->line_at, '\'', before))
        return false;
    mr_error(t->diags, "unquoted-expression", mr_yaml_span(t->text, (size_t)(found - text), at + 1), "this expression must be in quotes");
    mr_hint(t->diags, "put the whole value in quotes: \"${…}\"; ': ' and ' #' have a meaning of their own in YAML");
    return true;
}

/* The context of a list or map that has a member is its bracket; of an empty one, or after a comma, it is the member that did not come. */
static size_t still_open_at(const trouble *t)
{
    size_t depth = 0;
    if (strchr("[{", char_at(t, t->context_at)) && t->context_at < t->text->len)
        return t->context_at;
    for (size_t at = t->at < t->text->len ? t->at : t->text->len; at-- > 0;) {
        const char c = t->text->text[at];
        if ((c == '[' || c == '{') && depth-- == 0)
            return at;
        depth += c == ']' || c == '}';
    }
    return t->text->len;
}

static bool report_never_closed(const trouble *t)
{
    bool flow = is(t->context, "flow");
    bool quoted = is(t->context, "quoted scalar") && (is(t->problem, "end of stream") || is(t->problem, "document indicator"));
    size_t rest = t->at;
    while (rest < t->text->len && strchr(" \t\r\n", t->text->text[rest]))
        rest++;
    if (quoted) {
        mr_error(t->diags, "never-closed", mr_yaml_span(t->text, t->context_at, t->context_at + 1), "this quote is never closed");
        mr_hint(t->diags, "add %c where the text ends", char_at(t, t->context_at));
        return true;
    }
    if (!flow || rest < t->text->len)
        return false;
    const size_t at = still_open_at(t);
    const char open = char_at(t, at);
    if (open != '[' && open != '{')
        return false;
    mr_error(t->diags, "never-closed", mr_yaml_span(t->text, at, at + 1), "this '%c' is never closed", open);
    mr_hint(t->diags, "add '%c' where the %s ends", open == '[' ? ']' : '}', open == '[' ? "list" : "map");
    return true;
}

static bool report_bad_start(const trouble *t)
{
    char shown[MR_TEXT_SHOWN];
    unsigned columns = 0;
    if (!is(t->problem, "cannot start any token") || t->at >= t->text->len)
        return false;
    mr_text_show(t->text->text + t->at, t->text->len - t->at, shown, &columns);
    mr_error(t->diags, "syntax", mr_yaml_span(t->text, t->at, t->at + 1), "a value can't begin with '%s'", shown);
    mr_hint(t->diags, "put it in quotes");
    return true;
}

/* 'don't': the quote in the middle ends the text. */
static bool report_after_quote(const trouble *t)
{
    const char *text = t->text->text;
    size_t before = t->at;
    if (!is(t->problem, "did not find expected key"))
        return false;
    while (before > t->line_at && text[before - 1] == ' ')
        before--;
    if (before == t->line_at || !strchr("'\"", text[before - 1]))
        return false;
    char quote = text[before - 1];
    mr_error(t->diags, "syntax", word_span(t, t->at), "more text follows the closing quote");
    mr_note(t->diags, mr_yaml_span(t->text, before - 1, before), "the quoted text ends here");
    mr_hint(t->diags, "to have a quote within the text, write %s, or put the text in %s quotes", quote == '"' ? "\\\"" : "''",
            quote == '"' ? "single" : "double");
    return true;
}

/* --- the rest --- */

static const struct words {
    const char *problem;
    const char *message;
    const char *hint;
} words[] = {
    {"could not find expected ':'", "expected ':' after this key", "write 'key: value'; text over several lines needs '|' or quotes"},
    {"mapping values are not allowed", "a ': ' is not allowed here",
     "if it belongs to the text, put the text in quotes; if it ends a key, begin the key on a line of its own, indented like its siblings"},
    {"mapping keys are not allowed", "a key is not allowed here", "begin it on a line of its own"},
    {"block sequence entries are not allowed", "a list item ('- ') is not allowed here", "begin the list on a line of its own"},
    {"did not find expected key", "expected a key of the map that is open here", "the keys of a map stand in one column: check the indentation"},
    {"did not find expected '-' indicator", "expected '- ' for the next item of the list",
     "the items of a list stand in one column: check the indentation"},
    {"did not find expected ',' or '}'", "expected ',' or '}'", "separate members by commas; text with , [ ] { or } needs quotes"},
    {"did not find expected ',' or ']'", "expected ',' or ']'", "separate items by commas; text with , [ ] { or } needs quotes"},
    {"did not find expected node content", "expected a value here", NULL},
    {"unknown escape character", "unknown escape in double quotes", "write '\\\\' for a backslash, or use single quotes"},
    {"hexdecimal number", "expected hexadecimal digits after the escape", NULL},
    {"invalid Unicode character escape", "this escape is no Unicode character", NULL},
    {"undefined tag handle", "tags can't be used here", "if the text begins with '!', put it in quotes"},
    {"alphabetic or numeric character", "expected a name of letters and digits after '&' or '*'",
     "if it belongs to the text, put the text in quotes"},
    {"tab character", "a tab is used for indentation", "YAML is indented with spaces only: replace it by spaces"},
    {"incompatible YAML document", "this version of YAML is not known", "remove the %YAML line"},
    {"expected <document start>", "expected nothing more, or '---'", NULL},
    {"indentation indicator", "the indentation of a block of text is 1 to 9", NULL},
    {"comment or line break", "expected nothing more on this line", NULL},
    {"maximum", "values are nested too deeply", NULL},
};

static void report_in_words(const trouble *t)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (!is(t->problem, words[i].problem))
            continue;
        bool item = char_at(t, t->at) == '-' && is(t->problem, "expected key");
        mr_error(t->diags, "syntax", word_span(t, t->at), "%s", words[i].message);
        if (item) {
            mr_hint(t->diags, "the items of a list stand in one column: check the indentation");
            return;
        }
        if (words[i].hint)
            mr_hint(t->diags, "%s", words[i].hint);
        return;
    }
    mr_error(t->diags, "syntax", word_span(t, t->at), "this is not YAML: %s", t->problem);
}

static void note_context(const trouble *t)
{
    static const struct {
        const char *context;
        const char *note;
    } notes[] = {
        {"flow mapping", "in the map that begins here"},
        {"flow sequence", "in the list that begins here"},
        {"block mapping", "in the map that begins here"},
        {"block collection", "in the list that begins here"},
        {"block scalar", "in the text that begins here"},
        {"quoted scalar", "in the text that begins here"},
        {"simple key", "the key begins here"},
    };
    for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++) {
        if (!is(t->context, notes[i].context) || t->context_at >= t->at)
            continue;
        mr_note(t->diags, mr_yaml_span(t->text, t->context_at, t->context_at + 1), "%s", notes[i].note);
        return;
    }
}

mr_status mr_yaml_report(const mr_yaml_text *text, const yaml_parser_t *parser, mr_diags *diags)
{
    trouble t = {.text = text, .diags = diags, .problem = parser->problem ? parser->problem : "", .context = parser->context ? parser->context : ""};
    if (parser->error == YAML_MEMORY_ERROR)
        return MR_ERR_NOMEM;
    /* The reader stops at a byte, the others at a character. */
    t.at = parser->error == YAML_READER_ERROR ? parser->problem_offset : mr_yaml_offset(text, &parser->problem_mark);
    if (t.at > text->len)
        t.at = text->len;
    t.context_at = mr_yaml_offset(text, &parser->context_mark);
    t.line_at = t.at;
    while (t.line_at > 0 && text->text[t.line_at - 1] != '\n')
        t.line_at--;
    if (parser->error == YAML_READER_ERROR) {
        mr_error(diags, "bad-character", mr_yaml_span(text, t.at, t.at + 1), "%s is not allowed here",
                 is(t.problem, "control") ? "a control character" : "this character");
        mr_hint(diags, "remove it, or write it as an escape in double quotes");
        return MR_ERR_INPUT;
    }
    if (report_tab(&t) || report_expression(&t) || report_never_closed(&t) || report_bad_start(&t) || report_after_quote(&t))
        return MR_ERR_INPUT;
    report_in_words(&t);
    note_context(&t);
    return MR_ERR_INPUT;
}
