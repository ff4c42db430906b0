// What the micro benchmarks count with: every call of malloc(3) and its kin, and two functions that mark where counting begins
// and ends for a tool that watches from outside (valgrind's callgrind).

#ifndef CBENCHMARK_COUNTING_H
#define CBENCHMARK_COUNTING_H

#include <stdint.h>

/// How often memory was asked for so far, in all threads; -1 where this C library offers no way to know.
int64_t benchmark_allocations(void);

/// Nothing, at the first and behind the last instruction that counts.
void benchmark_count_begin(void);
void benchmark_count_end(void);

/// Uses a value, so that the optimiser cannot drop what made it.
void benchmark_keep(int64_t value);

#endif
