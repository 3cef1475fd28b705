// SPDX-License-Identifier: Apache-2.0
#include "train/evaluate.h"

#include <math.h>
#include <string.h>

#include "base/elementary.h"

bool logits_rank_within(const float *logits, int classes, int32_t label, int k) {
    if (isnan(logits[label])) {
        return false;
    }
    int above = 0;
    for (int c = 0; c < classes; c++) {
        above += logits[c] > logits[label] || (logits[c] == logits[label] && c < label);
    }
    return above < k;
}

// The sum of e^(logit - largest), which cannot overflow.
static double exponentials(const float *logits, int classes, double *largest) {
    *largest = logits[0];
    for (int c = 1; c < classes; c++) {
        *largest = logits[c] > *largest ? logits[c] : *largest;
    }
    double sum = 0;
    for (int c = 0; c < classes; c++) {
        sum += exact_exp(logits[c] - *largest);
    }
    return sum;
}

double logits_cross_entropy(const float *logits, int classes, int32_t label) {
    double largest = 0;
    double sum = exponentials(logits, classes, &largest);
    return exact_log(sum) + largest - logits[label];
}

void logits_softmax(const float *logits, int classes, float *probabilities) {
    double largest = 0;
    double sum = exponentials(logits, classes, &largest);
    for (int c = 0; c < classes; c++) {
        probabilities[c] = (float)(exact_exp(logits[c] - largest) / sum);
    }
}

void evaluate_run(Network *network, Loader *loader, float *logits, Evaluation *out) {
    *out = (Evaluation){0};
    const Graph *graph = network_graph(network);
    int classes = graph_shape(graph, graph->output).channels;
    size_t elements = shape_elements(graph_shape(graph, graph->input));
    loader_seek(loader, 0, 0);
    for (int b = 0; b < loader_batches(loader); b++) {
        Batch batch;
        loader_next(loader, &batch);
        memcpy(network_input(network), batch.pixels,
               (size_t)batch.count * elements * sizeof(float));
        network_forward(network, &(PassOptions){.count = batch.count});
        const float *result = network_output(network);
        for (int i = 0; i < batch.count; i++) {
            const float *row = result + (size_t)i * (size_t)classes;
            int32_t label = batch.labels[i];
            out->correct += logits_rank_within(row, classes, label, 1);
            out->correct5 += logits_rank_within(row, classes, label, 5);
            out->loss += logits_cross_entropy(row, classes, label);
        }
        if (logits != NULL) {
            memcpy(logits + (size_t)out->samples * (size_t)classes, result,
                   (size_t)batch.count * (size_t)classes * sizeof(float));
        }
        out->samples += batch.count;
    }
    out->loss = out->samples > 0 ? out->loss / (double)out->samples : 0;
}
