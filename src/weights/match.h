// SPDX-License-Identifier: Apache-2.0
// The tensors of a file that may be one model, and how well a network's parameters fit them.
//
// A file can hold several copies of a model (the weights and their moving average), each under a
// wrapper of its own, beside an optimizer's tensors. A group is the tensors under one wrapper and,
// where it lacks a name, under a beginning of that wrapper: Hugging Face puts the body under
// "resnet." and the classifier beside it.
#ifndef RESNET_WEIGHTS_MATCH_H
#define RESNET_WEIGHTS_MATCH_H

#include <stdbool.h>

#include "base/arena.h"
#include "formats/tensor_file.h"
#include "graph/graph.h"
#include "weights/layout.h"

typedef struct GroupEntry {
    const char *name; // ours
    const Tensor *tensor;
    int index;  // in the file
    bool inner; // under the group's own wrapper, not a beginning of it
} GroupEntry;

typedef struct Group {
    const char *wrapper; // "state_dict.module."
    Layout layout;
    GroupEntry *entries; // in order of name, no name twice
    int count;
    int inner; // tensors under the own wrapper that are not spare, doubled names counted
} Group;

enum { GROUPS_MAX = 8 };

// The groups of a file in order of appearance; later wrappers than GROUPS_MAX make none. own: all
// tensors are one group, whose names are ours already.
Status groups_make(Arena *arena, const TensorFile *file, bool own, Group groups[GROUPS_MAX],
                   int *count);
// Whether a tensor of the file is under the group's own wrapper.
bool group_is_inner(const Group *group, const Tensor *tensor);
// NULL: none.
const GroupEntry *group_find(const Group *group, const char *name);

typedef struct Match {
    int matched, missing, unfit, extra; // parameters; extra: tensors that are none
    bool no_running;                    // all that is missing are running statistics
    const Param *first;                 // the first parameter that is missing or unfit
    double nearness;                    // 1: a perfect match, 0: nothing in common
} Match;

// Whether a tensor's type can be a parameter's: floating, and bytes in a file of ours (entries.h).
bool tensor_is_weight(const Tensor *tensor, Layout layout);
// Whether a tensor can be that parameter by type and shape, where a linear layer may be written as
// a convolution over the whole of its input.
bool match_fits(const Tensor *tensor, const Param *param, Layout layout);
Match match_count(const Group *group, const Graph *graph);
bool match_is_perfect(const Match *match);

#endif
