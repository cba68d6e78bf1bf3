/* SPDX-License-Identifier: MIT */
/* A value tree as YAML that people like to read, and that mr_yaml_read() reads as the same tree. */
#ifndef MR_CONFIG_YAML_WRITE_H
#define MR_CONFIG_YAML_WRITE_H

#include "config/value.h"
#include <millrace/status.h>

/*
 * Maps and lists that fit stand on one line, in braces and brackets; of the root and of so many levels below it each entry
 * has a line of its own. MR_ERR_IO: out can't be written. MR_ERR_NOMEM.
 */
mr_status mr_yaml_write(const mr_value *root, unsigned levels, FILE *out);

#endif
