/* SPDX-License-Identifier: MIT */
/* What malloc holds on to. */
#ifndef MR_BASE_MEMORY_H
#define MR_BASE_MEMORY_H

/* At a program's start, before it has threads: blocks of 1 MiB and more go back to the kernel as soon as they are freed, and grow without being
 * copied. (glibc raises that bound by itself, up to 32 MiB, with the first such block that is freed.) */
void mr_memory_large_blocks_apart(void);
/* Gives back to the kernel what is free. Any thread; short, but not for loops: it looks through all that is free. */
void mr_memory_give_back(void);

#endif
