#include "CBenchmarkCounting.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#if defined(__linux__) && defined(__GLIBC__)

// glibc's own functions under the names that it keeps for those who stand in front of them. What they return is freed by
// glibc's free(3), which stays as it is.
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static int64_t allocations;

static void count(void) { __atomic_fetch_add(&allocations, 1, __ATOMIC_RELAXED); }

void *malloc(size_t size) {
    count();
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
    count();
    return __libc_calloc(number, size);
}

void *realloc(void *old, size_t size) {
    count();
    return __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    count();
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **result, size_t alignment, size_t size) {
    count();
    if (alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0 || alignment == 0) return EINVAL;
    void *memory = __libc_memalign(alignment, size);
    if (memory == NULL) return ENOMEM;
    *result = memory;
    return 0;
}

int64_t benchmark_allocations(void) { return __atomic_load_n(&allocations, __ATOMIC_RELAXED); }

#else

int64_t benchmark_allocations(void) { return -1; }

#endif

// The statement keeps the calls: without it the compiler may see that they do nothing.
__attribute__((noinline)) void benchmark_count_begin(void) { __asm__ volatile("" ::: "memory"); }
__attribute__((noinline)) void benchmark_count_end(void) { __asm__ volatile("" ::: "memory"); }
__attribute__((noinline)) void benchmark_keep(int64_t value) { __asm__ volatile("" ::"r"(value) : "memory"); }
