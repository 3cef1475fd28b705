// SPDX-License-Identifier: Apache-2.0
// Convolution and linear of the cpu backend, on the direct path, against the reference backend:
// bitwise on small integers (every product and sum is exact), then within a bound on real numbers;
// every instruction set; 1, 2 and 5 threads and all sets with FMA bitwise equal.
#include "backend/cpu/conv.h"
#include "ops/conv_case.h"

typedef struct Case {
    int batch, channels, height, width, out_channels;
    int kernel_height, kernel_width, stride, pad, groups;
    bool bias, linear;
} Case;

static const Case cases[] = {
    // The networks of the paper, small.
    {3, 3, 32, 32, 16, 3, 3, 1, 1, 1, false, false},
    {3, 16, 32, 32, 16, 3, 3, 1, 1, 1, false, false},
    {20, 16, 32, 32, 32, 3, 3, 2, 1, 1, false, false},
    {2, 32, 16, 16, 32, 3, 3, 1, 1, 1, true, false},
    {5, 64, 8, 8, 64, 3, 3, 1, 1, 1, false, false},
    {2, 16, 32, 32, 32, 1, 1, 2, 0, 1, false, false},
    {1, 3, 56, 60, 64, 7, 7, 2, 3, 1, false, false},
    {1, 64, 56, 56, 64, 1, 1, 1, 0, 1, false, false},
    {2, 256, 14, 14, 128, 1, 1, 1, 0, 1, false, false},
    {2, 64, 28, 28, 128, 3, 3, 2, 1, 1, false, false},
    {1, 512, 7, 7, 512, 3, 3, 1, 1, 1, false, false},
    {2, 300, 7, 7, 272, 1, 1, 2, 0, 1, false, false},
    // Odd channels, extents, strides, pads, groups.
    {2, 5, 9, 11, 17, 3, 3, 1, 1, 1, true, false},
    {3, 17, 7, 5, 48, 3, 3, 2, 1, 1, true, false},
    {2, 48, 6, 6, 100, 3, 3, 1, 1, 1, false, false},
    {2, 100, 5, 13, 3, 3, 3, 1, 1, 1, true, false},
    {1, 1, 4, 4, 1, 3, 3, 1, 1, 1, true, false},
    {4, 20, 1, 1, 20, 3, 3, 1, 1, 1, true, false},
    {2, 33, 2, 3, 35, 1, 1, 1, 0, 1, true, false},
    {2, 6, 12, 10, 18, 5, 3, 3, 2, 1, true, false},
    {2, 7, 23, 23, 20, 11, 11, 4, 2, 1, true, false},
    {2, 16, 9, 9, 16, 3, 3, 1, 0, 1, false, false},
    {2, 16, 9, 9, 16, 1, 1, 1, 2, 1, false, false},
    {2, 16, 9, 10, 16, 2, 2, 2, 0, 1, false, false},
    {2, 16, 10, 10, 16, 2, 2, 3, 1, 1, false, false},
    {2, 16, 3, 250, 24, 3, 3, 1, 1, 1, false, false},
    {2, 16, 3, 250, 24, 1, 7, 1, 3, 1, false, false},
    {2, 64, 9, 9, 64, 3, 3, 1, 1, 4, true, false},
    {2, 24, 8, 8, 12, 3, 3, 2, 1, 4, true, false},
    {2, 12, 8, 8, 12, 3, 3, 1, 1, 12, true, false},
    {3, 80, 6, 6, 40, 1, 1, 1, 0, 2, false, false},
    // More channels than a cell of the weights' gradient, more blocks than a strip.
    {2, 80, 6, 6, 144, 3, 3, 1, 1, 1, true, false},
    {9, 6000, 1, 1, 33, 1, 1, 1, 0, 1, true, false},
    // Linear: features, spatial features, many samples.
    {128, 64, 1, 1, 10, 1, 1, 1, 0, 1, true, true},
    {7, 40, 3, 2, 19, 1, 1, 1, 0, 1, true, true},
    {300, 512, 1, 1, 100, 1, 1, 1, 0, 1, false, true},
};

enum { CASES = sizeof cases / sizeof cases[0] };

