// SPDX-License-Identifier: Apache-2.0
// Winograd's products with weights made from taps on the way: see winograd_kernels.h. The six
// points of 16 channels and lanes are put in the first cache (6 KB), then multiplied by all tiles.
#include "backend/cpu/kernels/conv_kernels.h"
#include "backend/cpu/kernels/conv_rows.h"
#include "backend/cpu/kernels/map_vector.h"
#include "backend/cpu/kernels/winograd_kernels.h"

enum {
    SIDE = WINOGRAD_SIDE,
    KERNEL_SIDE = 3,
    CHANNEL = WINOGRAD_TAPS * CONV_BLOCK,
    POINT = CONV_BLOCK * CONV_BLOCK, // floats of a point's weights
    LINE = 16,                       // floats
    QUAD = WINOGRAD_QUAD
};
// Sums that stay in registers: vectors of lanes, and most tiles, as in a ConvTile. Where those are
// many they come in quads: four functions do for all.
#if VECTOR_BYTES == 64
enum { VECTORS = 1, TILES = 4 * QUAD, TOGETHER = QUAD };
#else
enum { VECTORS = CONV_BLOCK / LANES, TILES = TILE_ROWS, TOGETHER = 1 };
#endif

// Rows of G without its divisors: the first and the last are one row of taps, the others sums of
// all three.
typedef struct Row {
    bool sum;
    int first;           // row of taps
    float middle, third; // factors
} Row;

static inline Row row_of(int y) {
    const float p = WINOGRAD_P, q = WINOGRAD_Q;
    if (y == 0 || y == SIDE - 1) {
        return (Row){false, y == 0 ? 0 : KERNEL_SIDE - 1, 0, 0};
    }
    const float at = (y < KERNEL_SIDE ? p : q) * (y % 2 == 1 ? 1.0f : -1.0f);
    return (Row){true, 0, at, at * at};
}

// The six points of one channel's lanes.
MAP_INLINE void make_points(const float *taps, const bool sum, Vec middle, Vec third,
                            Vec to[SIDE]) {
    const float p = WINOGRAD_P, q = WINOGRAD_Q;
    Vec w[KERNEL_SIDE];
    UNROLL for (int x = 0; x < KERNEL_SIDE; x++) {
        const float *tap = taps + x * CONV_BLOCK;
        w[x] = vec_load(tap);
        if (sum) {
            w[x] += third * vec_load(tap + 2 * KERNEL_SIDE * CONV_BLOCK);
            w[x] += middle * vec_load(tap + KERNEL_SIDE * CONV_BLOCK);
        }
    }
    const Vec zero = {0};
    const Vec p_even = w[0] + (p * p) * w[2], q_even = w[0] + (q * q) * w[2];
    const Vec p_odd = zero + p * w[1], q_odd = zero + q * w[1];
    to[0] = w[0];
    to[1] = p_even + p_odd;
    to[2] = p_even - p_odd;
    to[3] = q_even + q_odd;
    to[4] = q_even - q_odd;
    to[5] = w[2];
}

// Those of some channels: [point][channel][16].
MAP_INLINE void store_points(const float *taps, int channels, const Row y, const bool sum,
                             float *to) {
    const Vec middle = vec_splat(y.middle), third = vec_splat(y.third);
    taps += y.first * KERNEL_SIDE * CONV_BLOCK;
    for (int k = 0; k < channels; k++) {
        for (int lane = 0; lane < CONV_BLOCK; lane += LANES) {
            Vec points[SIDE];
            make_points(taps + lane, sum, middle, third, points);
            UNROLL for (int x = 0; x < SIDE; x++) { vec_store(to + x * POINT + lane, points[x]); }
        }
        taps += CHANNEL;
        to += CONV_BLOCK;
    }
}

// What one block of channels adds to the sums of `points` points side by side.
typedef struct Product {
    const float *weights, *input; // [point][channel][16]; [point][tile][16]
    int channels;
    float *sums;     // [point][tile][16]
    ptrdiff_t point; // floats from point to point of input and sums
    bool resume;
} Product;

