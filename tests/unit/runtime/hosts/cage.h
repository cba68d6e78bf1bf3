/* SPDX-License-Identifier: MIT */
/* One act in a child that has entered the sandbox, or has not, and what became of it. */
#ifndef CAGE_H
#define CAGE_H

#include "acts.h"
#include "runtime/hosts/sandbox.h"

typedef struct cage {
    const char *scratch;
    const char *outside;
    bool open;                       /* no sandbox */
    const mr_sandbox_limits *limits; /* NULL: those of a usual host */
    int (*before)(void);             /* in the child, before it enters; not 0: the act is not tried. NULL: nothing */
} cage;

typedef struct cage_end {
    int signal;       /* that ended it; 0: it ended by itself */
    int error;        /* what the act returned */
    int entered;      /* what mr_sandbox_enter() returned */
    uint32_t missing; /* layers that were left out */
    char words[8192]; /* what came on stderr, and why the sandbox was not entered */
} cage_end;

/* The act has a socket at MR_SANDBOX_SOCKET, whose other end is MR_SANDBOX_SOCKET + 1. */
cage_end cage_try(const cage *cage, int (*run)(const act_place *place));

#endif
