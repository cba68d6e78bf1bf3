/* SPDX-License-Identifier: MIT */
/* Must not compile: the field is of a type that no param macro takes. KIND is the macro. */
#include <millrace/plugin.h>

extern const mr_param wrong_params[];

struct params {
    float field;
};

const mr_param wrong_params[] = {KIND(struct params, field, .help = "a field of the wrong type"), MR_PARAM_END};
