// SPDX-License-Identifier: Apache-2.0
// Winograd's sums from halved weights, of few tiles: see winograd_kernels.h. A row's six points of
// WINOGRAD_FEW tiles are sums in registers while the weights come from memory once, in order.
#include "backend/cpu/kernels/conv_kernels.h"
#include "backend/cpu/kernels/map_vector.h"
#include "backend/cpu/kernels/winograd_kernels.h"

enum { SIDE = WINOGRAD_SIDE, TAPS = WINOGRAD_HALVES / SIDE, CHANNEL = TAPS * CONV_BLOCK };
// Tiles whose sums are in registers at a time: 24 sums of 32 registers, 12 of 16.
#if VECTOR_BYTES == 64 || defined(__aarch64__)
enum { TILES = 4 };
#elif VECTOR_BYTES == 32
enum { TILES = 2 };
#else
enum { TILES = 1 };
#endif

// Weights are fetched so many floats before their turn, to the second cache: the first one waits
// for too few lines at a time.
enum { WEIGHTS_AHEAD = 2048 };

MAP_INLINE void expand_line(const float *weights, Vec r[SIDE]) {
    const float p = 0.625f, q = 1.5f;
    const Vec a = vec_load(weights), b = vec_load(weights + CONV_BLOCK);
    const Vec c = vec_load(weights + 2 * CONV_BLOCK);
    const Vec p_even = a + (p * p) * c, q_even = a + (q * q) * c;
    r[0] = a;
    r[1] = p_even + p * b;
    r[2] = p_even - p * b;
    r[3] = q_even + q * b;
    r[4] = q_even - q * b;
    r[5] = c;
}

void KERNEL(winograd_expand)(const WinogradExpansion *weights);
void KERNEL(winograd_few_row)(const WinogradFewRow *row);

void KERNEL(winograd_expand)(const WinogradExpansion *weights) {
    for (int y = 0; y < SIDE; y++) {
        for (int k = 0; k < weights->channels; k++) {
            const float *from = weights->from + (y * CONV_BLOCK + k) * CHANNEL;
            float *to = weights->to + y * SIDE * weights->point + k * weights->width;
            for (int lane = 0; lane < CONV_BLOCK; lane += LANES) {
                Vec r[SIDE];
                expand_line(from + lane, r);
                UNROLL for (int x = 0; x < SIDE; x++) {
                    vec_store(to + x * weights->point + lane, r[x]);
                }
            }
        }
    }
}

MAP_INLINE void few_lanes(const WinogradFewRow *row, int lane, int tile) {
    Vec sum[SIDE][TILES];
    UNROLL for (int x = 0; x < SIDE; x++) {
        UNROLL for (int t = 0; t < TILES; t++) { sum[x][t] = (Vec){0}; }
    }
    const float *weights = row->weights + lane, *block = row->input + tile * CONV_BLOCK;
    for (int left = row->depth; left > 0; left -= CONV_BLOCK) {
        const float *input = block;
        const int depth = left < CONV_BLOCK ? left : CONV_BLOCK;
        for (int k = 0; k < depth; k++) {
            Vec r[SIDE];
            expand_line(weights, r);
            UNROLL for (int i = 0; i < TAPS; i++) {
                __builtin_prefetch(weights + WEIGHTS_AHEAD + i * CONV_BLOCK, 0, 1);
            }
            UNROLL for (int x = 0; x < SIDE; x++) {
                UNROLL for (int t = 0; t < TILES; t++) {
                    sum[x][t] += input[(x * WINOGRAD_FEW + t) * CONV_BLOCK] * r[x];
                }
            }
            weights += CHANNEL;
            input++;
        }
        block += row->plane;
    }
    UNROLL for (int x = 0; x < SIDE; x++) {
        UNROLL for (int t = 0; t < TILES; t++) {
            vec_store(row->sums + (x * WINOGRAD_FEW + tile + t) * CONV_BLOCK + lane, sum[x][t]);
        }
    }
}

void KERNEL(winograd_few_row)(const WinogradFewRow *row) {
    for (int lane = 0; lane < CONV_BLOCK; lane += LANES) {
        for (int tile = 0; tile < WINOGRAD_FEW; tile += TILES) {
            few_lanes(row, lane, tile);
        }
    }
}