static Product at_point(const Product *product, int point) {
    Product p = *product;
    p.weights += point * POINT;
    p.input += point * p.point;
    p.sums += point * p.point;
    return p;
}

// Literals after inlining: tiles, points.
MAP_INLINE void multiply(const Product *product, const int tiles, const int points, int lane) {
    Vec sum[TILES][VECTORS]; // [point, tile]
    float *const sums = product->sums + lane;
    const ptrdiff_t point = product->point;
    UNROLL for (int i = 0; i < TILES; i++) {
        UNROLL for (int j = 0; j < VECTORS; j++) {
            if (i < tiles * points) {
                const float *at = sums + i / tiles * point + i % tiles * CONV_BLOCK + j * LANES;
                sum[i][j] = product->resume ? vec_load(at) : (Vec){0};
            }
        }
    }
    const float *weights = product->weights + lane, *input = product->input;
    for (int k = 0; k < product->channels; k++) {
        UNROLL for (int x = 0; x < points; x++) {
            Vec weight[VECTORS];
            UNROLL for (int j = 0; j < VECTORS; j++) {
                weight[j] = vec_load(weights + x * POINT + j * LANES);
            }
            UNROLL for (int t = 0; t < tiles; t++) {
                UNROLL for (int j = 0; j < VECTORS; j++) {
                    sum[x * tiles + t][j] += input[x * point + t * CONV_BLOCK] * weight[j];
                }
            }
        }
        weights += CONV_BLOCK;
        input++;
    }
    UNROLL for (int i = 0; i < TILES; i++) {
        UNROLL for (int j = 0; j < VECTORS; j++) {
            if (i < tiles * points) {
                vec_store(sums + i / tiles * point + i % tiles * CONV_BLOCK + j * LANES, sum[i][j]);
            }
        }
    }
}

// Literals after inlining: tiles, points at a time.
MAP_INLINE void multiply_points(const Product *product, int count, const int tiles,
                                const int points) {
    for (int x = 0; x < count; x += points) {
        const Product part = at_point(product, x);
        for (int lane = 0; lane < CONV_BLOCK; lane += VECTORS * LANES) {
            multiply(&part, tiles, points, lane);
        }
    }
}

#if VECTOR_BYTES == 64
// Eight tiles take two points at a time: a sum waits for its last product.
static void multiply_tiles(const Product *product, int count, int tiles) {
    if (tiles == 4 * QUAD) {
        multiply_points(product, count, 4 * QUAD, 1);
    } else if (tiles == 3 * QUAD) {
        multiply_points(product, count, 3 * QUAD, 1);
    } else if (tiles == 2 * QUAD) {
        const int pairs = count / 2 * 2;
        multiply_points(product, pairs, 2 * QUAD, 2);
        const Product rest = at_point(product, pairs);
        multiply_points(&rest, count - pairs, 2 * QUAD, 1);
    } else {
        multiply_points(product, count, QUAD, 1);
    }
}
#else
#define TILES_CASE(tiles, points)                                                                  \
    case tiles:                                                                                    \
        multiply_points(product, count, tiles, points);                                            \
        break;

static void multiply_tiles(const Product *product, int count, int tiles) {
    switch (tiles) { TILE_ROWS_1(TILES_CASE, 1) }
}
#endif

// `count` points of a range of tiles.
static void multiply_range(const Product *product, int count, WinogradRange range) {
    const int most = TILES / TOGETHER, first = range.begin / TOGETHER;
    const int all = (range.end + TOGETHER - 1) / TOGETHER - first, parts = (all + most - 1) / most;
    for (int i = 0; i < parts; i++) {
        const int begin = first + all * i / parts, end = first + all * (i + 1) / parts;
        Product part = *product;
        part.input += begin * TOGETHER * CONV_BLOCK;
        part.sums += begin * TOGETHER * CONV_BLOCK;
        multiply_tiles(&part, count, (end - begin) * TOGETHER);
    }
}

