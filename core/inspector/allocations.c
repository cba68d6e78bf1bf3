/* SPDX-License-Identifier: MIT */
/*
 * Allocations that are counted, filled and refused. The addresses that the dynamic linker has put into the plugin for malloc() and its like are
 * replaced by ours, so only its own calls are ours: the host, and libraries for themselves, go on as ever. It works alike under the sanitizers, which
 * bring allocators of their own.
 */
#include "inspector.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- the allocators ---- */

static void say_where(const void *caller)
{
    Dl_info info;
    if (dladdr(caller, &info) == 0 || !info.dli_fname)
        return;
    const char *slash = strrchr(info.dli_fname, '/');
    snprintf(mr_inspected->failed_where, sizeof(mr_inspected->failed_where), "%s+0x%zx", slash ? slash + 1 : info.dli_fname,
             (size_t)((const char *)caller - (const char *)info.dli_fbase));
}

/* Whether this one is refused. */
static bool refused(const void *caller)
{
    if (!mr_inspecting)
        return false;
    const uint64_t number = __atomic_add_fetch(&mr_inspected->allocations, 1, __ATOMIC_RELAXED);
    const uint64_t first = mr_inspected->fail_allocation;
    if (first == 0 || number < first || (number > first && !mr_inspected->fail_on))
        return false;
    if (number == first)
        say_where(caller);
    errno = ENOMEM;
    return true;
}

#define REFUSED() refused(__builtin_return_address(0))

static void *filled(void *memory, size_t from, size_t size)
{
    if (memory && mr_inspected->fill && size > from)
        memset((char *)memory + from, (int)(mr_inspected->fill - 1), size - from);
    return memory;
}

static void *our_malloc(size_t size)
{
    return REFUSED() ? NULL : filled(malloc(size), 0, size);
}

static void *our_calloc(size_t count, size_t size)
{
    return REFUSED() ? NULL : calloc(count, size);
}

static void *resize(void *memory, size_t size)
{
    const size_t had = memory ? malloc_usable_size(memory) : 0;
    return filled(realloc(memory, size), had, size);
}

static void *our_realloc(void *memory, size_t size)
{
    return REFUSED() ? NULL : resize(memory, size);
}

static void *our_reallocarray(void *memory, size_t count, size_t size)
{
    size_t bytes = 0;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return REFUSED() ? NULL : resize(memory, bytes);
}

static void *our_aligned_alloc(size_t alignment, size_t size)
{
    return REFUSED() ? NULL : filled(aligned_alloc(alignment, size), 0, size);
}

static void *our_memalign(size_t alignment, size_t size)
{
    return REFUSED() ? NULL : filled(memalign(alignment, size), 0, size);
}

static int our_posix_memalign(void **ret_memory, size_t alignment, size_t size)
{
    if (REFUSED())
        return ENOMEM;
    const int error = posix_memalign(ret_memory, alignment, size);
    if (error == 0)
        filled(*ret_memory, 0, size);
    return error;
}

static char *our_strdup(const char *text)
{
    return REFUSED() ? NULL : strdup(text);
}

static char *our_strndup(const char *text, size_t len)
{
    return REFUSED() ? NULL : strndup(text, len);
}

static int our_vasprintf(char **ret_text, const char *fmt, va_list args)
{
    if (REFUSED()) {
        *ret_text = NULL;
        return -1;
    }
    return vasprintf(ret_text, fmt, args);
}

static int our_asprintf(char **ret_text, const char *fmt, ...)
{
    va_list args;
    if (REFUSED()) {
        *ret_text = NULL;
        return -1;
    }
    va_start(args, fmt);
    const int len = vasprintf(ret_text, fmt, args);
    va_end(args);
    return len;
}

/* As gcc's _FORTIFY_SOURCE calls them. */
static int our_vasprintf_chk(char **ret_text, int flag, const char *fmt, va_list args)
{
    (void)flag;
    if (REFUSED()) {
        *ret_text = NULL;
        return -1;
    }
    return vasprintf(ret_text, fmt, args);
}

static int our_asprintf_chk(char **ret_text, int flag, const char *fmt, ...)
{
    va_list args;
    (void)flag;
    if (REFUSED()) {
        *ret_text = NULL;
        return -1;
    }
    va_start(args, fmt);
    const int len = vasprintf(ret_text, fmt, args);
    va_end(args);
    return len;
}

typedef void (*function)(void);

