/* SPDX-License-Identifier: MIT */
/* What a video looks like to others: from a row to JSON. */
#ifndef MR_METADATA_LOOKS_H
#define MR_METADATA_LOOKS_H

#include "api-server/metadata/internal.h"
#include "api-server/metadata/videos.h"

#include <stdio.h>

/* For statements that read videos joined with users; what mr_video_read() and mr_video_print() expect. */
#define MR_LOOK_COLUMNS                                                                                                                              \
    "videos.id, videos.owner, users.name, title, description, tags, category, language, metadata, visibility, status, playable, complete,"           \
    " reason_code, reason_message, duration, width, height, size, COALESCE(run, ''), pipeline, params, poster, poster_key, videos.created_us,"       \
    " updated_us, published_us, views, etag, output, videos.number, title_key"
enum { MR_LOOK_VIEWS = 27, MR_LOOK_NUMBER = 30, MR_LOOK_TITLE_KEY = 31, MR_LOOK_DURATION = 15 };

void mr_video_print(const mr_sql_rows *rows, double fraction, FILE *to);
void mr_video_read(const mr_sql_rows *rows, mr_video_view *view); /* all but json */

#endif
