// SPDX-License-Identifier: Apache-2.0
// The kernels that this machine can run, for tests that compare instruction sets.
#ifndef TESTS_KERNEL_SETS_H
#define TESTS_KERNEL_SETS_H

#include <stdbool.h>
#include <stddef.h>

#include "backend/cpu/kernels/kernels.h"

static const Kernels *sets[ISA_COUNT];
static int set_count;

static inline void find_sets(void) {
#if defined(__x86_64__)
    const Kernels *all[] = {&kernels_portable, &kernels_avx2, &kernels_avx512, &kernels_avx512vnni,
                            &kernels_avx512bf16};
#elif defined(__aarch64__)
    const Kernels *all[] = {&kernels_portable, &kernels_neon};
#else
    const Kernels *all[] = {&kernels_portable};
#endif
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (isa_supported(all[i]->isa)) {
            sets[set_count++] = all[i];
        }
    }
}

// Without FMA a sum rounds its products too.
static inline bool has_fma(const Kernels *kernels) {
#if defined(__x86_64__)
    return kernels->isa != ISA_PORTABLE;
#else
    (void)kernels;
    return true;
#endif
}

#endif
