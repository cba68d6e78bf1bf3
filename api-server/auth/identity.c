/* SPDX-License-Identifier: MIT */
/* The rules, as a table of the least role that each asks for. */
#include "api-server/auth/identity.h"

static const mr_role least[] = {
    [MR_RULE_ANYONE] = MR_ROLE_NOBODY,    [MR_RULE_SIGNED_IN] = MR_ROLE_VIEWER, [MR_RULE_CREATOR] = MR_ROLE_CREATOR, [MR_RULE_ADMIN] = MR_ROLE_ADMIN,
    [MR_RULE_VIEWER_OF] = MR_ROLE_NOBODY, [MR_RULE_OWNER_OF] = MR_ROLE_CREATOR, [MR_RULE_TOKEN] = MR_ROLE_NOBODY,
};

mr_verdict mr_rule_decide(mr_rule rule, uint32_t scopes, const mr_identity *who)
{
    const mr_role wanted = (unsigned)rule < sizeof(least) / sizeof(*least) ? least[rule] : MR_ROLE_ADMIN;
    if (wanted == MR_ROLE_NOBODY && !who->is_key)
        return MR_LET_IN;
    if (who->user[0] == '\0')
        return MR_SIGN_IN_FIRST;
    if (who->role < wanted)
        return MR_NOT_FOR_YOU;
    /* A key reaches no further than it was made for, whatever its owner may. */
    return who->is_key && wanted != MR_ROLE_NOBODY && (scopes == 0 || (who->scopes & scopes) != scopes) ? MR_NOT_FOR_YOU : MR_LET_IN;
}
