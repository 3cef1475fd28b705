// SPDX-License-Identifier: Apache-2.0
// Layers in bf16 (base/bf16.h): the reference's bits on every instruction set, for 1, 2 and 5
// threads; the reference itself against exact products within the bound of two roundings; and a
// whole network.
#include <stdio.h>

#include "models/models.h"
#include "network/network.h"
#include "ops/conv_case.h"

typedef struct Case {
    int batch, channels, height, width, out_channels;
    int kernel, stride, pad, groups;
    bool linear, bias, norm, residual, relu;
} Case;

static const Case cases[] = {
    {1, 64, 14, 14, 64, 1, 1, 0, 1, false, false, true, true, true},
    {2, 64, 9, 9, 80, 3, 2, 1, 1, false, false, true, false, true},
    {3, 128, 7, 7, 128, 3, 1, 1, 1, false, false, true, true, true},
    {1, 256, 14, 14, 100, 1, 2, 0, 1, false, false, true, false, false},
    {1, 33, 30, 9, 17, 3, 1, 1, 1, false, true, false, true, false}, // an odd channel at the end
    {2, 16, 5, 6, 3, 2, 2, 1, 1, false, true, false, false, false},
    {1, 17, 4, 121, 40, 5, 3, 2, 1, false, true, true, false, true},
    {2, 69, 6, 6, 48, 3, 1, 1, 3, false, false, true, true, true},     // groups of odd channels
    {1, 2500, 6, 7, 33, 1, 1, 0, 1, false, true, false, false, false}, // sums wait in the output
    {1, 64, 1, 1, 1000, 1, 1, 0, 1, true, true, false, false, false},
    {5, 37, 3, 3, 19, 1, 1, 0, 1, true, true, false, false, false},
    {40, 300, 1, 1, 10, 1, 1, 0, 1, true, false, false, false, false},
};

typedef struct Layer {
    Node nodes[2];
    Graph graph;
    ConvArrays arrays;
    Call call;
} Layer;

// Some values lie half way between two, some are smaller than bf16 has here.
static void vary(float *values, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (i % 11 == 3) {
            values[i] = (float)((double)((int)(i % 256) - 128 + 0.5) / 256 + 1);
        } else if (i % 13 == 5) {
            values[i] *= 0x1p-50f;
        }
    }
}

static void layer_create(const Case *c, Layer *layer) {
    const int spread = c->height + 2 * c->pad - c->kernel, wide = c->width + 2 * c->pad - c->kernel;
    Shape out = {c->out_channels, spread / c->stride + 1, wide / c->stride + 1};
    if (c->linear) {
        out.height = out.width = 1;
    }
    *layer = (Layer){.nodes = {{.op = OP_INPUT, .shape = {c->channels, c->height, c->width}},
                               {.op = c->linear ? OP_LINEAR : OP_CONV,
                                .shape = out,
                                .bf16 = true,
                                .relu = c->relu,
                                .folded_norm = c->norm,
                                .folded_epsilon = 1e-5f,
                                .conv = {.out_channels = c->out_channels,
                                         .kernel_height = c->kernel,
                                         .kernel_width = c->kernel,
                                         .stride = c->stride,
                                         .pad = c->pad,
                                         .groups = c->groups}}}};
    layer->nodes[1].input[0] = 0;
    layer->graph = (Graph){.nodes = layer->nodes, .node_count = 2};
    ConvArrays *a = &layer->arrays;
    const size_t taps =
        c->linear ? (size_t)(c->height * c->width) : (size_t)(c->kernel * c->kernel);
    a->in = (size_t)c->batch * shape_elements(layer->nodes[0].shape);
    a->out = (size_t)c->batch * shape_elements(out);
    a->channels = (size_t)c->out_channels;
    a->weights = a->channels * (size_t)(c->channels / c->groups) * taps;
    arrays_create(a, false, 2, 1);
    for (size_t i = 0; i < a->channels; i++) {
        a->norm[3][i] = fabsf(a->norm[3][i]) + 0.5f;
    }
    vary(a->x, a->in);
    vary(a->w, a->weights);
    a->bias[0] = -0x1p-91f;
    layer->call = (Call){.node = &layer->nodes[1],
                         .input_node = {&layer->nodes[0]},
                         .input_shape = {layer->nodes[0].shape},
                         .batch = c->batch,
                         .planned = c->batch,
                         .phase = PHASE_INFERENCE,
                         .input = {a->x, c->residual ? a->residual : NULL},
                         .param = {a->w, c->bias ? a->bias : NULL}};
    for (int i = 0; i < 4 && c->norm; i++) {
        layer->call.param[2 + i] = a->norm[i];
    }
}

