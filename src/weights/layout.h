// SPDX-License-Identifier: Apache-2.0
// How the names of a parameter differ between those who publish weights. Ours are torchvision's:
//
//     torchvision   layer2.0.downsample.0.weight                          fc.weight
//     timm          the same; layer2.0.se.fc1.weight; VGG: pre_logits.fc1.weight, head.fc.weight
//     Hugging Face  encoder.stages.1.layers.0.shortcut.convolution.weight classifier.1.weight
//     CIFAR         layer2.0.shortcut.0.weight                            linear.weight
//
// with wrappers before them: dictionaries of a checkpoint ("state_dict."), what a training puts
// around a model ("module.", "_orig_mod.") and parts of a larger one ("backbone.").
#ifndef RESNET_WEIGHTS_LAYOUT_H
#define RESNET_WEIGHTS_LAYOUT_H

#include "base/arena.h"

typedef enum Layout {
    LAYOUT_TORCHVISION, // what has no mark of another
    LAYOUT_TIMM,
    LAYOUT_HUGGING_FACE,
    LAYOUT_CIFAR,
    LAYOUT_OWN, // a file that this library wrote
} Layout;

const char *layout_name(Layout layout); // "hugging face"

// What follows the wrappers of a name; `name` itself where it has none.
const char *layout_unwrap(const char *name);
// The layout that an unwrapped name is a mark of, LAYOUT_TORCHVISION for most names.
Layout layout_of(const char *name);
// Our name for an unwrapped name; `name` itself where they are equal. NULL when memory is out.
const char *layout_rename(Arena *arena, Layout layout, const char *name);

// What changes no result.
typedef enum Spare {
    SPARE_NONE,      // a parameter, or a tensor of another network
    SPARE_COUNTER,   // of batches or of a profiler; what our own files add to parameters
    SPARE_HEAD,      // GoogLeNet's auxiliary classifiers
    SPARE_OPTIMIZER, // momentum and the like
    SPARE_COUNT
} Spare;

// What a tensor of that name (ours) is, where it is none of the network's parameters.
Spare layout_spare(Layout layout, const char *name);

#endif
