// SPDX-License-Identifier: Apache-2.0
// Convolutions that train together with the norm behind them give the bits that they give apart, on
// every instruction set, with any number of threads, whether or not the batch suits.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cpu.h"
#include "base/random.h"
#include "models/models.h"
#include "network/network.h"

enum { PASSES = 2 };

static const Backend *inner; // what the counting one calls
static int forward_pairs, backward_pairs, kept;

static void count_forward(const Call *conv, const Call *norm) {
    forward_pairs++;
    inner->forward_pair(conv, norm);
}

// A pair that leaves dy nowhere leaves what lies in its place as it was.
static void count_backward(const Call *conv, const Call *norm) {
    const size_t bytes = (size_t)conv->batch * shape_elements(conv->node->shape) * sizeof(float);
    void *before = malloc(bytes);
    assert_non_null(before);
    memcpy(before, conv->output_gradient, bytes);
    inner->backward_pair(conv, norm);
    backward_pairs++;
    kept += memcmp(before, conv->output_gradient, bytes) == 0;
    free(before);
}

static void require(Status status) {
    if (status != STATUS_OK) {
        fail_msg("%s", status_message());
    }
}

typedef struct Outcome {
    float *gradients, *running;
    double loss;
} Outcome;

static float *copy(const float *from, size_t elements) {
    float *to = malloc((elements + 1) * sizeof *to);
    assert_non_null(to);
    memcpy(to, from, elements * sizeof *to);
    return to;
}

// The last pass is short of a sample.
static Outcome run_passes(const Graph *graph, const Backend *backend, int threads, int batch) {
    Outcome out = {0};
    Threads *pool = NULL;
    Parameters *parameters = NULL;
    Network *network = NULL;
    NetworkOptions options = {
        .backend = backend, .batch = batch, .phase = PHASE_TRAINING, .fuse = true};
    require(threads_create(threads, &pool));
    options.threads = pool;
    require(parameters_create(graph, sizeof(float), true, &parameters));
    parameters_init(parameters, graph, 5);
    require(network_create(graph, parameters, &options, &network));
    const size_t sample = shape_elements(graph_shape(graph, graph->input));
    for (int p = 0; p < PASSES; p++) {
        float *input = network_input(network);
        for (size_t i = 0; i < (size_t)batch * sample; i++) {
            input[i] = (float)random_normal(2, RANDOM_TEST, (uint64_t)p, i);
        }
        for (int i = 0; i < batch; i++) {
            network_labels(network)[i] = (i + p) % 10;
        }
        const PassOptions pass = {
            .count = p == 0 ? batch : batch - 1, .norm_momentum = 0.1f, .loss_scale = 0.5f};
        network_forward(network, &pass);
        out.loss += network_loss(network, 0);
        network_backward(network, &pass);
        if (p == 0) {
            out.gradients = copy(parameters->gradients, graph->trainable_elements);
        }
    }
    for (size_t i = 0; i < graph->trainable_elements; i++) { // the second pass counts as well
        out.gradients[i] += ((float *)parameters->gradients)[i];
    }
    out.running = copy(parameters->running, graph->running_elements);
    network_destroy(network);
    parameters_destroy(parameters);
    threads_destroy(pool);
    return out;
}

static void outcome_free(Outcome *outcome) {
    free(outcome->gradients);
    free(outcome->running);
}

// `pairs` of the model; `together`: some of them work piece by piece with the whole batch.
static void compare(const char *model, int pairs, int extent, int batch, bool together) {
    Graph *graph = NULL;
    const ModelOptions options = {.input = {3, extent, extent}, .loss = true};
    require(model_build(model, &options, &graph));
    Backend apart = *inner, counting = *inner;
    apart.forward_pair = apart.backward_pair = NULL;
    counting.forward_pair = count_forward;
    counting.backward_pair = count_backward;
    Outcome expected = run_passes(graph, &apart, 1, batch);
    for (int threads = 1; threads <= 3; threads += 2) {
        forward_pairs = backward_pairs = kept = 0;
        Outcome found = run_passes(graph, &counting, threads, batch);
        assert_int_equal(forward_pairs, PASSES * pairs);
        assert_int_equal(backward_pairs, PASSES * pairs);
        assert_true(together ? kept >= 5 : kept == 0);
        const size_t gradients = graph->trainable_elements * sizeof(float);
        const size_t running = graph->running_elements * sizeof(float);
        if (memcmp(expected.gradients, found.gradients, gradients) != 0 ||
            memcmp(expected.running, found.running, running) != 0 || expected.loss != found.loss) {
            fail_msg("%s, %s, images of %d, batch %d, %d threads: other bits", model, inner->name,
                     extent, batch, threads);
        }
        outcome_free(&found);
    }
    outcome_free(&expected);
    graph_destroy(graph);
}

// Batches that tasks share evenly, one that they do not, images whose chunks are no whole images.
static void test_same_bits(void **state) {
    (void)state;
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        if (!isa_supported((Isa)isa)) {
            continue;
        }
        setenv("RESNET_ISA", isa_name((Isa)isa), 1);
        require(backend_cpu(&inner));
        // A shortcut stands between one convolution and its norm.
        compare("resnet20", 12, 32, 16, true);
        compare("plain20", 13, 24, 32, true);
        compare("resnet20", 12, 20, 19, false);
    }
    unsetenv("RESNET_ISA");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_bits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
