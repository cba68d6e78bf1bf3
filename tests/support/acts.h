/* SPDX-License-Identifier: MIT */
/*
 * What code that was taken over by hostile media would try, as small as it can be done and harmless where it succeeds. Shared by the sandbox's unit
 * tests, which run each in a child of their own, and by the plugin whose ops do them inside of a run.
 */
#ifndef ACTS_H
#define ACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct act_place {
    const char *scratch; /* the folder it may use */
    const char *outside; /* a folder that it may not; holds the file "theirs" */
    int input;           /* a descriptor of "theirs", open for reading */
    pid_t victim;        /* another process of the same user */
} act_place;

typedef struct act {
    const char *name;
    int (*run)(const act_place *place); /* 0: it succeeded; else the errno */
    /* In the sandbox: the errno it gets, or the call that it is killed for. */
    int error;
    const char *call;
    bool unsaid;         /* made with all signals blocked: nobody can say which call it was */
    bool alone_may_fail; /* needs something that not every machine allows without a sandbox either */
} act;

extern const act acts[];
extern const size_t act_count;

const act *act_find(const char *name); /* NULL: there is none */

#endif