static const Backend *backend_of(Isa isa) {
    const Backend *backend = NULL;
    setenv("RESNET_ISA", isa_name(isa), 1);
    assert_int_equal(backend_cpu(&backend), STATUS_OK);
    unsetenv("RESNET_ISA");
    return backend;
}

static void layer_run(const Layer *layer, const Backend *backend, Threads *threads, float *out) {
    const Node *node = &layer->nodes[1];
    const int workers = threads_count(threads);
    const size_t prepared =
        backend->prepared_size(&layer->graph, node, layer->call.batch, PHASE_INFERENCE) /
        sizeof(float);
    const size_t workspace =
        backend->workspace_size(&layer->graph, node, layer->call.batch, PHASE_INFERENCE, workers) /
        sizeof(float);
    Call call = layer->call;
    call.prepared = guarded(prepared);
    call.workspace = guarded(workspace);
    call.output = out;
    call.threads = threads;
    assert_string_equal(backend->path(&layer->graph, node, PHASE_INFERENCE), "bf16");
    backend->prepare(&call);
    backend->forward(&call);
    release(call.prepared, prepared);
    release(call.workspace, workspace);
}

static void test_same_bits(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Layer layer;
        layer_create(&cases[i], &layer);
        const size_t count = layer.arrays.out;
        float *expected = guarded(count);
        Call call = layer.call;
        call.output = expected;
        backend_reference.forward(&call);
        for (int isa = 0; isa < ISA_COUNT; isa++) {
            for (int threads = 1; isa_supported((Isa)isa) && threads <= 5; threads += threads) {
                Threads *pool = NULL;
                assert_int_equal(threads_create(threads == 4 ? 5 : threads, &pool), STATUS_OK);
                float *out = guarded(count);
                layer_run(&layer, backend_of((Isa)isa), pool, out);
                if (memcmp(out, expected, count * sizeof *out) != 0) {
                    fail_msg("case %zu, %s, %d threads: other bits than the reference", i,
                             isa_name((Isa)isa), threads);
                }
                release(out, count);
                threads_destroy(pool);
            }
        }
        release(expected, count);
        arrays_destroy(&layer.arrays);
    }
}

// In float, the reference takes a layer's exact sum; of bf16 the two factors of each product are
// off by at most 2^-9 of their size (or by 2^-50), and each addition by 2^-24 of the sum.
static void test_near_float(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Layer layer, sizes;
        layer_create(&cases[i], &layer);
        layer_create(&cases[i], &sizes);
        // The sum of all terms' sizes: of the absolute values.
        ConvArrays *a = &sizes.arrays;
        float *const all[] = {a->x, a->w, a->bias, a->norm[0], a->norm[1], a->residual};
        const size_t counts[] = {a->in, a->weights, a->channels, a->channels, a->channels, a->out};
        for (size_t k = 0; k < sizeof all / sizeof all[0]; k++) {
            for (size_t e = 0; e < counts[k]; e++) {
                all[k][e] = fabsf(all[k][e]);
            }
        }
        for (size_t e = 0; e < a->channels; e++) {
            a->norm[2][e] = -fabsf(a->norm[2][e]); // the mean is subtracted
        }
        const size_t count = layer.arrays.out;
        float *half = guarded(count), *exact = guarded(count), *size = guarded(count);
        const Layer *layers[] = {&layer, &layer, &sizes};
        float *outs[] = {half, exact, size};
        for (int k = 0; k < 3; k++) {
            Node node = layers[k]->nodes[1];
            node.bf16 = k == 0;
            Call call = layers[k]->call;
            call.node = &node;
            call.output = outs[k];
            backend_reference.forward(&call);
        }
        const double terms = (double)(layer.arrays.weights / layer.arrays.channels) + 4;
        double worst = 0;
        for (size_t e = 0; e < count; e++) {
            const double bound = (0x1p-8 + 0x1p-17 + terms * 0x1p-23) * ((double)size[e] + 0x1p-40);
            const double error = fabs((double)half[e] - (double)exact[e]);
            assert_true(error <= bound);
            worst = fmax(worst, error / bound);
        }
        assert_true(worst > 0x1p-12); // it was rounded
        release(half, count);
        release(exact, count);
        release(size, count);
        arrays_destroy(&layer.arrays);
        arrays_destroy(&sizes.arrays);
    }
}

