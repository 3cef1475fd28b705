// SPDX-License-Identifier: Apache-2.0
// What the test of convolutions stands on: the instruction sets of this machine, numbers, guarded
// memory.
#ifndef TESTS_OPS_CONV_CASE_H
#define TESTS_OPS_CONV_CASE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/cpu/ops.h"
#include "base/arena.h"
#include "base/random.h"
#include "kernel_sets.h"

// A value of [-8, 8] or a real number of about that size.
static inline void fill(float *values, size_t count, bool integers, int limit, uint64_t seed) {
    for (size_t i = 0; i < count; i++) {
        const double u = 2.0 * random_uniform(seed, RANDOM_TEST, 0, i) - 1.0;
        values[i] = integers ? (float)floor(u * limit + 0.5) : (float)(u * limit);
    }
}

// Memory with guards on both sides, and NaN inside: reading what was never written shows.
enum { GUARD = 64 };
static const float GUARD_VALUE = -12345.0f;

static inline float *guarded(size_t count) {
    void *block = NULL;
    assert_int_equal(block_alloc((count + 2 * GUARD) * sizeof(float), "a test", &block), STATUS_OK);
    float *values = block;
    for (size_t i = 0; i < count + 2 * GUARD; i++) {
        values[i] = i < GUARD || i >= count + GUARD ? GUARD_VALUE : NAN;
    }
    return values + GUARD;
}

static inline void release(const float *values, size_t count) {
    for (size_t i = 0; i < GUARD; i++) {
        assert_true(values[-1 - (ptrdiff_t)i] == GUARD_VALUE);
        assert_true(values[count + i] == GUARD_VALUE);
    }
    block_free((void *)(values - GUARD));
}

#endif
