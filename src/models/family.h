// SPDX-License-Identifier: Apache-2.0
// A family of networks: a table of its members and one builder for all of them. A new member is a
// row of its family's table; a new family is a file with one of these and a line in models.c.
#ifndef RESNET_MODELS_FAMILY_H
#define RESNET_MODELS_FAMILY_H

#include "models/models.h"

typedef struct Family {
    int count; // members
    const ModelInfo *(*info)(int member);
    // Replaces DEFAULT by the member's own choice, or refuses what the member does not have with
    // STATUS_USAGE. Input and classes are resolved already.
    Status (*resolve)(int member, ModelOptions *options);
    // Adds everything between the input node x and the logits, which it returns. Options are
    // resolved.
    NodeId (*build)(int member, const ModelOptions *options, Graph *graph, NodeId x);
} Family;

extern const Family FAMILY_RESNET;    // residual nets, their plain twins, wide, grouped and SE ones
extern const Family FAMILY_PRERESNET; // pre-activation residual nets
extern const Family FAMILY_VGG;       // with and without norms
extern const Family FAMILY_ALEXNET;
extern const Family FAMILY_GOOGLENET; // torchvision's and the paper's form

#endif
