// SPDX-License-Identifier: Apache-2.0
// The Winograd path against the reference backend in double: within a bound that is derived for
// each output, on every instruction set; 1, 2 and 5 threads, all sets with FMA and batches of 1 and
// more bitwise equal. Prints the largest errors of the usual layers.
#include <stdio.h>
#include <stdlib.h>

#include "backend/cpu/conv.h"
#include "ops/winograd_bounds.h"

static const Case cases[] = {
    {2, 64, 56, 56, 64, true, false},
    {2, 128, 28, 28, 128, true, false},
    {3, 256, 14, 14, 256, true, false},
    {2, 512, 7, 7, 512, true, false},
    {5, 32, 16, 16, 32, true, false},
    {5, 64, 8, 8, 64, true, false},
    {3, 16, 7, 7, 16, false, false},
    {2, 17, 9, 13, 33, false, false},
    {3, 20, 4, 4, 70, false, false},
    {2, 100, 5, 3, 40, false, false},
    {1, 3, 1, 1, 5, false, false},
    {40, 16, 2, 6, 16, false, false},
    {3, 1, 10, 11, 1, false, false},
    {2, 47, 14, 14, 48, false, false},
    {2, 300, 6, 8, 230, false, false},
    // From taps: four tiles, cut into three outputs or not; sixteen; five quads in two parts;
    // blocks that are no whole quads; of several images.
    {1, 300, 7, 8, 230, false, true},
    {1, 300, 8, 8, 230, false, true},
    {1, 300, 7, 7, 230, false, true},
    {1, 257, 14, 14, 260, false, true},
    {5, 270, 7, 10, 250, false, true},
    {1, 256, 28, 20, 256, false, true},
    {2, 261, 9, 13, 270, false, true},
};

enum { CASES = sizeof cases / sizeof cases[0] };

static const Mode modes[] = {{false, false, false}, {false, true, true}, {true, true, false}};
enum { MODES = sizeof modes / sizeof modes[0] };

// Sanitizers, which make the large layers take minutes, see the same code in the small ones, and
// these have the mode that the large ones leave out.
static bool left_out(const Case *c, int mode) {
    const char *sanitize = getenv("RESNET_SANITIZE");
    return (c->usual && ((sanitize != NULL && sanitize[0] != '\0') || mode == 1)) ||
           (c->inference && !modes[mode].fused);
}

static void data_create(Data *d, const Case *c, Mode mode) {
    const Shape input = {c->channels, c->height, c->width};
    const Shape output = {c->out_channels, c->height, c->width};
    *d = (Data){.c = c,
                .mode = mode,
                .nodes = {{.op = OP_INPUT, .shape = input},
                          {.op = OP_CONV,
                           .shape = output,
                           .relu = mode.fused,
                           .folded_norm = mode.fused,
                           .folded_epsilon = 1e-5f,
                           .conv = {.out_channels = c->out_channels,
                                    .kernel_height = 3,
                                    .kernel_width = 3,
                                    .stride = 1,
                                    .pad = 1,
                                    .bias = mode.bias}}},
                .a = {.in = (size_t)c->batch * shape_elements(input),
                      .out = (size_t)c->batch * shape_elements(output),
                      .weights = (size_t)(9 * c->channels * c->out_channels),
                      .channels = (size_t)c->out_channels}};
    arrays_create(&d->a, false, 1, 1);
    for (size_t i = 0; i < d->a.channels; i++) {
        d->a.norm[3][i] = fabsf(d->a.norm[3][i]) + 0.5f;
    }
}

static Call call_of(const Data *d) {
    return (Call){.node = &d->nodes[1],
                  .input_shape = {d->nodes[0].shape},
                  .batch = d->c->batch,
                  .phase = d->mode.fused ? PHASE_INFERENCE : PHASE_TRAINING,
                  .accumulate = {d->mode.accumulate}};
}

typedef struct Result {
    float *y, *dx, *dw; // dx, dw: NULL when fused
} Result;

static void result_destroy(const Result *r, const Data *d) {
    release(r->y, d->a.out);
    if (r->dx != NULL) {
        release(r->dx, d->a.in);
        release(r->dw, d->a.weights);
    }
}

