// SPDX-License-Identifier: Apache-2.0
// bf16, the upper half of a float: how layers compute that multiply in it. This header says it for
// every backend and instruction set; all give the same bits.
//
//     rounding   to the nearest, ties to even; a magnitude below 2^-50 becomes 0; a NaN stays one
//     start      what a sum begins with is a float; a magnitude below 2^-90 becomes 0
//     sum        of floats: to it the products of two values are added, the second one's first,
//                each addition rounded: sum = (sum + x1 * w1) + x0 * w0
//
// A product of two bf16 is a float exactly, so that a fused multiply-add and the two operations
// give the same, and so does the instruction for pairs of AVX-512 (vdpbf16ps). That one takes
// denormals for zeros, which is why the smallest values become 0 beforehand: all products are then
// multiples of 2^-114, as are their sums, and no denormal can arise. 2^-50 is nothing beside the
// values of a network.
//
// Order of the sum of one output: blocks of 32 input channels (of its group), in them the window's
// places row by row, in them pairs of channels; an odd last channel is paired with 0. A linear
// layer has one place, and its features are in the order of memory: (y, x, channel).
#ifndef RESNET_BASE_BF16_H
#define RESNET_BASE_BF16_H

#include <stdint.h>
#include <string.h>

enum { BF16_BLOCK = 32 };
#define BF16_LEAST 0x1p-50f
#define BF16_LEAST_START 0x1p-90f

// The bits of x rounded; a float has the same bits with 16 zeros behind.
static inline uint32_t bf16_round(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint32_t magnitude = bits & 0x7fffffff;
    const uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    const uint32_t nan = bits >> 16 | 0x40;
    const uint32_t least = (uint32_t)(127 - 50) << 23; // BF16_LEAST
    return magnitude < least ? 0 : magnitude > 0x7f800000 ? nan : rounded;
}

// The rounded value as a float.
static inline float bf16_value(float x) {
    const uint32_t bits = bf16_round(x) << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline float bf16_start(float x) {
    return x > -BF16_LEAST_START && x < BF16_LEAST_START ? 0.0f : x;
}

#endif
