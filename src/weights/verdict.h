// SPDX-License-Identifier: Apache-2.0
// What is said about a file of tensors when its nearest model is known: what each tensor is called,
// why it is refused, and what a user should know.
#ifndef RESNET_WEIGHTS_VERDICT_H
#define RESNET_WEIGHTS_VERDICT_H

#include "weights/identify.h"
#include "weights/match.h"

typedef struct Candidate {
    const char *model; // the table's; NULL: nothing in common with any
    ModelOptions options;
    const Group *group;
    Match match;
} Candidate;

typedef struct Finding {
    Candidate best;
    const char *twin; // another model with the same tensors; NULL: none
    bool own;         // the file says itself which model it is
    bool wanted;      // the caller said it
} Finding;

// Fills all of *out but the renamings' tensors, which are there already. Fails when memory is out.
Status verdict_give(Arena *arena, const Finding *finding, Identity *out);

#endif
