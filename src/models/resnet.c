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
// block. Names of parameters are torchvision's, for the CIFAR nets too.
#include "models/family.h"

enum { MOST_STAGES = 4 };

typedef enum Stem {
    STEM_CIFAR,   // 3x3 convolution
    STEM_IMAGENET // 7x7 convolution with stride 2, then 3x3 max pooling with stride 2
} Stem;

typedef enum Block { BLOCK_BASIC, BLOCK_BOTTLENECK } Block;

typedef struct ResNet {
    ModelInfo info;
    Stem stem;
    Block block;
    int width;               // channels of the stem and of the first stage's 3x3 convolutions
    int blocks[MOST_STAGES]; // by stage; 0 ends the list
    Shortcut shortcut;       // what SHORTCUT_DEFAULT means; NONE: the net is plain
} ResNet;

// Input and classes.
#define CIFAR {3, 32, 32}, 10
#define IMAGENET {3, 224, 224}, 1000

// clang-format off
static const ResNet RESNETS[] = {
    {{"resnet20", "basic blocks, 20 layers, for 32x32 images (paper, §4.2)", CIFAR},
     STEM_CIFAR, BLOCK_BASIC, 16, {3, 3, 3}, SHORTCUT_PAD},
    {{"resnet32", "basic blocks, 32 layers, for 32x32 images (paper, §4.2)", CIFAR},
     STEM_CIFAR, BLOCK_BASIC, 16, {5, 5, 5}, SHORTCUT_PAD},
    {{"resnet44", "basic blocks, 44 layers, for 32x32 images (paper, §4.2)", CIFAR},
     STEM_CIFAR, BLOCK_BASIC, 16, {7, 7, 7}, SHORTCUT_PAD},
    {{"resnet56", "basic blocks, 56 layers, for 32x32 images (paper, §4.2)", CIFAR},
     STEM_CIFAR, BLOCK_BASIC, 16, {9, 9, 9}, SHORTCUT_PAD},
    {{"resnet110", "basic blocks, 110 layers, for 32x32 images (paper, §4.2)", CIFAR},
     STEM_CIFAR, BLOCK_BASIC, 16, {18, 18, 18}, SHORTCUT_PAD},
    {{"resnet1202", "basic blocks, 1202 layers, for 32x32 images (paper, §4.2)", CIFAR},
     STEM_CIFAR, BLOCK_BASIC, 16, {200, 200, 200}, SHORTCUT_PAD},
    {{"plain20", "no shortcuts, 20 layers, for 32x32 images (paper, §4.2)", CIFAR},
     STEM_CIFAR, BLOCK_BASIC, 16, {3, 3, 3}, SHORTCUT_NONE},
    {{"plain32", "no shortcuts, 32 layers, for 32x32 images (paper, §4.2)", CIFAR},
     STEM_CIFAR, BLOCK_BASIC, 16, {5, 5, 5}, SHORTCUT_NONE},
    {{"plain44", "no shortcuts, 44 layers, for 32x32 images (paper, §4.2)", CIFAR},
     STEM_CIFAR, BLOCK_BASIC, 16, {7, 7, 7}, SHORTCUT_NONE},
    {{"plain56", "no shortcuts, 56 layers, for 32x32 images (paper, §4.2)", CIFAR},
     STEM_CIFAR, BLOCK_BASIC, 16, {9, 9, 9}, SHORTCUT_NONE},
    {{"plain110", "no shortcuts, 110 layers, for 32x32 images (paper, §4.2)", CIFAR},
     STEM_CIFAR, BLOCK_BASIC, 16, {18, 18, 18}, SHORTCUT_NONE},
    {{"resnet18", "basic blocks, 18 layers, for 224x224 images (paper, Table 1)", IMAGENET},
     STEM_IMAGENET, BLOCK_BASIC, 64, {2, 2, 2, 2}, SHORTCUT_PROJECTION},
    {{"resnet34", "basic blocks, 34 layers, for 224x224 images (paper, Table 1)", IMAGENET},
     STEM_IMAGENET, BLOCK_BASIC, 64, {3, 4, 6, 3}, SHORTCUT_PROJECTION},
    {{"resnet50", "bottleneck blocks, 50 layers, for 224x224 images (paper, Table 1)", IMAGENET},
     STEM_IMAGENET, BLOCK_BOTTLENECK, 64, {3, 4, 6, 3}, SHORTCUT_PROJECTION},
    {{"resnet101", "bottleneck blocks, 101 layers, for 224x224 images (paper, Table 1)", IMAGENET},
     STEM_IMAGENET, BLOCK_BOTTLENECK, 64, {3, 4, 23, 3}, SHORTCUT_PROJECTION},
    {{"resnet152", "bottleneck blocks, 152 layers, for 224x224 images (paper, Table 1)", IMAGENET},
     STEM_IMAGENET, BLOCK_BOTTLENECK, 64, {3, 8, 36, 3}, SHORTCUT_PROJECTION},
    {{"plain18", "no shortcuts, 18 layers, for 224x224 images (paper, Table 1)", IMAGENET},
     STEM_IMAGENET, BLOCK_BASIC, 64, {2, 2, 2, 2}, SHORTCUT_NONE},
    {{"plain34", "no shortcuts, 34 layers, for 224x224 images (paper, Table 1)", IMAGENET},
     STEM_IMAGENET, BLOCK_BASIC, 64, {3, 4, 6, 3}, SHORTCUT_NONE},
};
// clang-format on

