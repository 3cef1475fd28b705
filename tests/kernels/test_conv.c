// SPDX-License-Identifier: Apache-2.0
// The convolution tile of every instruction set against plain loops: every number of rows, whole
// and partial blocks; small integers bitwise, then real numbers within a derived bound, bitwise
// equal among the sets with FMA.
//
//     test_conv [--bench]     also prints each tile's speed
#include "kernels/conv_case.h"

enum {
    TAPS = 9,
    WEIGHTS = STRIP_BLOCKS * TAPS * CONV_BLOCK * CONV_PANEL_MAX,
    OUTPUT_STRIDE = 48,
    OUTPUT = CONV_ROWS_MAX * OUTPUT_STRIDE + 500
};

typedef struct TileCase {
    int rows, units, blocks, last_depth, taps;
    bool start, resume, residual, relu;
} TileCase;

typedef struct TileData {
    Buffer strip, weights, start, residual, output;
    int32_t tap[TAPS];
} TileData;

static TileData tile_data(bool integers) {
    TileData d = {buffer(STRIP),  buffer(WEIGHTS), buffer(CONV_PANEL_MAX),
                  buffer(OUTPUT), buffer(OUTPUT),  {0}};
    fill(&d.strip, integers, 1);
    fill(&d.weights, integers, 2);
    fill(&d.start, integers, 3);
    fill(&d.residual, integers, 4);
    fill(&d.output, integers, 5);
    for (int t = 0; t < TAPS; t++) {
        d.tap[t] = (t / 3 * PITCH + t % 3) * CONV_BLOCK;
    }
    return d;
}

static void tile_release(const TileData *d, const Kernels *kernels) {
    release(&d->strip, kernels, "a tile");
    release(&d->weights, kernels, "a tile");
    release(&d->start, kernels, "a tile");
    release(&d->residual, kernels, "a tile");
    release(&d->output, kernels, "a tile");
}

// Where row i of a tile begins: its second half lies one row of the strip lower.
static int input_at(const TileCase *c, int i) {
    return i < c->rows / 2 ? i * CONV_BLOCK : (PITCH + 1 + i - c->rows / 2) * CONV_BLOCK;
}
static int output_at(const TileCase *c, int i) {
    return i < c->rows / 2 ? i * OUTPUT_STRIDE + 3
                           : (i - c->rows / 2) * OUTPUT_STRIDE + 400 + c->rows / 2 * OUTPUT_STRIDE;
}

static ConvTile tile_of(const TileCase *c, const TileData *d) {
    const int half = c->rows / 2;
    return (ConvTile){.input = {d->strip.at, d->strip.at + input_at(c, half)},
                      .plane = PLANE,
                      .blocks = c->blocks,
                      .last_depth = c->last_depth,
                      .tap = d->tap,
                      .taps = c->taps,
                      .weights = d->weights.at,
                      .output = {d->output.at + 3, d->output.at + output_at(c, half)},
                      .residual = {c->residual ? d->residual.at + 3 : NULL,
                                   c->residual ? d->residual.at + output_at(c, half) : NULL},
                      .output_stride = OUTPUT_STRIDE,
                      .start = c->start ? d->start.at : NULL,
                      .resume = c->resume,
                      .relu = c->relu};
}

// One output of a tile in double, and the sum of the sizes of its terms.
static double tile_output(const TileCase *c, const TileData *d, int i, int lane, double *sizes) {
    const int width = c->units * CONV_BLOCK;
    double sum = 0;
    if (c->resume) {
        sum = d->output.at[output_at(c, i) + lane];
    } else if (c->start) {
        sum = d->start.at[lane];
    }
    *sizes = fabs(sum);
    const float *weight = d->weights.at + lane;
    for (int block = 0; block < c->blocks; block++) {
        const int depth = block + 1 < c->blocks ? CONV_BLOCK : c->last_depth;
        for (int t = 0; t < c->taps; t++) {
            for (int k = 0; k < depth; k++) {
                const double term =
                    (double)*weight *
                    (double)d->strip.at[block * PLANE + d->tap[t] + input_at(c, i) + k];
                sum += term;
                *sizes += fabs(term);
                weight += width;
            }
        }
    }
    if (c->residual) {
        const double term = d->residual.at[output_at(c, i) + lane];
        sum += term;
        *sizes += fabs(term);
    }
    return c->relu && sum < 0 ? 0 : sum;
}