static Result run(const Data *d, int batch, const Kernels *kernels, Threads *threads) {
    const Result r = {guarded(d->a.out), d->mode.fused ? NULL : guarded(d->a.in),
                      d->mode.fused ? NULL : guarded(d->a.weights)};
    Call call = call_of(d);
    call.batch = batch;
    call.threads = threads;
    call.input[0] = d->a.x;
    call.output = r.y;
    call.param[0] = d->a.w;
    call.param[1] = d->mode.bias ? d->a.bias : NULL;
    for (int i = 0; i < 4 && d->mode.fused; i++) {
        call.param[2 + i] = d->a.norm[i];
        call.input[1] = d->a.residual;
    }
    // One image alone is planned so, which may be another form of the weights; else for more.
    call.planned = batch == 1 ? 1 : batch + 3;
    ConvGeometry g = conv_geometry(call.node, d->nodes[0].shape, call.planned);
    const size_t space = conv_winograd.workspace_size(&g, call.phase, threads_count(threads)) / 4;
    const size_t prepared = conv_winograd.prepared_size(&g, call.phase) / 4;
    call.workspace = guarded(space);
    call.prepared = guarded(prepared);
    conv_winograd.prepare(&g, &call, kernels);
    g.batch = batch;
    conv_winograd.forward(&g, &call, kernels);
    if (r.dx != NULL) {
        memcpy(r.dx, d->a.old, d->a.in * sizeof(float));
        call.output_gradient = d->a.dy;
        call.input_gradient[0] = r.dx;
        call.param_gradient[0] = r.dw;
        conv_winograd.backward(&g, &call, kernels);
    }
    release(call.workspace, space);
    release(call.prepared, prepared);
    return r;
}

// ---------------------------------------------------------------- what is expected

static const char *const what_names[] = {"forward", "backward to the input", "backward to weights"};

static size_t what_count(const Data *d, What what) {
    return what == WHAT_Y ? d->a.out : what == WHAT_DX ? d->a.in : d->a.weights;
}

static const float *what_of(const Result *r, What what) {
    return what == WHAT_Y ? r->y : what == WHAT_DX ? r->dx : r->dw;
}

// By the reference backend in double.
static double *expected(const Data *d, What what) {
    Call call = call_of(d);
    double *x = reals(d->a.in, d->a.x), *y = reals(d->a.out, NULL),
           *w = reals(d->a.weights, d->a.w);
    double *bias = reals(d->a.channels, d->a.bias), *residual = reals(d->a.out, d->a.residual);
    double *dy = reals(d->a.out, d->a.dy), *dx = reals(d->a.in, d->a.old), *norm[4];
    double *dw = reals(d->a.weights, NULL);
    call.input[0] = x;
    call.output = y;
    call.param[0] = w;
    call.param[1] = d->mode.bias ? bias : NULL;
    for (int i = 0; i < 4; i++) {
        norm[i] = reals(d->a.channels, d->a.norm[i]);
        call.param[2 + i] = d->mode.fused ? norm[i] : NULL;
    }
    call.input[1] = d->mode.fused ? residual : NULL;
    if (what != WHAT_Y) {
        call.output_gradient = dy;
        call.input_gradient[0] = dx;
        call.param_gradient[0] = dw;
        backend_reference_double.backward(&call);
    } else {
        backend_reference_double.forward(&call);
    }
    for (int i = 0; i < 4; i++) {
        free(norm[i]);
    }
    free(x);
    free(w);
    free(bias);
    free(residual);
    free(dy);
    double *const made[WHATS] = {y, dx, dw};
    for (int i = 0; i < WHATS; i++) {
        if (i != (int)what) {
            free(made[i]);
        }
    }
    return made[what];
}

// The largest error; fails where one is above its bound.
static double check(const float *got, const double *wanted, const double *bound, size_t count) {
    double worst = 0, scale = 0;
    for (size_t i = 0; i < count; i++) {
        const double error = fabs(got[i] - wanted[i]);
        if (!(error <= bound[i])) {
            print_error("element %zu: %.9g, expected %.9g within %.3g\n", i, (double)got[i],
                        wanted[i], bound[i]);
            fail();
        }
        worst = fmax(worst, error);
        scale = fmax(scale, fabs(wanted[i]));
    }
    return scale > 0 ? worst / scale : 0;
}

static bool same_bits(const float *a, const float *b, size_t count) {
    return memcmp(a, b, count * sizeof(float)) == 0;
}

