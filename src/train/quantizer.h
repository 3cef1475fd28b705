// SPDX-License-Identifier: Apache-2.0
// Post-training quantisation of a model: rounds weights, calibrates scales, measures what that
// costs, and keeps in float the layers that cost too much.
//
// The bound is the top-1 accuracy on the calibration pictures. When the network with all layers in
// int8 loses more than it allows, the layers are ranked by how much nearer to float the logits
// become when that layer alone is computed in float, and the best of them are kept in float, one
// after the other, until the network is within the bound. Then each but the last goes back into
// int8, the latest first, if the network stays within the bound: what changes the answers to a few
// pictures is seldom the whole of that list.
#ifndef RESNET_TRAIN_QUANTIZER_H
#define RESNET_TRAIN_QUANTIZER_H

#include "data/loader.h"
#include "train/calibration.h"
#include "weights/model_file.h"

typedef struct QuantizeOptions {
    Threads *threads;
    ThresholdMethod method;
    double share;          // of THRESHOLD_PERCENTILE: 0 … 1
    int samples;           // pictures to calibrate with
    double max_drop;       // points of top-1 on these that may be lost
    const char *keep;      // layers to keep in float in any case, with commas between; NULL: none
    const int32_t *labels; // the model's class for each label of the data; NULL: as they are
    void (*failure)(void *user, const char *sentence); // a picture that cannot be read; NULL: none
    void (*progress)(void *user, const char *what, int done, int all); // NULL: none
    void *user;
} QuantizeOptions;

// A convolution or linear layer. The ratios are signal to noise in decibels, infinite where there
// is no noise.
typedef struct QuantizedLayer {
    const char *name; // "layer1.0.conv1": what comes before ".weight" in its parameter's name
    OpKind op;
    bool bytes;  // computed in int8
    float scale; // of its output's bytes; 0: the output is float
    int32_t zero;
    double weights;  // its weights as bytes, against float
    double rounding; // the output's values as bytes, were they exact before; scale 0: infinite
    double output;   // its output in the int8 network, after all layers before it, against float
} QuantizedLayer;

typedef struct QuantizeReport {
    Arena *arena; // owns the rest
    QuantizedLayer *layers;
    int layer_count, byte_layers;
    int samples, failed;                 // calibration pictures
    int64_t correct_float, correct_int8; // of these
    double logits;                       // signal to noise of the logits
} QuantizeReport;

// Quantises `file`: from then on it carries a quantisation, and its weights are rounded. `set` and
// `preprocess` give the pictures, of which `samples` are drawn by `seed`. On failure the file is as
// it was; STATUS_USAGE for a name in `keep` that is no layer.
Status quantizer_run(ModelFile *file, const Dataset *set, const Preprocess *preprocess,
                     uint64_t seed, const QuantizeOptions *options, QuantizeReport *report);
void quantize_report_destroy(QuantizeReport *report);

#endif
