// SPDX-License-Identifier: Apache-2.0
// Calibration: from the values that a network has on some pictures to the scale of each layer's
// bytes (graph/quantize.h).
//
//     threshold   the largest value that is not clipped, by one of three methods
//     scale       threshold / 255 with zero 0 where no value can be below 0 (after a ReLU),
//                 threshold / 127 with zero 128 elsewhere
//
// What a concatenation joins gets one scale, because bytes are only copied there, and so do the
// input and the output of a max pooling.
#ifndef RESNET_TRAIN_CALIBRATION_H
#define RESNET_TRAIN_CALIBRATION_H

#include "base/threads.h"
#include "graph/quantize.h"
#include "network/network.h"
#include "train/histogram.h"

typedef enum ThresholdMethod {
    THRESHOLD_MSE,        // the least mean squared error of clipping and rounding
    THRESHOLD_PERCENTILE, // a share of the values is not clipped
    THRESHOLD_MAX         // nothing is clipped
} ThresholdMethod;

typedef struct Calibration {
    Network *network; // float, fused, keeping its values
    Threads *threads;
    Histogram *histograms; // by node of its graph
    double *sums;          // of each channel of each node's values, one node after the other
    size_t *first_sum;     // by node: where its channels begin
    int64_t samples;
} Calibration;

// `network` and `threads` must outlive it.
Status calibration_create(Network *network, Threads *threads, Calibration *out);
void calibration_destroy(Calibration *calibration);

// Counts the values of the network's last pass over `count` samples. The same for any number of
// threads, and any order of the samples.
void calibration_add(Calibration *calibration, int count);

// The mean of a channel of a node's values.
double calibration_mean(const Calibration *calibration, NodeId node, int channel);

// A scale and zero for the value of each node but the output. share: of THRESHOLD_PERCENTILE,
// 0 … 1. The sentence, for values that are not finite, names the layer. The table's lists live in
// `arena` (that of nodes in float is empty, with room for all), its names in the graph.
Status calibration_table(const Calibration *calibration, ThresholdMethod method, double share,
                         Arena *arena, Quantization *out);

// Steps from 0 to the threshold of bytes with that zero: 255 or 127.
int calibration_levels(int32_t zero);

#endif
