// SPDX-License-Identifier: Apache-2.0
// Whole training steps on one synthetic batch: forward, loss, backward, update.
//
//     bench_training MODEL BATCH THREADS STEPS   prints one JSON object
//
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "base/random.h"
#include "models/models.h"
#include "network/network.h"
#include "train/optimizer.h"

static int fail(void) {
    fprintf(stderr, "bench_training: %s\n", status_message());
    return 1;
}

int main(int argc, char **argv) {
    if (argc < 5) {
        fprintf(stderr, "usage: bench_training MODEL BATCH THREADS STEPS\n");
        return 2;
    }
    const char *name = argv[1];
    int batch = atoi(argv[2]), thread_count = atoi(argv[3]), steps = atoi(argv[4]);
    Graph *graph = NULL;
    Parameters *parameters = NULL;
    Network *network = NULL;
    Threads *threads = NULL;
    const Backend *backend = NULL;
    if (model_build(name, &(ModelOptions){.loss = true}, &graph) != STATUS_OK ||
        backend_cpu(&backend) != STATUS_OK || threads_create(thread_count, &threads) != STATUS_OK ||
        parameters_create(graph, sizeof(float), true, &parameters) != STATUS_OK) {
        return fail();
    }
    parameters_init(parameters, graph, 1);
    Optimizer *optimizer = NULL;
    OptimizerOptions update = {
        .form = MOMENTUM_PYTORCH, .momentum = 0.9, .weight_decay = 1e-4, .decay_norm_bias = true};
    if (optimizer_create(graph, &update, &optimizer) != STATUS_OK) {
        return fail();
    }
    NetworkOptions options = {.backend = backend,
                              .threads = threads,
                              .batch = batch,
                              .phase = PHASE_TRAINING,
                              .fuse = true};
    if (network_create(graph, parameters, &options, &network) != STATUS_OK) {
        return fail();
    }
    Shape input = graph_shape(graph, graph->input);
    int classes = graph_shape(graph, graph->output).channels;
    float *images = network_input(network);
    for (size_t i = 0; i < shape_elements(input) * (size_t)batch; i++) {
        images[i] = (float)random_normal(1, RANDOM_TEST, 0, i);
    }
    for (int i = 0; i < batch; i++) {
        network_labels(network)[i] =
            (int32_t)random_below((uint32_t)classes, 1, RANDOM_TEST, 1, (uint64_t)i);
    }
    double best = 0, total = 0;
    for (int step = -1; step < steps; step++) { // the first one is not counted
        double start = clock_seconds();
        PassOptions pass = {
            .count = batch, .norm_momentum = 0.1f, .loss_scale = 1.0f / (float)batch};
        network_forward(network, &pass);
        network_backward(network, &pass);
        optimizer_step(optimizer, parameters, 0.1, threads);
        double seconds = clock_seconds() - start;
        if (step >= 0) {
            total += seconds;
            best = best == 0 || seconds < best ? seconds : best;
        }
    }
    printf("{\"model\": \"%s\", \"batch\": %d, \"threads\": %d, \"backend\": \"%s\", "
           "\"images_per_second\": %.1f, \"best_images_per_second\": %.1f}\n",
           name, batch, thread_count, backend->name, steps * batch / total, batch / best);
    network_destroy(network);
    optimizer_destroy(optimizer);
    parameters_destroy(parameters);
    threads_destroy(threads);
    graph_destroy(graph);
    return 0;
}
