// SPDX-License-Identifier: Apache-2.0
// What a training writes for people and plots: DIR/metrics.jsonl (one JSON object a line, for each
// epoch and each evaluation), DIR/events.out.tfevents.* for TensorBoard, and DIR/gradients.jsonl
// when asked for. A training that goes on from a checkpoint first drops the lines behind it.
#ifndef RESNET_TRAIN_METRICS_H
#define RESNET_TRAIN_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "network/network.h"

// Keys of a line in metrics.jsonl. A fraction of an epoch where the line stands inside one.
typedef struct MetricsLine {
    double epoch;
    int64_t iteration;
    double train_loss, train_top1; // means over the epoch so far; percent
    double test_loss, test_top1;   // NaN (null in the file) where nothing was evaluated
    double lr;                     // of the last step
    double seconds;                // of training and evaluating, since it was begun
} MetricsLine;

typedef struct Metrics Metrics;

// The last line at or before `iteration`; *out is untouched when there is none.
void metrics_last(const char *directory, int64_t iteration, MetricsLine *out);

// Drops lines behind `last_line` and those of gradients behind `last_gradients` (iterations), and
// opens the files for more.
Status metrics_open(const char *directory, int64_t last_line, int64_t last_gradients,
                    bool gradients, Metrics **out);
void metrics_close(Metrics *metrics); // NULL: nothing to do

// Both are on the disk when they return.
Status metrics_write(Metrics *metrics, const MetricsLine *line);
// Norms of each layer's gradient and weights: {epoch, iteration, layers: [{name, gradient_norm,
// weight_norm}]}, a layer being the parameters that share a name up to the last dot; of norms also
// response_std, the standard deviation of the layer's responses behind the norm and ahead of what
// follows it (paper, Fig. 7), as scales, shifts and running variances give it. Summed in double in
// order. Nothing unless metrics_open() was asked for gradients.
Status metrics_write_gradients(Metrics *metrics, const Graph *graph, const Parameters *parameters,
                               double epoch, int64_t iteration);

#endif
