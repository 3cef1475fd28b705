// SPDX-License-Identifier: Apache-2.0
// Training passes of a network on made images, and all that they leave behind, to compare ways to
// run one that must not differ in a bit.
#ifndef TESTS_PASSES_H
#define TESTS_PASSES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> // which needs some of those

#include "base/random.h"
#include "network/network.h"

enum { PASSES = 2 };

typedef struct Passes {
    float *gradients, *running; // the gradients of each pass; the running statistics at the end
    double *loss;               // of each sample of each pass
    size_t bytes;               // network_bytes()
} Passes;

static inline void require(Status status) {
    if (status != STATUS_OK) {
        fail_msg("%s", status_message());
    }
}

static inline void *passes_room(size_t bytes) {
    void *room = calloc(1, bytes + 1);
    assert_non_null(room);
    return room;
}

// The passes differ in their images, their momentum and their draws for dropout, and the last one
// is short of a sample. `options.threads` is not read: the pool has `threads`.
static inline Passes passes_run(const Graph *graph, NetworkOptions options, int threads) {
    const size_t batch = (size_t)options.batch, trainable = graph->trainable_elements;
    Passes out = {.gradients = passes_room(PASSES * trainable * sizeof(float)),
                  .running = passes_room(graph->running_elements * sizeof(float)),
                  .loss = passes_room(PASSES * batch * sizeof(double))};
    Threads *pool = NULL;
    Parameters *parameters = NULL;
    Network *network = NULL;
    require(threads_create(threads, &pool));
    options.threads = pool;
    require(parameters_create(graph, sizeof(float), true, &parameters));
    parameters_init(parameters, graph, 5);
    require(network_bytes(graph, &options, &out.bytes));
    require(network_create(graph, parameters, &options, &network));
    const size_t sample = shape_elements(graph_shape(graph, graph->input));
    for (int p = 0; p < PASSES; p++) {
        float *input = network_input(network);
        for (size_t i = 0; i < batch * sample; i++) {
            input[i] = (float)random_normal(2, RANDOM_TEST, (uint64_t)p, i);
        }
        for (int i = 0; i < options.batch; i++) {
            network_labels(network)[i] = (2 * i + p) % 10;
        }
        const PassOptions pass = {.count = options.batch - p,
                                  .norm_momentum = 0.1f * (float)(p + 1),
                                  .loss_scale = 0.5f,
                                  .seed = 3,
                                  .iteration = (uint64_t)p};
        network_forward(network, &pass);
        for (int i = 0; i < pass.count; i++) {
            out.loss[(size_t)p * batch + (size_t)i] = network_loss(network, i);
        }
        network_backward(network, &pass);
        memcpy(out.gradients + (size_t)p * trainable, parameters->gradients,
               trainable * sizeof(float));
    }
    memcpy(out.running, parameters->running, graph->running_elements * sizeof(float));
    network_destroy(network);
    parameters_destroy(parameters);
    threads_destroy(pool);
    return out;
}

static inline bool passes_same(const Graph *graph, int batch, const Passes *a, const Passes *b) {
    return memcmp(a->gradients, b->gradients, PASSES * graph->trainable_elements * sizeof(float)) ==
               0 &&
           memcmp(a->running, b->running, graph->running_elements * sizeof(float)) == 0 &&
           memcmp(a->loss, b->loss, PASSES * (size_t)batch * sizeof(double)) == 0;
}

static inline void passes_free(Passes *passes) {
    free(passes->gradients);
    free(passes->running);
    free(passes->loss);
}

#endif
