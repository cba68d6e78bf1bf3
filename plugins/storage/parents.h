/* SPDX-License-Identifier: MIT */
/*
 * The way to a file of a published folder. Every step is opened on its own with O_NOFOLLOW, so that a symbolic link inside the folder leads nowhere.
 * Who keeps others out (mr_folder_lock) goes it once for the files of a folder that come one after the other.
 */
#ifndef STORAGE_PARENTS_H
#define STORAGE_PARENTS_H

#include <pthread.h>
#include <stdbool.h>

enum { PARENTS_KEPT = 4 }; /* segments come from a few renditions in turn, each with a line in the notes */

typedef struct mr_parent {
    char *path; /* relative, without the last slash; NULL: none is kept here */
    int fd;
} mr_parent;

typedef struct mr_parents {
    pthread_mutex_t lock;
    mr_parent kept[PARENTS_KEPT];
    unsigned next;
} mr_parents;

void mr_parents_open(mr_parents *parents);
void mr_parents_close(mr_parents *parents);
void mr_parents_forget(mr_parents *parents); /* a folder was removed */
/*
 * The folder in which path lies, relative to that of fd, made where it is missing and make is set. The caller closes *ret_fd. *ret_name: the last
 * component, in path. parents: where folders are kept that were opened before; NULL: every step is taken anew. 0 or a negative errno.
 */
int mr_parent_open(mr_parents *parents, int fd, const char *path, bool make, int *ret_fd, const char **ret_name);

#endif
