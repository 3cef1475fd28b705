// SPDX-License-Identifier: Apache-2.0
// The multiply-add tiles that convolutions are built from, and the copies that feed them.
//
// Every tile reads strips: pieces of an image copied to [block][pixel][16], where a block is 16
// channels and `plane` floats lie between blocks. So the next pixel is always 16 floats away, and
// the address of every row of a tile is one register and a constant.
//
//     ConvTile    output[row][lane] += sum over (block, tap, channel) of input * weight
//                 rows are pixels, lanes output channels: forward, and backward to the input
//     WeightTile  sum[row][lane] += sum over pixels of input * gradient
//                 rows are input channels, lanes output channels: backward to the weights
//
// Both tiles can begin with what they left in memory before, and a float in memory is the float
// that was in the register: how a sum is cut into calls never changes its bits, and the order of
// a sum is the same on every instruction set.
#ifndef RESNET_BACKEND_CPU_KERNELS_CONV_KERNELS_H
#define RESNET_BACKEND_CPU_KERNELS_CONV_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"

enum {
    CONV_BLOCK = 16,     // channels in a block; a tile is 1 or 2 blocks of lanes wide
    CONV_UNITS_MAX = 2,  // most blocks of lanes
    CONV_ROWS_MAX = 28,  // most rows of a ConvTile on any instruction set
    CONV_PANEL_MAX = 32, // most lanes
};

typedef struct ConvTile {
    // The pixel of row 0, and that of row rows / 2: a tile may lie on two rows of the image.
    const float *input[2];
    ptrdiff_t plane;
    int blocks, last_depth; // blocks of input channels, and how many (1 … 16) are in the last one
    const int32_t *tap;     // offsets of the taps from input[], in floats
    int taps;
    const float *weights; // [block][tap][channel][lane]
    const char *ahead;    // fetched to the second cache, so many bytes (0 … 64) for each channel
    ptrdiff_t ahead_step;
    float *output[2];
    const float *residual[2]; // added at the end; laid out as output; NULL for none
    ptrdiff_t output_stride;  // floats from one row to the next
    const float *start;       // [lane] that the sum begins with; NULL for zeros
    bool resume;              // begin with what is in output instead
    bool relu;
} ConvTile;

typedef struct WeightTile {
    const float *input;    // the strip of the input at the first pixel, moved by the tap
    const float *gradient; // the strip of the output's gradient at the first pixel
    ptrdiff_t input_pitch, gradient_pitch; // floats from one row of pixels to the next
    ptrdiff_t gradient_plane;
    int height, width; // pixels to sum over
    float *sum;        // [row][lane]
    bool resume;       // begin with what is in sum; else with zeros
} WeightTile;

typedef void ConvTileFunction(const ConvTile *tile);
typedef void WeightTileFunction(const WeightTile *tile);

struct ConvKernels {
    int units;                // of the widest tiles
    int rows[CONV_UNITS_MAX]; // most rows of a ConvTile of 1 and 2 blocks of lanes
    int weight_rows[CONV_UNITS_MAX];
    ConvTileFunction *const *tile[CONV_UNITS_MAX]; // [units - 1][rows - 1]
    WeightTileFunction *const *weight_tile[CONV_UNITS_MAX];

    // Writes one row of a strip: `left` pixels of `pad`, `pixels` copied from `from` (channels side
    // by side, `stride` floats from pixel to pixel), `right` pixels of `pad`. Behind the last
    // channel is anything: tiles make sums of it that nobody reads. A float may stand for any four
    // bytes: it is only moved.
    void (*pack_row)(float *to, ptrdiff_t plane, const float *from, ptrdiff_t stride, int left,
                     int pixels, int right, int channels, float pad);
    // sum[lane] += the pixels of one block of a strip, in order; 16 lanes.
    void (*sum_pixels)(float *sum, const float *from, ptrdiff_t pitch, int height, int width);
    // to[i] += from[i]; count is a multiple of 16.
    void (*add)(float *to, const float *from, size_t count);
    // x = x * values[0] + values[1] in registers alone, for benchmarks: returns how many floating
    // point operations `turns` turns take.
    double (*peak)(int64_t turns, const float values[2], float *result);
};

typedef struct ConvKernels ConvKernels;

#endif