typedef struct Data {
    Node nodes[2];
    ConvArrays a;
    bool fused, accumulate;
} Data;

static void data_create(Data *d, const Case *c, bool integers, bool fused) {
    const Shape input = {c->channels, c->height, c->width};
    *d = (Data){.nodes = {{.op = OP_INPUT, .shape = input}}, .fused = fused};
    Node *node = &d->nodes[1];
    node->op = c->linear ? OP_LINEAR : OP_CONV;
    if (c->linear) {
        node->shape = (Shape){c->out_channels, 1, 1};
        d->a.weights = shape_elements(input) * (size_t)c->out_channels;
    } else {
        node->shape =
            (Shape){c->out_channels, (c->height + 2 * c->pad - c->kernel_height) / c->stride + 1,
                    (c->width + 2 * c->pad - c->kernel_width) / c->stride + 1};
        node->conv = (ConvAttr){.out_channels = c->out_channels,
                                .kernel_height = c->kernel_height,
                                .kernel_width = c->kernel_width,
                                .stride = c->stride,
                                .pad = c->pad,
                                .groups = c->groups,
                                .bias = c->bias};
        d->a.weights = (size_t)(c->channels / c->groups) * (size_t)c->out_channels *
                       (size_t)(c->kernel_height * c->kernel_width);
    }
    node->relu = fused;
    node->folded_norm = fused;
    node->folded_epsilon = 0.0f;
    d->a.in = (size_t)c->batch * shape_elements(input);
    d->a.out = (size_t)c->batch * shape_elements(node->shape);
    d->a.channels = (size_t)c->out_channels;
    arrays_create(&d->a, integers, 8, 3);
    for (size_t i = 0; i < d->a.channels; i++) { // variances: squares of whole numbers are exact
        d->a.norm[3][i] =
            integers ? (i % 2 == 0 ? 1.0f : 4.0f) : d->a.norm[3][i] * d->a.norm[3][i] + 0.5f;
        d->a.norm[0][i] *= 2.0f;
    }
}

typedef struct Result {
    float *y, *dx, *dw, *db;
} Result;

static void result_destroy(const Result *r, const Data *d) {
    release(r->y, d->a.out);
    release(r->dx, d->a.in);
    release(r->dw, d->a.weights);
    release(r->db, d->a.channels);
}

static Call call_of(const Data *d, const Case *c, const Result *r) {
    Call call = {.node = &d->nodes[1],
                 .input_shape = {d->nodes[0].shape},
                 .batch = c->batch,
                 .phase = d->fused ? PHASE_INFERENCE : PHASE_TRAINING,
                 .input = {d->a.x},
                 .output = r->y,
                 .param = {d->a.w, c->bias ? d->a.bias : NULL},
                 .output_gradient = d->a.dy,
                 .input_gradient = {r->dx},
                 .accumulate = {d->accumulate},
                 .param_gradient = {r->dw, c->bias ? r->db : NULL}};
    if (d->fused) {
        call.input[1] = d->a.residual;
        for (int i = 0; i < 4; i++) {
            call.param[2 + i] = d->a.norm[i];
        }
    }
    return call;
}

// Forward, then (plain nodes only) backward. kernels NULL: the reference.
static Result run(const Data *d, const Case *c, const Kernels *kernels, Threads *threads) {
    const Result r = {guarded(d->a.out), guarded(d->a.in), guarded(d->a.weights),
                      guarded(d->a.channels)};
    if (d->accumulate) {
        memcpy(r.dx, d->a.old, d->a.in * sizeof(float));
    }
    Call call = call_of(d, c, &r);
    call.threads = threads;
    if (kernels == NULL) {
        backend_reference.forward(&call);
        if (!d->fused) {
            backend_reference.backward(&call);
        }
        return r;
    }
    const ConvGeometry g = conv_geometry(call.node, d->nodes[0].shape, c->batch);
    const size_t prepared = conv_direct.prepared_size(&g, call.phase) / sizeof(float);
    // Planned for a larger batch: the last batch of an epoch is smaller.
    const ConvGeometry larger = conv_geometry(call.node, d->nodes[0].shape, c->batch + 3);
    const size_t space =
        conv_direct.workspace_size(&larger, call.phase, threads_count(threads)) / sizeof(float);
    call.prepared = guarded(prepared);
    call.workspace = guarded(space);
    conv_direct.prepare(&g, &call, kernels);
    conv_direct.forward(&g, &call, kernels);
    if (!d->fused) {
        conv_direct.backward(&g, &call, kernels);
    }
    release(call.prepared, prepared);
    release(call.workspace, space);
    return r;
}

