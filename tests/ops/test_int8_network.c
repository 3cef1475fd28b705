// SPDX-License-Identifier: Apache-2.0
// Whole networks on bytes: near the float ones, and the same bits on every instruction set, for
// every number of threads, and in the reference.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cpu.h"
#include "base/random.h"
#include "byte_table.h"
#include "models/models.h"

typedef struct Model {
    Graph *graph;
    Parameters *parameters;
    Network *exact; // the reference's, in float; its values are kept
    ByteTable bytes;
    float *pixels, *logits;
    size_t pixel_count, logit_count; // of one sample
} Model;

enum { BATCH = 2 };

static Network *network_of(const Model *model, const Backend *backend, Threads *threads,
                           const Quantization *table) {
    Network *network = NULL;
    NetworkOptions options = {.backend = backend,
                              .threads = threads,
                              .batch = BATCH,
                              .phase = PHASE_INFERENCE,
                              .fuse = true,
                              .quantization = table,
                              .keep_values = table == NULL};
    assert_int_equal(network_create(model->graph, model->parameters, &options, &network),
                     STATUS_OK);
    return network;
}

static const float *logits_of(const Model *model, Network *network) {
    memcpy(network_input(network), model->pixels, BATCH * model->pixel_count * sizeof(float));
    network_forward(network, &(PassOptions){.count = BATCH});
    return network_output(network);
}

static Model model_of(const char *name, int extent) {
    Model model = {0};
    ModelOptions options = {.input = {3, extent, extent}};
    assert_int_equal(model_build(name, &options, &model.graph), STATUS_OK);
    assert_int_equal(parameters_create(model.graph, sizeof(float), false, &model.parameters),
                     STATUS_OK);
    parameters_init(model.parameters, model.graph, 7);
    // Norms and biases as if they had been trained a little.
    for (ParamId p = 0; p < model.graph->param_count; p++) {
        const Param *param = &model.graph->params[p];
        float *values = parameters_values(model.parameters, param);
        for (size_t i = 0; param->rank == 1 && i < param->elements; i++) {
            const double u = random_uniform(3, RANDOM_TEST, (uint64_t)p, i);
            values[i] += (float)(0.3 * (param->role == PARAM_RUNNING_VARIANCE ? u : u - 0.5));
        }
    }
    model.pixel_count = shape_elements(graph_shape(model.graph, model.graph->input));
    model.logit_count = shape_elements(graph_shape(model.graph, model.graph->output));
    model.pixels = malloc(BATCH * model.pixel_count * sizeof(float));
    model.logits = malloc(BATCH * model.logit_count * sizeof(float));
    assert_true(model.pixels != NULL && model.logits != NULL);
    for (size_t i = 0; i < BATCH * model.pixel_count; i++) {
        model.pixels[i] = (float)random_normal(1, RANDOM_TEST, 0, i);
    }
    const Backend *fast = NULL; // float values from the fast backend will do for ranges
    assert_int_equal(backend_cpu(&fast), STATUS_OK);
    model.exact = network_of(&model, fast, NULL, NULL);
    memcpy(model.logits, logits_of(&model, model.exact), BATCH * model.logit_count * sizeof(float));
    model.bytes = byte_table(model.exact, BATCH);
    return model;
}

static void model_free(Model *model) {
    network_destroy(model->exact);
    parameters_destroy(model->parameters);
    graph_destroy(model->graph);
    arena_destroy(model->bytes.arena);
    free(model->pixels);
    free(model->logits);
}

// Signal to noise of the logits in decibels.
static double decibels(const Model *model, const float *logits) {
    double signal = 0, noise = 0;
    for (size_t i = 0; i < BATCH * model->logit_count; i++) {
        const double exact = (double)model->logits[i], error = exact - (double)logits[i];
        signal += exact * exact;
        noise += error * error;
    }
    return 10 * log10(signal / noise);
}

