// SPDX-License-Identifier: Apache-2.0
// What the tests of the convolution kernels share: the instruction sets of this machine, guarded
// memory, bounds, times. Needs base and the kernels alone.
#ifndef TESTS_KERNELS_CONV_CASE_H
#define TESTS_KERNELS_CONV_CASE_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backend/cpu/kernels/conv_kernels.h"
#include "backend/cpu/kernels/kernels.h"
#include "base/random.h"
#include "kernel_sets.h"

enum {
    GUARD = 32,
    PITCH = 40,     // pixels in a row of the test's strips
    STRIP_ROWS = 6, // rows, and blocks in them
    STRIP_BLOCKS = 3,
    PLANE = STRIP_ROWS * PITCH * CONV_BLOCK + 16,
    STRIP = PLANE * STRIP_BLOCKS,
    BENCH_TURNS = 2000,
    BENCH_REPEATS = 5
};
static const float GUARD_VALUE = -54321.0f;

static int failures;

// Floats between guards, in memory that is aligned to floats alone.
typedef struct Buffer {
    size_t count;
    float *block, *at;
} Buffer;

static inline Buffer buffer(size_t count) {
    Buffer b = {.count = count, .block = malloc((count + 2 * GUARD) * sizeof(float))};
    if (b.block == NULL) {
        fprintf(stderr, "no memory for a test\n");
        exit(1);
    }
    b.at = b.block + GUARD;
    for (size_t i = 0; i < count + 2 * GUARD; i++) {
        b.block[i] = GUARD_VALUE;
    }
    return b;
}

static inline void fill(const Buffer *b, bool integers, uint64_t seed) {
    for (size_t i = 0; i < b->count; i++) {
        const double u = 16.0 * random_uniform(seed, RANDOM_TEST, 0, i) - 8.0;
        b->at[i] = (float)(integers ? floor(u + 0.5) : u);
    }
}

static inline void check(bool good, const Kernels *kernels, const char *what, int rows, int units) {
    if (!good) {
        fprintf(stderr, "%s: %s with %d rows, %d blocks of lanes is wrong\n",
                isa_name(kernels->isa), what, rows, units);
        failures++;
    }
}

static inline void release(const Buffer *b, const Kernels *kernels, const char *what) {
    for (size_t i = 0; i < GUARD; i++) {
        if (b->block[i] != GUARD_VALUE || b->at[b->count + i] != GUARD_VALUE) {
            fprintf(stderr, "%s: %s writes outside of its memory\n", isa_name(kernels->isa), what);
            failures++;
            break;
        }
    }
    free(b->block);
}

// |got - expected| <= (terms + 2) * 2^-23 * (sum of the sizes of all terms): each of the roundings,
// of either side, is at most 2^-24 of a partial sum, which is no larger than that sum.
static inline bool close_to(float got, double expected, double sizes, int terms) {
    return fabs((double)got - expected) <= (terms + 2) * 0x1p-23 * sizes;
}

static inline double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

// GFLOP/s of multiply-adds in registers alone.
static inline double measure_peak(const Kernels *kernels) {
    const float values[2] = {0.999f, 0.25f};
    float result;
    double peak = 0;
    for (int repeat = 0; repeat < BENCH_REPEATS; repeat++) {
        const double begin = now();
        const double operations = kernels->conv->peak(500000, values, &result);
        peak = fmax(peak, operations / (now() - begin) * 1e-9);
    }
    printf("%s: peak %.1f GFLOP/s\n", isa_name(kernels->isa), peak);
    return peak;
}

#endif
