/* SPDX-License-Identifier: MIT */
#ifndef MR_BASE_CLOCK_H
#define MR_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

int64_t mr_now_us(void);  /* monotonic */
int64_t mr_wall_us(void); /* since 1970, UTC */
int64_t mr_thread_cpu_us(void);
void mr_time_text(int64_t wall_us, char ret_text[32]);          /* RFC 3339 with milliseconds, UTC */
void mr_duration_text(int64_t us, char *ret_text, size_t size); /* "1h02m", "3m05s", "4.2s", "12ms" */

#endif