static const struct {
    const char *name;
    function ours;
} allocators[] = {
    {"malloc", (function)our_malloc},
    {"calloc", (function)our_calloc},
    {"realloc", (function)our_realloc},
    {"reallocarray", (function)our_reallocarray},
    {"aligned_alloc", (function)our_aligned_alloc},
    {"memalign", (function)our_memalign},
    {"posix_memalign", (function)our_posix_memalign},
    {"strdup", (function)our_strdup},
    {"__strdup", (function)our_strdup},
    {"strndup", (function)our_strndup},
    {"__strndup", (function)our_strndup},
    {"asprintf", (function)our_asprintf},
    {"vasprintf", (function)our_vasprintf},
    {"__asprintf_chk", (function)our_asprintf_chk},
    {"__vasprintf_chk", (function)our_vasprintf_chk},
};

/* ---- where they are called from ---- */

bool mr_inspect_poke(const void *place, const void *value)
{
    const size_t page_size = (size_t)sysconf(_SC_PAGESIZE);
    char *page = (char *)((uintptr_t)place & ~(uintptr_t)(page_size - 1));
    if (mprotect(page, page_size, PROT_READ | PROT_WRITE) != 0)
        return false;
    memcpy((void *)place, &value, sizeof(value)); /* the page stays writable: others of its addresses may have been */
    return true;
}

/* The kinds of relocation that leave a function's address in memory. */
static bool is_address(unsigned type)
{
#if defined(__x86_64__)
    return type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT || type == R_X86_64_64;
#elif defined(__aarch64__)
    return type == R_AARCH64_JUMP_SLOT || type == R_AARCH64_GLOB_DAT || type == R_AARCH64_ABS64;
#else
#error "say here how this machine's linker writes addresses"
#endif
}

typedef struct object {
    ElfW(Addr) base;
    const ElfW(Sym) * symbols;
    const char *names;
} object;

static void replace_in(const object *it, const ElfW(Rela) * table, size_t bytes)
{
    for (size_t i = 0; table && i < bytes / sizeof(*table); i++) {
        const size_t symbol = ELF64_R_SYM(table[i].r_info);
        if (symbol == 0 || !is_address(ELF64_R_TYPE(table[i].r_info)))
            continue;
        const char *name = it->names + it->symbols[symbol].st_name;
        for (size_t k = 0; k < sizeof(allocators) / sizeof(*allocators); k++) {
            void *ours = NULL;
            memcpy(&ours, &allocators[k].ours, sizeof(ours));
            if (strcmp(name, allocators[k].name) == 0 && !mr_inspect_poke((const void *)(it->base + table[i].r_offset), ours))
                return;
        }
    }
}

/* glibc relocates these addresses where it can write to the table, and leaves them as they are where not (the kernel's vdso). */
static const void *address(const object *it, ElfW(Addr) value)
{
    return (const void *)(value < it->base ? it->base + value : value);
}

static void replace_all(const struct dl_phdr_info *info)
{
    object it = {.base = info->dlpi_addr};
    const ElfW(Dyn) *dynamic = NULL;
    const ElfW(Rela) *data = NULL;
    const ElfW(Rela) *calls = NULL;
    size_t data_bytes = 0;
    size_t calls_bytes = 0;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
            dynamic = (const ElfW(Dyn) *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
    }
    for (; dynamic && dynamic->d_tag != DT_NULL; dynamic++) {
        switch (dynamic->d_tag) {
        case DT_SYMTAB: it.symbols = address(&it, dynamic->d_un.d_ptr); break;
        case DT_STRTAB: it.names = address(&it, dynamic->d_un.d_ptr); break;
        case DT_RELA: data = address(&it, dynamic->d_un.d_ptr); break;
        case DT_RELASZ: data_bytes = dynamic->d_un.d_val; break;
        case DT_JMPREL: calls = address(&it, dynamic->d_un.d_ptr); break;
        case DT_PLTRELSZ: calls_bytes = dynamic->d_un.d_val; break;
        default: break;
        }
    }
    if (!it.symbols || !it.names)
        return;
    replace_in(&it, data, data_bytes);
    replace_in(&it, calls, calls_bytes);
}

typedef struct search {
    const char *plugin;
    bool found;
} search;

static int visit(struct dl_phdr_info *info, size_t size, void *context)
{
    search *of = context;
    (void)size;
    if (strcmp(info->dlpi_name, of->plugin) != 0)
        return 0;
    replace_all(info);
    of->found = true;
    return 1;
}

bool mr_inspect_allocations(const char *plugin)
{
    search it = {.plugin = plugin};
    dl_iterate_phdr(visit, &it);
    return it.found;
}
