// SPDX-License-Identifier: Apache-2.0
// The stem's Winograd path against the reference backend in double: within a bound that is derived
// for each output, on every instruction set; 1, 2 and 5 threads, all sets with FMA and batches of 1
// and more bitwise equal. Prints the largest error of the usual stem.
//
// Every rounding changes an output by at most 2^-24 of what the same formula gives when all its
// terms are taken by size (as in winograd_bounds.h):
//
//     m = |A'| [ sum over channels of (|G| |w| |G'|) . (|B'| |x| |B|) ] |A|
#include <stdio.h>

#include "backend/cpu/conv.h"
#include "ops/conv_case.h"

enum { SIDE = 7, POINTS = SIDE * SIDE, OUTPUTS = 4, TAPS = 4, KERNEL = 7, PHASES = 4 };
// Of the transforms of input and sums, of the weights, at the end and in what is folded. Without
// FMA a sum's products are rounded too.
enum { ROUNDINGS = 10 + 10 + 1 + 3 + 3 };

typedef struct Case {
    int batch, channels, height, width, out_channels;
    bool fused; // norm, residual and ReLU
} Case;

static const Case cases[] = {
    {1, 3, 224, 224, 64, true}, {2, 3, 32, 40, 64, false}, {3, 1, 17, 9, 16, true},
    {2, 4, 33, 26, 50, true},   {1, 2, 7, 119, 33, false}, {4, 3, 2, 1, 20, true},
};

enum { CASES = sizeof cases / sizeof cases[0], USUAL = 0 };

typedef struct Data {
    const Case *c;
    Node nodes[2];
    ConvArrays a;
} Data;

static void data_create(Data *d, const Case *c) {
    const Shape input = {c->channels, c->height, c->width};
    const Shape output = {c->out_channels, (c->height + 1) / 2, (c->width + 1) / 2};
    *d = (Data){
        .c = c,
        .nodes = {{.op = OP_INPUT, .shape = input},
                  {.op = OP_CONV,
                   .shape = output,
                   .relu = c->fused,
                   .folded_norm = c->fused,
                   .folded_epsilon = 1e-5f,
                   .conv = {.out_channels = c->out_channels,
                            .kernel_height = KERNEL,
                            .kernel_width = KERNEL,
                            .stride = 2,
                            .pad = 3,
                            .bias = !c->fused}}},
        .a = {.in = (size_t)c->batch * shape_elements(input),
              .out = (size_t)c->batch * shape_elements(output),
              .weights = (size_t)(KERNEL * KERNEL * c->channels * c->out_channels),
              .channels = (size_t)c->out_channels},
    };
    arrays_create(&d->a, false, 1, 1);
    for (size_t i = 0; i < d->a.channels; i++) {
        d->a.norm[3][i] = fabsf(d->a.norm[3][i]) + 0.5f;
    }
}

static Call call_of(const Data *d) {
    return (Call){.node = &d->nodes[1],
                  .input_shape = {d->nodes[0].shape},
                  .batch = d->c->batch,
                  .phase = PHASE_INFERENCE};
}

static float *run(const Data *d, int batch, const Kernels *kernels, Threads *threads) {
    Call call = call_of(d);
    call.batch = batch;
    call.threads = threads;
    call.input[0] = d->a.x;
    float *y = call.output = guarded(d->a.out);
    call.param[0] = d->a.w;
    call.param[1] = d->c->fused ? NULL : d->a.bias;
    for (int i = 0; i < 4 && d->c->fused; i++) {
        call.param[2 + i] = d->a.norm[i];
        call.input[1] = d->a.residual;
    }
    ConvGeometry g = conv_geometry(call.node, d->nodes[0].shape, batch + 3); // planned for more
    const size_t space = conv_stem.workspace_size(&g, call.phase, threads_count(threads)) / 4;
    const size_t prepared = conv_stem.prepared_size(&g, call.phase) / 4;
    call.workspace = guarded(space);
    call.prepared = guarded(prepared);
    g.batch = 1;
    conv_stem.prepare(&g, &call, kernels);
    g.batch = batch;
    conv_stem.forward(&g, &call, kernels);
    release(call.workspace, space);
    release(call.prepared, prepared);
    return y;
}

// ---------------------------------------------------------------- what is expected

static double *reals(size_t count, const float *from) {
    double *values = calloc(count, sizeof(double));
    assert_non_null(values);
    for (size_t i = 0; from != NULL && i < count; i++) {
        values[i] = from[i];
    }
    return values;
}

