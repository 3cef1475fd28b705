// SPDX-License-Identifier: Apache-2.0
// The convolution tiles of every instruction set against plain loops: every number of rows, whole
// and partial blocks; small integers bitwise, then real numbers within a derived bound, bitwise
// equal among the sets with FMA. Needs base and the kernels alone, to run on an emulator too.
//
//     test_conv [--bench]     also prints each tile's speed
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backend/cpu/kernels/conv_kernels.h"
#include "backend/cpu/kernels/kernels.h"
#include "base/random.h"

enum {
    GUARD = 32,
    PITCH = 40,     // pixels in a row of the test's strips
    STRIP_ROWS = 6, // rows, and blocks in them
    STRIP_BLOCKS = 3,
    PLANE = STRIP_ROWS * PITCH * CONV_BLOCK + 16,
    STRIP = PLANE * STRIP_BLOCKS,
    TAPS = 9,
    WEIGHTS = STRIP_BLOCKS * TAPS * CONV_BLOCK * CONV_PANEL_MAX,
    OUTPUT_STRIDE = 48,
    OUTPUT = CONV_ROWS_MAX * OUTPUT_STRIDE + 500,
    SUMS = CONV_BLOCK * CONV_PANEL_MAX
};
static const float GUARD_VALUE = -54321.0f;

static const Kernels *sets[4];
static int set_count;
static int failures;

static void find_sets(void) {
#if defined(__x86_64__)
    const Kernels *all[] = {&kernels_portable, &kernels_avx2, &kernels_avx512};
#elif defined(__aarch64__)
    const Kernels *all[] = {&kernels_portable, &kernels_neon};
#else
    const Kernels *all[] = {&kernels_portable};
#endif
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (isa_supported(all[i]->isa)) {
            sets[set_count++] = all[i];
        }
    }
}

// Without FMA a sum rounds its products too.
static bool has_fma(const Kernels *kernels) {
#if defined(__x86_64__)
    return kernels->isa != ISA_PORTABLE;
#else
    (void)kernels;
    return true;
#endif
}

// Floats between guards, in memory that is aligned to floats alone.
typedef struct Buffer {
    size_t count;
    float *block, *at;
} Buffer;

static Buffer buffer(size_t count) {
    Buffer b = {.count = count, .block = malloc((count + 2 * GUARD) * sizeof(float))};
    if (b.block == NULL) {
        fprintf(stderr, "no memory for a test\n");
        exit(1);
    }
    b.at = b.block + GUARD;
    for (size_t i = 0; i < count + 2 * GUARD; i++) {
        b.block[i] = GUARD_VALUE;
    }
    return b;
}

static void fill(const Buffer *b, bool integers, uint64_t seed) {
    for (size_t i = 0; i < b->count; i++) {
        const double u = 16.0 * random_uniform(seed, RANDOM_TEST, 0, i) - 8.0;
        b->at[i] = (float)(integers ? floor(u + 0.5) : u);
    }
}

static void check(bool good, const Kernels *kernels, const char *what, int rows, int units) {
    if (!good) {
        fprintf(stderr, "%s: %s with %d rows, %d blocks of lanes is wrong\n",
                isa_name(kernels->isa), what, rows, units);
        failures++;
    }
}

static void release(const Buffer *b, const Kernels *kernels, const char *what) {
    for (size_t i = 0; i < GUARD; i++) {
        if (b->block[i] != GUARD_VALUE || b->at[b->count + i] != GUARD_VALUE) {
            fprintf(stderr, "%s: %s writes outside of its memory\n", isa_name(kernels->isa), what);
            failures++;
            break;
        }
    }
    free(b->block);
}

// |got - expected| <= (terms + 2) * 2^-23 * (sum of the sizes of all terms): each of the roundings,
// of either side, is at most 2^-24 of a partial sum, which is no larger than that sum.
static bool close_to(float got, double expected, double sizes, int terms) {
    return fabs((double)got - expected) <= (terms + 2) * 0x1p-23 * sizes;
}

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

// ---------------------------------------------------------------- weights

