// SPDX-License-Identifier: Apache-2.0
#include "base/cpu.h"

#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/cgroup.h"

static const char *const isa_names[ISA_COUNT] = {
    [ISA_PORTABLE] = "portable",
    [ISA_NEON] = "neon",
    [ISA_AVX2] = "avx2",
    [ISA_AVX512] = "avx512",
    [ISA_AVX512VNNI] = "avx512vnni",
    [ISA_AVX512BF16] = "avx512bf16",
};

const char *isa_name(Isa isa) { return isa >= 0 && isa < ISA_COUNT ? isa_names[isa] : NULL; }

bool isa_supported(Isa isa) {
    switch (isa) {
    case ISA_PORTABLE:
        return true;
    case ISA_NEON:
#if defined(__aarch64__)
        return true;
#else
        return false;
#endif
#if defined(__x86_64__)
    case ISA_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case ISA_AVX512:
        // One by one: clang 14 does not know "x86-64-v4". A v4 build may use AVX2's FMA and BMI
        // too.
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
               __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    case ISA_AVX512VNNI:
        return isa_supported(ISA_AVX512) && __builtin_cpu_supports("avx512vnni");
    case ISA_AVX512BF16:
        return isa_supported(ISA_AVX512VNNI) && __builtin_cpu_supports("avx512bf16");
#endif
    default:
        return false;
    }
}

int cpu_count(void) {
    int count = 1;
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        count = CPU_COUNT(&set);
    }
    int quota = cgroup_cpus("");
    if (quota > 0 && quota < count) {
        count = quota;
    }
    return count > 0 ? count : 1;
}

const char *cpu_name(void) {
    static _Thread_local char name[128];
    snprintf(name, sizeof name, "unknown CPU");
    FILE *file = fopen("/proc/cpuinfo", "r");
    if (file == NULL) {
        return name;
    }
    char line[256];
    while (fgets(line, sizeof line, file) != NULL) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon != NULL) {
            line[strcspn(line, "\n")] = '\0';
            const char *text = colon + 1 + strspn(colon + 1, " \t");
            if (*text != '\0') {
                snprintf(name, sizeof name, "%.*s", (int)sizeof name - 1, text);
            }
            break;
        }
    }
    fclose(file);
    return name;
}
