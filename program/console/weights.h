// SPDX-License-Identifier: Apache-2.0
// Weights given on the command line, and the options that say what a file of others cannot: which
// model it is, where its bottlenecks stride, how its pictures were prepared, what its classes are
// called.
#ifndef PROGRAM_WEIGHTS_H
#define PROGRAM_WEIGHTS_H

#include <stdbool.h>
#include <stddef.h>

#include "console/options.h"
#include "resnet.h"

typedef struct WeightsOptions {
    const char *model, *stride_in, *preset, *labels;
    OptionChannels mean, std;
} WeightsOptions;

// Rows for the option table of a command whose Arguments have a WeightsOptions `weights`.
// clang-format off
#define WEIGHTS_MODEL_OPTION                                                                       \
    {OPTION_TEXT, "model", "NAME", offsetof(Arguments, weights.model),                             \
     "which architecture of `resnet models` it is, where its tensors leave a choice"}
#define WEIGHTS_OPTIONS                                                                            \
    WEIGHTS_MODEL_OPTION,                                                                          \
    {OPTION_CHOICE, "stride-in", "1x1|3x3", offsetof(Arguments, weights.stride_in),                \
     "where bottleneck blocks have their stride, which few files say: 1x1 is the paper's (v1), "   \
     "3x3 (default) torchvision's (v1.5)"},                                                        \
    {OPTION_CHOICE, "preset", "torchvision|torchvision-v2|timm|caffe|cifar|inception",             \
     offsetof(Arguments, weights.preset),                                                          \
     "resize, crop and normalisation instead of those that the weights carry"},                    \
    {OPTION_CHANNELS, "mean", "R,G,B", offsetof(Arguments, weights.mean),                          \
     "normalisation instead of what the weights carry: (byte / 255 - mean) / std"},                \
    {OPTION_CHANNELS, "std", "R,G,B", offsetof(Arguments, weights.std), "see --mean"},             \
    {OPTION_TEXT, "labels", "FILE", offsetof(Arguments, weights.labels),                           \
     "names of the classes, one a line, instead of those that the weights carry"}
#define PRECISION_OPTION                                                                           \
    {OPTION_CHOICE, "precision", "fp32|bf16|int8", offsetof(Arguments, precision),                 \
     "default: int8 for files that `resnet quantize` made, else fp32"}
// clang-format on

// Loads weights. What neither they nor an option says is a default, and a warning tells which: the
// normalisation (its preset's, which the model carries from then on), the stride of bottlenecks.
resnet_status weights_open(const char *path, const WeightsOptions *options, resnet_model **out);

// Whether this architecture's blocks have two places for their stride.
bool model_has_stride_in(const char *name);

#endif
