// SPDX-License-Identifier: Apache-2.0
// The tile of convolutions forward and backward to the input, on floats (conv_tile.c) and on pairs
// of bf16 (bf16_tile.c): see conv_kernels.h.
//
// rows * vectors sums stay in registers while one row of weights is loaded for each (block, tap,
// channel) and the input is broadcast from memory. AVX-512 has 32 registers: 28 sums leave room
// for the weights, and 28 x 1, 14 x 2 divide the widths of the usual images (224 … 7). AVX2 has
// 16: 6 x 2. NEON has 32 of four lanes: 6 x 4.
#ifndef RESNET_BACKEND_CPU_KERNELS_CONV_TILE_H
#define RESNET_BACKEND_CPU_KERNELS_CONV_TILE_H

#include "backend/cpu/kernels/bf16_vector.h"
#include "backend/cpu/kernels/conv_kernels.h"
#include "backend/cpu/kernels/conv_rows.h"
#include "backend/cpu/kernels/vector.h"

enum { VECTORS = CONV_BLOCK / LANES, LINES_AT_ONCE = 18, ROWS_AT_ONCE = 4 };
// Weights are read once in order, from the second cache or from memory; they are fetched so many
// floats before their turn: memory's latency at the pace of a large tile. A small one, which needs
// them faster than memory gives them, leaves that to the hardware, which asks for more at a time.
enum { WEIGHTS_AHEAD = 1024 };

static inline int least(int a, int b) { return a < b ? a : b; }

// How many channels a turn, where not one: see conv_tile.c.
#ifndef UNROLL_CHANNELS
#define UNROLL_CHANNELS
#endif

// Where the pointer is now is hidden from the compiler: it would otherwise compute all rows'
// addresses at once and keep them in memory until the tile ends.
#define STEP_ROW(pointer) __asm__("" : "+r"(pointer))

// Fetches the rows first … end-1 of the output from *at on, and those `residual` bytes further.
static inline __attribute__((always_inline)) void fetch_rows(const ConvTile *tile, const int units,
                                                             int first, int end, const int half,
                                                             const bool both, ptrdiff_t residual,
                                                             const char **at) {
    for (int row = first; row < end; row++) {
        *at = row == half ? (const char *)tile->output[1] : *at;
        STEP_ROW(*at);
        UNROLL for (int j = 0; j < TILE_UNITS; j++) {
            if (j < units) {
                const char *line = *at + j * CONV_BLOCK * (ptrdiff_t)sizeof(float);
                __builtin_prefetch(line, 1);
                if (both) {
                    __builtin_prefetch(line + residual);
                }
            }
        }
        *at += tile->output_stride * (ptrdiff_t)sizeof(float);
    }
}

