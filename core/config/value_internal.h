/* SPDX-License-Identifier: MIT */
/* What the YAML reader and the value tree share. */
#ifndef MR_CONFIG_VALUE_INTERNAL_H
#define MR_CONFIG_VALUE_INTERNAL_H

#include "config/value.h"

/* Sets the type of a plain scalar from its text, after the core schema of YAML 1.2 (10.3.2). ".inf" and ".nan" stay text: no param has use for them.
 */
void mr_value_resolve(mr_value *value);

#endif
