// SPDX-License-Identifier: Apache-2.0
// The tile of the weights' gradient, and the copies and sums around both convolution tiles, on
// every instruction set against plain loops: small integers bitwise, real numbers within a derived
// bound, bitwise equal among the sets with FMA.
//
//     test_conv_weights [--bench]     also prints each tile's speed
#include "kernels/conv_case.h"

enum { SUMS = CONV_BLOCK * CONV_PANEL_MAX };

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
            const float pad = left == 1 ? -7.0f : 0.0f;
            fill(&from, false, 9);
            kernels->conv->pack_row(to.at, plane, from.at, stride, left, pixels, right, count, pad);
            bool good = true;
            for (int x = 0; x < row; x++) {
                const bool inside = x >= left && x < left + pixels;
                for (int c = 0; c < count; c++) {
                    const float expected = inside ? from.at[(x - left) * stride + c] : pad;
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

static void bench(const Kernels *kernels) {
    const ConvKernels *conv = kernels->conv;
    const double peak = measure_peak(kernels);
    const Buffer input = buffer(STRIP), gradient = buffer(STRIP), sum = buffer(SUMS);
    fill(&input, true, 6);
    fill(&gradient, true, 7);
    for (int units = 1; units <= conv->units; units++) {
        for (int rows = 1; rows <= conv->weight_rows[units - 1]; rows++) {
            const WeightTile tile = {.input = input.at,
                                     .gradient = gradient.at,
                                     .input_pitch = PITCH * CONV_BLOCK,
                                     .gradient_pitch = PITCH * CONV_BLOCK,
                                     .gradient_plane = PLANE,
                                     .height = 4,
                                     .width = 32,
                                     .sum = sum.at};
            double seconds = 1e30;
            for (int repeat = 0; repeat < BENCH_REPEATS; repeat++) {
                const double begin = now();
                for (int turn = 0; turn < BENCH_TURNS; turn++) {
                    conv->weight_tile[units - 1][rows - 1](&tile);
                }
                seconds = fmin(seconds, now() - begin);
            }
            const double operations = 2e-9 * BENCH_TURNS * rows * units * CONV_BLOCK * 128;
            printf("  weight tile %2d x %d: %6.1f GFLOP/s, %3.0f%%\n", rows, units,
                   operations / seconds, 100 * operations / seconds / peak);
        }
    }
    release(&input, kernels, "a weight tile");
    release(&gradient, kernels, "a weight tile");
    release(&sum, kernels, "a weight tile");
}

int main(int argc, char **argv) {
    find_sets();
    for (int s = 0; s < set_count; s++) {
        test_weight_tiles(sets[s]);
        test_pack_row(sets[s]);
        test_sums(sets[s]);
    }
    test_weight_tiles_agree();
    for (int s = 0; argc > 1 && strcmp(argv[1], "--bench") == 0 && s < set_count; s++) {
        bench(sets[s]);
    }
    if (failures > 0) {
        fprintf(stderr, "%d failures\n", failures);
    }
    return failures > 0;
}
