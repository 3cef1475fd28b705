// SPDX-License-Identifier: Apache-2.0
// What a training does over and over: steps, evaluations, the average of norms.
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "train/training.h"

static const float NORM_MOMENTUM = 0.1f;

// Samples begin … begin+count-1 of a batch into the training network.
static void load_samples(Training *training, const Batch *batch, int begin, int count) {
    const Graph *graph = network_graph(training->network); // of cuts or of whole images
    size_t elements = shape_elements(graph_shape(graph, graph->input));
    memcpy(network_input(training->network), batch->pixels + (size_t)begin * elements,
           (size_t)count * elements * sizeof(float));
    memcpy(network_labels(training->network), batch->labels + begin,
           (size_t)count * sizeof(int32_t));
}

// Adds the results of a shard's forward pass, in the order of samples.
static void add_results(Training *training, int count, EpochSums *sums) {
    int classes = training->model->options.classes;
    const float *logits = network_output(training->network);
    const int32_t *labels = network_labels(training->network);
    for (int i = 0; i < count; i++) {
        sums->loss += network_loss(training->network, i);
        sums->correct +=
            logits_rank_within(logits + (size_t)i * (size_t)classes, classes, labels[i], 1);
    }
    sums->samples += count;
}

static Status not_finite(Training *training, const Batch *batch, const PassOptions *pass,
                         double loss) {
    int64_t iteration = training->state.iteration + 1;
    const char *kind = isnan(loss) ? "nan" : "infinite";
    load_samples(training, batch, (int)pass->first_sample, pass->count);
    const char *layer = network_find_nonfinite(training->network, pass);
    if (layer == NULL) {
        return status_fail(STATUS_FAILED, "loss is %s at iteration %" PRId64 "; try a smaller --lr",
                           kind, iteration);
    }
    return status_fail(STATUS_FAILED,
                       "loss is %s at iteration %" PRId64
                       ": %s is the first layer whose result is not finite; try a smaller --lr",
                       kind, iteration, layer);
}

void training_seek(Training *training) {
    int64_t steps = training->recipe.steps_per_epoch;
    loader_seek(training->loader, (uint64_t)(training->state.iteration / steps),
                (int)(training->state.iteration % steps));
}

Status training_step(Training *training, double lr) {
    Parameters *parameters = training->model->parameters;
    int shard = training->recipe.shard;
    Batch batch;
    loader_next(training->loader, &batch);
    int shards = (batch.count + shard - 1) / shard;
    EpochSums sums = training->state.sums;
    for (int s = 0; s < shards; s++) {
        int begin = s * shard;
        PassOptions pass = {
            .count = batch.count - begin < shard ? batch.count - begin : shard,
            .norm_momentum = NORM_MOMENTUM,
            .loss_scale = 1.0f / (float)batch.count,
            .seed = training->options->seed,
            .iteration = (uint64_t)training->state.iteration,
            .first_sample = begin,
        };
        load_samples(training, &batch, begin, pass.count);
        network_forward(training->network, &pass);
        add_results(training, pass.count, &sums);
        if (!isfinite(sums.loss)) {
            return not_finite(training, &batch, &pass, sums.loss);
        }
        network_backward(training->network, &pass);
        shards_add(training->shards, parameters->gradients, s, shards);
    }
    optimizer_step(training->optimizer, parameters, lr, training->threads);
    training->state.sums = sums;
    training->state.iteration++;
    return STATUS_OK;
}

void training_evaluate(Training *training, Evaluation *out) {
    network_refresh(training->tester);
    evaluate_run(training->tester, training->test_loader, NULL, out);
}

bool training_average_norms(Training *training) {
    const volatile sig_atomic_t *stop = training->options->stop;
    Loader *loader = training->plain_loader;
    loader_seek(loader, 0, 0);
    for (int b = 0; b < loader_batches(loader); b++) {
        if (stop != NULL && *stop) {
            return false;
        }
        Batch batch;
        loader_next(loader, &batch);
        load_samples(training, &batch, 0, batch.count);
        // The mean of b+1 values from that of b: m + (x - m)/(b+1).
        PassOptions pass = {
            .count = batch.count,
            .norm_momentum = 1.0f / (float)(b + 1),
            .loss_scale = 1,
            .seed = training->options->seed,
            .iteration = (uint64_t)(training->state.iteration + b),
        };
        network_forward(training->network, &pass);
    }
    return true;
}
