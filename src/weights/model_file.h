// SPDX-License-Identifier: Apache-2.0
// A model and its file: the graph's description, parameters, class names and preprocessing
// together, as safetensors. The trainer's checkpoints are the same file with momentum and state
// added.
#ifndef RESNET_WEIGHTS_MODEL_FILE_H
#define RESNET_WEIGHTS_MODEL_FILE_H

#include "base/arena.h"
#include "data/preprocess.h"
#include "formats/tensor_file.h"
#include "graph/graph.h"
#include "graph/quantize.h"
#include "models/models.h"
#include "network/network.h"

// Metadata keys (all values are strings): "format" "resnet", "resnet.version", "resnet.model",
// "resnet.shortcut", "resnet.stride_in" (bottlenecks only), "resnet.input" "3x32x32" (CxHxW),
// "resnet.classes" (a JSON list of names, or absent), "resnet.class_count", "resnet.checksum" (see
// entries.h), and of the preprocessing "resnet.mean" and "resnet.std" ("0.49,0.48,0.45", each with
// up to 9 significant digits), "resnet.resize" (0: the crop's own size), "resnet.interpolation"
// (bilinear, bicubic), "resnet.channel_order" (rgb, bgr) and "resnet.scale"; the last four may be
// absent: 0, bilinear, rgb, 1/255. A per-pixel mean is the tensor "preprocess.pixel_mean" [H,W,C].
// Of a model that was quantised "resnet.quantization" (see quantization_text.h) has the scales of
// activations, and weights that are bytes times scales (see byte_weights.h) are written so: I8
// "NAME.weight" and F32 "NAME.weight_scale".
typedef struct ModelFile {
    Arena *arena;           // owns the strings
    char *name;             // "resnet20"
    ModelOptions options;   // classes, input and shortcut as the graph has them, never defaults
    Graph *graph;           // plain, without a loss
    Parameters *parameters; // float, values and running only; NULL until initialised or loaded;
                            // a training's are laid out for the graph with a loss
    char **class_names;     // [options.classes], or NULL
    bool has_preprocess;
    Preprocess preprocess;
    TensorFile *source;     // open while parameters are borrowed from it; else NULL
    bool stride_in_assumed; // neither the file nor the caller said where bottlenecks stride
    const Quantization *quantization; // how it runs in int8; NULL: in float only
} ModelFile;

// A model without parameters yet: enough for `resnet summary`, and cheap for 60 million of them.
Status model_file_create(const char *name, const ModelOptions *options, ModelFile **out);
void model_file_destroy(ModelFile *file);
// Takes memory for the parameters and draws them by seed; nothing where they are there already.
Status model_file_initialise(ModelFile *file, uint64_t seed);

// Copies names and preprocessing into the model. channels 1 or 3.
Status model_file_set_classes(ModelFile *file, char *const *names, int count);
Status model_file_set_preprocess(ModelFile *file, const Preprocess *preprocess);
// The same for a quantisation of its fused graph.
Status model_file_set_quantization(ModelFile *file, const Quantization *table);

#endif