#if VECTOR_BYTES == 64
// Of four tiles, the sums of all six points stay in registers, and weights never leave them.
// Literals after inlining: y.sum as `sum`, how many tiles there are, and which have the last point.
MAP_INLINE void few_tiles(const WinogradTapsRow *row, const Row y, const bool sum, const int tiles,
                          const int last_begin, const int last_end) {
    enum { POINT_FLOATS = QUAD * CONV_BLOCK };
    const Vec middle = vec_splat(y.middle), third = vec_splat(y.third);
    Vec sums[SIDE][QUAD];
    UNROLL for (int i = 0; i < SIDE * QUAD; i++) {
        sums[i / QUAD][i % QUAD] = row->resume ? vec_load(row->sums + i * CONV_BLOCK) : (Vec){0};
    }
    const float *taps = row->taps + y.first * KERNEL_SIDE * CONV_BLOCK, *block = row->input;
    const float *fetch = row->fetch;
    for (int left = row->channels; left > 0; left -= CONV_BLOCK) {
        const float *input = block;
        const int channels = left < CONV_BLOCK ? left : CONV_BLOCK;
        for (int k = 0; k < channels; k++) {
            Vec points[SIDE];
            make_points(taps, sum, middle, third, points);
            __builtin_prefetch(fetch, 0, 2); // a line and a half
            __builtin_prefetch(fetch + LINE, 0, 2);
            fetch += CHANNEL / SIDE;
            UNROLL for (int x = 0; x < SIDE; x++) {
                UNROLL for (int t = 0; t < QUAD; t++) {
                    if (x < SIDE - 1 ? t < tiles : t >= last_begin && t < last_end) {
                        sums[x][t] += input[x * POINT_FLOATS + t * CONV_BLOCK] * points[x];
                    }
                }
            }
            taps += CHANNEL;
            input++;
        }
        block += row->plane;
    }
    UNROLL for (int i = 0; i < SIDE * QUAD; i++) {
        vec_store(row->sums + i * CONV_BLOCK, sums[i / QUAD][i % QUAD]);
    }
}

// 4x4, 3x4, 4x3 and 3x3 outputs, as 7x7 are cut, have what they need alone; else all four tiles
// have all points.
static void four_tiles(const WinogradTapsRow *row, const Row y) {
    const bool cut = row->last.begin == 1 && row->tiles.end == 2 * row->last.end - 2;
    if (cut && row->row == SIDE - 1) {
        few_tiles(row, y, false, 2, 1, 2);
    } else if (cut && y.sum) {
        few_tiles(row, y, true, QUAD, 1, 3);
    } else if (cut) {
        few_tiles(row, y, false, QUAD, 1, 3);
    } else if (y.sum) {
        few_tiles(row, y, true, QUAD, 0, QUAD);
    } else {
        few_tiles(row, y, false, QUAD, 0, QUAD);
    }
}
#endif

void KERNEL(winograd_taps_row)(const WinogradTapsRow *row);

void KERNEL(winograd_taps_row)(const WinogradTapsRow *row) {
    _Alignas(64) float weights[SIDE * POINT];
    const Row y = row_of(row->row);
#if VECTOR_BYTES == 64
    if (row->point == QUAD * CONV_BLOCK) {
        four_tiles(row, y);
        return;
    }
#endif
    const bool alike = row->tiles.begin == row->last.begin && row->tiles.end == row->last.end;
    const float *taps = row->taps, *fetch = row->fetch;
    Product product = {.weights = weights,
                       .input = row->input,
                       .sums = row->sums,
                       .point = row->point,
                       .resume = row->resume};
    for (int left = row->channels; left > 0; left -= CONV_BLOCK) {
        product.channels = left < CONV_BLOCK ? left : CONV_BLOCK;
        if (y.sum) {
            store_points(taps, product.channels, y, true, weights);
        } else {
            store_points(taps, product.channels, y, false, weights);
        }
        multiply_range(&product, alike ? SIDE : SIDE - 1, row->tiles);
        if (!alike) {
            const Product last = at_point(&product, SIDE - 1);
            multiply_range(&last, 1, row->last);
        }
        for (int i = 0; i < CHANNEL / SIDE; i++) { // lines
            __builtin_prefetch(fetch, 0, 2);
            fetch += LINE;
        }
        taps += CONV_BLOCK * CHANNEL;
        product.input += row->plane;
        product.resume = true;
    }
}
