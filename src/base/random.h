// SPDX-License-Identifier: Apache-2.0
// Counter-based randomness: every draw is a function of what it is for, never of what was drawn
// before, so that neither threads nor a resumed run can change it.
//
// A draw is named by (seed, purpose, major, minor): for instance (7, RANDOM_CROP, epoch, sample).
#ifndef RESNET_BASE_RANDOM_H
#define RESNET_BASE_RANDOM_H

#include <stdint.h>

#include "base/elementary.h"

typedef enum RandomPurpose {
    RANDOM_INIT = 1, // major: hash of the parameter's name, minor: element
    RANDOM_ORDER,    // major: epoch, minor: position
    RANDOM_CROP,     // major: epoch, minor: sample
    RANDOM_FLIP,     // major: epoch, minor: sample
    RANDOM_DROPOUT,  // major: iteration << 16 | node, minor: element of the whole batch
    RANDOM_SPLIT,    // major: 0, minor: sample (the 45k/5k split)
    RANDOM_TEST      // tests and benchmarks
} RandomPurpose;

// 64 uniform bits.
uint64_t random_bits(uint64_t seed, RandomPurpose purpose, uint64_t major, uint64_t minor);

// Uniform in [0, 1), 53 bits.
double random_uniform(uint64_t seed, RandomPurpose purpose, uint64_t major, uint64_t minor);

// Uniform integer in [0, bound), bound > 0, without modulo bias above 2^-32.
uint32_t random_below(uint32_t bound, uint64_t seed, RandomPurpose purpose, uint64_t major,
                      uint64_t minor);

// Standard normal (mean 0, variance 1).
double random_normal(uint64_t seed, RandomPurpose purpose, uint64_t major, uint64_t minor);

// Those of minor … minor+7 at once, several times as fast.
enum { RANDOM_NORMALS = EXACT_LANES };
void random_normals(uint64_t seed, RandomPurpose purpose, uint64_t major, uint64_t minor,
                    double normals[RANDOM_NORMALS]);

// A 64-bit hash of a name, for use as `major`.
uint64_t random_hash(const char *text);

// Writes a permutation of 0 … count-1 that depends on (seed, purpose, major) alone.
void random_permutation(uint32_t *order, uint32_t count, uint64_t seed, RandomPurpose purpose,
                        uint64_t major);

#endif
