/* SPDX-License-Identifier: MIT */
/* Locks between processes, for the files of runtime. The kernel drops them when the process ends, however it ends. */
#ifndef MR_RUNTIME_LOCK_H
#define MR_RUNTIME_LOCK_H

/* Waits for the exclusive flock() of the file, which is made when missing. A descriptor (closing it unlocks), or -1 and errno. */
int mr_lock_file(const char *path);

#endif
