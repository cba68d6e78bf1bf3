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

enum { MR_FOLDER_PATH_MAX = 1024 };

/* Relative, no empty, "." or ".." component, no backslash or control character, at most 1024 bytes, and nothing of our own (.millrace…). */
bool mr_path_is_safe(const char *path);

/* Makes the folder when missing. Locked against other publishers until closed: -EWOULDBLOCK when one is at work. */
int mr_folder_open(const char *path, mr_folder **ret_folder);
void mr_folder_close(mr_folder *folder);

/* A temporary file that will lie at path, folders made as needed. path is borrowed until mr_folder_commit or mr_folder_discard; the caller closes
 * *ret_fd. */
int mr_folder_create(mr_folder *folder, const char *path, int *ret_fd);
/* Renames the temporary file to its path. durable: its bytes reach the disk before it gets its name, as do all files committed earlier. */
int mr_folder_commit(mr_folder *folder, int fd, bool durable);
void mr_folder_discard(mr_folder *folder);
/* What is there now: a regular file, opened for reading. -ENOENT: nothing; -EEXIST: something that is not a regular file. */
int mr_folder_open_file(mr_folder *folder, const char *path, int *ret_fd, struct stat *ret_info);
/* Removes a regular file of that size, and folders that this left empty. */
int mr_folder_remove(mr_folder *folder, const char *path, uint64_t size);
/* All that was committed reaches the disk. */
int mr_folder_sync(mr_folder *folder);
/* The folder for our own notes: ".millrace" in it, borrowed. */
int mr_folder_notes_fd(const mr_folder *folder);

#endif
