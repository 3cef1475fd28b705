// SPDX-License-Identifier: Apache-2.0
// Ops on bytes: every instruction set and number of threads gives the integers of the reference,
// and the reference what the formulas of backend/int8.h say.
#include <math.h>

#include "backend/int8.h"
#include "graph/quantize.h"
#include "maps.h"

enum { INPUTS = NODE_INPUTS, PARAMS = NODE_PARAMS };

typedef struct ByteCase {
    const char *name;
    OpKind op;
    Shape in[INPUTS], out;
    int inputs, batch;
    ConvAttr conv;
    PoolAttr pool;
    int stride; // pad_shortcut
    int32_t zero[INPUTS], out_zero;
    bool bytes; // output
    bool residual, relu, norm, bias;
    float weights, offsets; // deviations
    float in_scale, out_scale;
} ByteCase;

typedef struct Values {
    Node nodes[INPUTS + 1];
    Graph graph;
    Call call;
    Guarded input[INPUTS], param[PARAMS], output, prepared, workspace;
} Values;

static double draw(int which, size_t i) {
    return 2 * random_uniform(5, RANDOM_TEST, (uint64_t)which, i) - 1;
}

static Guarded random_floats(size_t count, int which, double middle, double width) {
    Guarded buffer = guarded_alloc(count * sizeof(float));
    for (size_t i = 0; i < count; i++) {
        ((float *)(void *)buffer.bytes)[i] = (float)(middle + width * draw(which, i));
    }
    return buffer;
}

// Most bytes are random, some pixels at the ends of the range.
static Guarded random_bytes(size_t count, int which) {
    Guarded buffer = guarded_alloc(count);
    for (size_t i = 0; i < count; i++) {
        const int kind = (int)(8 * (draw(which, i / 97) + 1) / 2);
        buffer.bytes[i] = (uint8_t)(kind == 0   ? 0
                                    : kind == 1 ? 255
                                                : (int)(128 + 127.9 * draw(which, i)));
    }
    return buffer;
}

static size_t value_bytes(const Node *node, int batch) {
    return node_elements(node) * (size_t)batch * sizeof(float);
}

static void values_create(const ByteCase *c, const Backend *backend, Threads *threads, Values *v) {
    *v = (Values){0};
    Node *node = &v->nodes[INPUTS];
    *node = (Node){.op = c->op,
                   .shape = c->out,
                   .bytes = c->bytes,
                   .relu = c->relu,
                   .folded_norm = c->norm,
                   .folded_epsilon = 1e-5f,
                   .scale = c->out_scale,
                   .zero = c->out_zero};
    if (c->op == OP_CONV) {
        node->conv = c->conv;
    } else if (c->op == OP_MAX_POOL) {
        node->pool = c->pool;
    } else if (c->op == OP_PAD_SHORTCUT) {
        node->pad_shortcut = (PadShortcutAttr){c->out.channels, c->stride};
    }
    v->call = (Call){.node = node, .batch = c->batch, .threads = threads};
    for (int k = 0; k < INPUTS; k++) {
        node->input[k] = k < c->inputs ? k : NODE_NONE;
        if (k >= c->inputs) {
            continue;
        }
        Node *input = &v->nodes[k];
        *input = (Node){.shape = c->in[k],
                        .bytes = c->op != OP_QUANTIZE,
                        .scale = k == 0 ? c->in_scale : 0.043f,
                        .zero = c->zero[k]};
        const size_t bytes = value_bytes(input, c->batch);
        v->input[k] =
            input->bytes ? random_bytes(bytes, k) : random_floats(bytes / sizeof(float), k, 0, 4);
        v->call.input[k] = v->input[k].bytes;
        v->call.input_node[k] = input;
        v->call.input_shape[k] = input->shape;
    }
    if (c->op == OP_CONV || c->op == OP_LINEAR) {
        const size_t out = (size_t)c->out.channels;
        const size_t depth = c->op == OP_LINEAR
                                 ? shape_elements(c->in[0])
                                 : (size_t)(c->in[0].channels / c->conv.groups *
                                            c->conv.kernel_height * c->conv.kernel_width);
        v->param[0] = random_floats(out * depth, 10, 0, (double)c->weights);
        // A channel without weights, and one with next to none.
        float *weights = (float *)(void *)v->param[0].bytes;
        for (size_t i = 0; out > 5 && i < depth; i++) {
            weights[2 * depth + i] = 0;
            weights[4 * depth + i] *= 1e-9f;
        }
        v->param[1] = random_floats(c->bias ? out : 0, 11, 0, (double)c->offsets);
        for (int p = 2; p < PARAMS && c->norm; p++) {
            v->param[p] = random_floats(out, 10 + p, p == 3 || p == 4 ? 0 : 1,
                                        p == 5 ? 0.5 : (double)c->offsets);
        }
        for (int p = 0; p < PARAMS; p++) {
            v->call.param[p] = v->param[p].size > 0 ? v->param[p].bytes : NULL;
        }
    }
    v->output = guarded_alloc(value_bytes(node, c->batch));
    v->call.output = v->output.bytes;
    v->graph = (Graph){.nodes = v->nodes, .node_count = INPUTS + 1};
    v->prepared = guarded_alloc(backend->prepared_size(&v->graph, node, PHASE_INFERENCE));
    v->workspace = guarded_alloc(backend->workspace_size(&v->graph, node, c->batch, PHASE_INFERENCE,
                                                         threads_count(threads)));
    v->call.prepared = v->prepared.bytes;
    v->call.workspace = v->workspace.bytes;
}

