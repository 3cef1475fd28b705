// SPDX-License-Identifier: Apache-2.0
// Where to cut a graph for recomputation (activation checkpointing; Chen et al. 2016, "Training
// deep nets with sublinear memory cost"): a segment's values are dropped in the forward pass, but
// for those that later segments read, and computed again just before its backward pass.
#ifndef RESNET_GRAPH_SEGMENTS_H
#define RESNET_GRAPH_SEGMENTS_H

#include "graph/graph.h"

// Segment s is nodes begin[s] … begin[s+1]-1 of the list; begin[count] is the number of nodes.
// `begin` has room for one more than that, `last_reader` is scratch for an id a node. Cuts are
// where a single value is still to be read for the logits: the input of a residual block or of an
// inception, and in plain nets every second convolution. Returns the count, at least 1.
int32_t segments_find(const Graph *graph, NodeId *begin, NodeId *last_reader);

#endif
