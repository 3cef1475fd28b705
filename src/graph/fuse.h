// SPDX-License-Identifier: Apache-2.0
// Fusion: the same network in fewer passes over memory. Models stay plain; this pass rewrites.
//
//     inference:  conv -> norm -> add(., residual) -> relu   becomes one conv
//     training:           norm -> add(., residual) -> relu   becomes one norm
//
// A part is taken in only when its value has no other reader and is not the graph's output.
// The residual must come earlier in the list than the node that takes it in, so nodes are put in
// such an order. Dropout disappears in inference. Parameters keep their ids, offsets and names.
#ifndef RESNET_GRAPH_FUSE_H
#define RESNET_GRAPH_FUSE_H

#include "graph/graph.h"

typedef enum FuseFor { FUSE_FOR_INFERENCE, FUSE_FOR_TRAINING } FuseFor;

// A new graph (destroy it with graph_destroy(); the old one is unchanged and may go first).
// For inference, loss nodes and whatever only they read are left out.
Status graph_fuse(const Graph *graph, FuseFor purpose, Graph **out);

#endif
