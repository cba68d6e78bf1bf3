/* SPDX-License-Identifier: MIT */
/* Two folders, one to work in and one to leave alone, for tests that run in a cage; and all tests twice where we are root: as root, and as nobody. */
#ifndef WORLD_H
#define WORLD_H

#include "cage.h"

#define NOBODY 65534

typedef struct world {
    char root[64];
    char scratch[96];
    char outside[96];
    cage cage;
} world;

int world_set_up(void **context);
int world_tear_down(void **context);

#define in_world(test) cmocka_unit_test_setup_teardown(test, world_set_up, world_tear_down)

/* What main() returns. */
int world_run_twice(int (*run_all)(const char *who));

#endif
