// SPDX-License-Identifier: Apache-2.0
// Residual networks and their plain twins (paper §3.3, Table 1; §4.2 for CIFAR). A block is
//
//     y = relu(branch(x) + shortcut(x))       residual
//     y = relu(branch(x))                     plain
//
//     basic       branch = norm(conv3x3(relu(norm(conv3x3(x)))))
//     bottleneck  branch = norm(conv1x1(relu(norm(conv3x3(relu(norm(conv1x1(x))))))))
//
// and a network is a stem, three or four stages of such blocks, the mean over the image, and a
// linear layer. Each stage but the first halves the extents and doubles the width in its first
// block. Names of parameters are torchvision's, for the CIFAR nets too; timm's for squeeze-excite.
//
// Three families differ in the block alone:
//
//     ResNeXt (Xie et al., arXiv 1611.05431)         the 3x3 convolution is wider and has groups
//     Wide ResNet (Zagoruyko, arXiv 1605.07146)      it is wider
//     SE-ResNet (Hu et al., arXiv 1709.01507)        branch(x) * sigmoid(W2 relu(W1
//     mean(branch(x))))
#include "models/choices.h"
#include "models/family.h"
#include "models/layers.h"

enum { MOST_STAGES = 4 };

typedef enum Stem {
    STEM_CIFAR,   // 3x3 convolution
    STEM_IMAGENET // 7x7 convolution with stride 2, then 3x3 max pooling with stride 2
} Stem;

typedef struct Block {
    bool bottleneck;
    int inner;   // channels of a bottleneck's 3x3 convolution, in widths
    int groups;  // of that convolution
    bool excite; // squeeze-excite at the end of the branch
} Block;

static const Block BASIC = {false, 1, 1, false};
static const Block BOTTLENECK = {true, 1, 1, false};
static const Block BOTTLENECK_32X4D = {true, 2, 32, false};
static const Block BOTTLENECK_WIDE = {true, 2, 1, false};
static const Block BASIC_EXCITE = {false, 1, 1, true};
static const Block BOTTLENECK_EXCITE = {true, 1, 1, true};

typedef struct ResNet {
    ModelInfo info;
    Stem stem;
    const Block *block;
    int width;               // channels of the stem and of the first stage's 3x3 convolutions
    int blocks[MOST_STAGES]; // by stage; 0 ends the list
    Shortcut shortcut;       // what SHORTCUT_DEFAULT means; NONE: the net is plain
} ResNet;

// Input, classes, preset.
#define CIFAR {3, 32, 32}, 10, "cifar"
#define IMAGENET {3, 224, 224}, 1000, "torchvision"

