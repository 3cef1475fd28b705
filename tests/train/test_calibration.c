// SPDX-License-Identifier: Apache-2.0
// Calibration: the same table for any number of threads and any order of the pictures; zeros where
// values have signs; one scale for what a concatenation joins and what is pooled.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "models/models.h"
#include "train/calibration.h"
#include "train/scratch.h"

enum { PICTURES = 6, BATCH = 3 };

typedef struct Net {
    Graph *graph;
    Parameters *parameters;
    Threads *threads;
    Network *network;
    Calibration calibration;
} Net;

static Net net_make(const char *model, int side, int threads) {
    Net net = {0};
    ModelOptions options = {.input = {3, side, side}, .classes = 10};
    NetworkOptions network = {
        .batch = BATCH, .phase = PHASE_INFERENCE, .fuse = true, .keep_values = true};
    assert_int_equal(model_build(model, &options, &net.graph), STATUS_OK);
    assert_int_equal(parameters_create(net.graph, sizeof(float), false, &net.parameters),
                     STATUS_OK);
    parameters_init(net.parameters, net.graph, 3);
    assert_int_equal(threads_create(threads, &net.threads), STATUS_OK);
    network.threads = net.threads;
    assert_int_equal(backend_cpu(&network.backend), STATUS_OK);
    assert_int_equal(network_create(net.graph, net.parameters, &network, &net.network), STATUS_OK);
    assert_int_equal(calibration_create(net.network, net.threads, &net.calibration), STATUS_OK);
    return net;
}

static void net_free(Net *net) {
    calibration_destroy(&net->calibration);
    network_destroy(net->network);
    threads_destroy(net->threads);
    parameters_destroy(net->parameters);
    graph_destroy(net->graph);
}

// The pictures from `first` on, as many as a batch has, or backwards.
static void net_run(Net *net, int first, bool backwards) {
    const Graph *graph = network_graph(net->network);
    size_t elements = shape_elements(graph_shape(graph, graph->input));
    float *input = network_input(net->network);
    for (int i = 0; i < BATCH; i++) {
        uint64_t picture = (uint64_t)(backwards ? first + BATCH - 1 - i : first + i);
        for (size_t e = 0; e < elements; e++) {
            input[(size_t)i * elements + e] = (float)random_normal(1, RANDOM_TEST, picture, e);
        }
    }
    network_forward(net->network, &(PassOptions){.count = BATCH});
    calibration_add(&net->calibration, BATCH);
}

static const QuantizedValue *value_of(const Net *net, const Quantization *table, NodeId node) {
    const char *name = network_graph(net->network)->nodes[node].name;
    for (int32_t i = 0; i < table->value_count; i++) {
        if (strcmp(table->values[i].name, name) == 0) {
            return &table->values[i];
        }
    }
    fail_msg("no scale for %s", name);
    return NULL;
}

static void test_same(void **state) {
    (void)state;
    Arena *arena = arena_create();
    for (ThresholdMethod method = THRESHOLD_MSE; method <= THRESHOLD_MAX; method++) {
        Quantization tables[2];
        Net nets[2];
        for (int i = 0; i < 2; i++) {
            nets[i] = net_make("resnet20", 32, i == 0 ? 1 : 3);
            net_run(&nets[i], i == 0 ? 0 : BATCH, i != 0);
            net_run(&nets[i], i == 0 ? BATCH : 0, i != 0);
            assert_int_equal(
                calibration_table(&nets[i].calibration, method, 0.999, arena, &tables[i]),
                STATUS_OK);
        }
        assert_int_equal(tables[0].value_count, network_graph(nets[0].network)->node_count);
        assert_int_equal(tables[0].value_count, tables[1].value_count);
        for (int32_t i = 0; i < tables[0].value_count; i++) {
            const QuantizedValue *a = &tables[0].values[i], *b = &tables[1].values[i];
            assert_string_equal(a->name, b->name);
            assert_memory_equal(&a->scale, &b->scale, sizeof a->scale);
            assert_int_equal(a->zero, b->zero);
        }
        net_free(&nets[0]);
        net_free(&nets[1]);
    }
    arena_destroy(arena);
}