static void test_weight_tile(const Kernels *kernels, int rows, int units, bool resume,
                             bool integers, float *sums) {
    const Buffer input = buffer(STRIP), gradient = buffer(STRIP);
    const int width = units * CONV_BLOCK, count = rows * width;
    const Buffer sum = buffer((size_t)count);
    fill(&input, integers, 6);
    fill(&gradient, integers, 7);
    fill(&sum, integers, 8);
    const WeightTile tile = {.input = input.at + 3,
                             .gradient = gradient.at + 5 * CONV_BLOCK,
                             .input_pitch = 2 * PITCH * CONV_BLOCK,
                             .gradient_pitch = PITCH * CONV_BLOCK,
                             .gradient_plane = PLANE,
                             .height = 2,
                             .width = 9 + rows,
                             .sum = sum.at,
                             .resume = resume};
    static double expected[SUMS], sizes[SUMS];
    for (int i = 0; i < count; i++) {
        expected[i] = resume ? sum.at[i] : 0.0;
        sizes[i] = fabs(expected[i]);
        const int lane = i % width, row = i / width;
        for (int y = 0; y < tile.height; y++) {
            for (int x = 0; x < tile.width; x++) {
                const double term =
                    (double)tile.input[y * tile.input_pitch + x * CONV_BLOCK + row] *
                    (double)tile.gradient[y * tile.gradient_pitch + x * CONV_BLOCK +
                                          lane / CONV_BLOCK * PLANE + lane % CONV_BLOCK];
                expected[i] += term;
                sizes[i] += fabs(term);
            }
        }
    }
    kernels->conv->weight_tile[units - 1][rows - 1](&tile);
    bool good = true;
    for (int i = 0; i < count; i++) {
        good &= integers ? (double)sum.at[i] == expected[i]
                         : close_to(sum.at[i], expected[i], sizes[i], tile.height * tile.width);
    }
    check(good, kernels, integers ? "a weight tile on integers" : "a weight tile on reals", rows,
          units);
    memcpy(sums, sum.at, (size_t)count * sizeof(float));
    release(&input, kernels, "a weight tile");
    release(&gradient, kernels, "a weight tile");
    release(&sum, kernels, "a weight tile");
}

static void test_weight_tiles(const Kernels *kernels) {
    static float sums[SUMS];
    for (int units = 1; units <= kernels->conv->units; units++) {
        for (int rows = 1; rows <= kernels->conv->weight_rows[units - 1]; rows++) {
            for (int form = 0; form < 4; form++) {
                test_weight_tile(kernels, rows, units, form % 2 == 1, form < 2, sums);
            }
        }
    }
}

static void test_weight_tiles_agree(void) {
    static float first[SUMS], sums[SUMS];
    for (int rows = 1; rows <= 2; rows++) {
        const Kernels *before = NULL;
        for (int s = 0; s < set_count; s++) {
            if (has_fma(sets[s])) {
                test_weight_tile(sets[s], rows, 1, true, false, before == NULL ? first : sums);
                check(before == NULL ||
                          memcmp(first, sums, (size_t)rows * CONV_BLOCK * sizeof(float)) == 0,
                      sets[s], "a weight tile's agreement", rows, 1);
                before = sets[s];
            }
        }
    }
}

// ---------------------------------------------------------------- copies and sums

static void test_pack_row(const Kernels *kernels) {
    const int channels[] = {1, 3, 15, 16, 17, 32, 40, 48};
    for (size_t i = 0; i < sizeof channels / sizeof channels[0]; i++) {
        for (int left = 0; left < 3; left++) {
            const int count = channels[i], pixels = 5, right = 2 - left, stride = count + 7 * left;
            const int blocks = (count + CONV_BLOCK - 1) / CONV_BLOCK, row = left + pixels + right;
            const ptrdiff_t plane = (ptrdiff_t)(row + 1) * CONV_BLOCK;
            const Buffer from = buffer((size_t)((pixels - 1) * stride + count));
            const Buffer to = buffer((size_t)((blocks - 1) * plane + row * CONV_BLOCK));
            fill(&from, false, 9);
            kernels->conv->pack_row(to.at, plane, from.at, stride, left, pixels, right, count);
            bool good = true;
            for (int x = 0; x < row; x++) {
                const bool inside = x >= left && x < left + pixels;
                for (int c = 0; c < count; c++) {
                    const float expected = inside ? from.at[(x - left) * stride + c] : 0.0f;
                    good &=
                        to.at[c / CONV_BLOCK * plane + x * CONV_BLOCK + c % CONV_BLOCK] == expected;
                }
            }
            check(good, kernels, "pack_row", row, blocks);
            release(&from, kernels, "pack_row");
            release(&to, kernels, "pack_row");
        }
    }
}

