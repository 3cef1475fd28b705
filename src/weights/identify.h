// SPDX-License-Identifier: Apache-2.0
// Which model a file of tensors is, and what each tensor is called here.
//
// Wrappers are taken off ("state_dict.", "model.", "net.", "model_ema.", "state_dict_ema.",
// "module.",
// "_orig_mod.", "backbone.", "resnet.", "encoder_q.", in any nesting), then names are mapped from
// torchvision, timm, Hugging Face's ResNet and the CIFAR layout (layer1-3, linear, shortcut.0/1).
#ifndef RESNET_WEIGHTS_IDENTIFY_H
#define RESNET_WEIGHTS_IDENTIFY_H

#include "base/arena.h"
#include "formats/tensor_file.h"
#include "models/models.h"

typedef struct Renaming {
    const Tensor *tensor;
    const char
        *name; // ours: "layer1.0.conv1.weight"; NULL: not a parameter (num_batches_tracked, ...)
} Renaming;

typedef struct Identity {
    const char *layout;   // "torchvision", "timm", "hugging face", "cifar", "resnet" (our own)
    const char *wrapper;  // what was taken off: "state_dict.module."; "" for nothing
    const char *model;    // an architecture's name; NULL when refused
    ModelOptions options; // shortcut, classes, input, stride_in (DEFAULT when it can't be known)
    Renaming *renamings;  // one for each tensor of the file
    int renaming_count;
    const char *notes[8]; // one sentence each: what can't be known, what was left out
    int note_count;
    const char
        *refused; // the reason, one sentence with the tensor's name; NULL when a model was found
} Identity;

// STATUS_OK also when refused; a failure only when memory is out. Everything lives in `arena`.
// wanted: a model's name that overrides the guess (its tensors must fit); NULL: guess.
Status weights_identify(Arena *arena, const TensorFile *file, const char *wanted, Identity *out);

#endif
