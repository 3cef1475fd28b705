// SPDX-License-Identifier: Apache-2.0
// The table of one instruction set's convolution kernels, and the small ones among them.
#include "backend/cpu/kernels/conv_kernels.h"

#include "backend/cpu/kernels/conv_rows.h"
#include "backend/cpu/kernels/vector.h"

enum { VECTORS = CONV_BLOCK / LANES };

extern const ConvKernels KERNEL(conv_kernels);
extern ConvTileFunction *const KERNEL(conv_tiles_1)[];
extern WeightTileFunction *const KERNEL(weight_tiles_1)[];
#if TILE_UNITS > 1
extern ConvTileFunction *const KERNEL(conv_tiles_2)[];
extern WeightTileFunction *const KERNEL(weight_tiles_2)[];
#endif

static inline void fill_pixels(float *to, int pixels, float value) {
    for (int i = 0; i < pixels * VECTORS; i++) {
        vec_store(to + i * LANES, vec_splat(value));
    }
}

static inline void copy_block(float *to, const float *from) {
    UNROLL for (int j = 0; j < VECTORS; j++) {
        vec_store(to + j * LANES, vec_load(from + j * LANES));
    }
}

static void pack_row(float *to, ptrdiff_t plane, const float *from, ptrdiff_t stride, int left,
                     int pixels, int right, int channels, float pad) {
    const int blocks = (channels + CONV_BLOCK - 1) / CONV_BLOCK, full = channels / CONV_BLOCK;
    for (int block = 0; block < blocks; block++) {
        fill_pixels(to + block * plane, left, pad);
        fill_pixels(to + block * plane + (ptrdiff_t)(left + pixels) * CONV_BLOCK, right, pad);
    }
    if (pixels == 0) {
        return;
    }
    to += (ptrdiff_t)left * CONV_BLOCK;
    if (full == 1 && blocks == 1) {
        for (int x = 0; x < pixels; x++) {
            copy_block(to + (ptrdiff_t)x * CONV_BLOCK, from + x * stride);
        }
        return;
    }
    const float *end = from + (pixels - 1) * stride + channels;
    for (int x = 0; x < pixels; x++) {
        // A partial block is copied whole, with what lies behind it, where that is the row's.
        const bool whole = end - from >= (ptrdiff_t)blocks * CONV_BLOCK;
        for (int block = 0; block < (whole ? blocks : full); block++) {
            copy_block(to + block * plane, from + (ptrdiff_t)block * CONV_BLOCK);
        }
        if (!whole && full < blocks) {
            float *last = to + full * plane;
            for (int c = 0; c < CONV_BLOCK; c++) {
                const int channel = full * CONV_BLOCK + c;
                last[c] = channel < channels ? from[channel] : 0.0f;
            }
        }
        to += CONV_BLOCK;
        from += stride;
    }
}

static void sum_pixels(float *sum, const float *from, ptrdiff_t pitch, int height, int width) {
    Vec total[VECTORS];
    UNROLL for (int j = 0; j < VECTORS; j++) { total[j] = vec_load(sum + j * LANES); }
    for (int y = 0; y < height; y++) {
        const float *row = from + y * pitch;
        for (int x = 0; x < width; x++) {
            UNROLL for (int j = 0; j < VECTORS; j++) { total[j] += vec_load(row + j * LANES); }
            row += CONV_BLOCK;
        }
    }
    UNROLL for (int j = 0; j < VECTORS; j++) { vec_store(sum + j * LANES, total[j]); }
}

static void add(float *to, const float *from, size_t count) {
    for (size_t i = 0; i < count; i += LANES) {
        vec_store(to + i, vec_load(to + i) + vec_load(from + i));
    }
}

static double peak(int64_t turns, const float values[2], float *result) {
    enum { SUMS = 12 };
    Vec sum[SUMS];
    const Vec factor = vec_splat(values[0]), term = vec_splat(values[1]);
    UNROLL for (int i = 0; i < SUMS; i++) { sum[i] = vec_splat(values[0] * (float)i); }
    for (int64_t turn = 0; turn < turns; turn++) {
        UNROLL for (int i = 0; i < SUMS; i++) { sum[i] = sum[i] * factor + term; }
    }
    Vec all = sum[0];
    UNROLL for (int i = 1; i < SUMS; i++) { all += sum[i]; }
    *result = all[0];
    return (double)turns * SUMS * LANES * 2.0;
}

const ConvKernels KERNEL(conv_kernels) = {
    .units = TILE_UNITS,
    .rows = {TILE_MOST_1, TILE_MOST_2},
    .weight_rows = {WEIGHT_MOST_1, WEIGHT_MOST_2},
#if TILE_UNITS > 1
    .tile = {KERNEL(conv_tiles_1), KERNEL(conv_tiles_2)},
    .weight_tile = {KERNEL(weight_tiles_1), KERNEL(weight_tiles_2)},
#else
    .tile = {KERNEL(conv_tiles_1)},
    .weight_tile = {KERNEL(weight_tiles_1)},
#endif
    .pack_row = pack_row,
    .sum_pixels = sum_pixels,
    .add = add,
    .peak = peak,
};
