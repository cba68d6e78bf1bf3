/* SPDX-License-Identifier: MIT */
/* See memory.h. Of other C libraries than glibc nothing is asked. */
#include "base/memory.h"

#include <stdlib.h>

#ifdef __GLIBC__
#include <malloc.h>

#define LARGE (1 << 20)

void mr_memory_large_blocks_apart(void)
{
    mallopt(M_MMAP_THRESHOLD, LARGE); /* NOLINT(concurrency-mt-unsafe): before there are threads */
}

void mr_memory_give_back(void)
{
    malloc_trim(0);
}
#else
void mr_memory_large_blocks_apart(void) {}

void mr_memory_give_back(void) {}
#endif
