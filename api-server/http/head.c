/* SPDX-License-Identifier: MIT */
/* See head.h. Invariant: a byte is looked at once, however the head is cut into pieces. */
#include "head.h"

#include <string.h>
#include <strings.h>

static mr_head_verdict refuse(mr_head_scan *scan, int status, const char *why)
{
    scan->status = status;
    scan->why = why;
    return MR_HEAD_BAD;
}

/* tchar of RFC 9110 section 5.6.2. */
static bool is_token(unsigned char c)
{
    static const bool token[256] = {
        ['0' ... '9'] = true, ['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['!'] = true, ['#'] = true, ['$'] = true,
        ['%'] = true,         ['&'] = true,         ['\''] = true,        ['*'] = true, ['+'] = true, ['-'] = true,
        ['.'] = true,         ['^'] = true,         ['_'] = true,         ['`'] = true, ['|'] = true, ['~'] = true,
    };
    return token[c];
}

static bool is_visible(unsigned char c)
{
    return c > ' ' && c < 0x7f;
}

static bool all(const char *bytes, size_t len, bool (*is)(unsigned char))
{
    for (size_t i = 0; i < len; i++) {
        if (!is((unsigned char)bytes[i]))
            return false;
    }
    return len > 0;
}

static bool is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

/* uri-host [":" port]: what of RFC 3986 occurs in a Host that a browser sends. */
static bool is_host(unsigned char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c && strchr("-._~%!$&'()*+,;=:[]", c));
}

static mr_head_verdict look_at_request_line(mr_head_scan *scan, const char *line, size_t len)
{
    const char *method_end = memchr(line, ' ', len);
    const size_t method = method_end ? (size_t)(method_end - line) : 0;
    const char *target = line + method + 1;
    const char *target_end = method ? memchr(target, ' ', len - method - 1) : NULL;
    if (!method || !all(line, method, is_token) || !target_end)
        return refuse(scan, 400, "the request line is not 'METHOD target HTTP/1.1'");
    const size_t target_len = (size_t)(target_end - target);
    const char *version = target_end + 1;
    const size_t version_len = len - (size_t)(version - line);
    if (target_len > MR_HTTP_TARGET_MAX)
        return refuse(scan, 414, "the request target is too long");
    if (!all(target, target_len, is_visible) || memchr(target, '#', target_len) || (target[0] != '/' && !(target_len == 1 && target[0] == '*')))
        return refuse(scan, 400, "the request target is not an absolute path");
    if (version_len != 8 || memcmp(version, "HTTP/", 5) != 0 || !is_digit((unsigned char)version[5]) || version[6] != '.' ||
        !is_digit((unsigned char)version[7]))
        return refuse(scan, 400, "the request line does not end with an HTTP version");
    if (version[5] != '1' || version[7] > '1')
        return refuse(scan, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    scan->version_1_0 = version[7] == '0';
    return MR_HEAD_MORE;
}

static bool is_named(const char *name, size_t len, const char *wanted)
{
    return len == strlen(wanted) && strncasecmp(name, wanted, len) == 0;
}

static mr_head_verdict look_at_framing(mr_head_scan *scan, const char *name, size_t name_len, const char *value, size_t len)
{
    if (is_named(name, name_len, "host")) {
        if (scan->host)
            return refuse(scan, 400, "there are two Host fields");
        if (!all(value, len, is_host))
            return refuse(scan, 400, "the Host field names no host");
        scan->host = true;
    } else if (is_named(name, name_len, "content-length")) {
        if (scan->length)
            return refuse(scan, 400, "there are two Content-Length fields");
        if (!all(value, len, is_digit) || len > 18)
            return refuse(scan, 400, "Content-Length is not a number");
        scan->length = true;
    } else if (is_named(name, name_len, "transfer-encoding")) {
        if (scan->chunked)
            return refuse(scan, 400, "there are two Transfer-Encoding fields");
        if (!is_named(value, len, "chunked"))
            return refuse(scan, 501, "only 'chunked' is understood as a Transfer-Encoding");
        scan->chunked = true;
    }
    return MR_HEAD_MORE;
}

static mr_head_verdict look_at_field(mr_head_scan *scan, const char *line, size_t len)
{
    if (line[0] == ' ' || line[0] == '\t')
        return refuse(scan, 400, "a field is folded over two lines");
    const char *colon = memchr(line, ':', len);
    const size_t name = colon ? (size_t)(colon - line) : 0;
    if (!colon || !all(line, name, is_token))
        return refuse(scan, 400, "a line is not 'name: value'");
    if (scan->lines > MR_HTTP_FIELDS_MAX)
        return refuse(scan, 431, "there are too many fields");
    const char *value = colon + 1;
    size_t value_len = len - name - 1;
    while (value_len > 0 && (*value == ' ' || *value == '\t')) {
        value++;
        value_len--;
    }
    while (value_len > 0 && (value[value_len - 1] == ' ' || value[value_len - 1] == '\t'))
        value_len--;
    return look_at_framing(scan, line, name, value, value_len);
}

/* The empty line has come. */
static mr_head_verdict look_at_whole(mr_head_scan *scan)
{
    if (scan->lines == 0)
        return refuse(scan, 400, "the request line is empty");
    if (!scan->host && !scan->version_1_0)
        return refuse(scan, 400, "there is no Host field");
    if (scan->length && scan->chunked)
        return refuse(scan, 400, "Content-Length and Transfer-Encoding exclude each other");
    if (scan->chunked && scan->version_1_0)
        return refuse(scan, 400, "HTTP/1.0 knows no Transfer-Encoding");
    return MR_HEAD_WHOLE;
}

static mr_head_verdict look_at_line(mr_head_scan *scan, const char *line, size_t len)
{
    if (len == 0)
        return look_at_whole(scan);
    const mr_head_verdict verdict = scan->lines == 0 ? look_at_request_line(scan, line, len) : look_at_field(scan, line, len);
    scan->lines++;
    return verdict;
}

/* Within a line. Field values may hold tabs and bytes above ASCII. */
static bool is_allowed(unsigned char c)
{
    return c == '\t' || (c >= ' ' && c != 0x7f);
}

mr_head_verdict mr_head_look(mr_head_scan *scan, const char *bytes, size_t len)
{
    for (; scan->at < len; scan->at++) {
        const unsigned char c = (unsigned char)bytes[scan->at];
        const bool after_cr = scan->at > scan->line && bytes[scan->at - 1] == '\r';
        if (c == '\n' && after_cr) {
            const mr_head_verdict verdict = look_at_line(scan, bytes + scan->line, scan->at - 1 - scan->line);
            scan->line = scan->at + 1;
            if (verdict == MR_HEAD_MORE)
                continue;
            scan->at += verdict == MR_HEAD_WHOLE;
            return verdict;
        }
        if (after_cr || c == '\n')
            return refuse(scan, 400, "a line does not end with CR LF");
        if (c != '\r' && !is_allowed(c))
            return refuse(scan, 400, "there is a control character");
        if (scan->at + 1 >= MR_HTTP_HEAD_MAX)
            return scan->lines == 0 ? refuse(scan, 414, "the request target is too long") : refuse(scan, 431, "the fields are too large");
    }
    return MR_HEAD_MORE;
}