static void values_destroy(Values *v) {
    for (int k = 0; k < INPUTS; k++) {
        guarded_free(&v->input[k]);
    }
    for (int p = 0; p < PARAMS; p++) {
        guarded_free(&v->param[p]);
    }
    guarded_free(&v->output);
    guarded_free(&v->prepared);
    guarded_free(&v->workspace);
}

static void run(const ByteCase *c, const Backend *backend, Threads *threads, Values *v) {
    values_create(c, backend, threads, v);
    backend->prepare(&v->call);
    memset(v->workspace.bytes, 0xff, v->workspace.size); // contents are undefined
    backend->forward(&v->call);
}

// The output's element `channel` of a pixel, as it lies in memory.
static uint32_t element(const Values *v, size_t pixel, int channel) {
    const Node *node = v->call.node;
    uint32_t bits = 0;
    if (node->bytes) {
        return v->output.bytes[pixel * shape_byte_pixel(node->shape) + (size_t)channel];
    }
    memcpy(&bits, v->output.bytes + (pixel * (size_t)node->shape.channels + (size_t)channel) * 4,
           4);
    return bits;
}

static void assert_same(const ByteCase *c, const char *who, const Values *a, const Values *b) {
    const Shape out = c->out;
    for (size_t pixel = 0; pixel < (size_t)(c->batch * out.height * out.width); pixel++) {
        for (int channel = 0; channel < out.channels; channel++) {
            if (element(a, pixel, channel) != element(b, pixel, channel)) {
                fail_msg("%s, %s: pixel %zu, channel %d: %#x, reference %#x", c->name, who, pixel,
                         channel, element(b, pixel, channel), element(a, pixel, channel));
            }
        }
    }
}

static void check_case(const ByteCase *c) {
    Values reference;
    run(c, &backend_reference, NULL, &reference);
    int sets = 0;
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const Backend *backend = backend_of((Isa)isa);
        if (backend == NULL) {
            continue;
        }
        sets++;
        for (int count = 1; count <= 5; count += 2) {
            Threads *threads = NULL;
            Values values;
            assert_int_equal(threads_create(count, &threads), STATUS_OK);
            run(c, backend, threads, &values);
            assert_same(c, backend->name, &reference, &values);
            values_destroy(&values);
            threads_destroy(threads);
        }
    }
    assert_true(sets > 0);
    values_destroy(&reference);
}

// ---- layers -------------------------------------------------------------------------------------

static ByteCase conv_case(const char *name, int channels, int height, int width, int out_channels,
                          int kernel, int stride, int pad) {
    return (ByteCase){.name = name,
                      .op = OP_CONV,
                      .in = {{channels, height, width}},
                      .out = {out_channels, (height + 2 * pad - kernel) / stride + 1,
                              (width + 2 * pad - kernel) / stride + 1},
                      .inputs = 1,
                      .batch = 2,
                      .conv = {out_channels, kernel, kernel, stride, pad, 1, false},
                      .bytes = true,
                      .relu = true,
                      .norm = true,
                      .weights = 0.2f,
                      .offsets = 0.4f,
                      .in_scale = 0.031f,
                      .out_scale = 0.05f};
}

