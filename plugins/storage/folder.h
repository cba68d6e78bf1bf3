/* SPDX-License-Identifier: MIT */
/*
 * A published folder: files appear in it whole or not at all, and never outside of it, whatever symbolic links lie in it.
 * Functions return 0 or a negative errno; paths are plain (mr_path_is_safe) and relative to the folder.
 */
#ifndef STORAGE_FOLDER_H
#define STORAGE_FOLDER_H

#include <millrace/op.h>
#include <sys/stat.h>

typedef struct mr_folder mr_folder;
typedef struct mr_folder_file mr_folder_file; /* on its way */

enum { MR_FOLDER_PATH_MAX = 1024 };

/* Relative, no empty, "." or ".." component, no backslash or control character, at most 1024 bytes, and nothing of our own (.millrace…). */
bool mr_path_is_safe(const char *path);

/* The folder, made when missing, with ".millrace" in it for notes and for files that are not whole yet. */
int mr_folder_open(const char *path, mr_folder **ret_folder);
void mr_folder_close(mr_folder *folder);
/* Keeps other publishers out until it is closed, and clears away what one that was killed left half done. -EWOULDBLOCK: one is at work. */
int mr_folder_lock(mr_folder *folder);

/* Between a look at a file and what is done about it: waits until nobody else holds it, and is held until the descriptor is closed. Negative: errno.
 */
int mr_folder_guard(mr_folder *folder);

/* A temporary file that will lie at path, folders made as needed. Several at a time are fine, on several threads. */
int mr_folder_create(mr_folder *folder, const char *path, mr_folder_file **ret_file);
int mr_folder_file_fd(mr_folder_file *file); /* to write to, borrowed, or a negative errno */
/* Makes the temporary file, for which there are no bytes yet, another name of the file that fd has open. -EXDEV and others: can't be. */
int mr_folder_link(mr_folder_file *file, int fd);
/* Renames the temporary file to its path. durable: its bytes reach the disk before it gets its name, as do all files committed earlier. fresh:
 * -EEXIST when something is there. */
int mr_folder_commit(mr_folder_file *file, bool durable, bool fresh);
void mr_folder_free(mr_folder_file *file); /* and what was not committed is gone; NULL is fine */
/* What is there now: a regular file, opened for reading. -ENOENT: nothing; -EEXIST: something that is not a regular file. */
int mr_folder_open_file(mr_folder *folder, const char *path, int *ret_fd, struct stat *ret_info);
/* Removes a regular file, and folders that this left empty. */
int mr_folder_remove(mr_folder *folder, const char *path);
/* All that was committed reaches the disk. */
int mr_folder_sync(mr_folder *folder);
/* The folders in path and the regular files in it, sorted, folders with a '/' at their end; path "" is the folder itself. The caller frees *ret_names
 * with mr_folder_names_free. Symbolic links and our own half files are not among them. */
int mr_folder_names(mr_folder *folder, const char *path, char ***ret_names, size_t *ret_count);
void mr_folder_names_free(char **names, size_t count);

#endif