static void test_sums(const Kernels *kernels) {
    const Buffer a = buffer(PITCH * CONV_BLOCK * 4), b = buffer(PITCH * CONV_BLOCK * 4);
    const Buffer sum = buffer(CONV_BLOCK);
    fill(&a, true, 10);
    fill(&b, true, 11);
    fill(&sum, true, 12);
    double expected[CONV_BLOCK];
    for (int lane = 0; lane < CONV_BLOCK; lane++) {
        expected[lane] = sum.at[lane];
        for (int i = 0; i < 3 * 7; i++) {
            expected[lane] += a.at[(i / 7 * PITCH + i % 7) * CONV_BLOCK + lane];
        }
    }
    kernels->conv->sum_pixels(sum.at, a.at, PITCH * CONV_BLOCK, 3, 7);
    bool good = true;
    for (int lane = 0; lane < CONV_BLOCK; lane++) {
        good &= (double)sum.at[lane] == expected[lane];
    }
    check(good, kernels, "sum_pixels", 21, 1);

    const float last = b.at[48] + a.at[48], next = b.at[64];
    kernels->conv->add(b.at + 16, a.at + 16, 48);
    check(b.at[48] == last && b.at[64] == next, kernels, "add", 1, 1);
    release(&a, kernels, "add");
    release(&b, kernels, "add");
    release(&sum, kernels, "sum_pixels");
}

// ---------------------------------------------------------------- speed

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void bench(const Kernels *kernels) {
    enum { TURNS = 2000, REPEATS = 5 };
    const ConvKernels *conv = kernels->conv;
    const float values[2] = {0.999f, 0.25f};
    float result;
    double peak = 0;
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        const double begin = now();
        const double operations = conv->peak(500000, values, &result);
        peak = fmax(peak, operations / (now() - begin));
    }
    printf("%s: peak %.1f GFLOP/s\n", isa_name(kernels->isa), peak * 1e-9);
    for (int units = 1; units <= conv->units; units++) {
        for (int rows = 1; rows <= conv->rows[units - 1]; rows++) {
            const TileCase c = {
                .rows = rows, .units = units, .blocks = 1, .last_depth = 16, .taps = 9};
            const TileData d = tile_data(true);
            const ConvTile tile = tile_of(&c, &d);
            double seconds = 1e30;
            for (int repeat = 0; repeat < REPEATS; repeat++) {
                const double begin = now();
                for (int turn = 0; turn < TURNS; turn++) {
                    conv->tile[units - 1][rows - 1](&tile);
                }
                seconds = fmin(seconds, now() - begin);
            }
            const double operations = 2.0 * TURNS * rows * units * CONV_BLOCK * CONV_BLOCK * 9;
            printf("  tile %2d x %d: %6.1f GFLOP/s, %3.0f%%\n", rows, units,
                   operations / seconds * 1e-9, 100 * operations / seconds / peak);
            tile_release(&d, kernels);
        }
    }
    for (int units = 1; units <= conv->units; units++) {
        for (int rows = 1; rows <= conv->weight_rows[units - 1]; rows++) {
            const Buffer input = buffer(STRIP), gradient = buffer(STRIP), sum = buffer(SUMS);
            fill(&input, true, 6);
            fill(&gradient, true, 7);
            const WeightTile tile = {.input = input.at,
                                     .gradient = gradient.at,
                                     .input_pitch = PITCH * CONV_BLOCK,
                                     .gradient_pitch = PITCH * CONV_BLOCK,
                                     .gradient_plane = PLANE,
                                     .height = 4,
                                     .width = 32,
                                     .sum = sum.at};
            double seconds = 1e30;
            for (int repeat = 0; repeat < REPEATS; repeat++) {
                const double begin = now();
                for (int turn = 0; turn < TURNS; turn++) {
                    conv->weight_tile[units - 1][rows - 1](&tile);
                }
                seconds = fmin(seconds, now() - begin);
            }
            const double operations = 2.0 * TURNS * rows * units * CONV_BLOCK * 128;
            printf("  weight tile %2d x %d: %6.1f GFLOP/s, %3.0f%%\n", rows, units,
                   operations / seconds * 1e-9, 100 * operations / seconds / peak);
            release(&input, kernels, "a weight tile");
            release(&gradient, kernels, "a weight tile");
            release(&sum, kernels, "a weight tile");
        }
    }
}

int main(int argc, char **argv) {
    find_sets();
    for (int s = 0; s < set_count; s++) {
        test_tiles(sets[s]);
        test_weight_tiles(sets[s]);
        test_pack_row(sets[s]);
        test_sums(sets[s]);
    }
    test_tiles_agree();
    test_weight_tiles_agree();
    if (argc > 1 && strcmp(argv[1], "--bench") == 0) {
        for (int s = 0; s < set_count; s++) {
            bench(sets[s]);
        }
    }
    if (failures > 0) {
        fprintf(stderr, "%d failures\n", failures);
    }
    return failures > 0;
}
