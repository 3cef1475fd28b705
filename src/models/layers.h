// SPDX-License-Identifier: Apache-2.0
// Pieces that several families build with.
#ifndef RESNET_MODELS_LAYERS_H
#define RESNET_MODELS_LAYERS_H

#include "graph/graph.h"

// A square kernel without bias, with the pad that keeps the extents at stride 1.
ConvAttr layer_conv_attr(int channels, int kernel, int stride);

// The name of the next layer in a list of layers, "7", and counts on.
typedef struct LayerName {
    char text[16];
} LayerName;

LayerName layer_name(int *index);

// norm(conv(x)): no bias, because the norm's shift does its work.
NodeId layer_conv_norm(Graph *graph, NodeId x, ConvAttr attr, const char *conv, const char *norm);

// A shortcut without parameters: x itself where it has these channels already and the stride is 1,
// else option A of the paper's §3.3.
NodeId layer_identity(Graph *graph, NodeId x, int channels, int stride);

// The mean over `windows` by `windows` windows as even as they go; x itself where it has these
// extents already.
NodeId layer_pool_to(Graph *graph, NodeId x, int windows, const char *name);

#endif
