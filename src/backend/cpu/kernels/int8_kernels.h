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
#include "backend/cpu/kernels/winograd_kernels.h"

// What becomes of sums, lane by lane: sum * 2^shift + start + byte * residual, where shift is not
// NULL and bytes are given; times factor; for bytes rounded, cut and moved by `zero`.
typedef struct Int8End {
    const int32_t *start, *shift, *residual; // residual: 0 … 2^15 - 1
    const float *factor;
    bool floats; // the output is not bytes
    bool relu;
    int32_t zero;
} Int8End;

typedef struct Int8Tile {
    // The pixel of row 0, and that of row rows / 2: a tile may lie on two rows of the image.
    const int32_t *input[2];
    ptrdiff_t plane;        // dwords from block to block
    int blocks, last_depth; // blocks of 16 dwords, and how many dwords (1 … 16) are in the last one
    const int32_t *tap;     // offsets of the taps from input[], in dwords
    int taps;
    const int8_t *weights; // [block][tap][dword][lane][4]
    const char *ahead;     // fetched to the second cache, so many bytes (0 … 64) a dword
    ptrdiff_t ahead_step;
    const uint8_t *residual[2]; // bytes that are added; NULL for none
    void *output[2];
    // From one row to the next: bytes, and elements of the output.
    ptrdiff_t residual_stride, output_stride;
    Int8End end;
} Int8Tile;

typedef void Int8TileFunction(const Int8Tile *tile);

// Winograd's F(4x4, 3x3) in whole numbers, which makes the very sums of the direct form: see
// int8_winograd.c. Tiles and points are those of winograd_kernels.h, a dword two channels of 16
// bits.
typedef struct Int8WinogradInput {
    const uint8_t *pixel[WINOGRAD_SIDE][WINOGRAD_SIDE]; // channel 0 of each pixel
    int channels;           // to read; those of the last block behind them stay as they are
    int32_t *to;            // point 0, block 0
    ptrdiff_t point, plane; // dwords from point to point, from block to block
} Int8WinogradInput;

// sum[row][lane] = sum over (block, dword, i) of input[dword][i] * weight[dword][lane][i], less a
// multiple of 2^32.
typedef struct Int8WinogradTile {
    const int32_t *input; // row 0; the next is 16 dwords behind
    ptrdiff_t plane;
    int blocks, last_depth;
    const int16_t *weights; // [block][dword][lane][2]
    int32_t *sum;           // [row][lane]
} Int8WinogradTile;

typedef struct Int8WinogradOutput {
    const int32_t *from; // [point][lane]; whole blocks of lanes
    ptrdiff_t point;
    int lanes;               // output channels to write
    int rows, columns;       // 1 … 4, of the tile's outputs that lie in the image
    const uint8_t *residual; // NULL for none
    void *output;
    ptrdiff_t residual_row, residual_column; // bytes
    ptrdiff_t output_row, output_column;     // elements
    Int8End end;
} Int8WinogradOutput;

typedef void Int8WinogradTileFunction(const Int8WinogradTile *tile);

enum {
    // Sums of a channel whose weights' absolute values make up less than this can be told from
    // their remainders (int8_winograd.c).
    INT8_WINOGRAD_MAGNITUDE = 1 << 18
};

typedef struct Int8WinogradKernels {
    int rows[CONV_UNITS_MAX];
    Int8WinogradTileFunction *const *tile[CONV_UNITS_MAX]; // [units - 1][rows - 1]
    void (*input)(const Int8WinogradInput *tile);
    void (*output)(const Int8WinogradOutput *tile);
    // The weights of one lane for `channels` channels (nine taps each): for each point the dwords
    // of two channels, `dword` 16-bit numbers apart, points `point` apart.
    void (*weights)(int16_t *to, const int8_t *from, int channels, ptrdiff_t dword,
                    ptrdiff_t point);
} Int8WinogradKernels;

typedef struct Int8Kernels {
    int units;                                     // of 16 lanes, of the widest tiles
    int rows[CONV_UNITS_MAX];                      // most rows of a tile of 1 and 2 units
    Int8TileFunction *const *tile[CONV_UNITS_MAX]; // [units - 1][rows - 1]

    const Int8WinogradKernels *winograd;

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
