/* SPDX-License-Identifier: MIT */
/* Part by part, without memory of its own. */
#include "api-server/routes/match.h"

#include <string.h>

static bool keep(mr_match *match, size_t *count, size_t *used, const char *text, size_t len)
{
    if (len == 0 || *count == MR_MATCH_IDS || *used + len + 1 > sizeof(match->text))
        return false;
    memcpy(match->text + *used, text, len);
    match->text[*used + len] = '\0';
    match->ids[(*count)++] = match->text + *used;
    *used += len + 1;
    return true;
}

bool mr_match_path(const char *pattern, const char *path, mr_match *ret_match)
{
    size_t count = 0;
    size_t used = 0;
    memset(ret_match->ids, 0, sizeof(ret_match->ids));
    while (*pattern) {
        if (*pattern != '{') {
            if (*pattern++ != *path++)
                return false;
            continue;
        }
        const char *end = strchr(pattern, '}');
        const bool rest = end[-1] == '*';
        const size_t len = rest ? strlen(path) : strcspn(path, "/");
        if (!keep(ret_match, &count, &used, path, len))
            return false;
        pattern = end + 1;
        path += len;
    }
    return *path == '\0';
}