static void test_layers(void **state) {
    (void)state;
    ByteCase cases[] = {
        conv_case("3x3", 64, 9, 14, 32, 3, 1, 1),
        conv_case("3x3 of two blocks", 72, 7, 7, 48, 3, 1, 1),
        conv_case("3x3 stride 2", 20, 11, 13, 40, 3, 2, 1),
        conv_case("1x1", 128, 5, 6, 70, 1, 1, 0),
        conv_case("1x1 stride 2", 64, 9, 9, 64, 1, 2, 0),
        conv_case("7x7 of an image", 3, 31, 30, 24, 7, 2, 3),
        conv_case("3x3 of an image, wide", 3, 4, 130, 16, 3, 1, 1),
        conv_case("5x5, odd channels", 7, 8, 9, 11, 5, 1, 2),
        conv_case("3x3, one channel", 1, 6, 6, 5, 3, 1, 1),
        conv_case("2x2 stride 3", 8, 9, 9, 16, 2, 3, 0),
        conv_case("3x3 many rows", 64, 40, 17, 33, 3, 1, 1),
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ByteCase c = cases[i];
        for (int variant = 0; variant < 6; variant++) {
            c.zero[0] = variant % 2 == 0 ? 0 : 128;
            c.out_zero = variant % 3 == 0 ? 0 : 128;
            c.relu = variant != 1 && variant != 4;
            c.norm = variant < 4;
            c.bias = c.conv.bias = variant >= 3;
            c.bytes = variant != 2;
            c.batch = variant == 5 ? 1 : 2;
            c.residual = variant == 1 || variant == 2 || variant == 3;
            c.inputs = c.residual ? 2 : 1;
            c.in[1] = c.out;
            c.zero[1] = variant == 3 ? 128 : 0;
            check_case(&c);
        }
    }
}

static void test_groups(void **state) {
    (void)state;
    ByteCase c = conv_case("3x3, groups of 4", 24, 8, 8, 36, 3, 1, 1);
    c.conv.groups = 6;
    check_case(&c);
    c = conv_case("1x1, groups of 64", 128, 7, 7, 128, 1, 1, 0);
    c.conv.groups = 2;
    check_case(&c);
}

static void test_linear(void **state) {
    (void)state;
    const Shape shapes[] = {{512, 1, 1}, {10, 1, 1}, {6, 3, 5}, {2045, 4, 4}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        ByteCase c = {.name = "linear",
                      .op = OP_LINEAR,
                      .in = {shapes[i]},
                      .out = {37, 1, 1},
                      .inputs = 1,
                      .bias = true,
                      .weights = 0.1f,
                      .offsets = 0.5f,
                      .in_scale = 0.03f};
        for (c.batch = 1; c.batch < 6; c.batch += 4) {
            check_case(&c);
            c.zero[0] = 128;
            check_case(&c);
        }
    }
}

// Sums as large as they can be: all bytes 255, all weights alike, a huge offset.
static void test_extremes(void **state) {
    (void)state;
    ByteCase c = conv_case("the largest sums", 2048, 4, 4, 17, 4, 1, 0);
    c.norm = false;
    c.bias = c.conv.bias = true;
    c.offsets = 1e9f;
    c.inputs = 2;
    c.in[1] = c.out;
    c.in_scale = 1e-3f;
    for (int relu = 0; relu < 2; relu++) {
        c.relu = relu;
        c.out_zero = relu ? 0 : 128;
        check_case(&c);
        c.out_scale = 1e6f;
    }
}

// ---- what the integers mean ---------------------------------------------------------------------

// Against the sum in double of the values that bytes stand for: the weights' rounding apart, which
// is undone here, a byte is off by at most half of one, and a little for the residual's factor.
static void test_meaning(void **state) {
    (void)state;
    ByteCase c = conv_case("meaning", 20, 6, 7, 9, 3, 1, 1);
    c.inputs = 2;
    c.in[1] = c.out;
    c.zero[0] = 128;
    c.zero[1] = 128;
    c.out_zero = 128;
    c.relu = false;
    Values v;
    run(&c, &backend_reference, NULL, &v);
    double worst = 0;
    for (int o = 0; o < c.out.channels; o++) {
        const float *weights = (const float *)(const void *)v.param[0].bytes + o * 180;
        double values[PARAMS], largest = 0;
        for (int p = 2; p < PARAMS; p++) {
            values[p] = (double)((const float *)(const void *)v.param[p].bytes)[o];
        }
        const double factor = values[2] / sqrt(values[5] + (double)1e-5f);
        for (int i = 0; i < 180; i++) {
            largest = fmax(largest, fabs((double)weights[i]));
        }
        for (int pixel = 0; pixel < 42; pixel++) {
            double sum = 0;
            for (int i = 0; i < 180; i++) {
                const int channel = i / 9, y = pixel / 7 + i % 9 / 3 - 1, x = pixel % 7 + i % 3 - 1;
                if (y >= 0 && y < 6 && x >= 0 && x < 7 && largest > 1e-6) {
                    const double q = nearbyint((double)weights[i] / largest * 127);
                    sum += q * largest / 127 * (double)c.in_scale *
                           (v.input[0].bytes[(y * 7 + x) * 20 + channel] - 128);
                }
            }
            double value = (sum - values[4]) * factor + values[3];
            value += (double)0.043f * (v.input[1].bytes[pixel * 12 + o] - 128);
            const double byte = fmin(fmax(value / (double)c.out_scale + 128, 0), 255);
            worst = fmax(worst, fabs(byte - v.output.bytes[pixel * 12 + o]));
        }
    }
    print_message("largest difference: %.3f of a byte\n", worst);
    assert_true(worst > 0.3 && worst < 0.55);
    values_destroy(&v);
}

