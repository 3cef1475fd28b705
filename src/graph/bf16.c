// SPDX-License-Identifier: Apache-2.0
#include "graph/bf16.h"

// Fewer channels leave most of a block empty.
enum { LEAST_CHANNELS = 16 };
// Winograd's tiles are 4x4, so that of 7x7 pixels a third of their products are for nothing.
enum { FEW_PIXELS = 7 * 7 };

static bool gains(const Graph *graph, const Node *node) {
    if (node->op == OP_LINEAR) {
        return true;
    }
    if (node->op != OP_CONV) {
        return false;
    }
    const ConvAttr *conv = &node->conv;
    const int32_t groups = conv->groups > 0 ? conv->groups : 1;
    const bool winograd = conv->kernel_height == 3 && conv->kernel_width == 3 &&
                          conv->stride == 1 && conv->pad == 1 && groups == 1 &&
                          node->shape.height * node->shape.width > FEW_PIXELS;
    return !winograd && graph->nodes[node->input[0]].shape.channels / groups >= LEAST_CHANNELS;
}

void graph_use_bf16(Graph *fused) {
    for (NodeId i = 0; i < fused->node_count; i++) {
        fused->nodes[i].bf16 = gains(fused, &fused->nodes[i]);
    }
}
