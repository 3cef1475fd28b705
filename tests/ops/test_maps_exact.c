// SPDX-License-Identifier: Apache-2.0
// The cpu backend's ops on small integers, where every result is exact: the reference's bits, on
// every instruction set and with any number of threads. Odd shapes, accumulation, gradients that
// are not wanted, and results in the place of what they come from.
#include "maps.h"

static void check_reference(const Case *c, const Backend *backend, const Result *result) {
    Result expected = case_run(c, &backend_reference, NULL, NULL);
    assert_same_bits(c, backend->name, &expected, result);
    result_free(&expected);
}

// Runs a case as it is, then accumulating, then with some gradients not wanted.
static void run_variants(Case c) {
    c.width = c.width == 0 ? 4 : c.width;
    c.phase = PHASE_TRAINING;
    c.shared = NOT_SHARED;
    case_run_all(&c, true, check_reference);
    for (int k = 0; k < NODE_INPUTS; k++) {
        c.accumulate[k] = k % 2 == 0;
    }
    case_run_all(&c, true, check_reference);
    for (int k = 0; k < NODE_INPUTS; k++) {
        c.accumulate[k] = k % 2 == 1;
        c.unwanted[k] = k % 2 == 0 && c.inputs > 1;
    }
    case_run_all(&c, true, check_reference);
    c.phase = PHASE_INFERENCE;
    case_run_all(&c, true, check_reference);
}

// The same with the output over the first input, and its gradient over the output's.
static void run_in_place(Case c) {
    c.width = 4;
    c.phase = PHASE_TRAINING;
    c.forward_in_place = true;
    c.shared = 0;
    case_run_all(&c, true, check_reference);
}

static const Shape shapes[] = {{1, 1, 1},  {3, 5, 7},  {10, 3, 3},  {16, 4, 4},
                               {19, 9, 2}, {64, 3, 5}, {100, 1, 1}, {37, 17, 13}};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

static void test_elementwise(void **state) {
    (void)state;
    for (int s = 0; s < SHAPES; s++) {
        Case c = {.name = "relu", .inputs = 1, .batch = 3, .input_shape = {shapes[s], shapes[s]}};
        c.node = (Node){.op = OP_RELU, .shape = shapes[s]};
        run_variants(c);
        run_in_place(c);
        c.name = "dropout";
        c.node = (Node){.op = OP_DROPOUT, .shape = shapes[s], .dropout.rate = 0.5F};
        run_variants(c);
        run_in_place(c);
        c.name = "sigmoid";
        c.node = (Node){.op = OP_SIGMOID, .shape = shapes[s]};
        run_variants(c);
        run_in_place(c);
        c.inputs = 2;
        for (int relu = 0; relu < 2; relu++) {
            c.name = relu ? "add and relu" : "add";
            c.node = (Node){.op = OP_ADD, .shape = shapes[s], .relu = relu};
            run_variants(c);
            run_in_place(c);
        }
    }
}

static void test_channels(void **state) {
    (void)state;
    for (int s = 0; s < SHAPES; s++) {
        Shape shape = shapes[s];
        Case c = {.name = "gate", .inputs = 2, .batch = 3};
        c.input_shape[0] = shape;
        c.input_shape[1] = (Shape){shape.channels, 1, 1};
        c.node = (Node){.op = OP_GATE, .shape = shape};
        run_variants(c);

        c = (Case){.name = "concat", .inputs = 4, .batch = 2};
        int channels[] = {shape.channels, 1, 17, 2 * shape.channels};
        for (int k = 0; k < 4; k++) {
            c.input_shape[k] = (Shape){channels[k], shape.height, shape.width};
        }
        c.node =
            (Node){.op = OP_CONCAT, .shape = {18 + 3 * shape.channels, shape.height, shape.width}};
        run_variants(c);

        c = (Case){.name = "global_pool", .inputs = 1, .batch = 3, .input_shape = {shape}};
        c.node = (Node){.op = OP_GLOBAL_POOL, .shape = {shape.channels, 1, 1}};
        run_variants(c);

        for (int stride = 1; stride <= 2; stride++) {
            c = (Case){.name = "pad_shortcut", .inputs = 1, .batch = 3, .input_shape = {shape}};
            PadShortcutAttr attr = {.out_channels = 2 * shape.channels + stride, .stride = stride};
            c.node = (Node){.op = OP_PAD_SHORTCUT,
                            .shape = {attr.out_channels, (shape.height + stride - 1) / stride,
                                      (shape.width + stride - 1) / stride},
                            .pad_shortcut = attr};
            run_variants(c);
        }
    }
}

// PyTorch's rule: the last window must begin inside the input or the pad on its left.
static int pooled(const PoolAttr *attr, int size) {
    int room = size + 2 * attr->pad - attr->kernel;
    int out = (room + (attr->ceil ? attr->stride - 1 : 0)) / attr->stride + 1;
    return attr->ceil && (out - 1) * attr->stride >= size + attr->pad ? out - 1 : out;
}

static const PoolAttr pools[] = {
    {.kernel = 2, .stride = 2},
    {.kernel = 3, .stride = 2, .pad = 1},
    {.kernel = 3, .stride = 2, .ceil = true},
    {.kernel = 3, .stride = 1, .pad = 1, .include_pad = true},
    {.kernel = 2, .stride = 2, .ceil = true, .include_pad = true},
    {.kernel = 3, .stride = 2, .pad = 1, .ceil = true, .include_pad = true},
    {.kernel = 1, .stride = 3},
    {.kernel = 5, .stride = 2, .pad = 2},
};

