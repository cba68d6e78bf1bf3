/* SPDX-License-Identifier: MIT */
/* What a server asks the operator's hooks. Those of runs are asked by each run (hooked.c), with the same file. */
#include "cli/hooked.h"
#include "cli/serve/platform.h"

#include "base/file.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

bool mr_platform_open_hooks(mr_platform *platform)
{
    mr_session *session = platform->session;
    if (!platform->settings->values.hooks_file)
        return true;
    const char *path = mr_hooks_path(platform->settings, session->arena);
    mr_status status = path ? mr_hooks_open(path, &platform->settings->values, session->diags, &platform->hooks) : MR_ERR_NOMEM;
    mr_session_flush(session);
    return status == MR_OK;
}

int mr_platform_has_hook(mr_platform *platform, const char *name)
{
    return mr_hooks_has(platform->hooks, name);
}

/* What went wrong, in one line of the log. */
static void complain(mr_platform *platform, const char *name, const mr_diags *diags)
{
    const mr_diag *first = mr_diags_first(diags);
    if (first)
        mr_log_event(platform->log, MR_LOG_WARNING, "hook", NULL, "%s: %s", name, first->message);
}

char *mr_platform_hook(mr_platform *platform, const char *name, const char *argument)
{
    mr_hook_answer said = {0};
    mr_autojson json_t *given = json_loads(argument, JSON_REJECT_DUPLICATES, NULL);
    mr_diags *diags = mr_diags_new();
    mr_status status = given && diags ? mr_hooks_ask(platform->hooks, name, given, diags, &said) : MR_ERR_NOMEM;
    complain(platform, name, diags);
    const char *veto = status == MR_OK ? said.veto : "a rule of this server could not be asked";
    mr_autojson json_t *answer = json_pack("{s:s*, s:s*, s:O*}", "veto", veto, "pipeline", said.pipeline, "params", said.params);
    mr_hook_answer_clear(&said);
    mr_diags_free(diags);
    return answer ? mr_json_text(answer) : NULL;
}

void mr_platform_hook_tell(mr_platform *platform, const char *name, const char *argument)
{
    json_t *given = json_loads(argument, JSON_REJECT_DUPLICATES, NULL);
    if (given && mr_hooks_has(platform->hooks, name))
        mr_hooks_tell(platform->hooks, name, given);
    else
        json_decref(given);
}
