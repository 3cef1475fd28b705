// SPDX-License-Identifier: Apache-2.0
// AlexNet in torchvision's form (Krizhevsky, "One weird trick", arXiv 1404.5997): one column, no
// response normalisation. Names of parameters are torchvision's, which count layers.
#include <stdio.h>

#include "models/choices.h"
#include "models/family.h"
#include "models/layers.h"

typedef struct Layer {
    int index; // of the convolution; its relu follows, then, if there is one, the pooling
    int channels, kernel, stride, pad;
    bool pool;
} Layer;

static const Layer LAYERS[] = {
    {0, 64, 11, 4, 2, true},  {3, 192, 5, 1, 2, true},  {6, 384, 3, 1, 1, false},
    {8, 256, 3, 1, 1, false}, {10, 256, 3, 1, 1, true},
};

enum { LAYER_COUNT = sizeof LAYERS / sizeof LAYERS[0], HIDDEN = 4096, POOLED = 6 };

static const ModelInfo INFO = {
    .name = "alexnet",
    .description = "5 convolutions, 8 layers, for 224x224 images (torchvision's)",
    .input = {3, 224, 224},
    .classes = 1000,
    .preset = "torchvision",
};

static NodeId features(Graph *graph, NodeId x) {
    for (int i = 0; i < LAYER_COUNT; i++) {
        const Layer *layer = &LAYERS[i];
        char name[16];
        snprintf(name, sizeof name, "%d", layer->index);
        ConvAttr attr = layer_conv_attr(layer->channels, layer->kernel, layer->stride);
        attr.pad = layer->pad;
        attr.bias = true;
        x = graph_relu(graph, graph_conv(graph, x, attr, name));
        if (layer->pool) {
            snprintf(name, sizeof name, "%d", layer->index + 2);
            x = graph_max_pool(graph, x, (PoolAttr){.kernel = 3, .stride = 2}, name);
        }
    }
    return x;
}

static NodeId alexnet_build(int member, const ModelOptions *options, Graph *graph, NodeId x) {
    (void)member;
    graph_push(graph, "features");
    NodeId y = features(graph, x);
    graph_pop(graph);
    // Images of 224x224 arrive as 6x6 already.
    y = layer_pool_to(graph, y, POOLED, "avgpool");
    graph_push(graph, "classifier");
    y = graph_dropout(graph, y, 0.5f, "0");
    y = graph_relu(graph, graph_linear(graph, y, HIDDEN, "1"));
    y = graph_dropout(graph, y, 0.5f, "3");
    y = graph_relu(graph, graph_linear(graph, y, HIDDEN, "4"));
    y = graph_linear(graph, y, options->classes, "6");
    graph_pop(graph);
    return y;
}

static const ModelInfo *alexnet_info(int member) {
    (void)member;
    return &INFO;
}

static Status alexnet_resolve(int member, ModelOptions *options) {
    (void)member;
    return choose_no_blocks(&INFO, options);
}

const Family FAMILY_ALEXNET = {
    .count = 1,
    .info = alexnet_info,
    .resolve = alexnet_resolve,
    .build = alexnet_build,
};
