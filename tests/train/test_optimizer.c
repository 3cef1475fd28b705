// SPDX-License-Identifier: Apache-2.0
// The three forms of momentum by hand, which parameters decay, and the same bits for any number of
// threads.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "models/models.h"
#include "train/optimizer.h"

// A linear layer of 2 weights and 1 bias: weights at 0 and 1, the bias at 16.
static Graph *tiny_graph(void) {
    Graph *graph = graph_create();
    NodeId x = graph_input(graph, (Shape){2, 1, 1});
    graph_set_output(graph, graph_linear(graph, x, 1, "fc"));
    assert_int_equal(graph_status(graph), STATUS_OK);
    return graph;
}

typedef struct Expected {
    float weight[2], bias, velocity;
} Expected;

// Values that are exact in binary: lr 1/4, momentum 1/2, weight decay 1/8.
// w = {1, -2}, b = 4, gradients {1, 2} and 2; two steps.
static void check_form(MomentumForm form, bool decay_norm_bias, Expected first, Expected second) {
    Graph *graph = tiny_graph();
    Parameters *parameters = NULL;
    Optimizer *optimizer = NULL;
    OptimizerOptions options = {.form = form,
                                .momentum = 0.5,
                                .weight_decay = 0.125,
                                .decay_norm_bias = decay_norm_bias,
                                .shift_rate = 4};
    assert_int_equal(parameters_create(graph, sizeof(float), true, &parameters), STATUS_OK);
    assert_int_equal(optimizer_create(graph, &options, &optimizer), STATUS_OK);
    size_t bias = graph->params[graph_find_param(graph, "fc.bias")].offset;
    float *values = parameters->values, *gradients = parameters->gradients;
    float *momentum = parameters->momentum;
    values[0] = 1;
    values[1] = -2;
    values[bias] = 4;
    gradients[0] = 1;
    gradients[1] = 2;
    gradients[bias] = 2;
    for (int i = 0; i < 2; i++) {
        optimizer_step(optimizer, parameters, 0.25, NULL);
        const Expected *expected = i == 0 ? &first : &second;
        assert_true(values[0] == expected->weight[0]);
        assert_true(values[1] == expected->weight[1]);
        assert_true(values[bias] == expected->bias);
        assert_true(momentum[0] == expected->velocity);
    }
    optimizer_destroy(optimizer);
    parameters_destroy(parameters);
    graph_destroy(graph);
}

// Weight 0, first step: g = 1 + 1/8 = 1.125.
static void test_paper(void **state) {
    (void)state;
    // v = 0.28125, w = 0.71875; g = 1.08984375, v = 0.140625 + 0.2724609375.
    check_form(MOMENTUM_PAPER, true, (Expected){{0.71875f, -2.4375f}, 3.375f, 0.28125f},
               (Expected){{0.3056640625f, -3.080078125f}, 2.45703125f, 0.4130859375f});
}

static void test_pytorch(void **state) {
    (void)state;
    // Without decay of the bias: v = 2, b = 3.5; v = 3, b = 2.75.
    check_form(MOMENTUM_PYTORCH, false, (Expected){{0.71875f, -2.4375f}, 3.5f, 1.125f},
               (Expected){{0.3056640625f, -3.080078125f}, 2.75f, 1.65234375f});
}

static void test_nesterov(void **state) {
    (void)state;
    // v = 1.125, w = 1 - 0.25*(1.125 + 0.5625) = 0.578125;
    // g = 1.072265625, v = 1.634765625, w -= 0.25*(1.072265625 + 0.8173828125).
    check_form(MOMENTUM_NESTEROV, false, (Expected){{0.578125f, -2.65625f}, 3.25f, 1.125f},
               (Expected){{0.105712890625f, -3.39111328125f}, 2.375f, 1.634765625f});
}

// The shift of a norm learns at its own rate, its scale and a bias at the common one.
static void test_shift_rate(void **state) {
    (void)state;
    Graph *graph = graph_create();
    NodeId x = graph_input(graph, (Shape){2, 1, 1});
    x = graph_linear(graph, graph_norm(graph, x, "bn"), 1, "fc");
    graph_set_output(graph, x);
    assert_int_equal(graph_status(graph), STATUS_OK);
    for (int form = MOMENTUM_PAPER; form <= MOMENTUM_NESTEROV; form++) {
        Parameters *parameters = NULL;
        Optimizer *optimizer = NULL;
        OptimizerOptions options = {.form = (MomentumForm)form, .shift_rate = 8};
        assert_int_equal(parameters_create(graph, sizeof(float), true, &parameters), STATUS_OK);
        assert_int_equal(optimizer_create(graph, &options, &optimizer), STATUS_OK);
        float *values = parameters->values, *gradients = parameters->gradients;
        static const char *const names[] = {"bn.bias", "bn.weight", "fc.bias", "fc.weight"};
        for (int i = 0; i < 4; i++) {
            size_t offset = graph->params[graph_find_param(graph, names[i])].offset;
            values[offset] = 1;
            gradients[offset] = 2;
        }
        optimizer_step(optimizer, parameters, 0.0625, NULL);
        for (int i = 0; i < 4; i++) {
            size_t offset = graph->params[graph_find_param(graph, names[i])].offset;
            assert_true(values[offset] == (i == 0 ? 0 : 0.875F));
        }
        optimizer_destroy(optimizer);
        parameters_destroy(parameters);
    }
    graph_destroy(graph);
}

static void run_steps(const Graph *graph, Threads *threads, Parameters *parameters) {
    OptimizerOptions options = {
        .form = MOMENTUM_NESTEROV, .momentum = 0.9, .weight_decay = 5e-4, .shift_rate = 16};
    Optimizer *optimizer = NULL;
    assert_int_equal(optimizer_create(graph, &options, &optimizer), STATUS_OK);
    parameters_init(parameters, graph, 7);
    float *gradients = parameters->gradients;
    for (int s = 0; s < 3; s++) {
        for (size_t i = 0; i < graph->trainable_elements; i++) {
            gradients[i] = (float)random_normal(7, RANDOM_TEST, (uint64_t)s, i);
        }
        optimizer_step(optimizer, parameters, 0.1, threads);
    }
    optimizer_destroy(optimizer);
}

static void test_threads(void **state) {
    (void)state;
    Graph *graph = NULL;
    Threads *threads = NULL;
    Parameters *one = NULL, *many = NULL;
    assert_int_equal(model_build("resnet20", NULL, &graph), STATUS_OK);
    assert_int_equal(threads_create(5, &threads), STATUS_OK);
    assert_int_equal(parameters_create(graph, sizeof(float), true, &one), STATUS_OK);
    assert_int_equal(parameters_create(graph, sizeof(float), true, &many), STATUS_OK);
    run_steps(graph, NULL, one);
    run_steps(graph, threads, many);
    size_t bytes = graph->trainable_elements * sizeof(float);
    assert_memory_equal(one->values, many->values, bytes);
    assert_memory_equal(one->momentum, many->momentum, bytes);
    // Every parameter was reached, the last one too.
    const Param *last = &graph->params[graph_find_param(graph, "fc.bias")];
    assert_true(((float *)one->momentum)[last->offset + last->elements - 1] != 0);
    parameters_destroy(one);
    parameters_destroy(many);
    threads_destroy(threads);
    graph_destroy(graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paper),    cmocka_unit_test(test_pytorch),
        cmocka_unit_test(test_nesterov), cmocka_unit_test(test_shift_rate),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
