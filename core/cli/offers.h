/* SPDX-License-Identifier: MIT */
/* Verbs that list what plugins offer of one kind, or explain one of it: millrace ops, millrace filters. */
#ifndef MR_CLI_OFFERS_H
#define MR_CLI_OFFERS_H

#include "cli/doc.h"

typedef struct mr_offer {
    const char *name;
    const char *summary;
    const char *plugin; /* what stands behind a space, its version, is not listed */
} mr_offer;

typedef struct mr_offers {
    const char *kind; /* "op" */
    const char *none; /* said where there are none */
    size_t (*count)(const mr_op_set *set);
    mr_offer (*at)(const mr_op_set *set, size_t index); /* sorted by name */
    json_t *(*describe)(const mr_op_set *set, size_t index, mr_arena *arena);
    void (*page)(const mr_doc *doc, const mr_op_set *set, size_t index, mr_arena *arena);
} mr_offers;

extern const struct argp_option mr_offers_options[];

int mr_offers_run(const mr_verb *verb, int argc, char **argv, const mr_offers *offers);

/* As JSON. New reference; NULL: memory is short. */
json_t *mr_offers_json(const mr_offers *offers, const mr_op_set *set, mr_arena *arena);

#endif
