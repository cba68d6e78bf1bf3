/* SPDX-License-Identifier: MIT */
/* Who asks, and who may: roles, scopes and the rules that routes name. Decisions only; how somebody proves who they are is not known here. */
#ifndef MR_AUTH_IDENTITY_H
#define MR_AUTH_IDENTITY_H

#include "api-server/base/id.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum mr_role { MR_ROLE_NOBODY, MR_ROLE_VIEWER, MR_ROLE_CREATOR, MR_ROLE_ADMIN } mr_role;

/* What an API key may be good for. */
enum {
    MR_SCOPE_VIDEOS_READ = 1u << 0,
    MR_SCOPE_VIDEOS_WRITE = 1u << 1,
    MR_SCOPE_RUNS_READ = 1u << 2,
    MR_SCOPE_RUNS_WRITE = 1u << 3,
    MR_SCOPE_USERS_ADMIN = 1u << 4,
    MR_SCOPE_ALL = (1u << 5) - 1, /* of a session */
};

typedef struct mr_identity {
    char user[MR_ID_SIZE];  /* "": nobody is signed in */
    char proof[MR_ID_SIZE]; /* the sign-in (family), or the API key, that says so */
    mr_role role;
    uint32_t scopes;
    bool is_key; /* an API key, not a session */
} mr_identity;

/* Who may use a route. Where a rule is about one video, the route's handler asks for that, and answers 404 to those who may not know of it. */
typedef enum mr_rule {
    MR_RULE_ANYONE,
    MR_RULE_SIGNED_IN,
    MR_RULE_CREATOR, /* and administrators */
    MR_RULE_ADMIN,
    MR_RULE_VIEWER_OF, /* anyone who may see the video in {id} */
    MR_RULE_OWNER_OF,  /* its owner, and administrators */
    MR_RULE_TOKEN,     /* whoever has the URL, which is signed */
} mr_rule;

typedef enum mr_verdict {
    MR_LET_IN,
    MR_SIGN_IN_FIRST, /* 401 */
    MR_NOT_FOR_YOU,   /* 403 */
} mr_verdict;

/* What can be said of a rule without looking at a video. scopes: what an API key needs; 0: keys are not taken. */
mr_verdict mr_rule_decide(mr_rule rule, uint32_t scopes, const mr_identity *who);

#endif