static bool same_values(const float *a, const float *b, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!(a[i] == b[i])) { // 0 and -0 are equal, NaN is not
            print_error("element %zu: %.9g, expected %.9g\n", i, (double)a[i], (double)b[i]);
            return false;
        }
    }
    return true;
}

static bool same_bits(const float *a, const float *b, size_t count) {
    return memcmp(a, b, count * sizeof(float)) == 0;
}

// |a - b| <= terms * 2^-23 * (the sum of the products' sizes) would hold always; the sums here are
// of random signs, so their size is at most `scale` and half the terms' worth is ample.
static bool close_to(const float *a, const float *b, size_t count, double terms, double scale) {
    const double bound = terms * scale * 0x1p-23;
    for (size_t i = 0; i < count; i++) {
        if (!(fabs((double)a[i] - (double)b[i]) <= bound)) {
            print_error("element %zu: %.9g, expected %.9g within %.3g\n", i, (double)a[i],
                        (double)b[i], bound);
            return false;
        }
    }
    return true;
}

static void compare_case(const Case *c, bool integers, bool fused, bool accumulate) {
    Data d;
    data_create(&d, c, integers, fused);
    d.accumulate = accumulate;
    const Result expected = run(&d, c, NULL, NULL);
    for (int s = 0; s < set_count; s++) {
        const Result r = run(&d, c, sets[s], NULL);
        bool good;
        if (integers) {
            good = same_values(r.y, expected.y, d.a.out);
            if (!fused) {
                good &= same_values(r.dx, expected.dx, d.a.in);
                good &= same_values(r.dw, expected.dw, d.a.weights);
                good &= !c->bias || same_values(r.db, expected.db, d.a.channels);
            }
        } else {
            const double taps = c->kernel_height * c->kernel_width, spread = 8 * 8 * 8;
            const double sites = (double)d.a.out / (double)d.a.channels;
            good =
                close_to(r.y, expected.y, d.a.out,
                         taps * (double)d.nodes[0].shape.channels * c->height * c->width, spread);
            if (!fused) {
                good &= close_to(r.dx, expected.dx, d.a.in, taps * (double)d.a.channels, spread);
                good &= close_to(r.dw, expected.dw, d.a.weights, sites, spread);
                good &= !c->bias || close_to(r.db, expected.db, d.a.channels, sites, spread);
            }
        }
        if (!good) {
            print_error("case %td, %s, %s%s%s\n", c - cases, isa_name(sets[s]->isa),
                        integers ? "integers" : "reals", fused ? ", fused" : "",
                        accumulate ? ", accumulated" : "");
        }
        assert_true(good);
        result_destroy(&r, &d);
    }
    result_destroy(&expected, &d);
    arrays_destroy(&d.a);
}

static void test_integers(void **state) {
    (void)state;
    for (int i = 0; i < CASES; i++) {
        compare_case(&cases[i], true, false, i % 2 == 1);
        compare_case(&cases[i], true, false, i % 2 == 0);
    }
}

static void test_integers_fused(void **state) {
    (void)state;
    for (int i = 0; i < CASES; i++) {
        if (!cases[i].linear) {
            compare_case(&cases[i], true, true, false);
        }
    }
}

static void test_reals(void **state) {
    (void)state;
    for (int i = 0; i < CASES; i++) {
        compare_case(&cases[i], false, false, i % 2 == 0);
        if (!cases[i].linear) {
            compare_case(&cases[i], false, true, false);
        }
    }
}

static bool same_result(const Result *a, const Result *b, const Data *d, bool bias) {
    return same_bits(a->y, b->y, d->a.out) &&
           (d->fused ||
            (same_bits(a->dx, b->dx, d->a.in) && same_bits(a->dw, b->dw, d->a.weights) &&
             (!bias || same_bits(a->db, b->db, d->a.channels))));
}

