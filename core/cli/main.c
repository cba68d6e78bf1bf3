/* SPDX-License-Identifier: MIT */
/* The millrace command: picks the verb. Everything else is in cmd_*.c. */
#include "cli/cli.h"

#include <errno.h>
#include <locale.h>
#include <string.h>

/* Results that did not reach the disk or the pipe must not end as success. */
static int end(int code)
{
    bool failed = ferror(stdout) != 0;
    if (fflush(stdout) != 0 || failed) {
        if (errno != EPIPE)
            mr_complain("can't write to standard output%s%s", failed ? "" : ": ", failed ? "" : strerrordesc_np(errno));
        return code == MR_EXIT_DONE ? MR_EXIT_FAILED : code;
    }
    return code;
}

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "");
    argp_program_version = "millrace " MR_VERSION;
    argp_err_exit_status = MR_EXIT_USAGE;
    if (argc < 2) {
        mr_print_overview(stderr);
        return MR_EXIT_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "-?") == 0) {
        mr_print_overview(stdout);
        return end(MR_EXIT_DONE);
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        puts(argp_program_version);
        return end(MR_EXIT_DONE);
    }
    if (name[0] == '-') {
        mr_complain("unknown option '%s'; options follow the verb, as in 'millrace run --help'", name);
        return MR_EXIT_USAGE;
    }
    const mr_verb *verb = mr_verb_find(name);
    if (!verb) {
        const char *near = mr_verb_nearest(name);
        if (near)
            mr_complain("unknown verb '%s'; did you mean '%s'?", name, near);
        else
            mr_complain("unknown verb '%s'; 'millrace --help' lists them", name);
        return MR_EXIT_USAGE;
    }
    return end(verb->run(verb, argc - 1, argv + 1));
}