// By the reference backend in double.
static double *expected(const Data *d) {
    Call call = call_of(d);
    double *y = reals(d->a.out, NULL),
           *read[7] = {reals(d->a.in, d->a.x), reals(d->a.weights, d->a.w),
                       d->c->fused ? reals(d->a.out, d->a.residual)
                                   : reals(d->a.channels, d->a.bias)};
    call.input[0] = read[0];
    call.param[0] = read[1];
    call.output = y;
    if (d->c->fused) {
        call.input[1] = read[2];
        for (int i = 0; i < 4; i++) {
            call.param[2 + i] = read[3 + i] = reals(d->a.channels, d->a.norm[i]);
        }
    } else {
        call.param[1] = read[2];
    }
    backend_reference_double.forward(&call);
    for (int i = 0; i < 7; i++) {
        free(read[i]);
    }
    return y;
}

// The matrices by size, from their points.
static double size_a[OUTPUTS][SIDE], size_b[SIDE][SIDE], size_g[SIDE][TAPS];

static void find_matrices(void) {
    const double points[SIDE] = {0, 0.5, -0.5, 1, -1, 2, -2};
    for (int i = 0; i < SIDE; i++) {
        double product[SIDE] = {1}, divisor = 1;
        int degree = 0;
        for (int j = 0; j < SIDE; j++) {
            if (j == i) {
                continue;
            }
            degree++;
            for (int k = degree; k > 0; k--) {
                product[k] = product[k - 1] - points[j] * product[k];
            }
            product[0] *= -points[j];
            divisor *= points[i] - points[j];
        }
        for (int k = 0; k < SIDE; k++) {
            size_b[i][k] = fabs(product[k]);
        }
        for (int k = 0; k < TAPS; k++) {
            size_g[i][k] = fabs(pow(points[i], k) / divisor);
            size_a[k][i] = fabs(pow(points[i], k));
        }
    }
}

// |G| |w| |G'|: [lane][phase and channel][point].
static double *kernel_sizes(const Data *d) {
    const int depth = PHASES * d->c->channels;
    double *sizes = reals((size_t)(d->c->out_channels * depth * POINTS), NULL);
    for (int n = 0; n < d->c->out_channels; n++) {
        const double scale = d->c->fused ? d->a.norm[0][n] / sqrt(d->a.norm[3][n] + 1e-5) : 1;
        for (int i = 0; i < d->c->channels * KERNEL * KERNEL; i++) {
            const int c = i / (KERNEL * KERNEL), y = i / KERNEL % KERNEL, x = i % KERNEL;
            const double w = fabs(d->a.w[n * d->c->channels * KERNEL * KERNEL + i] * scale);
            const int k = (y % 2 * 2 + x % 2) * d->c->channels + c;
            for (int p = 0; p < POINTS; p++) {
                sizes[(n * depth + k) * POINTS + p] +=
                    size_g[p / SIDE][y / 2] * size_g[p % SIDE][x / 2] * w;
            }
        }
    }
    return sizes;
}

// |B'| |x| |B| of the tile whose first output is (top, left): [phase and channel][point].
static void tile_sizes(const Data *d, const float *image, int top, int left, double *sizes) {
    const Case *c = d->c;
    memset(sizes, 0, (size_t)(PHASES * c->channels * POINTS) * sizeof(double));
    for (int i = 0; i < 4 * POINTS; i++) {
        const int row = i / (2 * SIDE), column = i % (2 * SIDE);
        const int y = top * 2 - 3 + row, x = left * 2 - 3 + column;
        for (int ch = 0; ch < c->channels; ch++) {
            if (y < 0 || y >= c->height || x < 0 || x >= c->width) {
                continue;
            }
            const int k = (row % 2 * 2 + column % 2) * c->channels + ch;
            for (int p = 0; p < POINTS; p++) {
                sizes[k * POINTS + p] += size_b[p / SIDE][row / 2] * size_b[p % SIDE][column / 2] *
                                         fabs(image[(y * c->width + x) * c->channels + ch]);
            }
        }
    }
}

// The bound of every output.
static double *bounds(const Data *d) {
    const Case *c = d->c;
    const int depth = PHASES * c->channels, lanes = c->out_channels;
    const int height = (c->height + 1) / 2, width = (c->width + 1) / 2;
    double *bound = reals(d->a.out, NULL), *kernel = kernel_sizes(d);
    double *input = reals((size_t)(depth * POINTS), NULL);
    for (int i = 0; i < c->batch * height * width; i++) {
        const int image = i / width / height, y = i / width % height, x = i % width;
        if (y % OUTPUTS != 0 || x % OUTPUTS != 0) {
            continue;
        }
        tile_sizes(d, d->a.x + (size_t)image * d->a.in / (size_t)c->batch, y, x, input);
        for (int n = 0; n < lanes; n++) {
            double sums[POINTS] = {0};
            for (int k = 0; k < depth; k++) {
                for (int p = 0; p < POINTS; p++) {
                    sums[p] += kernel[(n * depth + k) * POINTS + p] * input[k * POINTS + p];
                }
            }
            for (int o = 0; o < OUTPUTS * OUTPUTS; o++) {
                if (y + o / OUTPUTS >= height || x + o % OUTPUTS >= width) {
                    continue;
                }
                double m = 2 + 1 + 4; // what is added, by size
                for (int p = 0; p < POINTS; p++) {
                    m += size_a[o / OUTPUTS][p / SIDE] * size_a[o % OUTPUTS][p % SIDE] * sums[p];
                }
                bound[(i + o / OUTPUTS * width + o % OUTPUTS) * lanes + n] =
                    m * (2 * depth + ROUNDINGS) * 0x1p-24;
            }
        }
    }
    free(input);
    free(kernel);
    return bound;
}

