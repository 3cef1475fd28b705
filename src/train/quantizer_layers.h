// SPDX-License-Identifier: Apache-2.0
// The layers that a quantizer may put in int8: what they are called, and their weights as bytes or
// as they were.
#ifndef RESNET_TRAIN_QUANTIZER_LAYERS_H
#define RESNET_TRAIN_QUANTIZER_LAYERS_H

#include "train/quantizer.h"

// What the quantizer knows of a layer besides its line of the report.
typedef struct Layer {
    QuantizedLayer *told;
    const char *node; // its name in the fused graph
    NodeId id;        // and its place there
    const Param *weight;
    bool keep;                    // in float
    double gain;                  // less noise of the logits when it is in float
    double signal_sum, noise_sum; // of its output
} Layer;

typedef struct Layers {
    Layer *list; // in the order of the graph
    int count;
    const Parameters *exact; // as the model has them
    Parameters *rounded;     // with bytes in place of the weights of layers in int8
} Layers;

// All convolutions and linear layers of a fused graph, in float. The report's lines and names live
// in `arena`. `graph`, `fused` and `exact` must outlive the layers.
Status layers_create(const Graph *graph, const Graph *fused, const Parameters *exact, Arena *arena,
                     QuantizeReport *report, Layers *out);
void layers_destroy(Layers *layers);

// Marks those with these names, with commas between, to be kept in float; NULL: none.
Status layers_keep(Layers *layers, const char *names);

// Gives a layer weights as bytes, or the ones that it had.
//
// What rounding adds to a weight is multiplied with inputs whose mean is not 0, and so moves the
// mean of each channel by
//
//     d = sum of mean(input) * (weight - rounded weight)
//
// which is put right where the layer adds a constant: in the bias, or in the mean that a folded
// norm takes away. This belongs to the rounded weights, in int8 and in float.
Status layer_round(Layers *layers, Layer *layer, const Calibration *calibration, bool bytes);

// Adds the last pass of two networks over the same `count` samples to what the layers know of their
// outputs; both keep their values.
void layers_compare(Layers *layers, const Network *exact, const Network *network, int count,
                    Threads *threads);
// Fills the rest of the layers' lines of the report for the graph that runs in int8, and returns
// how many of them are in int8.
int layers_finish(Layers *layers, const Graph *graph, const Calibration *calibration);

// 10 log10(signal / noise); infinite without noise.
double decibels(double signal, double noise);

#endif
