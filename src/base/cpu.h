// SPDX-License-Identifier: Apache-2.0
// What this machine offers: instruction sets, and how many CPUs this process may use.
#ifndef RESNET_BASE_CPU_H
#define RESNET_BASE_CPU_H

#include <stdbool.h>

typedef enum Isa {
    ISA_PORTABLE,
    ISA_NEON,
    ISA_AVX2,
    ISA_AVX512,
    ISA_AVX512VNNI,
    ISA_AVX512BF16,
    ISA_COUNT
} Isa;

// "portable", "neon", "avx2" (with FMA), "avx512" (F, BW, DQ, VL), "avx512vnni" (with VNNI
// too, which makes layers on bytes faster), "avx512bf16" (with both that and BF16, for layers in
// bf16). NULL for no such set.
const char *isa_name(Isa isa);

// Whether this CPU and its operating system run `isa`.
bool isa_supported(Isa isa);

// CPUs this process may use: the smallest of its affinity mask and its cgroup's quota (v1 and v2,
// rounded up), at least 1.
int cpu_count(void);

// The CPU's own name, such as "AMD EPYC"; "unknown CPU" where it can't be told.
const char *cpu_name(void);

#endif
