// SPDX-License-Identifier: Apache-2.0
// The two passes of the resizer over bytes, plainly and for AVX2; the same bits from both.
#ifndef RESNET_DATA_RESIZE_PASS_H
#define RESNET_DATA_RESIZE_PASS_H

#include <stddef.h>
#include <stdint.h>

enum { RESIZE_PRECISION = 32 - 8 - 2 }; // 8 bits of the pixel, and 2 for sums beyond [0, 1]

// Weights of one axis for some target pixels.
typedef struct Axis {
    int targets;
    int taps;   // room for each target's weights, a multiple of 4; those without a source are 0
    int *first; // [targets] first source pixel
    int *count; // [targets] source pixels
    int32_t *weight; // [targets][taps], multiples of 2^-RESIZE_PRECISION
    // The same in halves, weight = 2^15 high + low with low in [0, 2^15), a pair of taps in 32
    // bits: [targets][taps / 2][high pair, low pair]. Products with bytes are exact in 16 x 16
    // bits.
    int32_t *pairs;
} Axis;

// Four weights in halves, weight = 2^15 high + low with low in [0, 2^15), two taps in 32 bits: high
// pair, low pair of the first two, then of the others. Products with bytes are exact in 16 x 16
// bits.
void resize_split_weights(const int32_t weight[4], int32_t pairs[4]);

// A row of targets from a row of source pixels with 1 or 3 channels; `end` is the first byte behind
// all source pixels that may be read.
typedef void ResizeRow(const Axis *axis, const uint8_t *from, const uint8_t *end, int channels,
                       uint8_t *to);
// Target `i` of each of `bytes` columns; source rows are `stride` apart.
typedef void ResizeColumns(const Axis *axis, int i, const uint8_t *from, size_t stride,
                           size_t bytes, uint8_t *to);

typedef struct ResizePasses {
    ResizeRow *row;
    ResizeColumns *columns;
} ResizePasses;

extern const ResizePasses resize_passes_portable;
#if defined(__x86_64__)
extern const ResizePasses resize_passes_avx2;
#endif

// The fastest that runs here.
const ResizePasses *resize_passes(void);

static inline uint8_t resize_round(int32_t sum) {
    int32_t value = sum >> RESIZE_PRECISION;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

#endif