// Runs the network on bytes on every instruction set and for 1, 2 and 5 threads, and checks that
// all logits are those in `expected`.
static void check_sets(const Model *model, const float *expected) {
    const size_t bytes = BATCH * model->logit_count * sizeof(float);
    for (int isa = ISA_COUNT - 1; isa >= 0; isa--) {
        if (!isa_supported((Isa)isa)) {
            continue;
        }
        setenv("RESNET_ISA", isa_name((Isa)isa), 1);
        const Backend *backend = NULL;
        assert_int_equal(backend_cpu(&backend), STATUS_OK);
        unsetenv("RESNET_ISA");
        const int counts[] = {1, 2, 5};
        for (int i = 0; i < (isa == ISA_PORTABLE ? 1 : 3); i++) {
            Threads *threads = NULL;
            assert_int_equal(threads_create(counts[i], &threads), STATUS_OK);
            Network *network = network_of(model, backend, threads, &model->bytes.table);
            const float *logits = logits_of(model, network);
            if (memcmp(expected, logits, bytes) != 0) {
                fail_msg("%s, %d threads: other logits", backend->name, counts[i]);
            }
            network_destroy(network);
            threads_destroy(threads);
        }
    }
}

// Nets whose every op is on bytes: the reference's integers, and so its logits.
static void check_exact(const char *name, int extent, double least) {
    Model model = model_of(name, extent);
    Network *reference = network_of(&model, &backend_reference, NULL, &model.bytes.table);
    float *expected = malloc(BATCH * model.logit_count * sizeof *expected);
    assert_non_null(expected);
    memcpy(expected, logits_of(&model, reference), BATCH * model.logit_count * sizeof *expected);
    const double found = decibels(&model, expected);
    print_message("%s: %.1f dB\n", name, found);
    assert_true(found > least);
    check_sets(&model, expected);
    free(expected);
    network_destroy(reference);
    model_free(&model);
}

static void test_resnet18(void **state) {
    (void)state;
    check_exact("resnet18", 36, 25);
}

static void test_resnet50(void **state) {
    (void)state;
    check_exact("resnet50", 33, 25);
}

static void test_resnet20(void **state) {
    (void)state;
    check_exact("resnet20", 32, 25); // shortcuts of padded channels
}

// Nets with ops in float too, or with groups.
static void test_other_families(void **state) {
    (void)state;
    const struct {
        const char *name;
        int extent;
    } cases[] = {{"googlenet", 64},

                 {"seresnet18", 64},
                 {"preresnet20", 32},
                 {"resnext50_32x4d", 64}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Model model = model_of(cases[i].name, cases[i].extent);
        const Backend *backend = NULL;
        assert_int_equal(backend_cpu(&backend), STATUS_OK);
        Network *network = network_of(&model, backend, NULL, &model.bytes.table);
        const double ratio = decibels(&model, logits_of(&model, network));
        print_message("%s: %.1f dB\n", cases[i].name, ratio);
        assert_true(ratio > 20);
        network_destroy(network);
        model_free(&model);
    }
}

// Every layer kept in float: the float network, to the bit.
static void test_all_in_float(void **state) {
    (void)state;
    Model model = model_of("resnet20", 32);
    Quantization *table = &model.bytes.table;
    const Graph *graph = network_graph(model.exact);
    for (NodeId i = 0; i < graph->node_count; i++) {
        if (graph->nodes[i].op == OP_CONV || graph->nodes[i].op == OP_LINEAR) {
            table->float_nodes[table->float_count++] = graph->nodes[i].name;
        }
    }
    const Backend *backend = NULL;
    assert_int_equal(backend_cpu(&backend), STATUS_OK);
    Network *network = network_of(&model, backend, NULL, table);
    assert_memory_equal(logits_of(&model, network), model.logits,
                        BATCH * model.logit_count * sizeof(float));
    network_destroy(network);
    model_free(&model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resnet18),     cmocka_unit_test(test_resnet50),
        cmocka_unit_test(test_resnet20),     cmocka_unit_test(test_other_families),
        cmocka_unit_test(test_all_in_float),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