// The same bits whatever the number of threads, and on every set with FMA.
static void test_same_bits(void **state) {
    (void)state;
    Threads *pools[3] = {NULL};
    assert_int_equal(threads_create(2, &pools[1]), STATUS_OK);
    assert_int_equal(threads_create(5, &pools[2]), STATUS_OK);
    for (int i = 0; i < CASES; i++) {
        const Case *c = &cases[i];
        for (int fused = 0; fused <= !c->linear; fused++) {
            Data d;
            data_create(&d, c, false, fused != 0);
            d.accumulate = i % 2 == 0;
            const Result first = run(&d, c, sets[set_count - 1], NULL);
            for (int s = 0; s < set_count; s++) {
                const Result one = run(&d, c, sets[s], NULL);
                for (int p = 1; p < 3; p++) {
                    const Result many = run(&d, c, sets[s], pools[p]);
                    assert_true(same_result(&one, &many, &d, c->bias));
                    result_destroy(&many, &d);
                }
                if (has_fma(sets[s])) {
                    assert_true(same_result(&one, &first, &d, c->bias));
                }
                result_destroy(&one, &d);
            }
            result_destroy(&first, &d);
            arrays_destroy(&d.a);
        }
    }
    threads_destroy(pools[1]);
    threads_destroy(pools[2]);
}

// A sample's output and input gradient do not depend on the batch around it.
static void test_batch_of_one(void **state) {
    (void)state;
    for (int i = 0; i < CASES; i++) {
        Case c = cases[i];
        Data d;
        data_create(&d, &c, false, false);
        for (int s = 0; s < set_count; s++) {
            const Result all = run(&d, &c, sets[s], NULL);
            Case alone = c;
            alone.batch = 1;
            Data one = d; // the first sample's data lie first
            const Result first = run(&one, &alone, sets[s], NULL);
            assert_true(same_bits(all.y, first.y, d.a.out / (size_t)c.batch));
            assert_true(same_bits(all.dx, first.dx, d.a.in / (size_t)c.batch));
            result_destroy(&all, &d);
            result_destroy(&first, &d);
        }
        arrays_destroy(&d.a);
    }
}

// What is not asked for is not written.
static void test_parts_alone(void **state) {
    (void)state;
    for (int i = 0; i < CASES; i++) {
        const Case *c = &cases[i];
        const Kernels *kernels = sets[set_count - 1];
        Data d;
        data_create(&d, c, false, false);
        const Result both = run(&d, c, kernels, NULL);
        const Result data = {guarded(d.a.out), guarded(d.a.in), guarded(d.a.weights),
                             guarded(d.a.channels)};
        Call call = call_of(&d, c, &data);
        const ConvGeometry g = conv_geometry(call.node, d.nodes[0].shape, c->batch);
        const size_t prepared = conv_direct.prepared_size(&g, call.phase) / sizeof(float);
        const size_t space = conv_direct.workspace_size(&g, call.phase, 1) / sizeof(float);
        call.prepared = guarded(prepared);
        call.workspace = guarded(space);
        conv_direct.prepare(&g, &call, kernels);
        call.input_gradient[0] = NULL;
        conv_direct.backward(&g, &call, kernels);
        assert_true(same_bits(data.dw, both.dw, d.a.weights));
        assert_true(!c->bias || same_bits(data.db, both.db, d.a.channels));
        call.input_gradient[0] = data.dx;
        call.param_gradient[0] = call.param_gradient[1] = NULL;
        conv_direct.backward(&g, &call, kernels);
        assert_true(same_bits(data.dx, both.dx, d.a.in));
        release(call.prepared, prepared);
        release(call.workspace, space);
        result_destroy(&both, &d);
        result_destroy(&data, &d);
        arrays_destroy(&d.a);
    }
}

int main(void) {
    find_sets();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers),     cmocka_unit_test(test_integers_fused),
        cmocka_unit_test(test_reals),        cmocka_unit_test(test_same_bits),
        cmocka_unit_test(test_batch_of_one), cmocka_unit_test(test_parts_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
