/* SPDX-License-Identifier: MIT */
/* The rows of the report: to a person as they come, and kept for --json. */
#include "cli/kit/kit.h"

#include "cli/cli.h"

#include <stdarg.h>
#include <stdlib.h>

static const char *const verdicts[] = {[MR_KIT_PASSED] = "passed", [MR_KIT_FAILED] = "failed", [MR_KIT_NONE] = "none"};

static void print_row(const mr_kit_report *report, const char *check, mr_kit_verdict verdict, const char *hint, const char *words)
{
    static const char *const marks[] = {[MR_KIT_PASSED] = "ok", [MR_KIT_FAILED] = "FAILED", [MR_KIT_NONE] = "-"};
    static const char *const colours[] = {[MR_KIT_PASSED] = "\x1b[32m", [MR_KIT_FAILED] = "\x1b[1;31m", [MR_KIT_NONE] = "\x1b[2m"};
    fprintf(report->out, "  %s%-7s%s%-14s", report->colour ? colours[verdict] : "", marks[verdict], report->colour ? "\x1b[0m" : "", check);
    mr_put_words(report->out, words);
    fputc('\n', report->out);
    if (hint) {
        fputs("                       ", report->out);
        mr_put_words(report->out, hint);
        fputc('\n', report->out);
    }
    fflush(report->out);
}

void mr_kit_say(mr_kit_report *report, const char *op, const char *check, mr_kit_verdict verdict, const char *hint, const char *fmt, ...)
{
    char *words = NULL;
    va_list args;
    va_start(args, fmt);
    if (vasprintf(&words, fmt, args) < 0)
        words = NULL;
    va_end(args);
    report->failed += verdict == MR_KIT_FAILED;
    report->passed += verdict == MR_KIT_PASSED;
    json_t *row =
        json_pack("{s:s, s:s, s:s, s:s, s:s*}", "op", op, "check", check, "verdict", verdicts[verdict], "words", words ? words : "", "hint", hint);
    if (!row || json_array_append_new(report->rows, row) != 0)
        report->failed++; /* a row that is not told must not count as passed */
    if (report->out)
        print_row(report, check, verdict, hint, words ? words : "");
    free(words);
}