static void test_reference(void **state) {
    (void)state;
    for (int i = 0; i < CASES; i++) {
        Data d;
        data_create(&d, &cases[i]);
        double *wanted = expected(&d), *bound = bounds(&d);
        for (int s = 0; s < set_count; s++) {
            float *y = run(&d, d.c->batch, sets[s], NULL);
            double worst = 0, scale = 0;
            for (size_t e = 0; e < d.a.out; e++) {
                const double error = fabs(y[e] - wanted[e]);
                if (!(error <= bound[e])) {
                    fail_msg("case %d, element %zu: %.9g, expected %.9g within %.3g", i, e,
                             (double)y[e], wanted[e], bound[e]);
                }
                worst = fmax(worst, error);
                scale = fmax(scale, fabs(wanted[e]));
            }
            if (i == USUAL) {
                printf("set %d: largest error %.1e of the largest value\n", s, worst / scale);
                assert_true(worst < 1e-5 * scale);
            }
            release(y, d.a.out);
        }
        free(wanted);
        free(bound);
        arrays_destroy(&d.a);
    }
}

static void assert_same(const float *a, const float *b, size_t count) {
    assert_memory_equal(a, b, count * sizeof(float));
}

static void test_same_bits(void **state) {
    (void)state;
    Threads *pools[2];
    assert_int_equal(threads_create(2, &pools[0]), STATUS_OK);
    assert_int_equal(threads_create(5, &pools[1]), STATUS_OK);
    for (int i = 0; i < CASES; i++) {
        Data d;
        data_create(&d, &cases[i]);
        float *best = run(&d, d.c->batch, sets[set_count - 1], NULL);
        for (int s = 0; s < set_count; s++) {
            float *one = run(&d, d.c->batch, sets[s], NULL), *alone = run(&d, 1, sets[s], NULL);
            assert_same(one, alone, d.a.out / (size_t)d.c->batch);
            if (has_fma(sets[s])) {
                assert_same(one, best, d.a.out);
            }
            for (int p = 0; p < 2; p++) {
                float *many = run(&d, d.c->batch, sets[s], pools[p]);
                assert_same(one, many, d.a.out);
                release(many, d.a.out);
            }
            release(alone, d.a.out);
            release(one, d.a.out);
        }
        release(best, d.a.out);
        arrays_destroy(&d.a);
    }
    threads_destroy(pools[0]);
    threads_destroy(pools[1]);
}

// Shapes alone choose; training needs the direct path's other passes.
static void test_rule(void **state) {
    (void)state;
    const struct {
        int channels, out_channels, kernel, stride, pad;
        bool stem;
    } rows[] = {
        {3, 64, 7, 2, 3, true},  {1, 16, 7, 2, 3, true},  {4, 64, 7, 2, 3, true},
        {5, 64, 7, 2, 3, false}, {3, 15, 7, 2, 3, false}, {3, 64, 7, 1, 3, false},
        {3, 64, 5, 2, 2, false}, {3, 64, 7, 2, 2, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const int size = (64 + 2 * rows[i].pad - rows[i].kernel) / rows[i].stride + 1;
        const Node node = {.op = OP_CONV,
                           .shape = {rows[i].out_channels, size, size},
                           .conv = {.out_channels = rows[i].out_channels,
                                    .kernel_height = rows[i].kernel,
                                    .kernel_width = rows[i].kernel,
                                    .stride = rows[i].stride,
                                    .pad = rows[i].pad}};
        const ConvGeometry g = conv_geometry(&node, (Shape){rows[i].channels, 64, 64}, 1);
        assert_ptr_equal(conv_path(&g, PHASE_INFERENCE), rows[i].stem ? &conv_stem : &conv_direct);
        assert_ptr_equal(conv_path(&g, PHASE_TRAINING), &conv_direct);
    }
}

int main(void) {
    find_sets();
    find_matrices();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference),
        cmocka_unit_test(test_same_bits),
        cmocka_unit_test(test_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
