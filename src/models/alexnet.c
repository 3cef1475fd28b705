// SPDX-License-Identifier: Apache-2.0
// AlexNet in torchvision's form (Krizhevsky, "One weird trick", arXiv 1404.5997): one column, no
// response normalisation. Names of parameters are torchvision's, which count layers: relus, norms
// and poolings have a number too.
//
// The small form has the same eight layers for images of 32x32, with a norm after each convolution,
// so that it learns at the rates of the nets that it is compared with.
#include "models/choices.h"
#include "models/family.h"
#include "models/layers.h"

typedef struct Layer { // a convolution; its norm, if any, its relu and, if there is one, a pooling
    int channels, kernel, stride, pad;
    bool pool;
} Layer;

enum { LAYER_COUNT = 5 };

typedef struct AlexNet {
    ModelInfo info;
    Layer layers[LAYER_COUNT];
    bool norm;
    int pooled, hidden; // windows along each side, then linear layers of this width
} AlexNet;

static const AlexNet ALEXNETS[] = {
    {
        {"alexnet",
         "5 convolutions, 8 layers, for 224x224 images (torchvision's)",
         {3, 224, 224},
         1000,
         "torchvision"},
        {{64, 11, 4, 2, true},
         {192, 5, 1, 2, true},
         {384, 3, 1, 1, false},
         {256, 3, 1, 1, false},
         {256, 3, 1, 1, true}},
        .pooled = 6,
        .hidden = 4096,
    },
    {
        {"alexnet_small",
         "alexnet with norms, narrower, for 32x32 images",
         {3, 32, 32},
         10,
         "cifar"},
        {{32, 5, 1, 2, true},
         {64, 5, 1, 2, true},
         {128, 3, 1, 1, false},
         {96, 3, 1, 1, false},
         {96, 3, 1, 1, true}},
        .norm = true,
        .pooled = 2,
        .hidden = 512,
    },
};

static NodeId features(const AlexNet *net, Graph *graph, NodeId x) {
    int index = 0;
    for (int i = 0; i < LAYER_COUNT; i++) {
        const Layer *layer = &net->layers[i];
        ConvAttr attr = layer_conv_attr(layer->channels, layer->kernel, layer->stride);
        attr.pad = layer->pad;
        attr.bias = !net->norm;
        x = graph_conv(graph, x, attr, layer_name(&index).text);
        if (net->norm) {
            x = graph_norm(graph, x, layer_name(&index).text);
        }
        x = graph_relu(graph, x);
        index++;
        if (layer->pool) {
            PoolAttr pool = {.kernel = 3, .stride = 2};
            x = graph_max_pool(graph, x, pool, layer_name(&index).text);
        }
    }
    return x;
}

static NodeId alexnet_build(int member, const ModelOptions *options, Graph *graph, NodeId x) {
    const AlexNet *net = &ALEXNETS[member];
    graph_push(graph, "features");
    NodeId y = features(net, graph, x);
    graph_pop(graph);
    // Images of 224x224 arrive as 6x6 already.
    y = layer_pool_to(graph, y, net->pooled, "avgpool");
    graph_push(graph, "classifier");
    y = graph_dropout(graph, y, 0.5f, "0");
    y = graph_relu(graph, graph_linear(graph, y, net->hidden, "1"));
    y = graph_dropout(graph, y, 0.5f, "3");
    y = graph_relu(graph, graph_linear(graph, y, net->hidden, "4"));
    y = graph_linear(graph, y, options->classes, "6");
    graph_pop(graph);
    return y;
}

static const ModelInfo *alexnet_info(int member) { return &ALEXNETS[member].info; }

static Status alexnet_resolve(int member, ModelOptions *options) {
    return choose_no_blocks(&ALEXNETS[member].info, options);
}

const Family FAMILY_ALEXNET = {
    .count = (int)(sizeof ALEXNETS / sizeof ALEXNETS[0]),
    .info = alexnet_info,
    .resolve = alexnet_resolve,
    .build = alexnet_build,
};
