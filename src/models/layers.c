// SPDX-License-Identifier: Apache-2.0
#include "models/layers.h"

#include <stdio.h>

ConvAttr layer_conv_attr(int channels, int kernel, int stride) {
    return (ConvAttr){.out_channels = channels,
                      .kernel_height = kernel,
                      .kernel_width = kernel,
                      .stride = stride,
                      .pad = kernel / 2};
}

LayerName layer_name(int *index) {
    LayerName name;
    snprintf(name.text, sizeof name.text, "%d", (*index)++);
    return name;
}

NodeId layer_conv_norm(Graph *graph, NodeId x, ConvAttr attr, const char *conv, const char *norm) {
    return graph_norm(graph, graph_conv(graph, x, attr, conv), norm);
}

NodeId layer_identity(Graph *graph, NodeId x, int channels, int stride) {
    if (stride == 1 && graph_shape(graph, x).channels == channels) {
        return x;
    }
    PadShortcutAttr attr = {.out_channels = channels, .stride = stride};
    return graph_pad_shortcut(graph, x, attr, "shortcut");
}

NodeId layer_pool_to(Graph *graph, NodeId x, int windows, const char *name) {
    Shape shape = graph_shape(graph, x);
    if (shape.height == windows && shape.width == windows) {
        return x;
    }
    return graph_avg_pool(graph, x, (PoolAttr){.adaptive = windows}, name);
}
