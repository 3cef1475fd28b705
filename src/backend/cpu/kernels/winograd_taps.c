// SPDX-License-Identifier: Apache-2.0
// Winograd's products with weights made from taps on the way: see winograd_kernels.h. The six
// points of 16 channels and lanes are put in the first cache (6 KB), then multiplied by all tiles.
#include "backend/cpu/kernels/conv_kernels.h"
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
// Sums that stay in registers: vectors of lanes, and most tiles.
#if VECTOR_BYTES == 64
enum { VECTORS = 1, TILES = 4 * QUAD };
#elif VECTOR_BYTES == 32
enum { VECTORS = 2, TILES = QUAD };
#else
enum { VECTORS = CONV_BLOCK / LANES, TILES = QUAD };
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
    const Vec p_even = w[0] + (p * p) * w[2], q_even = w[0] + (q * q) * w[2];
    to[0] = w[0];
    to[1] = p_even + p * w[1];
    to[2] = p_even - p * w[1];
    to[3] = q_even + q * w[1];
    to[4] = q_even - q * w[1];
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

MAP_INLINE void multiply_tiles(const Product *product, const int tiles, const int points) {
    Product part = *product;
    for (int x = 0; x < SIDE; x += points) {
        for (int lane = 0; lane < CONV_BLOCK; lane += VECTORS * LANES) {
            multiply(&part, tiles, points, lane);
        }
        part.weights += points * POINT;
        part.input += points * part.point;
        part.sums += points * part.point;
    }
}

// Eight tiles take two points at a time: a sum waits for its last product.
static void multiply_quads(const Product *product, int quads) {
#if VECTOR_BYTES == 64
    if (quads == 4) {
        multiply_tiles(product, 4 * QUAD, 1);
    } else if (quads == 3) {
        multiply_tiles(product, 3 * QUAD, 1);
    } else if (quads == 2) {
        multiply_tiles(product, 2 * QUAD, 2);
    } else {
        multiply_tiles(product, QUAD, 1);
    }
#else
    (void)quads;
    multiply_tiles(product, QUAD, 1);
#endif
}

#if VECTOR_BYTES == 64
// Of four tiles, the sums of all six points stay in registers, and weights never leave them.
MAP_INLINE void few_tiles(const WinogradTapsRow *row, const Row y, const bool sums) {
    enum { POINT_FLOATS = QUAD * CONV_BLOCK };
    const Vec middle = vec_splat(y.middle), third = vec_splat(y.third);
    Vec sum[SIDE][QUAD];
    UNROLL for (int i = 0; i < SIDE * QUAD; i++) {
        sum[i / QUAD][i % QUAD] = row->resume ? vec_load(row->sums + i * CONV_BLOCK) : (Vec){0};
    }
    const float *taps = row->taps + y.first * KERNEL_SIDE * CONV_BLOCK, *block = row->input;
    const float *fetch = row->fetch;
    for (int left = row->channels; left > 0; left -= CONV_BLOCK) {
        const float *input = block;
        const int channels = left < CONV_BLOCK ? left : CONV_BLOCK;
        for (int k = 0; k < channels; k++) {
            Vec points[SIDE];
            make_points(taps, sums, middle, third, points);
            __builtin_prefetch(fetch, 0, 2); // a line and a half
            __builtin_prefetch(fetch + LINE, 0, 2);
            fetch += CHANNEL / SIDE;
            UNROLL for (int x = 0; x < SIDE; x++) {
                UNROLL for (int t = 0; t < QUAD; t++) {
                    sum[x][t] += input[x * POINT_FLOATS + t * CONV_BLOCK] * points[x];
                }
            }
            taps += CHANNEL;
            input++;
        }
        block += row->plane;
    }
    UNROLL for (int i = 0; i < SIDE * QUAD; i++) {
        vec_store(row->sums + i * CONV_BLOCK, sum[i / QUAD][i % QUAD]);
    }
}
#endif

void KERNEL(winograd_taps_row)(const WinogradTapsRow *row);

void KERNEL(winograd_taps_row)(const WinogradTapsRow *row) {
    _Alignas(64) float weights[SIDE * POINT];
    const Row y = row_of(row->row);
#if VECTOR_BYTES == 64
    if (row->point == QUAD * CONV_BLOCK) {
        if (y.sum) {
            few_tiles(row, y, true);
        } else {
            few_tiles(row, y, false);
        }
        return;
    }
#endif
    const int quads = row->tiles / QUAD, most = TILES / QUAD;
    const int parts = (quads + most - 1) / most;
    const float *taps = row->taps, *input = row->input, *fetch = row->fetch;
    for (int left = row->channels; left > 0; left -= CONV_BLOCK) {
        Product product = {.weights = weights,
                           .channels = left < CONV_BLOCK ? left : CONV_BLOCK,
                           .point = row->point,
                           .resume = row->resume || left < row->channels};
        if (y.sum) {
            store_points(taps, product.channels, y, true, weights);
        } else {
            store_points(taps, product.channels, y, false, weights);
        }
        for (int i = 0; i < parts; i++) {
            const int begin = quads * i / parts, end = quads * (i + 1) / parts;
            product.input = input + begin * QUAD * CONV_BLOCK;
            product.sums = row->sums + begin * QUAD * CONV_BLOCK;
            multiply_quads(&product, end - begin);
        }
        for (int i = 0; i < CHANNEL / SIDE; i++) { // lines
            __builtin_prefetch(fetch, 0, 2);
            fetch += LINE;
        }
        taps += CONV_BLOCK * CHANNEL;
        input += row->plane;
    }
}