static void test_tile(const TileCase *c, const Kernels *kernels, bool integers, float *outputs) {
    TileData d = tile_data(integers);
    static double expected[OUTPUT], sizes[OUTPUT];
    for (int i = 0; i < OUTPUT; i++) {
        expected[i] = d.output.at[i]; // what lies between the tile's lanes must stay
        sizes[i] = 0;
    }
    for (int i = 0; i < c->rows; i++) {
        for (int lane = 0; lane < c->units * CONV_BLOCK; lane++) {
            const int at = output_at(c, i) + lane;
            expected[at] = tile_output(c, &d, i, lane, &sizes[at]);
        }
    }
    const ConvTile tile = tile_of(c, &d);
    kernels->conv->tile[c->units - 1][c->rows - 1](&tile);
    const int terms = c->blocks * c->taps * CONV_BLOCK;
    bool good = true;
    for (int i = 0; i < OUTPUT; i++) {
        good &= integers ? (double)d.output.at[i] == expected[i]
                         : close_to(d.output.at[i], expected[i], sizes[i], terms);
    }
    check(good, kernels, integers ? "a tile on integers" : "a tile on reals", c->rows, c->units);
    memcpy(outputs, d.output.at, OUTPUT * sizeof(float));
    tile_release(&d, kernels);
}

static void test_tiles(const Kernels *kernels) {
    static float outputs[OUTPUT];
    for (int units = 1; units <= kernels->conv->units; units++) {
        for (int rows = 1; rows <= kernels->conv->rows[units - 1]; rows++) {
            for (int form = 0; form < 8; form++) {
                const TileCase c = {.rows = rows,
                                    .units = units,
                                    .blocks = 1 + form % STRIP_BLOCKS,
                                    .last_depth = 1 + (rows * 5 + form * 3) % CONV_BLOCK,
                                    .taps = form == 7 ? 0 : 1 + (rows + form) % TAPS,
                                    .start = form % 2 == 1,
                                    .resume = form == 2 || form == 3,
                                    .residual = form >= 4 && form != 6,
                                    .relu = form >= 3};
                test_tile(&c, kernels, true, outputs);
                test_tile(&c, kernels, false, outputs);
            }
        }
    }
}

// How many rows are in a tile does not matter to the bits of one of them, on every set with FMA.
static void test_tiles_agree(void) {
    static float first[OUTPUT], outputs[OUTPUT];
    const Kernels *before = NULL;
    for (int s = 0; s < set_count; s++) {
        if (!has_fma(sets[s])) {
            continue;
        }
        for (int rows = 2; rows <= sets[s]->conv->rows[0]; rows++) {
            const TileCase c = {.rows = rows, .units = 1, .blocks = 3, .last_depth = 13, .taps = 9};
            test_tile(&c, sets[s], false, outputs);
            if (before == NULL) {
                before = sets[s];
                memcpy(first, outputs + output_at(&c, 0), CONV_BLOCK * sizeof(float));
            }
            check(memcmp(first, outputs + output_at(&c, 0), CONV_BLOCK * sizeof(float)) == 0,
                  sets[s], "a tile's agreement", rows, 1);
        }
    }
}

static void bench(const Kernels *kernels) {
    const ConvKernels *conv = kernels->conv;
    const double peak = measure_peak(kernels);
    const TileData d = tile_data(true);
    for (int units = 1; units <= conv->units; units++) {
        for (int rows = 1; rows <= conv->rows[units - 1]; rows++) {
            const TileCase c = {
                .rows = rows, .units = units, .blocks = 1, .last_depth = 16, .taps = 9};
            const ConvTile tile = tile_of(&c, &d);
            double seconds = 1e30;
            for (int repeat = 0; repeat < BENCH_REPEATS; repeat++) {
                const double begin = now();
                for (int turn = 0; turn < BENCH_TURNS; turn++) {
                    conv->tile[units - 1][rows - 1](&tile);
                }
                seconds = fmin(seconds, now() - begin);
            }
            const double operations =
                2e-9 * BENCH_TURNS * rows * units * CONV_BLOCK * CONV_BLOCK * 9;
            printf("  tile %2d x %d: %6.1f GFLOP/s, %3.0f%%\n", rows, units, operations / seconds,
                   100 * operations / seconds / peak);
        }
    }
    tile_release(&d, kernels);
}

int main(int argc, char **argv) {
    find_sets();
    for (int s = 0; s < set_count; s++) {
        test_tiles(sets[s]);
    }
    test_tiles_agree();
    for (int s = 0; argc > 1 && strcmp(argv[1], "--bench") == 0 && s < set_count; s++) {
        bench(sets[s]);
    }
    if (failures > 0) {
        fprintf(stderr, "%d failures\n", failures);
    }
    return failures > 0;
}