#undef CIFAR
#undef IMAGENET

enum { BOTTLENECK_EXPANSION = 4 }; // output channels of a bottleneck block, in widths

// norm(conv(x)), with the same number of channels for all that it is used for: no bias, because the
// norm's shift does its work, and a pad that keeps the extents at stride 1.
static NodeId conv_norm(Graph *graph, NodeId x, int channels, int kernel, int stride,
                        const char *conv, const char *norm) {
    ConvAttr attr = {.out_channels = channels,
                     .kernel_height = kernel,
                     .kernel_width = kernel,
                     .stride = stride,
                     .pad = kernel / 2};
    return graph_norm(graph, graph_conv(graph, x, attr, conv), norm);
}

static NodeId basic_branch(Graph *graph, NodeId x, int width, int stride) {
    NodeId y = graph_relu(graph, conv_norm(graph, x, width, 3, stride, "conv1", "bn1"));
    return conv_norm(graph, y, width, 3, 1, "conv2", "bn2");
}

static NodeId bottleneck_branch(Graph *graph, NodeId x, int width, int stride, StrideIn stride_in) {
    int first = stride_in == STRIDE_IN_1X1 ? stride : 1;
    NodeId y = graph_relu(graph, conv_norm(graph, x, width, 1, first, "conv1", "bn1"));
    y = graph_relu(graph, conv_norm(graph, y, width, 3, stride / first, "conv2", "bn2"));
    return conv_norm(graph, y, BOTTLENECK_EXPANSION * width, 1, 1, "conv3", "bn3");
}

// Options A, B, C of §3.3.
static NodeId shortcut(Graph *graph, NodeId x, int channels, int stride, Shortcut kind) {
    bool changes = stride != 1 || graph_shape(graph, x).channels != channels;
    if (kind == SHORTCUT_PROJECT_ALL || (kind == SHORTCUT_PROJECTION && changes)) {
        graph_push(graph, "downsample");
        NodeId y = conv_norm(graph, x, channels, 1, stride, "0", "1");
        graph_pop(graph);
        return y;
    }
    PadShortcutAttr attr = {.out_channels = channels, .stride = stride};
    return changes ? graph_pad_shortcut(graph, x, attr, "shortcut") : x;
}

// The branch's last norm begins at scale 0, so that a fresh block is the identity.
static void zero_scale(Graph *graph, NodeId norm) {
    if (norm != NODE_NONE) {
        graph->params[graph->nodes[norm].param[0]].init_value = 0;
    }
}

static NodeId block(const ResNet *net, const ModelOptions *options, Graph *graph, NodeId x,
                    int width, int stride) {
    bool basic = net->block == BLOCK_BASIC;
    NodeId y = basic ? basic_branch(graph, x, width, stride)
                     : bottleneck_branch(graph, x, width, stride, options->stride_in);
    if (options->zero_init_last_norm != 0) {
        zero_scale(graph, y);
    }
    if (options->shortcut != SHORTCUT_NONE) {
        int channels = basic ? width : BOTTLENECK_EXPANSION * width;
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
    // The only 3x3 convolution with a stride in a basic block is where 3x3 says.
    if (net->block == BLOCK_BASIC && options->stride_in == STRIDE_IN_1X1) {
        return status_fail(STATUS_USAGE,
                           "%s has basic blocks, whose stride cannot be in a 1x1 convolution",
                           net->info.name);
    }
    if (net->block == BLOCK_BOTTLENECK && options->stride_in == STRIDE_IN_DEFAULT) {
        options->stride_in = STRIDE_IN_3X3;
    }
    return STATUS_OK;
}

const Family FAMILY_RESNET = {
    .count = (int)(sizeof RESNETS / sizeof RESNETS[0]),
    .info = resnet_info,
    .resolve = resnet_resolve,
    .build = resnet_build,
};
