/* SPDX-License-Identifier: MIT */
/*
 * Numbers with units, as people write them in pipelines. Whole text or nothing: trailing characters are errors, overflow is
 * an error. On MR_ERR_PARAM *ret_why points to a constant sentence that says what is expected.
 */
#ifndef MR_BASE_UNITS_H
#define MR_BASE_UNITS_H

#include <millrace/param.h>
#include <millrace/status.h>

mr_status mr_parse_int(const char *text, int64_t *ret_value, const char **ret_why);
mr_status mr_parse_number(const char *text, double *ret_value, const char **ret_why);  /* finite */
mr_status mr_parse_duration(const char *text, int64_t *ret_us, const char **ret_why);  /* "4s" "1m30s" "250ms" "1.5" (seconds) */
mr_status mr_parse_bitrate(const char *text, int64_t *ret_bps, const char **ret_why);  /* "800k" "2.5M" "1G" "128000", "bps" and "bit/s" may follow */
mr_status mr_parse_size(const char *text, int64_t *ret_bytes, const char **ret_why);   /* "64MiB" "10MB" "4096" "4096B" */
mr_status mr_parse_ratio(const char *text, mr_ratio *ret_ratio, const char **ret_why); /* "30000/1001" "16:9" "29.97" (→ 30000/1001) */
/* Bytes of the scheme that text begins with, where "://" follows it (RFC 3986, section 3.1); 0: it is no such address. */
size_t mr_url_scheme(const char *text);
mr_status mr_parse_url(const char *text, const char **ret_why); /* http(s) with a host, printable ASCII, no user info */

#endif