// ---- the other ops ------------------------------------------------------------------------------

static void test_max_pool(void **state) {
    (void)state;
    const PoolAttr pools[] = {{.kernel = 3, .stride = 2, .pad = 1}, {.kernel = 2, .stride = 2}};
    const int channels[] = {64, 3, 150, 16};
    for (size_t i = 0; i < sizeof channels / sizeof channels[0]; i++) {
        for (int p = 0; p < 2; p++) {
            const int size = (9 + 2 * pools[p].pad - pools[p].kernel) / 2 + 1;
            ByteCase c = {.name = "max_pool",
                          .op = OP_MAX_POOL,
                          .in = {{channels[i], 9, 9}},
                          .out = {channels[i], size, size},
                          .inputs = 1,
                          .batch = 2,
                          .pool = pools[p],
                          .bytes = true};
            check_case(&c);
        }
    }
}

static void test_others(void **state) {
    (void)state;
    const int channels[] = {64, 3, 21, 1};
    for (size_t i = 0; i < sizeof channels / sizeof channels[0]; i++) {
        const Shape shape = {channels[i], 9, 11};
        for (int32_t zero = 0; zero <= 128; zero += 128) {
            ByteCase c = {.name = "quantize",
                          .op = OP_QUANTIZE,
                          .in = {shape},
                          .out = shape,
                          .inputs = 1,
                          .batch = 3,
                          .bytes = true,
                          .out_zero = zero,
                          .out_scale = 0.02f};
            check_case(&c);
            c.name = "dequantize";
            c.op = OP_DEQUANTIZE;
            c.bytes = false;
            c.zero[0] = zero;
            c.in_scale = 0.03f;
            check_case(&c);
            c.name = "global_pool";
            c.op = OP_GLOBAL_POOL;
            c.out = (Shape){channels[i], 1, 1};
            check_case(&c);
            c.name = "concat";
            c.op = OP_CONCAT;
            c.inputs = 3;
            c.in[1] = (Shape){5, 9, 11};
            c.in[2] = (Shape){32, 9, 11};
            c.bytes = true;
            c.out = (Shape){channels[i] + 37, 9, 11};
            check_case(&c);
            c.name = "pad_shortcut";
            c.op = OP_PAD_SHORTCUT;
            c.inputs = 1;
            c.stride = 2;
            c.out_zero = zero;
            c.out = (Shape){channels[i] * 2 + 3, 5, 6};
            check_case(&c);
        }
    }
}

// Ties go to the even neighbour, what does not fit is cut, NaN is the lowest value.
static void test_rounding(void **state) {
    (void)state;
    const float inputs[] = {0.5f, 1.5f,   2.5f,   -0.5f,  300,    -300,    INFINITY, -INFINITY,
                            NAN,  254.5f, 255.5f, 126.5f, 127.5f, -127.5f, -128.5f,  3};
    const uint8_t unsigned_bytes[] = {0, 2, 2, 0, 255, 0, 255, 0, 0, 254, 255, 126, 128, 0, 0, 3};
    const uint8_t signed_bytes[] = {128, 130, 130, 128, 255, 0, 255, 0,
                                    0,   255, 255, 254, 255, 0, 0,   131};
    for (int isa = -1; isa < ISA_COUNT; isa++) {
        const Backend *backend = isa < 0 ? &backend_reference : backend_of((Isa)isa);
        for (int32_t zero = 0; backend != NULL && zero <= 128; zero += 128) {
            ByteCase c = {.name = "rounding",
                          .op = OP_QUANTIZE,
                          .in = {{16, 1, 1}},
                          .out = {16, 1, 1},
                          .inputs = 1,
                          .batch = 1,
                          .bytes = true,
                          .out_zero = zero,
                          .out_scale = 1};
            Values v;
            values_create(&c, backend, NULL, &v);
            memcpy(v.input[0].bytes, inputs, sizeof inputs);
            backend->forward(&v.call);
            for (size_t i = 0; i < 16; i++) {
                assert_int_equal(v.output.bytes[i], (zero == 0 ? unsigned_bytes : signed_bytes)[i]);
            }
            values_destroy(&v);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layers),  cmocka_unit_test(test_groups),
        cmocka_unit_test(test_linear),  cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_meaning), cmocka_unit_test(test_max_pool),
        cmocka_unit_test(test_others),  cmocka_unit_test(test_rounding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