// With signs: the input and what has no ReLU behind it. The largest value is the last byte.
static void test_zeros(void **state) {
    (void)state;
    Arena *arena = arena_create();
    Net net = net_make("resnet20", 32, 2);
    net_run(&net, 0, false);
    Quantization table;
    assert_int_equal(calibration_table(&net.calibration, THRESHOLD_MAX, 1, arena, &table),
                     STATUS_OK);
    const Graph *graph = network_graph(net.network);
    for (NodeId i = 0; i < graph->node_count; i++) {
        const Node *node = &graph->nodes[i];
        const QuantizedValue *value = value_of(&net, &table, i);
        Shape shape;
        const float *values = network_value(net.network, node->name, &shape);
        float largest = 0, least = 0;
        for (size_t e = 0; e < BATCH * shape_elements(shape); e++) {
            largest = fmaxf(largest, fabsf(values[e]));
            least = fminf(least, values[e]);
        }
        assert_true(value->zero == 0 || value->zero == 128);
        assert_true(value->zero == 128 || least >= 0);
        if (node->op == OP_CONV) {
            assert_int_equal(value->zero, node->relu ? 0 : 128);
        }
        for (int c = 0; c < shape.channels; c++) {
            double sum = 0;
            size_t pixels = (size_t)shape.height * (size_t)shape.width * BATCH;
            for (size_t p = 0; p < pixels; p++) {
                sum += (double)values[p * (size_t)shape.channels + (size_t)c];
            }
            assert_true(fabs(calibration_mean(&net.calibration, i, c) - sum / (double)pixels) <
                        1e-9 * (double)largest);
        }
        int levels = value->zero == 0 ? 255 : 127;
        assert_true(fabsf(value->scale * (float)levels - largest) <= 1e-6F * largest);
    }
    assert_int_equal(value_of(&net, &table, graph->input)->zero, 128);
    net_free(&net);
    arena_destroy(arena);
}

static void test_shared(void **state) {
    (void)state;
    Arena *arena = arena_create();
    Net net = net_make("googlenet", 64, 2);
    net_run(&net, 0, false);
    Quantization table;
    assert_int_equal(calibration_table(&net.calibration, THRESHOLD_MSE, 1, arena, &table),
                     STATUS_OK);
    const Graph *graph = network_graph(net.network);
    int joined = 0;
    for (NodeId i = 0; i < graph->node_count; i++) {
        const Node *node = &graph->nodes[i];
        for (int k = 0; k < NODE_INPUTS && node->input[k] != NODE_NONE; k++) {
            if (node->op == OP_CONCAT || node->op == OP_MAX_POOL) {
                const QuantizedValue *own = value_of(&net, &table, i);
                const QuantizedValue *other = value_of(&net, &table, node->input[k]);
                assert_true(own->scale == other->scale && own->zero == other->zero);
                joined++;
            }
        }
    }
    assert_true(joined > 40);
    net_free(&net);
    arena_destroy(arena);
}

static void test_nonfinite(void **state) {
    (void)state;
    Arena *arena = arena_create();
    Net net = net_make("resnet20", 32, 1);
    const Param *param = &net.graph->params[graph_find_param(net.graph, "layer2.1.conv1.weight")];
    ((float *)parameters_values(net.parameters, param))[7] = NAN;
    net_run(&net, 0, false);
    Quantization table;
    assert_int_equal(calibration_table(&net.calibration, THRESHOLD_MSE, 1, arena, &table),
                     STATUS_FAILED);
    assert_non_null(strstr(status_message(), "layer2.1."));
    assert_non_null(strstr(status_message(), "not finite"));
    net_free(&net);
    arena_destroy(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_zeros),
        cmocka_unit_test(test_shared),
        cmocka_unit_test(test_nonfinite),
    };
    return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
