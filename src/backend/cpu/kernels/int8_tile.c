// SPDX-License-Identifier: Apache-2.0
// The tile of layers on bytes: see int8_kernels.h. As in conv_tile.c, the sums stay in registers
// while one row of weights is loaded for each (block, tap, dword) and the input is broadcast from
// memory; the weights of a panel stream from the second cache, once for each tile.
#include "backend/cpu/kernels/int8_end.h"

enum { AHEAD = 4096 }; // bytes of weights, which come from the third cache or memory
enum {
    SUMS = CONV_BLOCK / SUM_LANES,
    PAIRS = SUMS > VECTORS // sums of a lane are in two parts, so that none begins with `start`
};

// finish_row() of a row of the tile's own sums.
INT8_INLINE void finish_sums(const EndLanes *lanes, const IntVec *sum, const uint8_t *added,
                             const int vectors, const bool residual, const bool shifted,
                             Vec *value) {
    IntVec total[TILE_UNITS * VECTORS];
    UNROLL for (int j = 0; j < TILE_UNITS * VECTORS; j++) {
        if (j < vectors) {
            total[j] = lane_sums(sum, j);
        }
    }
    finish_row(lanes, total, added, vectors, !PAIRS && !shifted, residual, shifted, value);
}

// Where the pointer is now is hidden from the compiler: it would otherwise compute all rows'
// addresses at once and keep them in memory until the tile ends.
#define STEP_ROW(pointer) __asm__("" : "+r"(pointer))

// Bytes from sums in registers, two rows at a time. Literals after inlining: rows, units, residual.
INT8_INLINE void finish_bytes(const int rows, const int units, const bool residual,
                              const Int8Tile *tile, IntVec sum[][TILE_UNITS * SUMS]) {
    const Ending ending = ending_of(tile->end.zero, tile->end.relu);
    const EndLanes lanes = end_lanes(&tile->end, units * VECTORS, residual, false);
    const ptrdiff_t stride = tile->output_stride, residual_stride = tile->residual_stride;
    uint8_t *to = tile->output[0], *before = to, *const to1 = tile->output[1];
    const uint8_t *added = tile->residual[0], *const added1 = tile->residual[1];
    Vec value[2][TILE_UNITS * VECTORS];
    UNROLL for (int i = 0; i < INT8_ROWS; i++) {
        if (i < rows) {
            if (i == rows / 2) {
                to = to1;
                added = added1;
            }
            STEP_ROW(to);
            finish_sums(&lanes, sum[i], added, units * VECTORS, residual, false, value[i % 2]);
            if (i % 2 == 1) {
                store_rows(&ending, before, to, value[0], value[1], units);
            } else if (i == rows - 1) {
                store_rows(&ending, to, to, value[0], value[0], units);
            }
            before = to;
            to += stride;
            if (residual) {
                STEP_ROW(added);
                added += residual_stride;
            }
        }
    }
}

// The same for all else, which is rare, from sums in memory.
INT8_INLINE void finish_rows(const Int8Tile *tile, const IntVec *sum, int rows, const int units,
                             const bool residual, const bool shifted) {
    const Ending ending = ending_of(tile->end.zero, tile->end.relu);
    const EndLanes lanes = end_lanes(&tile->end, units * VECTORS, residual, shifted);
    const int half = rows / 2;
    for (int i = 0; i < rows; i++) {
        const int side = i >= half;
        const ptrdiff_t row = i - side * half, place = row * tile->output_stride;
        const uint8_t *added = residual ? tile->residual[side] + row * tile->residual_stride : NULL;
        Vec value[TILE_UNITS * VECTORS];
        finish_sums(&lanes, sum, added, units * VECTORS, residual, shifted, value);
        sum += units * SUMS;
        if (!tile->end.floats) {
            uint8_t *to = (uint8_t *)tile->output[side] + place;
            store_rows(&ending, to, to, value, value, units);
            continue;
        }
        UNROLL for (int j = 0; j < TILE_UNITS * VECTORS; j++) {
            if (j < units * VECTORS) {
                vec_store((float *)tile->output[side] + place + j * LANES,
                          tile->end.relu ? vec_relu(value[j]) : value[j]);
            }
        }
    }
}

#define DEFINE_FINISH(units)                                                                       \
    static __attribute__((noinline)) void finish_##units(const Int8Tile *tile, const IntVec *sum,  \
                                                         int rows) {                               \
        if (tile->residual[0] == NULL) {                                                           \
            finish_rows(tile, sum, rows, units, false, false);                                     \
        } else if (tile->end.shift == NULL) {                                                      \
            finish_rows(tile, sum, rows, units, true, false);                                      \
        } else {                                                                                   \
            finish_rows(tile, sum, rows, units, true, true);                                       \
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
    if (!PAIRS && tile->end.shift == NULL) {
        UNROLL for (int i = 0; i < INT8_ROWS; i++) {
            UNROLL for (int j = 0; j < TILE_UNITS * SUMS; j++) {
                if (i < rows && j < sums) {
                    sum[i][j] = int_load(tile->end.start + j * LANES);
                }
            }
        }
    }

    const int8_t *weights = tile->weights;
    const char *ahead = tile->ahead;
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
                UNROLL for (int j = 0; j < TILE_UNITS; j++) {
                    if (j < units) {
                        __builtin_prefetch(weights + AHEAD + j * CONV_BLOCK * 4);
                    }
                }
                __builtin_prefetch(ahead, 0, 2);
                ahead += tile->ahead_step;
                weights += units * CONV_BLOCK * 4;
                input0++;
                input1++;
            }
        }
        block0 += tile->plane;
        block1 += tile->plane;
    }

    if (!tile->end.floats && tile->end.shift == NULL) {
        if (tile->residual[0] == NULL) {
            finish_bytes(rows, units, false, tile, sum);
        } else {
            finish_bytes(rows, units, true, tile, sum);
        }
        return;
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
