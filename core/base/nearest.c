/* SPDX-License-Identifier: MIT */
/* Suggestions: optimal string alignment distance (Damerau-Levenshtein without overlapping edits). */
#include "base/diag.h"

#include <ctype.h>
#include <string.h>

#define MAX_WORD 64

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][MAX_WORD + 1];
    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t *now = rows[i % 3];
        const size_t *before = rows[(i - 1) % 3];
        const size_t *twice = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t cost = tolower((unsigned char)a[i - 1]) != tolower((unsigned char)b[j - 1]);
            now[j] = least(least(before[j] + 1, now[j - 1] + 1), before[j - 1] + cost);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least(now[j], twice[j - 2] + 1);
        }
    }
    return rows[a_len % 3][b_len];
}

const char *mr_nearest(const char *word, const char *const *candidates, size_t count)
{
    const char *best = NULL;
    size_t len = strlen(word);
    size_t best_distance = len / 3 + 1; /* a third may be wrong */
    if (len == 0 || len > MAX_WORD)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        size_t other = strlen(candidates[i]);
        if (other == 0 || other > MAX_WORD)
            continue;
        size_t d = distance(word, len, candidates[i], other);
        const char *dot = strchr(candidates[i], '.');
        if (dot && strcmp(dot + 1, word) == 0) /* "video" for "transcode.video" */
            d = 1;
        if (d < best_distance || (!best && d == best_distance && d < len && d < other)) {
            best = candidates[i];
            best_distance = d;
        }
    }
    return best;
}
