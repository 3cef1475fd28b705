// SPDX-License-Identifier: Apache-2.0
// Which networks exist: a constant table of architectures and one builder for each family.
#ifndef RESNET_MODELS_MODELS_H
#define RESNET_MODELS_MODELS_H

#include "graph/graph.h"

// How a shortcut changes dimensions (paper §3.3). DEFAULT takes the architecture's own: A for the
// CIFAR nets, B for the ImageNet nets. NONE makes the plain twin, and is what nets without
// residual blocks have.
typedef enum Shortcut {
    SHORTCUT_DEFAULT,
    SHORTCUT_NONE,       // plain nets
    SHORTCUT_PAD,        // option A: identity, extra zero channels
    SHORTCUT_PROJECTION, // option B: projection where dimensions change, identity elsewhere
    SHORTCUT_PROJECT_ALL // option C: every shortcut is a projection
} Shortcut;

// Where a bottleneck block has its stride: the paper and Caffe 1x1 (v1), torchvision 3x3 (v1.5).
typedef enum StrideIn { STRIDE_IN_DEFAULT, STRIDE_IN_1X1, STRIDE_IN_3X3 } StrideIn;

typedef struct ModelOptions {
    Shortcut shortcut;
    StrideIn stride_in; // default: 3x3
    int classes;        // 0: the architecture's own (10 or 1000)
    Shape input;        // a 0 in it: the architecture's own (3x32x32 or 3x224x224)
    // Append a softmax_loss node named "loss", and auxiliary heads with losses of their own where
    // the architecture has them. Their parameters come after those of the graph without a loss,
    // whose offsets stay as they are.
    bool loss;
    float label_smoothing;
    float zero_init_last_norm; // 1: scale of each residual branch's last norm starts at 0
} ModelOptions;

typedef struct ModelInfo {
    const char *name;        // "resnet50", "plain20"
    const char *description; // "bottleneck blocks, 50 layers, for 224x224 images (paper, Table 1)"
    Shape input;
    int classes;
    const char *preset; // the preprocessing that most published weights expect: "torchvision"
} ModelInfo;

// The table in a fixed order, family by family, in each CIFAR nets first. NULL past its end.
const ModelInfo *model_info(int index);
// The row of that name; NULL for an unknown one.
const ModelInfo *model_info_named(const char *name);

// Replaces defaults by what they stand for with `name`: shortcut, classes, input extents that are
// 0, and, for nets with bottleneck blocks, stride_in. STATUS_USAGE as for model_build().
Status model_resolve(const char *name, ModelOptions *options);

// Builds `name` with options (NULL: defaults). STATUS_USAGE for an unknown name (the sentence lists
// near ones) or options that the architecture does not have.
Status model_build(const char *name, const ModelOptions *options, Graph **out);

// "A", "B", "C" and back; "none" for SHORTCUT_NONE, "default" for SHORTCUT_DEFAULT. False: unknown.
bool shortcut_parse(const char *text, Shortcut *out);
const char *shortcut_name(Shortcut shortcut);
// "1x1", "3x3".
bool stride_in_parse(const char *text, StrideIn *out);
// The same for a caller's argument: NULL leaves *out as it is, an unknown text is STATUS_USAGE.
Status shortcut_read(const char *text, Shortcut *out);
Status stride_in_read(const char *text, StrideIn *out);
const char *stride_in_name(StrideIn stride_in);

#endif
