/* SPDX-License-Identifier: MIT */
/* cmocka with what it needs before it. */
#ifndef MR_TESTS_UNIT_TEST_H
#define MR_TESTS_UNIT_TEST_H

/* NOLINTBEGIN */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
/* NOLINTEND */

#endif