// clang-format off
static const ResNet RESNETS[] = {
    {{"resnet20", "basic blocks, 20 layers, for 32x32 images (paper, §4.2)", CIFAR},
     STEM_CIFAR, &BASIC, 16, {3, 3, 3}, SHORTCUT_PAD},
    {{"resnet32", "basic blocks, 32 layers, for 32x32 images (paper, §4.2)", CIFAR},
     STEM_CIFAR, &BASIC, 16, {5, 5, 5}, SHORTCUT_PAD},
    {{"resnet44", "basic blocks, 44 layers, for 32x32 images (paper, §4.2)", CIFAR},
     STEM_CIFAR, &BASIC, 16, {7, 7, 7}, SHORTCUT_PAD},
    {{"resnet56", "basic blocks, 56 layers, for 32x32 images (paper, §4.2)", CIFAR},
     STEM_CIFAR, &BASIC, 16, {9, 9, 9}, SHORTCUT_PAD},
    {{"resnet110", "basic blocks, 110 layers, for 32x32 images (paper, §4.2)", CIFAR},
     STEM_CIFAR, &BASIC, 16, {18, 18, 18}, SHORTCUT_PAD},
    {{"resnet1202", "basic blocks, 1202 layers, for 32x32 images (paper, §4.2)", CIFAR},
     STEM_CIFAR, &BASIC, 16, {200, 200, 200}, SHORTCUT_PAD},
    {{"plain20", "no shortcuts, 20 layers, for 32x32 images (paper, §4.2)", CIFAR},
     STEM_CIFAR, &BASIC, 16, {3, 3, 3}, SHORTCUT_NONE},
    {{"plain32", "no shortcuts, 32 layers, for 32x32 images (paper, §4.2)", CIFAR},
     STEM_CIFAR, &BASIC, 16, {5, 5, 5}, SHORTCUT_NONE},
    {{"plain44", "no shortcuts, 44 layers, for 32x32 images (paper, §4.2)", CIFAR},
     STEM_CIFAR, &BASIC, 16, {7, 7, 7}, SHORTCUT_NONE},
    {{"plain56", "no shortcuts, 56 layers, for 32x32 images (paper, §4.2)", CIFAR},
     STEM_CIFAR, &BASIC, 16, {9, 9, 9}, SHORTCUT_NONE},
    {{"plain110", "no shortcuts, 110 layers, for 32x32 images (paper, §4.2)", CIFAR},
     STEM_CIFAR, &BASIC, 16, {18, 18, 18}, SHORTCUT_NONE},
    {{"bottleneck29", "bottleneck blocks, 29 layers, for 32x32 images", CIFAR},
     STEM_CIFAR, &BOTTLENECK, 16, {3, 3, 3}, SHORTCUT_PROJECTION},
    {{"bottleneck56", "bottleneck blocks, 56 layers, for 32x32 images", CIFAR},
     STEM_CIFAR, &BOTTLENECK, 16, {6, 6, 6}, SHORTCUT_PROJECTION},
    {{"bottleneck83", "bottleneck blocks, 83 layers, for 32x32 images", CIFAR},
     STEM_CIFAR, &BOTTLENECK, 16, {9, 9, 9}, SHORTCUT_PROJECTION},
    {{"seresnet20", "resnet20 with squeeze-excite", CIFAR},
     STEM_CIFAR, &BASIC_EXCITE, 16, {3, 3, 3}, SHORTCUT_PAD},
    {{"seresnet56", "resnet56 with squeeze-excite", CIFAR},
     STEM_CIFAR, &BASIC_EXCITE, 16, {9, 9, 9}, SHORTCUT_PAD},
    {{"resnet18_small", "resnet18 of a quarter of the width, for 32x32 images", CIFAR},
     STEM_CIFAR, &BASIC, 16, {2, 2, 2, 2}, SHORTCUT_PAD},
    {{"resnet34_small", "resnet34 of a quarter of the width, for 32x32 images", CIFAR},
     STEM_CIFAR, &BASIC, 16, {3, 4, 6, 3}, SHORTCUT_PAD},
    {{"plain18_small", "plain18 of a quarter of the width, for 32x32 images", CIFAR},
     STEM_CIFAR, &BASIC, 16, {2, 2, 2, 2}, SHORTCUT_NONE},
    {{"plain34_small", "plain34 of a quarter of the width, for 32x32 images", CIFAR},
     STEM_CIFAR, &BASIC, 16, {3, 4, 6, 3}, SHORTCUT_NONE},
    {{"resnet18", "basic blocks, 18 layers, for 224x224 images (paper, Table 1)", IMAGENET},
     STEM_IMAGENET, &BASIC, 64, {2, 2, 2, 2}, SHORTCUT_PROJECTION},
    {{"resnet34", "basic blocks, 34 layers, for 224x224 images (paper, Table 1)", IMAGENET},
     STEM_IMAGENET, &BASIC, 64, {3, 4, 6, 3}, SHORTCUT_PROJECTION},
    {{"resnet50", "bottleneck blocks, 50 layers, for 224x224 images (paper, Table 1)", IMAGENET},
     STEM_IMAGENET, &BOTTLENECK, 64, {3, 4, 6, 3}, SHORTCUT_PROJECTION},
    {{"resnet101", "bottleneck blocks, 101 layers, for 224x224 images (paper, Table 1)", IMAGENET},
     STEM_IMAGENET, &BOTTLENECK, 64, {3, 4, 23, 3}, SHORTCUT_PROJECTION},
    {{"resnet152", "bottleneck blocks, 152 layers, for 224x224 images (paper, Table 1)", IMAGENET},
     STEM_IMAGENET, &BOTTLENECK, 64, {3, 8, 36, 3}, SHORTCUT_PROJECTION},
    {{"plain18", "no shortcuts, 18 layers, for 224x224 images (paper, Table 1)", IMAGENET},
     STEM_IMAGENET, &BASIC, 64, {2, 2, 2, 2}, SHORTCUT_NONE},
    {{"plain34", "no shortcuts, 34 layers, for 224x224 images (paper, Table 1)", IMAGENET},
     STEM_IMAGENET, &BASIC, 64, {3, 4, 6, 3}, SHORTCUT_NONE},
    {{"resnext50_32x4d", "bottleneck blocks of 32 groups, 50 layers, for 224x224 images", IMAGENET},
     STEM_IMAGENET, &BOTTLENECK_32X4D, 64, {3, 4, 6, 3}, SHORTCUT_PROJECTION},
    {{"wide_resnet50_2", "bottleneck blocks twice as wide, 50 layers, for 224x224 images", IMAGENET},
     STEM_IMAGENET, &BOTTLENECK_WIDE, 64, {3, 4, 6, 3}, SHORTCUT_PROJECTION},
    {{"seresnet18", "resnet18 with squeeze-excite", IMAGENET},
     STEM_IMAGENET, &BASIC_EXCITE, 64, {2, 2, 2, 2}, SHORTCUT_PROJECTION},
    {{"seresnet34", "resnet34 with squeeze-excite", IMAGENET},
     STEM_IMAGENET, &BASIC_EXCITE, 64, {3, 4, 6, 3}, SHORTCUT_PROJECTION},
    {{"seresnet50", "resnet50 with squeeze-excite", IMAGENET},
     STEM_IMAGENET, &BOTTLENECK_EXCITE, 64, {3, 4, 6, 3}, SHORTCUT_PROJECTION},
    {{"seresnet101", "resnet101 with squeeze-excite", IMAGENET},
     STEM_IMAGENET, &BOTTLENECK_EXCITE, 64, {3, 4, 23, 3}, SHORTCUT_PROJECTION},
    {{"seresnet152", "resnet152 with squeeze-excite", IMAGENET},
     STEM_IMAGENET, &BOTTLENECK_EXCITE, 64, {3, 8, 36, 3}, SHORTCUT_PROJECTION},
};
// clang-format on

