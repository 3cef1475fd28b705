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

// Everything that a convolution's passes read, and their sizes.
typedef struct ConvArrays {
    size_t in, out, weights, channels; // elements; channels of the output
    float *x, *w, *bias, *norm[4], *residual, *dy, *old;
} ConvArrays;

// Of the sizes that are set; norms within `norm_limit`, all others within `limit`.
static inline void arrays_create(ConvArrays *a, bool integers, int limit, int norm_limit) {
    fill(a->x = guarded(a->in), a->in, integers, limit, 1);
    fill(a->w = guarded(a->weights), a->weights, integers, limit, 2);
    fill(a->bias = guarded(a->channels), a->channels, integers, limit, 3);
    for (int i = 0; i < 4; i++) {
        fill(a->norm[i] = guarded(a->channels), a->channels, integers, norm_limit, 4 + (uint64_t)i);
    }
    fill(a->residual = guarded(a->out), a->out, integers, limit, 9);
    fill(a->dy = guarded(a->out), a->out, integers, limit, 10);
    fill(a->old = guarded(a->in), a->in, integers, limit, 11);
}

static inline void arrays_destroy(const ConvArrays *a) {
    release(a->x, a->in);
    release(a->w, a->weights);
    release(a->bias, a->channels);
    for (int i = 0; i < 4; i++) {
        release(a->norm[i], a->channels);
    }
    release(a->residual, a->out);
    release(a->dy, a->out);
    release(a->old, a->in);
}

#endif
