/* SPDX-License-Identifier: MIT */
/*
 * The user's filters behind the first one that is a plugin's, as stages in a row: pictures are pulled through them by number, each stage holding as
 * many as it looks back and ahead. What comes out for a number does not depend on which number came first.
 */
#ifndef MR_MEDIA_FILTER_LINE_H
#define MR_MEDIA_FILTER_LINE_H

#include "media/picture.h"
#include <millrace/filter.h>

typedef struct mr_filter_line mr_filter_line;

/* Where pictures come from: the next one, in order and without gaps. *ret_repeat: it is the one before once more (same buffers). MR_END: no more. */
typedef mr_status (*mr_line_source)(void *context, AVFrame *frame, int64_t *ret_number, bool *ret_repeat);

/* Whether all chains in filters are plain ones (mr_filter_check). Reports what is not, with param. */
mr_status mr_filters_check(const mr_host *host, mr_task *task, const char *param, const mr_filters *filters);
/* Whether they make the same pictures. */
bool mr_filters_equal(const mr_filters *a, const mr_filters *b);
/* The chains before the first filter of a plugin, joined by commas into text; returns their count. Too long for text: SIZE_MAX. */
size_t mr_filters_lead(const mr_filters *filters, char *text, size_t size);

/* filters from index first on, for pictures of that kind and rate. filters and chunk are borrowed. */
mr_status mr_filter_line_new(const mr_host *host, mr_task *task, const mr_filters *filters, size_t first, const mr_chunk *chunk,
                             const mr_picture_kind *kind, mr_line_source source, void *context, mr_filter_line **ret_line);
void mr_filter_line_free(mr_filter_line *line);
/* How many pictures before and after the wanted ones it takes. */
int64_t mr_filter_line_back(const mr_filter_line *line);
int64_t mr_filter_line_ahead(const mr_filter_line *line);
/* The next picture that is made will be that of number: the source begins anew, at number less mr_filter_line_back(), or at 0. */
void mr_filter_line_begin(mr_filter_line *line, int64_t number);
mr_status mr_filter_line_next(mr_filter_line *line, AVFrame *frame, bool *ret_repeat);

#endif