static void test_reference(void **state) {
    (void)state;
    for (int i = 0; i < CASES; i++) {
        const Case *c = &cases[i];
        for (int mode = 0; mode < MODES; mode++) {
            if (left_out(c, mode)) {
                continue;
            }
            Data d;
            data_create(&d, c, modes[mode]);
            for (What what = WHAT_Y; what < (d.mode.fused ? WHAT_DX : WHATS); what++) {
                double *wanted = expected(&d, what), *bound = bounds(&d, what);
                double error = 0;
                for (int s = 0; s < set_count; s++) {
                    const Result r = run(&d, c->batch, sets[s], NULL);
                    error = check(what_of(&r, what), wanted, bound, what_count(&d, what));
                    result_destroy(&r, &d);
                }
                if (c->usual) {
                    printf("%3d-%3d @%-2d %-22s largest error %.1e of the largest value\n",
                           c->channels, c->out_channels, c->height,
                           d.mode.fused ? "fused" : what_names[what], error);
                    assert_true(error < 1e-5);
                }
                free(wanted);
                free(bound);
            }
            arrays_destroy(&d.a);
        }
    }
}

// `images` of them; weights sum over all images.
static void assert_same(const Result *a, const Result *b, const Data *d, int images) {
    const size_t batch = (size_t)d->c->batch, count = (size_t)images;
    assert_true(same_bits(a->y, b->y, d->a.out / batch * count));
    if (a->dx != NULL) {
        assert_true(same_bits(a->dx, b->dx, d->a.in / batch * count));
        assert_true(count < batch || same_bits(a->dw, b->dw, d->a.weights));
    }
}

static void test_same_bits(void **state) {
    (void)state;
    Threads *pools[2];
    assert_int_equal(threads_create(2, &pools[0]), STATUS_OK);
    assert_int_equal(threads_create(5, &pools[1]), STATUS_OK);
    for (int i = 0; i < CASES; i++) {
        const Case *c = &cases[i];
        for (int mode = 0; mode < MODES; mode++) {
            if (left_out(c, mode)) {
                continue;
            }
            Data d;
            data_create(&d, c, modes[mode]);
            const Result best = run(&d, c->batch, sets[set_count - 1], NULL);
            for (int s = 0; s < set_count; s++) {
                const Result one = run(&d, c->batch, sets[s], NULL);
                for (int p = 0; p < 2; p++) {
                    const Result many = run(&d, c->batch, sets[s], pools[p]);
                    assert_same(&one, &many, &d, c->batch);
                    result_destroy(&many, &d);
                }
                if (has_fma(sets[s])) {
                    assert_same(&one, &best, &d, c->batch);
                }
                const Result alone = run(&d, 1, sets[s], NULL);
                assert_same(&one, &alone, &d, 1);
                result_destroy(&alone, &d);
                result_destroy(&one, &d);
            }
            result_destroy(&best, &d);
            arrays_destroy(&d.a);
        }
    }
    threads_destroy(pools[0]);
    threads_destroy(pools[1]);
}

// Shapes alone choose: enough channels and pixels.
static void test_rule(void **state) {
    (void)state;
    const struct {
        int channels, size, out_channels, kernel, stride, groups;
        bool winograd;
    } rows[] = {
        {64, 56, 64, 3, 1, 1, true},  {512, 7, 512, 3, 1, 1, true}, {32, 6, 32, 3, 1, 1, true},
        {64, 4, 64, 3, 1, 1, false},  {3, 224, 64, 3, 1, 1, false}, {64, 5, 64, 3, 1, 1, false},
        {64, 2, 64, 3, 1, 1, false},  {64, 56, 64, 1, 1, 1, false}, {64, 56, 128, 3, 2, 1, false},
        {64, 56, 64, 3, 1, 2, false}, {16, 32, 16, 3, 1, 1, true},  {15, 56, 64, 3, 1, 1, false},
        {64, 7, 8, 3, 1, 1, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const int size = (rows[i].size - 1) / rows[i].stride + 1;
        const Node node = {.op = OP_CONV,
                           .shape = {rows[i].out_channels, size, size},
                           .conv = {.out_channels = rows[i].out_channels,
                                    .kernel_height = rows[i].kernel,
                                    .kernel_width = rows[i].kernel,
                                    .stride = rows[i].stride,
                                    .pad = rows[i].kernel / 2,
                                    .groups = rows[i].groups}};
        const Shape input = {rows[i].channels, rows[i].size, rows[i].size};
        const ConvGeometry g = conv_geometry(&node, input, 1);
        const ConvPath *path = rows[i].winograd ? &conv_winograd : &conv_direct;
        assert_ptr_equal(conv_path(&g, PHASE_INFERENCE), path);
        assert_ptr_equal(conv_path(&g, PHASE_TRAINING), path);
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
