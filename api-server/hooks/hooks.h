/* SPDX-License-Identifier: MIT */
/*
 * The operator's hooks, as the parts of the server ask them: authorize_upload, on_upload, choose_pipeline, authorize_playback, on_ready
 * (docs/guide/hooks.md). Asking may take as long as the setting hooks.timeout: not on the quick lane.
 */
#ifndef MR_SERVER_HOOKS_H
#define MR_SERVER_HOOKS_H

#include <jansson.h>
#include <millrace/server.h>
#include <stdbool.h>

enum { MR_VETO_SIZE = 512 };

/* Both take argument. Without such a hook: true; NULL. */
bool mr_rule_allows(const mr_platform_host *host, const char *name, json_t *take_argument, char ret_why[MR_VETO_SIZE]);
json_t *mr_rule_ask(const mr_platform_host *host, const char *name, json_t *take_argument); /* {veto, pipeline, params}. New reference */
void mr_rule_tell(const mr_platform_host *host, const char *name, json_t *take_argument);

#endif
