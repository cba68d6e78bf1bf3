/* SPDX-License-Identifier: MIT */
/* Files: whole reads with a limit, durable atomic writes, folders. Errors go to diags with the path and the reason. */
#ifndef MR_BASE_FILE_H
#define MR_BASE_FILE_H

#include "diag.h"
#include <millrace/status.h>
#include <sys/types.h>

/* *ret_text is NUL-terminated, the caller frees it. MR_ERR_LIMIT when larger than max bytes; only regular files (else MR_ERR_INPUT). MR_ERR_NOT_FOUND
 * when there is none. */
mr_status mr_file_read(const char *path, size_t max, char **ret_text, size_t *ret_len, mr_diags *diags);
/* Writes to a temporary file beside path, fsyncs, renames over path, fsyncs the folder. mode whatever the umask. A link is replaced, not followed. */
mr_status mr_file_write_atomic(const char *path, const void *data, size_t len, mode_t mode, mr_diags *diags);
/* mkdir -p. */
mr_status mr_dir_make(const char *path, mode_t mode, mr_diags *diags);
/* rm -r, however deep its folders are and whatever their modes; never follows symbolic links; a missing path is fine. Nobody may change it
 * meanwhile. */
mr_status mr_dir_remove(const char *path, mr_diags *diags);
/* "a/b", malloc()ed; NULL when memory is short. */
char *mr_path_join(const char *dir, const char *name);
/* A relative path without "", ".", "..", backslash, control characters or leading slash, of at most 1024 bytes. */
bool mr_path_is_plain(const char *path);

/* __attribute__((cleanup)) helpers. */
void mr_cleanup_fd(int *fd);
void mr_cleanup_free(void *ptr); /* free(*(void **)ptr) */
#define mr_autoclose __attribute__((cleanup(mr_cleanup_fd)))
#define mr_autofree  __attribute__((cleanup(mr_cleanup_free)))

#endif
