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
// With recomputation (graph/segments.h) the backward steps are, for each segment from the last to
// the first, the forward steps of those of its nodes that run again, in order, and then its
// backward steps. A value that only its own segment reads after the first forward pass dies there,
// and lives a second time from its second step on, elsewhere in the block. The last segment keeps
// its values.
//
//     forward   0 1 2 | 3 4 5 | 6 7        read by a later segment: kept
//     backward  7 6 | 3' 4' 5 4 3 | 0' 1' 2 1 0
//
// In place: an elementwise op whose input dies at that step writes over it; a gradient takes the
// place of the gradient it comes from where op_gradient_in_place() says so, when it is the first
// to be written and the output's gradient dies at that step.
#ifndef RESNET_GRAPH_PLAN_H
#define RESNET_GRAPH_PLAN_H

#include "graph/graph.h"

enum { PLAN_NOWHERE = -1, PAIR_CHANNELS = 32 };

typedef struct Plan {
    // Offsets in elements, by node; PLAN_NOWHERE where there is none. Multiples of 16 elements.
    int64_t *value;       // the node's output (batch samples)
    int64_t *late_value;  // the same in the backward pass: another place for what runs again
    int64_t *gradient;    // the gradient of the node's output; training only; none for OP_INPUT
    int64_t *saved;       // what forward puts aside; training only
    bool *needs_gradient; // a trainable parameter or a node that needs one lies above
    // Node i, a convolution of at most PAIR_CHANNELS, is read by node i+1, a norm, alone: they may
    // run together. Backward, what the norm reads is then still read while the convolution writes;
    // the two share a step. Wider layers would take the memory, but wait for it less.
    bool *pair;
    // For backward: whether node i is the first writer of the gradient of its input k (write) or a
    // later one (accumulate): first[i * NODE_INPUTS + k].
    bool *first;
    // The backward pass: segment s, from the last to the first, is nodes segment[s] …
    // segment[s+1]-1, of which those run forward again that say so, in order, before all of them
    // run backward in reverse. One segment and nothing again without recomputation.
    int32_t segment_count;
    NodeId *segment;
    bool *again;
    size_t elements; // of the whole block
    size_t sum;      // what it would be without sharing, for `resnet summary`
} Plan;

typedef struct PlanOptions {
    int batch; // samples
    bool training;
    bool keep_values; // no value's place is used again (tests; looking at every layer's response)
    bool recompute;   // training: less memory for a second forward pass
} PlanOptions;

// For a fused or plain graph. The plan belongs to `arena`.
Status plan_create(const Graph *graph, Arena *arena, const PlanOptions *options, Plan **out);

#endif
