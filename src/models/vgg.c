// SPDX-License-Identifier: Apache-2.0
// VGG (Simonyan and Zisserman, arXiv 1409.1556, Table 1): five stages of 3x3 convolutions, each
// ended by a 2x2 max pooling, then three linear layers. Names of parameters are torchvision's,
// which count layers: relus, norms and poolings have a number too.
//
// The small form is for images of 32x32: a quarter of the width, the mean over the image in place
// of the last pooling, and one linear layer.
#include "models/choices.h"
#include "models/family.h"
#include "models/layers.h"

enum { STAGES = 5, HIDDEN = 4096, POOLED = 7 };

static const int WIDTHS[STAGES] = {64, 128, 256, 512, 512};
static const int NARROW = 4; // what the small form divides them by

typedef struct Vgg {
    ModelInfo info;
    int convs[STAGES]; // of each stage
    bool norm;         // each convolution followed by a norm
    bool small;
} Vgg;

#define IMAGENET {3, 224, 224}, 1000, "torchvision"

// clang-format off
static const Vgg VGGS[] = {
    {{"vgg11", "3x3 convolutions, 11 layers, for 224x224 images (VGG A)", IMAGENET},
     {1, 1, 2, 2, 2}, .norm = false},
    {{"vgg13", "3x3 convolutions, 13 layers, for 224x224 images (VGG B)", IMAGENET},
     {2, 2, 2, 2, 2}, .norm = false},
    {{"vgg16", "3x3 convolutions, 16 layers, for 224x224 images (VGG D)", IMAGENET},
     {2, 2, 3, 3, 3}, .norm = false},
    {{"vgg19", "3x3 convolutions, 19 layers, for 224x224 images (VGG E)", IMAGENET},
     {2, 2, 4, 4, 4}, .norm = false},
    {{"vgg11_bn", "vgg11 with batch normalisation", IMAGENET}, {1, 1, 2, 2, 2}, .norm = true},
    {{"vgg13_bn", "vgg13 with batch normalisation", IMAGENET}, {2, 2, 2, 2, 2}, .norm = true},
    {{"vgg16_bn", "vgg16 with batch normalisation", IMAGENET}, {2, 2, 3, 3, 3}, .norm = true},
    {{"vgg19_bn", "vgg19 with batch normalisation", IMAGENET}, {2, 2, 4, 4, 4}, .norm = true},
    {{"vgg16_small", "vgg16_bn of a quarter of the width, for 32x32 images", {3, 32, 32}, 10, "cifar"},
     {2, 2, 3, 3, 3}, .norm = true, .small = true},
};
// clang-format on

#undef IMAGENET

static NodeId features(const Vgg *net, Graph *graph, NodeId x) {
    int index = 0;
    for (int stage = 0; stage < STAGES; stage++) {
        for (int i = 0; i < net->convs[stage]; i++) {
            ConvAttr attr = layer_conv_attr(WIDTHS[stage] / (net->small ? NARROW : 1), 3, 1);
            attr.bias = !net->small;
            x = graph_conv(graph, x, attr, layer_name(&index).text);
            if (net->norm) {
                x = graph_norm(graph, x, layer_name(&index).text);
            }
            x = graph_relu(graph, x);
            index++;
        }
        if (net->small && stage == STAGES - 1) {
            break;
        }
        PoolAttr pool = {.kernel = 2, .stride = 2};
        x = graph_max_pool(graph, x, pool, layer_name(&index).text);
    }
    return x;
}

static NodeId vgg_build(int member, const ModelOptions *options, Graph *graph, NodeId x) {
    graph_push(graph, "features");
    const Vgg *net = &VGGS[member];
    NodeId y = features(net, graph, x);
    graph_pop(graph);
    if (net->small) {
        return graph_linear(graph, graph_global_pool(graph, y), options->classes, "classifier");
    }
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