// Literals after inlining: rows, units, pairs (of bf16 in the place of floats).
static inline __attribute__((always_inline)) void
conv_tile(const int rows, const int units, const bool pairs, const ConvTile *tile) {
    const int half = rows / 2, vectors = units * VECTORS;
    Vec sum[TILE_ROWS][TILE_UNITS * VECTORS];
    const ptrdiff_t stride = tile->output_stride;
    float *const output0 = tile->output[0], *const output1 = tile->output[1];
    const float *const residual0 = tile->residual[0], *const residual1 = tile->residual[1];
    const bool relu = tile->relu;

    // What the tile ends with comes from memory while it multiplies: in a large tile some rows at a
    // time, as a core waits for only so many cache lines at once and loads behind them stand still.
    const bool spread = rows * units > LINES_AT_ONCE;
    const int steps = tile->blocks * tile->taps;
    const int fetch = !spread || steps * ROWS_AT_ONCE < rows ? rows : ROWS_AT_ONCE;
    const char *end_of_tile = (const char *)output0;
    int fetched = 0;
    const ptrdiff_t residual = (intptr_t)residual0 - (intptr_t)output0;
    if (!spread && residual0 != NULL) {
        fetch_rows(tile, units, 0, rows, half, true, residual, &end_of_tile);
    } else if (!spread) {
        fetch_rows(tile, units, 0, rows, half, false, 0, &end_of_tile);
    }

    if (tile->resume) {
        const float *from = output0;
        UNROLL for (int i = 0; i < TILE_ROWS; i++) {
            if (i < rows) {
                from = i == half ? output1 : from;
                STEP_ROW(from);
                UNROLL for (int j = 0; j < TILE_UNITS * VECTORS; j++) {
                    if (j < vectors) {
                        sum[i][j] = vec_load(from + j * LANES);
                    }
                }
                from += stride;
            }
        }
    } else {
        UNROLL for (int j = 0; j < TILE_UNITS * VECTORS; j++) {
            if (j < vectors) {
                const Vec start =
                    tile->start != NULL ? vec_load(tile->start + j * LANES) : (Vec){0};
                UNROLL for (int i = 0; i < TILE_ROWS; i++) {
                    if (i < rows) {
                        sum[i][j] = start;
                    }
                }
            }
        }
    }

    const float *weights = tile->weights;
    const char *ahead = tile->ahead;
    const float *block0 = tile->input[0], *block1 = tile->input[1];
    for (int left = tile->blocks; left > 0; left--) {
        const int depth = left > 1 ? CONV_BLOCK : tile->last_depth;
        for (int tap = 0; tap < tile->taps; tap++) {
            if (spread && fetched < rows) {
                const int end = least(fetched + fetch, rows);
                if (residual0 != NULL) {
                    fetch_rows(tile, units, fetched, end, half, true, residual, &end_of_tile);
                } else {
                    fetch_rows(tile, units, fetched, end, half, false, 0, &end_of_tile);
                }
                fetched += fetch;
            }
            const float *input0 = block0 + tile->tap[tap], *input1 = block1 + tile->tap[tap];
            // The next block's input, or that of the tile beside this one, comes from the second
            // cache: a line for each channel. With half vectors there are loads enough as it is.
            const float *next = left > 1 ? block0 + tile->plane + tile->tap[0]
                                         : tile->input[0] + tile->tap[0] + rows * CONV_BLOCK;
            const int next_step = tap + 1 == tile->taps ? CONV_BLOCK : 0;
            UNROLL_CHANNELS for (int k = 0; k < depth; k++) {
                Vec weight[TILE_UNITS * VECTORS];
                UNROLL for (int j = 0; j < TILE_UNITS * VECTORS; j++) {
                    if (j < vectors) {
                        weight[j] = vec_load(weights + j * LANES);
                    }
                }
                UNROLL for (int j = 0; j < TILE_UNITS; j++) {
                    if (j < units && 2 * rows * units > TILE_ROWS) {
                        __builtin_prefetch(weights + WEIGHTS_AHEAD + j * CONV_BLOCK);
                    }
                }
                __builtin_prefetch(ahead, 0, 2);
                ahead += tile->ahead_step;
                if (VECTORS == 1 && 2 * rows * units > TILE_ROWS) {
                    __builtin_prefetch(next);
                    next += next_step;
                }
                UNROLL for (int i = 0; i < TILE_ROWS; i++) {
                    if (i < rows) {
                        const float *value =
                            i < half ? input0 + i * CONV_BLOCK : input1 + (i - half) * CONV_BLOCK;
                        if (pairs) {
                            const IntVec pair = load_pair(value);
                            UNROLL for (int j = 0; j < TILE_UNITS * VECTORS; j++) {
                                if (j < vectors) {
                                    sum[i][j] = add_pair(sum[i][j], pair, (IntVec)weight[j]);
                                }
                            }
                            continue;
                        }
                        UNROLL for (int j = 0; j < TILE_UNITS * VECTORS; j++) {
                            if (j < vectors) {
                                sum[i][j] += *value * weight[j];
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

    if (residual0 != NULL) {
        const float *from = residual0;
        UNROLL for (int i = 0; i < TILE_ROWS; i++) {
            if (i < rows) {
                from = i == half ? residual1 : from;
                STEP_ROW(from);
                UNROLL for (int j = 0; j < TILE_UNITS * VECTORS; j++) {
                    if (j < vectors) {
                        sum[i][j] += vec_load(from + j * LANES);
                    }
                }
                from += stride;
            }
        }
    }
    if (relu) {
        UNROLL for (int i = 0; i < TILE_ROWS; i++) {
            UNROLL for (int j = 0; j < TILE_UNITS * VECTORS; j++) {
                if (i < rows && j < vectors) {
                    sum[i][j] = vec_relu(sum[i][j]);
                }
            }
        }
    }
    float *to = output0;
    UNROLL for (int i = 0; i < TILE_ROWS; i++) {
        if (i < rows) {
            to = i == half ? output1 : to;
            STEP_ROW(to);
            UNROLL for (int j = 0; j < TILE_UNITS * VECTORS; j++) {
                if (j < vectors) {
                    vec_store(to + j * LANES, sum[i][j]);
                }
            }
            to += stride;
        }
    }
}

#endif
