/* SPDX-License-Identifier: MIT */
/* See world.h. */
#include "world.h"
#include "base/file.h"

#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

int world_set_up(void **context)
{
    char path[128];
    world *it = calloc(1, sizeof(*it));
    assert_non_null(it);
    snprintf(it->root, sizeof(it->root), "/tmp/millrace-test-XXXXXX");
    assert_non_null(mkdtemp(it->root));
    snprintf(it->scratch, sizeof(it->scratch), "%s/scratch", it->root);
    snprintf(it->outside, sizeof(it->outside), "%s/outside", it->root);
    assert_int_equal(mkdir(it->scratch, 0700), 0);
    assert_int_equal(mkdir(it->outside, 0700), 0);
    snprintf(path, sizeof(path), "%s/theirs", it->outside);
    assert_int_equal(mr_file_write_atomic(path, "theirs", 6, 0644, NULL), MR_OK);
    it->cage = (cage){.scratch = it->scratch, .outside = it->outside};
    *context = it;
    return 0;
}

int world_tear_down(void **context)
{
    world *it = *context;
    mr_dir_remove(it->root, NULL);
    free(it);
    return 0;
}

/* As an ordinary user, who can't undo it; dumpable again, since changing users is what made it not so. */
static int run_as_nobody(int (*run_all)(const char *who))
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    if (child < 0)
        return 1;
    if (child > 0)
        return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
    if (setgroups(0, NULL) != 0 || setresgid(NOBODY, NOBODY, NOBODY) != 0 || setresuid(NOBODY, NOBODY, NOBODY) != 0 || prctl(PR_SET_DUMPABLE, 1) != 0)
        _exit(1);
    status = run_all("as nobody");
    fflush(NULL);
    _exit(status ? 1 : 0);
}

int world_run_twice(int (*run_all)(const char *who))
{
    int failed = run_all(getuid() == 0 ? "as root" : "as this user");
    if (getuid() != 0) {
        puts("not root: what root is left with is not tested here");
        return failed;
    }
    return run_as_nobody(run_all) || failed;
}
