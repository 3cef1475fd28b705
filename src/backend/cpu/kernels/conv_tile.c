// SPDX-License-Identifier: Apache-2.0
// The tile of convolutions forward and backward to the input: see conv_kernels.h.
//
// rows * vectors sums stay in registers while one row of weights is loaded for each (block, tap,
// channel) and the input is broadcast from memory. AVX-512 has 32 registers: 28 sums leave room
// for the weights, and 28 x 1, 14 x 2 divide the widths of the usual images (224 … 7). AVX2 has
// 16: 6 x 2. NEON has 32 of four lanes: 6 x 4.
#include "backend/cpu/kernels/conv_kernels.h"
#include "backend/cpu/kernels/conv_rows.h"
#include "backend/cpu/kernels/vector.h"

enum { VECTORS = CONV_BLOCK / LANES };

// Literals after inlining: rows, units.
static inline __attribute__((always_inline)) void conv_tile(const int rows, const int units,
                                                            const ConvTile *tile) {
    const int half = rows / 2, vectors = units * VECTORS;
    Vec sum[TILE_ROWS][TILE_UNITS * VECTORS];
    const ptrdiff_t stride = tile->output_stride;

    // What the tile ends with comes from memory while it multiplies.
    UNROLL for (int i = 0; i < TILE_ROWS; i++) {
        UNROLL for (int j = 0; j < TILE_UNITS; j++) {
            if (i < rows && j < units) {
                const int side = i >= half;
                const ptrdiff_t place = (i - side * half) * stride + j * CONV_BLOCK;
                __builtin_prefetch(tile->output[side] + place, 1);
                if (tile->residual[0] != NULL) {
                    __builtin_prefetch(tile->residual[side] + place);
                }
            }
        }
    }
    UNROLL for (int i = 0; i < TILE_ROWS; i++) {
        UNROLL for (int j = 0; j < TILE_UNITS * VECTORS; j++) {
            if (i < rows && j < vectors) {
                sum[i][j] = (Vec){0};
            }
        }
    }
    if (tile->resume) {
        UNROLL for (int i = 0; i < TILE_ROWS; i++) {
            UNROLL for (int j = 0; j < TILE_UNITS * VECTORS; j++) {
                if (i < rows && j < vectors) {
                    const float *from = i < half ? tile->output[0] + i * stride
                                                 : tile->output[1] + (i - half) * stride;
                    sum[i][j] = vec_load(from + j * LANES);
                }
            }
        }
    } else if (tile->start != NULL) {
        UNROLL for (int i = 0; i < TILE_ROWS; i++) {
            UNROLL for (int j = 0; j < TILE_UNITS * VECTORS; j++) {
                if (i < rows && j < vectors) {
                    sum[i][j] = vec_load(tile->start + j * LANES);
                }
            }
        }
    }

    const float *weights = tile->weights;
    const float *block0 = tile->input[0], *block1 = tile->input[1];
    for (int left = tile->blocks; left > 0; left--) {
        const int depth = left > 1 ? CONV_BLOCK : tile->last_depth;
        for (int tap = 0; tap < tile->taps; tap++) {
            const float *input0 = block0 + tile->tap[tap], *input1 = block1 + tile->tap[tap];
            for (int k = 0; k < depth; k++) {
                Vec weight[TILE_UNITS * VECTORS];
                UNROLL for (int j = 0; j < TILE_UNITS * VECTORS; j++) {
                    if (j < vectors) {
                        weight[j] = vec_load(weights + j * LANES);
                    }
                }
                UNROLL for (int i = 0; i < TILE_ROWS; i++) {
                    if (i < rows) {
                        const float value =
                            i < half ? input0[i * CONV_BLOCK] : input1[(i - half) * CONV_BLOCK];
                        UNROLL for (int j = 0; j < TILE_UNITS * VECTORS; j++) {
                            if (j < vectors) {
                                sum[i][j] += value * weight[j];
                            }
                        }
                    }
                }
                weights += units * CONV_BLOCK;
                input0++;
                input1++;
            }
        }
        block0 += tile->plane;
        block1 += tile->plane;
    }

    if (tile->residual[0] != NULL) {
        UNROLL for (int i = 0; i < TILE_ROWS; i++) {
            UNROLL for (int j = 0; j < TILE_UNITS * VECTORS; j++) {
                if (i < rows && j < vectors) {
                    const float *from = i < half ? tile->residual[0] + i * stride
                                                 : tile->residual[1] + (i - half) * stride;
                    sum[i][j] += vec_load(from + j * LANES);
                }
            }
        }
    }
    if (tile->relu) {
        UNROLL for (int i = 0; i < TILE_ROWS; i++) {
            UNROLL for (int j = 0; j < TILE_UNITS * VECTORS; j++) {
                if (i < rows && j < vectors) {
                    sum[i][j] = vec_relu(sum[i][j]);
                }
            }
        }
    }
    UNROLL for (int i = 0; i < TILE_ROWS; i++) {
        UNROLL for (int j = 0; j < TILE_UNITS * VECTORS; j++) {
            if (i < rows && j < vectors) {
                float *to =
                    i < half ? tile->output[0] + i * stride : tile->output[1] + (i - half) * stride;
                vec_store(to + j * LANES, sum[i][j]);
            }
        }
    }
}

#define DEFINE_TILE(rows, units)                                                                   \
    static void conv_tile_##rows##x##units(const ConvTile *tile) { conv_tile(rows, units, tile); }
#define TILE_ENTRY(rows, units) conv_tile_##rows##x##units,

TILE_ROWS_1(DEFINE_TILE, 1)
ConvTileFunction *const KERNEL(conv_tiles_1)[] = {TILE_ROWS_1(TILE_ENTRY, 1)};
#if TILE_UNITS > 1
TILE_ROWS_2(DEFINE_TILE, 2)
ConvTileFunction *const KERNEL(conv_tiles_2)[] = {TILE_ROWS_2(TILE_ENTRY, 2)};
#endif