#undef CIFAR
#undef IMAGENET

enum {
    BOTTLENECK_EXPANSION = 4, // output channels of a bottleneck block, in widths
    EXCITE_REDUCTION = 16,
    EXCITE_LEAST = 8 // channels in the middle, as timm has it
};

static NodeId conv_norm(Graph *graph, NodeId x, int channels, int kernel, int stride,
                        const char *conv, const char *norm) {
    return layer_conv_norm(graph, x, layer_conv_attr(channels, kernel, stride), conv, norm);
}

static NodeId basic_branch(Graph *graph, NodeId x, int width, int stride) {
    NodeId y = graph_relu(graph, conv_norm(graph, x, width, 3, stride, "conv1", "bn1"));
    return conv_norm(graph, y, width, 3, 1, "conv2", "bn2");
}

static NodeId bottleneck_branch(const Block *shape, Graph *graph, NodeId x, int width, int stride,
                                StrideIn stride_in) {
    int first = stride_in == STRIDE_IN_1X1 ? stride : 1, inner = shape->inner * width;
    NodeId y = graph_relu(graph, conv_norm(graph, x, inner, 1, first, "conv1", "bn1"));
    ConvAttr middle = layer_conv_attr(inner, 3, stride / first);
    middle.groups = shape->groups;
    y = graph_relu(graph, layer_conv_norm(graph, y, middle, "conv2", "bn2"));
    return conv_norm(graph, y, BOTTLENECK_EXPANSION * width, 1, 1, "conv3", "bn3");
}

// Options A, B, C of §3.3.
static NodeId shortcut(Graph *graph, NodeId x, int channels, int stride, Shortcut kind) {
    bool changes = stride != 1 || graph_shape(graph, x).channels != channels;
    if (kind == SHORTCUT_PROJECT_ALL || (kind == SHORTCUT_PROJECTION && changes)) {
        return conv_norm(graph, x, channels, 1, stride, "downsample.0", "downsample.1");
    }
    return layer_identity(graph, x, channels, stride);
}

