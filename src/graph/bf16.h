// SPDX-License-Identifier: Apache-2.0
// bf16: which layers of a network multiply in it (base/bf16.h). Values between layers stay float.
#ifndef RESNET_GRAPH_BF16_H
#define RESNET_GRAPH_BF16_H

#include "graph/graph.h"

// Sets Node.bf16 in a graph that was fused for inference, by shapes alone:
//
//     linear      always: the time goes into reading weights, which are half as large
//     conv        groups of 16 input channels and more, but for 3x3 of stride 1 on images above
//                 7x7, which Winograd's formula makes in float with a quarter of the products
//
// So the first layer stays in float, and layers of one channel for each group do.
void graph_use_bf16(Graph *fused);

#endif