static void test_pools(void **state) {
    (void)state;
    const Shape inputs[] = {{3, 7, 6}, {16, 8, 8}, {21, 5, 9}, {70, 6, 5}};
    for (size_t p = 0; p < sizeof pools / sizeof pools[0]; p++) {
        for (size_t s = 0; s < sizeof inputs / sizeof inputs[0]; s++) {
            Case c = {.name = "max_pool", .inputs = 1, .batch = 2, .input_shape = {inputs[s]}};
            Shape out = {inputs[s].channels, pooled(&pools[p], inputs[s].height),
                         pooled(&pools[p], inputs[s].width)};
            c.node = (Node){.op = OP_MAX_POOL, .shape = out, .pool = pools[p]};
            run_variants(c);
            // Shares of odd divisors are rounded, and adding them to what is there depends on the
            // order, so accumulation is left to the even ones. Forward is the same either way.
            c.name = "avg_pool";
            c.node.op = OP_AVG_POOL;
            if (pools[p].kernel <= 2) {
                run_variants(c);
            } else {
                c.width = 4;
                c.phase = PHASE_TRAINING;
                c.shared = NOT_SHARED;
                case_run_all(&c, true, check_reference);
            }
        }
    }
}

// x + x: both gradients are one, first written, then added to, here in the output gradient's place.
static void test_add_to_itself(void **state) {
    (void)state;
    enum { COUNT = 53 };
    float x[COUNT], y[COUNT], gradient[COUNT];
    for (int i = 0; i < COUNT; i++) {
        x[i] = (float)(i % 5 - 2);
        gradient[i] = (float)(i % 7 - 3);
    }
    Shape shape = {COUNT, 1, 1};
    Node node = {.op = OP_ADD, .input = {0, 0, NODE_NONE, NODE_NONE}, .shape = shape, .relu = true};
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const Backend *backend = backend_of((Isa)isa);
        if (backend == NULL) {
            continue;
        }
        float both[COUNT];
        memcpy(both, gradient, sizeof both);
        Call call = {.node = &node,
                     .input_shape = {shape, shape},
                     .batch = 1,
                     .phase = PHASE_TRAINING,
                     .input = {x, x},
                     .output = y,
                     .output_gradient = both,
                     .input_gradient = {both, both},
                     .accumulate = {false, true}};
        backend->forward(&call);
        backend->backward(&call);
        for (int i = 0; i < COUNT; i++) {
            assert_true(y[i] == (x[i] > 0 ? 2 * x[i] : 0));
            assert_true(both[i] == (x[i] > 0 ? 2 * gradient[i] : 0));
        }
    }
}

// A NaN is seen at the end: through relu, add, and as the maximum of its window.
static void test_nan(void **state) {
    (void)state;
    const float nan = (float)strtod("nan", NULL);
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const Backend *backend = backend_of((Isa)isa);
        if (backend == NULL) {
            continue;
        }
        float x[18], y[2], columns[6];
        uint8_t saved[2];
        for (int run = 0; run < 18; run++) {
            const int place = run / 2; // with the maxima's places and without

            for (int i = 0; i < 18; i++) {
                x[i] = (float)i;
            }
            x[2 * place] = nan; // channel 0 of one pixel
            Node node = {.op = OP_MAX_POOL,
                         .input = {0, NODE_NONE, NODE_NONE, NODE_NONE},
                         .shape = {2, 1, 1},
                         .pool = {.kernel = 3, .stride = 1}};
            Call call = {.node = &node,
                         .input_shape = {{2, 3, 3}},
                         .batch = 1,
                         .phase = PHASE_INFERENCE,
                         .input = {x},
                         .output = y,
                         .saved = run % 2 == 1 ? saved : NULL,
                         .workspace = columns};
            backend->forward(&call);
            assert_true(y[0] != y[0]);
            assert_true(y[1] == 17);
            assert_true(run % 2 == 0 || (saved[0] == place && saved[1] == 8));
        }
        float relu[2] = {nan, -1};
        Node node = {
            .op = OP_RELU, .input = {0, NODE_NONE, NODE_NONE, NODE_NONE}, .shape = {2, 1, 1}};
        Call call = {
            .node = &node, .input_shape = {{2, 1, 1}}, .batch = 1, .input = {relu}, .output = y};
        backend->forward(&call);
        assert_true(y[0] != y[0]);
        assert_true(y[1] == 0);
    }
}

static void test_choice(void **state) {
    (void)state;
    const Backend *backend = NULL;
    setenv("RESNET_ISA", "mmx", 1);
    assert_int_equal(backend_cpu(&backend), STATUS_USAGE);
    assert_non_null(strstr(status_message(), "mmx"));
    assert_non_null(strstr(status_message(), "portable"));
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        setenv("RESNET_ISA", isa_name((Isa)isa), 1);
        if (isa_supported((Isa)isa)) {
            assert_int_equal(backend_cpu(&backend), STATUS_OK);
            assert_non_null(strstr(backend->name, isa_name((Isa)isa)));
        } else {
            assert_int_equal(backend_cpu(&backend), STATUS_USAGE);
            assert_non_null(strstr(status_message(), isa_name((Isa)isa)));
        }
    }
    unsetenv("RESNET_ISA");
    assert_int_equal(backend_cpu(&backend), STATUS_OK);
    assert_int_equal(backend->element_size, sizeof(float));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elementwise), cmocka_unit_test(test_channels),
        cmocka_unit_test(test_pools),       cmocka_unit_test(test_add_to_itself),
        cmocka_unit_test(test_nan),         cmocka_unit_test(test_choice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
