// SPDX-License-Identifier: Apache-2.0
// VGG (Simonyan and Zisserman, arXiv 1409.1556, Table 1): five stages of 3x3 convolutions, each
// ended by a 2x2 max pooling, then three linear layers. Names of parameters are torchvision's,
// which count layers: relus, norms and poolings have a number too.
#include <stdio.h>

#include "models/choices.h"
#include "models/family.h"
#include "models/layers.h"

enum { STAGES = 5, HIDDEN = 4096, POOLED = 7 };

static const int WIDTHS[STAGES] = {64, 128, 256, 512, 512};

typedef struct Vgg {
    ModelInfo info;
    int convs[STAGES]; // of each stage
    bool norm;         // each convolution followed by a norm
} Vgg;

#define IMAGENET {3, 224, 224}, 1000, "torchvision"

// clang-format off
static const Vgg VGGS[] = {
    {{"vgg11", "3x3 convolutions, 11 layers, for 224x224 images (VGG A)", IMAGENET},
     {1, 1, 2, 2, 2}, false},
    {{"vgg13", "3x3 convolutions, 13 layers, for 224x224 images (VGG B)", IMAGENET},
     {2, 2, 2, 2, 2}, false},
    {{"vgg16", "3x3 convolutions, 16 layers, for 224x224 images (VGG D)", IMAGENET},
     {2, 2, 3, 3, 3}, false},
    {{"vgg19", "3x3 convolutions, 19 layers, for 224x224 images (VGG E)", IMAGENET},
     {2, 2, 4, 4, 4}, false},
    {{"vgg11_bn", "vgg11 with batch normalisation", IMAGENET}, {1, 1, 2, 2, 2}, true},
    {{"vgg13_bn", "vgg13 with batch normalisation", IMAGENET}, {2, 2, 2, 2, 2}, true},
    {{"vgg16_bn", "vgg16 with batch normalisation", IMAGENET}, {2, 2, 3, 3, 3}, true},
    {{"vgg19_bn", "vgg19 with batch normalisation", IMAGENET}, {2, 2, 4, 4, 4}, true},
};
// clang-format on

#undef IMAGENET

// The name of the next layer of a list of layers.
typedef struct LayerName {
    char text[16];
} LayerName;

static LayerName layer_name(int *index) {
    LayerName name;
    snprintf(name.text, sizeof name.text, "%d", (*index)++);
    return name;
}

static NodeId features(const Vgg *net, Graph *graph, NodeId x) {
    int index = 0;
    for (int stage = 0; stage < STAGES; stage++) {
        for (int i = 0; i < net->convs[stage]; i++) {
            ConvAttr attr = layer_conv_attr(WIDTHS[stage], 3, 1);
            attr.bias = true;
            x = graph_conv(graph, x, attr, layer_name(&index).text);
            if (net->norm) {
                x = graph_norm(graph, x, layer_name(&index).text);
            }
            x = graph_relu(graph, x);
            index++;
        }
        PoolAttr pool = {.kernel = 2, .stride = 2};
        x = graph_max_pool(graph, x, pool, layer_name(&index).text);
    }
    return x;
}

static NodeId vgg_build(int member, const ModelOptions *options, Graph *graph, NodeId x) {
    graph_push(graph, "features");
    NodeId y = features(&VGGS[member], graph, x);
    graph_pop(graph);
    // Images of 224x224 arrive as 7x7 already.
    y = layer_pool_to(graph, y, POOLED, "avgpool");
    graph_push(graph, "classifier");
    y = graph_relu(graph, graph_linear(graph, y, HIDDEN, "0"));
    y = graph_dropout(graph, y, 0.5f, "2");
    y = graph_relu(graph, graph_linear(graph, y, HIDDEN, "3"));
    y = graph_dropout(graph, y, 0.5f, "5");
    y = graph_linear(graph, y, options->classes, "6");
    graph_pop(graph);
    return y;
}

static const ModelInfo *vgg_info(int member) { return &VGGS[member].info; }

static Status vgg_resolve(int member, ModelOptions *options) {
    return choose_no_blocks(&VGGS[member].info, options);
}

const Family FAMILY_VGG = {
    .count = (int)(sizeof VGGS / sizeof VGGS[0]),
    .info = vgg_info,
    .resolve = vgg_resolve,
    .build = vgg_build,
};
