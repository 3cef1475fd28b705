// SPDX-License-Identifier: Apache-2.0
// The memory plan: where every value and every gradient lives in one block, found from lifetimes.
//
// Time runs over forward steps 0 … n-1 (node i at step i) and, for training, backward steps
// n … 2n-1 (node i at step 2n-1-i). A value lives from its forward step to its last reader: forward
// for inference, and for training also the backward steps that op_backward_reads() names. The
// gradient of a value lives from the first backward step that writes it (its last reader's) to the
// backward step of its own node. Places are found first fit, larger and longer first or in order of
// time, whichever is smaller, always the same for the same graph and batch.
//
// In place: an elementwise op whose input dies at that step writes over it; a gradient takes the
// place of the gradient it comes from where op_gradient_in_place() says so, when it is the first
// to be written and the output's gradient dies at that step.
#ifndef RESNET_GRAPH_PLAN_H
#define RESNET_GRAPH_PLAN_H

#include "graph/graph.h"

enum { PLAN_NOWHERE = -1 };

typedef struct Plan {
    // Offsets in elements, by node; PLAN_NOWHERE where there is none. Multiples of 16 elements.
    int64_t *value;       // the node's output (batch samples)
    int64_t *gradient;    // the gradient of the node's output; training only; none for OP_INPUT
    int64_t *saved;       // what forward puts aside; training only
    bool *needs_gradient; // a trainable parameter or a node that needs one lies above
    // For backward: whether node i is the first writer of the gradient of its input k (write) or a
    // later one (accumulate): first[i * NODE_INPUTS + k].
    bool *first;
    size_t elements; // of the whole block
    size_t sum;      // what it would be without sharing, for `resnet summary`
} Plan;

// For a fused or plain graph. The plan belongs to `arena`. keep_values: no value's place is used
// again (for tests and for looking at every layer's response).
Status plan_create(const Graph *graph, Arena *arena, int batch, bool training, bool keep_values,
                   Plan **out);

#endif