enum { BATCH = 2, EXTENT = 96 };

// The logits of a fresh ResNet-50, whose layers are of every kind.
static void run_network(const Graph *graph, Parameters *parameters, const Backend *backend,
                        int thread_count, bool bf16, float *logits) {
    Threads *threads = NULL;
    Network *network = NULL;
    assert_int_equal(threads_create(thread_count, &threads), STATUS_OK);
    const NetworkOptions options = {.backend = backend,
                                    .threads = threads,
                                    .batch = BATCH,
                                    .phase = PHASE_INFERENCE,
                                    .fuse = true,
                                    .bf16 = bf16};
    assert_int_equal(network_create(graph, parameters, &options, &network), STATUS_OK);
    int layers = 0;
    for (NodeId i = 0; i < network_graph(network)->node_count; i++) {
        const char *path = network_path(network, i);
        layers += path != NULL && strcmp(path, "bf16") == 0;
    }
    // Of 54 layers not the first, nor 3x3 of stride 1 above 7x7 pixels.
    assert_int_equal(layers, bf16 ? 54 - 1 - 6 : 0);
    fill(network_input(network), BATCH * EXTENT * EXTENT * 3, false, 2, 5);
    network_forward(network, &(PassOptions){.count = BATCH});
    memcpy(logits, network_output(network), BATCH * 1000 * sizeof *logits);
    network_destroy(network);
    threads_destroy(threads);
}

static void test_network(void **state) {
    (void)state;
    Graph *graph = NULL;
    Parameters *parameters = NULL;
    const ModelOptions options = {.input = {3, EXTENT, EXTENT}};
    assert_int_equal(model_build("resnet50", &options, &graph), STATUS_OK);
    assert_int_equal(parameters_create(graph, sizeof(float), false, &parameters), STATUS_OK);
    parameters_init(parameters, graph, 7);
    static float exact[BATCH * 1000], expected[BATCH * 1000], logits[BATCH * 1000];
    const Backend *best = NULL;
    assert_int_equal(backend_cpu(&best), STATUS_OK);
    run_network(graph, parameters, best, 1, false, exact);
    run_network(graph, parameters, best, 1, true, expected);
    double signal = 0, noise = 0;
    for (int i = 0; i < BATCH * 1000; i++) {
        const double error = (double)exact[i] - (double)expected[i];
        signal += (double)exact[i] * (double)exact[i];
        noise += error * error;
    }
    print_message("resnet50 in bf16: %.1f dB\n", 10 * log10(signal / noise));
    assert_true(signal > noise * 1e4 && noise > 0); // 40 dB
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        if (isa != ISA_PORTABLE && isa_supported((Isa)isa)) { // layers in float need FMA
            run_network(graph, parameters, backend_of((Isa)isa), 2, true, logits);
            assert_memory_equal(logits, expected, sizeof logits);
            run_network(graph, parameters, backend_of((Isa)isa), 5, true, logits);
            assert_memory_equal(logits, expected, sizeof logits);
        }
    }
    parameters_destroy(parameters);
    graph_destroy(graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bits),
        cmocka_unit_test(test_near_float),
        cmocka_unit_test(test_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
