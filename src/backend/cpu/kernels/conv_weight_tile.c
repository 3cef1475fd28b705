// SPDX-License-Identifier: Apache-2.0
// The tile of convolutions backward to the weights: see conv_kernels.h. The sums stay in registers
// for all pixels of a strip; a pixel brings `rows` input channels, broadcast from one cache line,
// and one row of gradients.
#include "backend/cpu/kernels/conv_kernels.h"
#include "backend/cpu/kernels/conv_rows.h"
#include "backend/cpu/kernels/vector.h"

enum { VECTORS = CONV_BLOCK / LANES };

// Literals after inlining: rows, units.
static inline __attribute__((always_inline)) void weight_tile(const int rows, const int units,
                                                              const WeightTile *tile) {
    const int vectors = units * VECTORS;
    Vec sum[WEIGHT_ROWS][TILE_UNITS * VECTORS];
    UNROLL for (int i = 0; i < WEIGHT_ROWS; i++) {
        UNROLL for (int j = 0; j < TILE_UNITS * VECTORS; j++) {
            if (i < rows && j < vectors) {
                sum[i][j] = (Vec){0};
            }
        }
    }
    if (tile->resume) {
        UNROLL for (int i = 0; i < WEIGHT_ROWS; i++) {
            UNROLL for (int j = 0; j < TILE_UNITS * VECTORS; j++) {
                if (i < rows && j < vectors) {
                    sum[i][j] = vec_load(tile->sum + (i * vectors + j) * LANES);
                }
            }
        }
    }

    const ptrdiff_t plane = tile->gradient_plane;
    for (int y = 0; y < tile->height; y++) {
        const float *input = tile->input + y * tile->input_pitch;
        const float *gradient = tile->gradient + y * tile->gradient_pitch;
        for (int x = 0; x < tile->width; x++) {
            Vec slope[TILE_UNITS * VECTORS];
            UNROLL for (int j = 0; j < TILE_UNITS * VECTORS; j++) {
                if (j < vectors) {
                    slope[j] = vec_load(gradient + j / VECTORS * plane + j % VECTORS * LANES);
                }
            }
            UNROLL for (int i = 0; i < WEIGHT_ROWS; i++) {
                if (i < rows) {
                    const float value = input[i];
                    UNROLL for (int j = 0; j < TILE_UNITS * VECTORS; j++) {
                        if (j < vectors) {
                            sum[i][j] += value * slope[j];
                        }
                    }
                }
            }
            input += CONV_BLOCK;
            gradient += CONV_BLOCK;
        }
    }

    UNROLL for (int i = 0; i < WEIGHT_ROWS; i++) {
        UNROLL for (int j = 0; j < TILE_UNITS * VECTORS; j++) {
            if (i < rows && j < vectors) {
                vec_store(tile->sum + (i * vectors + j) * LANES, sum[i][j]);
            }
        }
    }
}

#define DEFINE_TILE(rows, units)                                                                   \
    static void weight_tile_##rows##x##units(const WeightTile *tile) {                             \
        weight_tile(rows, units, tile);                                                            \
    }
#define TILE_ENTRY(rows, units) weight_tile_##rows##x##units,

WEIGHT_ROWS_1(DEFINE_TILE, 1)
WeightTileFunction *const KERNEL(weight_tiles_1)[] = {WEIGHT_ROWS_1(TILE_ENTRY, 1)};
#if TILE_UNITS > 1
WEIGHT_ROWS_2(DEFINE_TILE, 2)
WeightTileFunction *const KERNEL(weight_tiles_2)[] = {WEIGHT_ROWS_2(TILE_ENTRY, 2)};
#endif