static NodeId excite(Graph *graph, NodeId x) {
    int channels = graph_shape(graph, x).channels, middle = channels / EXCITE_REDUCTION;
    ConvAttr down = layer_conv_attr(middle < EXCITE_LEAST ? EXCITE_LEAST : middle, 1, 1);
    ConvAttr up = layer_conv_attr(channels, 1, 1);
    down.bias = up.bias = true;
    graph_push(graph, "se");
    NodeId s = graph_relu(graph, graph_conv(graph, graph_global_pool(graph, x), down, "fc1"));
    s = graph_sigmoid(graph, graph_conv(graph, s, up, "fc2"));
    NodeId y = graph_gate(graph, x, s, "gate");
    graph_pop(graph);
    return y;
}

// The branch's last norm begins at scale 0, so that a fresh block is the identity.
static void zero_scale(Graph *graph, NodeId norm) {
    if (norm != NODE_NONE) {
        graph->params[graph->nodes[norm].param[0]].init_value = 0;
    }
}

static NodeId block(const ResNet *net, const ModelOptions *options, Graph *graph, NodeId x,
                    int width, int stride) {
    const Block *shape = net->block;
    NodeId y = shape->bottleneck
                   ? bottleneck_branch(shape, graph, x, width, stride, options->stride_in)
                   : basic_branch(graph, x, width, stride);
    if (options->zero_init_last_norm != 0) {
        zero_scale(graph, y);
    }
    if (shape->excite) {
        y = excite(graph, y);
    }
    if (options->shortcut != SHORTCUT_NONE) {
        int channels = shape->bottleneck ? BOTTLENECK_EXPANSION * width : width;
        y = graph_add(graph, y, shortcut(graph, x, channels, stride, options->shortcut), "add");
    }
    return graph_relu(graph, y);
}

static NodeId stem(const ResNet *net, Graph *graph, NodeId x) {
    if (net->stem == STEM_CIFAR) {
        return graph_relu(graph, conv_norm(graph, x, net->width, 3, 1, "conv1", "bn1"));
    }
    NodeId y = graph_relu(graph, conv_norm(graph, x, net->width, 7, 2, "conv1", "bn1"));
    PoolAttr pool = {.kernel = 3, .stride = 2, .pad = 1};
    return graph_max_pool(graph, y, pool, "maxpool");
}

static NodeId resnet_build(int member, const ModelOptions *options, Graph *graph, NodeId x) {
    const ResNet *net = &RESNETS[member];
    NodeId y = stem(net, graph, x);
    for (int stage = 0; stage < MOST_STAGES && net->blocks[stage] > 0; stage++) {
        for (int i = 0; i < net->blocks[stage]; i++) {
            int stride = stage > 0 && i == 0 ? 2 : 1;
            graph_push(graph, "layer%d.%d", stage + 1, i);
            y = block(net, options, graph, y, net->width << stage, stride);
            graph_pop(graph);
        }
    }
    return graph_linear(graph, graph_global_pool(graph, y), options->classes, "fc");
}

static const ModelInfo *resnet_info(int member) { return &RESNETS[member].info; }

static Status resnet_resolve(int member, ModelOptions *options) {
    const ResNet *net = &RESNETS[member];
    if (options->shortcut == SHORTCUT_DEFAULT) {
        options->shortcut = net->shortcut;
    }
    if (net->shortcut == SHORTCUT_NONE && options->shortcut != SHORTCUT_NONE) {
        return status_fail(STATUS_USAGE, "%s is a plain net, which has no shortcut %s",
                           net->info.name, shortcut_name(options->shortcut));
    }
    if (options->shortcut == SHORTCUT_NONE && options->zero_init_last_norm != 0) {
        return status_fail(STATUS_USAGE,
                           "%s without shortcuts has no residual branches to begin at zero",
                           net->info.name);
    }
    return choose_stride_in(&net->info, net->block->bottleneck, options);
}

const Family FAMILY_RESNET = {
    .count = (int)(sizeof RESNETS / sizeof RESNETS[0]),
    .info = resnet_info,
    .resolve = resnet_resolve,
    .build = resnet_build,
};
