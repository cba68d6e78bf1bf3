/* SPDX-License-Identifier: MIT */
/*
 * "Did you mean …?": the restricted Damerau-Levenshtein distance (insert, delete, replace, swap neighbours), where letters that differ in
 * case only cost half. How far is too far grows with the length of the word.
 */
#include "base/diag.h"
#include <ctype.h>
#include <string.h>

#define WORD_MAX 96
#define FAR      UINT32_MAX
enum { STEP = 2 }; /* the cost of an edit; half of it for case */

static unsigned replace_cost(char a, char b)
{
    if (a == b)
        return 0;
    return tolower((unsigned char)a) == tolower((unsigned char)b) ? STEP / 2 : STEP;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static unsigned distance(const char *a, const char *b)
{
    size_t a_len = strlen(a);
    size_t b_len = strlen(b);
    unsigned rows[3][WORD_MAX + 1];
    if (a_len > WORD_MAX || b_len > WORD_MAX)
        return FAR;
    unsigned *before = rows[0];
    unsigned *last = rows[1];
    unsigned *row = rows[2];
    for (size_t j = 0; j <= b_len; j++)
        last[j] = (unsigned)j * STEP;
    for (size_t i = 1; i <= a_len; i++) {
        row[0] = (unsigned)i * STEP;
        for (size_t j = 1; j <= b_len; j++) {
            unsigned cost = least(last[j], row[j - 1]) + STEP;
            cost = least(cost, last[j - 1] + replace_cost(a[i - 1], b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                cost = least(cost, before[j - 2] + STEP);
            row[j] = cost;
        }
        unsigned *free_row = before;
        before = last;
        last = row;
        row = free_row;
    }
    return last[b_len];
}

/* What follows the last dot; the whole word when there is none. */
static const char *suffix(const char *word)
{
    const char *dot = strrchr(word, '.');
    return dot ? dot + 1 : word;
}

const char *mr_nearest(const char *word, const char *const *candidates, size_t count)
{
    const char *best = NULL;
    const char *kin = NULL; /* with the same last part: "encode.video" for "transcode.video", "video" too */
    unsigned best_cost = FAR;
    unsigned kin_cost = FAR;
    size_t len = word ? strlen(word) : 0;
    if (len == 0 || len > WORD_MAX)
        return NULL;
    unsigned limit = (unsigned)(len < 3 ? 1 : len / 3) * STEP;
    for (size_t i = 0; i < count; i++) {
        if (!candidates[i])
            continue;
        unsigned cost = distance(word, candidates[i]);
        bool same_suffix = strchr(candidates[i], '.') && strcmp(suffix(word), suffix(candidates[i])) == 0;
        if (same_suffix && cost < kin_cost) {
            kin = candidates[i];
            kin_cost = cost;
        }
        /* Of two that are as near, the one with the same last part. */
        if (cost < best_cost || (cost == best_cost && same_suffix && kin == candidates[i])) {
            best = candidates[i];
            best_cost = cost;
        }
    }
    /* A word of two letters that shares none with the candidate is not a slip of it. */
    return best_cost <= limit && best_cost < len * STEP ? best : kin;
}
