// SPDX-License-Identifier: Apache-2.0
// The tile of layers on bytes: see int8_kernels.h. As in conv_tile.c, the sums stay in registers
// while one row of weights is loaded for each (block, tap, dword) and the input is broadcast from
// memory; the weights of a panel stream from the second cache, once for each tile.
#include "backend/cpu/kernels/int8_kernels.h"
#include "backend/cpu/kernels/int8_rows.h"
#include "backend/cpu/kernels/int8_vector.h"

enum {
    VECTORS = CONV_BLOCK / LANES,
    SUMS = CONV_BLOCK / SUM_LANES,
    PAIRS = SUMS > VECTORS // sums of a lane are in two parts, so that none begins with `start`
};

// What follows the sums, row by row from memory: unrolled over the registers of a tile it would be
// many times as much code. Literals after inlining: units, residual, floats.
INT8_INLINE void finish_rows(const Int8Tile *tile, const IntVec *sum, int rows, const int units,
                             const bool residual, const bool floats) {
    const Rounding rounding = rounding_of(tile->zero, tile->relu);
    const bool relu = tile->relu;
    const int half = rows / 2;
    Vec factor[TILE_UNITS * VECTORS];
    IntVec start[TILE_UNITS * VECTORS], shift[TILE_UNITS * VECTORS],
        residual_factor[TILE_UNITS * VECTORS];
    UNROLL for (int j = 0; j < TILE_UNITS * VECTORS; j++) {
        if (j < units * VECTORS) {
            factor[j] = vec_load(tile->factor + j * LANES);
            start[j] = int_load(tile->start + j * LANES);
            shift[j] = residual ? int_load(tile->shift + j * LANES) : (IntVec){0};
            residual_factor[j] =
                residual ? int_load(tile->residual_factor + j * LANES) : (IntVec){0};
        }
    }
    const uint8_t *added = tile->residual[0];
    char *to = tile->output[0];
    const ptrdiff_t step = tile->output_stride * (floats ? (ptrdiff_t)sizeof(float) : 1);
    for (int i = 0; i < rows; i++) {
        if (i == half) {
            added = tile->residual[1];
            to = tile->output[1];
        }
        IntVec total[TILE_UNITS * VECTORS];
        Vec value[TILE_UNITS * VECTORS];
        UNROLL for (int j = 0; j < TILE_UNITS * VECTORS; j++) {
            if (j < units * VECTORS) {
                total[j] = lane_sums(sum, j);
                if (residual) {
                    total[j] = (total[j] << shift[j]) + start[j] +
                               load_bytes(added + j * LANES) * residual_factor[j];
                } else if (PAIRS) {
                    total[j] += start[j];
                }
                value[j] = __builtin_convertvector(total[j], Vec) * factor[j];
                if (floats) {
                    vec_store((float *)(void *)to + j * LANES,
                              relu ? vec_relu(value[j]) : value[j]);
                } else {
                    total[j] = round_bytes(&rounding, value[j]);
                }
            }
        }
        UNROLL for (int j = 0; j < TILE_UNITS; j++) {
            if (!floats && j < units) {
                store_bytes((uint8_t *)to + j * CONV_BLOCK, total + j * VECTORS);
            }
        }
        sum += units * SUMS;
        to += step;
        added += residual ? tile->residual_stride : 0;
    }
}

#define DEFINE_FINISH(units)                                                                       \
    static __attribute__((noinline)) void finish_##units(const Int8Tile *tile, const IntVec *sum,  \
                                                         int rows) {                               \
        const bool residual = tile->residual[0] != NULL;                                           \
        if (tile->floats && residual) {                                                            \
            finish_rows(tile, sum, rows, units, true, true);                                       \
        } else if (tile->floats) {                                                                 \
            finish_rows(tile, sum, rows, units, false, true);                                      \
        } else if (residual) {                                                                     \
            finish_rows(tile, sum, rows, units, true, false);                                      \
        } else {                                                                                   \
            finish_rows(tile, sum, rows, units, false, false);                                     \
        }                                                                                          \
    }

DEFINE_FINISH(1)
#if TILE_UNITS > 1
DEFINE_FINISH(2)
#endif

// Literals after inlining: rows, units.
INT8_INLINE void int8_tile(const int rows, const int units, const Int8Tile *tile) {
    const int half = rows / 2, sums = units * SUMS;
    IntVec sum[INT8_ROWS][TILE_UNITS * SUMS];
    UNROLL for (int i = 0; i < INT8_ROWS; i++) {
        UNROLL for (int j = 0; j < TILE_UNITS * SUMS; j++) {
            if (i < rows && j < sums) {
                sum[i][j] = (IntVec){0};
            }
        }
    }
    if (!PAIRS && tile->residual[0] == NULL) {
        UNROLL for (int i = 0; i < INT8_ROWS; i++) {
            UNROLL for (int j = 0; j < TILE_UNITS * SUMS; j++) {
                if (i < rows && j < sums) {
                    sum[i][j] = int_load(tile->start + j * LANES);
                }
            }
        }
    }

    const int8_t *weights = tile->weights;
    const int32_t *block0 = tile->input[0], *block1 = tile->input[1];
    for (int left = tile->blocks; left > 0; left--) {
        const int depth = left > 1 ? CONV_BLOCK : tile->last_depth;
        for (int tap = 0; tap < tile->taps; tap++) {
            const int32_t *input0 = block0 + tile->tap[tap], *input1 = block1 + tile->tap[tap];
            for (int k = 0; k < depth; k++) {
                Weights weight[TILE_UNITS * SUMS];
                UNROLL for (int j = 0; j < TILE_UNITS * SUMS; j++) {
                    if (j < sums) {
                        weight[j] = load_weights(weights + j * SUM_LANES * 4);
                    }
                }
                UNROLL for (int i = 0; i < INT8_ROWS; i++) {
                    if (i < rows) {
                        const Input value = load_input(i < half ? input0 + i * CONV_BLOCK
                                                                : input1 + (i - half) * CONV_BLOCK);
                        UNROLL for (int j = 0; j < TILE_UNITS * SUMS; j++) {
                            if (j < sums) {
                                sum[i][j] = dot(sum[i][j], value, weight[j]);
                            }
                        }
                    }
                }
                weights += units * CONV_BLOCK * 4;
                input0++;
                input1++;
            }
        }
        block0 += tile->plane;
        block1 += tile->plane;
    }

    IntVec done[INT8_ROWS * TILE_UNITS * SUMS];
    UNROLL for (int i = 0; i < INT8_ROWS; i++) {
        UNROLL for (int j = 0; j < TILE_UNITS * SUMS; j++) {
            if (i < rows && j < sums) {
                done[i * sums + j] = sum[i][j];
            }
        }
    }
#if TILE_UNITS > 1
    if (units == 2) {
        finish_2(tile, done, rows);
        return;
    }
#endif
    finish_1(tile, done, rows);
}

#define DEFINE_TILE(rows, units)                                                                   \
    static void int8_tile_##rows##x##units(const Int8Tile *tile) { int8_tile(rows, units, tile); }
#define TILE_ENTRY(rows, units) int8_tile_##rows##x##units,

INT8_ROWS_1(DEFINE_TILE, 1)
Int8TileFunction *const KERNEL(int8_tiles_1)[] = {INT8_ROWS_1(TILE_ENTRY, 1)};
#if TILE_UNITS > 1
INT8_ROWS_2(DEFINE_TILE, 2)
Int8TileFunction *const KERNEL(int8_tiles_2)[] = {INT8_ROWS_2(TILE_ENTRY, 2)};
#endif
