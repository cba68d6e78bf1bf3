/* SPDX-License-Identifier: MIT */
/*
 * Pipelines as files: YAML, or Lua (the name ends in .lua). Both become a text, which holds all that the pipeline needs and can be kept, and the text
 * becomes the value tree that is checked. A script is run for that in a process that can be killed.
 */
#ifndef MR_CLI_PIPELINE_FILE_H
#define MR_CLI_PIPELINE_FILE_H

#include "cli/session.h"

/* Of YAML the text is the file's own, of Lua the script with its modules, as JSON. In the session's arena. */
mr_status mr_pipeline_text(mr_session *session, const char *file, const char **ret_text, size_t *ret_len);
/* The tree of such a text, unchecked. With an error there may be one all the same: it is to be checked for more mistakes, and not to be used. */
mr_status mr_pipeline_tree(mr_session *session, const char *file, const char *text, size_t len, const mr_value **ret_root);
/* Whether the file still says what text does; *ret_status: whether it could be read. Says nothing. */
bool mr_pipeline_is_same(mr_session *session, const char *file, const char *text, size_t len, mr_status *ret_status);
/* So that its lines can be quoted in the session's diags. */
void mr_pipeline_quote(mr_session *session, const char *file, const char *text, size_t len);

#endif
