// SPDX-License-Identifier: Apache-2.0
// The tiles of layers on bytes, and the loops of the other ops on them. What they compute is in
// backend/int8.h; here are only integers, so that every instruction set gives the same.
//
// Strips are those of conv_kernels.h with four bytes, which are four channels of a pixel, in the
// place of a float: [block][pixel][16][4]. A tile multiplies four channels of a pixel with four
// weights of each lane at once:
//
//     sum[row][lane] += sum over (block, tap, dword, i) of input[dword][i] * weight[dword][lane][i]
//
// Every set exists with AVX-512 twice: with its instruction for exactly that (VNNI) and without,
// where bytes are widened to 16 bits, products of which are summed in pairs without saturation.
#ifndef RESNET_BACKEND_CPU_KERNELS_INT8_KERNELS_H
#define RESNET_BACKEND_CPU_KERNELS_INT8_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/cpu/kernels/conv_kernels.h"

typedef struct Int8Tile {
    // The pixel of row 0, and that of row rows / 2: a tile may lie on two rows of the image.
    const int32_t *input[2];
    ptrdiff_t plane;        // dwords from block to block
    int blocks, last_depth; // blocks of 16 dwords, and how many dwords (1 … 16) are in the last one
    const int32_t *tap;     // offsets of the taps from input[], in dwords
    int taps;
    const int8_t *weights; // [block][tap][dword][lane][4]
    const int32_t *start;  // [lane]
    const float *factor;   // [lane]
    // Bytes that are added, times residual_factor (0 … 2^15 - 1); NULL for none. Where shift is not
    // NULL, sums are shifted before that:
    // sum * 2^shift[lane] + start[lane] + byte * residual_factor[lane].
    const uint8_t *residual[2];
    ptrdiff_t residual_stride;
    const int32_t *residual_factor, *shift; // [lane]
    // From one row to the next, in elements of the output: bytes, or floats for `floats`.
    void *output[2];
    ptrdiff_t output_stride;
    bool floats; // y = sum * factor, else round(clamp(sum * factor)) + zero
    bool relu;
    int32_t zero;
} Int8Tile;

typedef void Int8TileFunction(const Int8Tile *tile);

typedef struct Int8Kernels {
    int units;                                     // of 16 lanes, of the widest tiles
    int rows[CONV_UNITS_MAX];                      // most rows of a tile of 1 and 2 units
    Int8TileFunction *const *tile[CONV_UNITS_MAX]; // [units - 1][rows - 1]

    // to = round(clamp(from * inverse)) + zero, pixel by pixel; the bytes of a pixel are padded to
    // a multiple of 4.
    void (*quantize)(uint8_t *to, const float *from, float inverse, int32_t zero, int pixels,
                     int channels);
    // to = scale * (from - zero).
    void (*dequantize)(float *to, const uint8_t *from, float scale, int32_t zero, int pixels,
                       int channels);
    // to = the largest of each byte in a rectangle of pixels, of `bytes` each, whose rows are
    // `step` bytes apart.
    void (*max)(uint8_t *to, const uint8_t *from, ptrdiff_t step, int rows, int columns, int bytes);
    // to = (the sum of (from - zero) over the pixels) * factor.
    void (*mean)(float *to, const uint8_t *from, int32_t zero, float factor, int pixels,
                 int channels);
    // The largest absolute value; 0 where there is none.
    float (*largest)(const float *from, size_t count);
    // to = round(from * inverse), at most 127; sums[0] their sum, sums[1] that of their absolute
    // values. count at most QUANTIZED_DEPTH_MAX.
    void (*round_weights)(int8_t *to, const float *from, double inverse, size_t count,
                          int32_t sums[2]);
    // Products in registers alone, for benchmarks: returns how many operations, two for each
    // product, `turns` turns take.
    double (*peak)(int64_t turns, int32_t value, int32_t *result);
} Int8Kernels;

#endif
