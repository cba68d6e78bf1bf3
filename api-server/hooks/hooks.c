/* SPDX-License-Identifier: MIT */
/* From JSON to the platform and back. A hook that could not be asked says no: a rule that broke down must not let everything pass. */
#include "api-server/hooks/hooks.h"

#include <stdio.h>
#include <stdlib.h>

static char *text_of(json_t *take_argument)
{
    char *text = take_argument ? json_dumps(take_argument, JSON_COMPACT) : NULL;
    json_decref(take_argument);
    return text;
}

json_t *mr_rule_ask(const mr_platform_host *host, const char *name, json_t *take_argument)
{
    char *argument = text_of(take_argument);
    if (!host->has_hook(host->platform, name)) {
        free(argument);
        return NULL;
    }
    char *said = argument ? host->hook(host->platform, name, argument) : NULL;
    json_t *answer = said ? json_loads(said, 0, NULL) : NULL;
    host->text_free(host->platform, said);
    free(argument);
    return answer ? answer : json_pack("{s:s}", "veto", "a rule of this server could not be asked");
}

bool mr_rule_allows(const mr_platform_host *host, const char *name, json_t *take_argument, char ret_why[MR_VETO_SIZE])
{
    json_t *answer = mr_rule_ask(host, name, take_argument);
    const char *veto = json_string_value(json_object_get(answer, "veto"));
    snprintf(ret_why, MR_VETO_SIZE, "%s", veto ? veto : "");
    json_decref(answer);
    return ret_why[0] == '\0';
}

void mr_rule_tell(const mr_platform_host *host, const char *name, json_t *take_argument)
{
    char *argument = text_of(take_argument);
    if (argument && host->has_hook(host->platform, name))
        host->hook_tell(host->platform, name, argument);
    free(argument);
}
