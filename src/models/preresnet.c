// SPDX-License-Identifier: Apache-2.0
// Pre-activation residual nets (He et al. 2016, arXiv 1603.05027): norm and relu come ahead of each
// convolution, and sums go on as they are. With a = relu(norm(x)) a unit is
//
//     y = branch(a) + x                  units that change nothing
//     y = branch(a) + shortcut(a)        the first unit of each stage
//
//     basic       branch = conv3x3(relu(norm(conv3x3(a))))
//     bottleneck  branch = conv1x1(relu(norm(conv3x3(relu(norm(conv1x1(a)))))))
//
// and the last sum gets a norm and a relu of its own. Projections have no norm. The ImageNet stem
// ends with norm, relu and pooling, so its first unit takes a = x. All as in the authors' program.
#include "models/choices.h"
#include "models/family.h"
#include "models/layers.h"

enum { MOST_STAGES = 4, BOTTLENECK_EXPANSION = 4 };

typedef struct PreResNet {
    ModelInfo info;
    bool imagenet; // stem of 7x7 convolution, norm, relu, pooling; else a 3x3 convolution alone
    bool bottleneck;
    int width;               // of the stem, and of the first stage's 3x3 convolutions
    int blocks[MOST_STAGES]; // by stage; 0 ends the list
    Shortcut shortcut;       // what SHORTCUT_DEFAULT means
} PreResNet;

#define CIFAR {3, 32, 32}, 10, "cifar"
#define IMAGENET {3, 224, 224}, 1000, "torchvision"

// clang-format off
static const PreResNet PRERESNETS[] = {
    {{"preresnet20", "pre-activation basic blocks, 20 layers, for 32x32 images (v2)", CIFAR},
     false, false, 16, {3, 3, 3}, SHORTCUT_PAD},
    {{"preresnet32", "pre-activation basic blocks, 32 layers, for 32x32 images (v2)", CIFAR},
     false, false, 16, {5, 5, 5}, SHORTCUT_PAD},
    {{"preresnet56", "pre-activation basic blocks, 56 layers, for 32x32 images (v2)", CIFAR},
     false, false, 16, {9, 9, 9}, SHORTCUT_PAD},
    {{"preresnet110", "pre-activation basic blocks, 110 layers, for 32x32 images (v2)", CIFAR},
     false, false, 16, {18, 18, 18}, SHORTCUT_PAD},
    {{"preresnet164", "pre-activation bottlenecks, 164 layers, for 32x32 images (v2)", CIFAR},
     false, true, 16, {18, 18, 18}, SHORTCUT_PROJECTION},
    {{"preresnet18", "pre-activation basic blocks, 18 layers, for 224x224 images (v2)", IMAGENET},
     true, false, 64, {2, 2, 2, 2}, SHORTCUT_PROJECTION},
    {{"preresnet50", "pre-activation bottlenecks, 50 layers, for 224x224 images (v2)", IMAGENET},
     true, true, 64, {3, 4, 6, 3}, SHORTCUT_PROJECTION},
    {{"preresnet200", "pre-activation bottlenecks, 200 layers, for 224x224 images (v2)", IMAGENET},
     true, true, 64, {3, 24, 36, 3}, SHORTCUT_PROJECTION},
};
// clang-format on

#undef CIFAR
#undef IMAGENET

static NodeId activate(Graph *graph, NodeId x, const char *norm) {
    return graph_relu(graph, graph_norm(graph, x, norm));
}

static NodeId conv(Graph *graph, NodeId x, int channels, int kernel, int stride, const char *name) {
    return graph_conv(graph, x, layer_conv_attr(channels, kernel, stride), name);
}

static NodeId branch(const PreResNet *net, Graph *graph, NodeId x, int width, int stride,
                     StrideIn stride_in) {
    if (!net->bottleneck) {
        NodeId y = activate(graph, conv(graph, x, width, 3, stride, "conv1"), "bn2");
        return conv(graph, y, width, 3, 1, "conv2");
    }
    int first = stride_in == STRIDE_IN_1X1 ? stride : 1;
    NodeId y = activate(graph, conv(graph, x, width, 1, first, "conv1"), "bn2");
    y = activate(graph, conv(graph, y, width, 3, stride / first, "conv2"), "bn3");
    return conv(graph, y, BOTTLENECK_EXPANSION * width, 1, 1, "conv3");
}

// Options A, B, C of the first paper's §3.3.
static NodeId shortcut(Graph *graph, NodeId x, int channels, int stride, Shortcut kind) {
    bool changes = stride != 1 || graph_shape(graph, x).channels != channels;
    if (kind == SHORTCUT_PROJECT_ALL || (kind == SHORTCUT_PROJECTION && changes)) {
        return conv(graph, x, channels, 1, stride, "downsample.0");
    }
    return layer_identity(graph, x, channels, stride);
}

// `first`: of its stage; `active`: x went through norm and relu already.
static NodeId unit(const PreResNet *net, const ModelOptions *options, Graph *graph, NodeId x,
                   int width, int stride, bool first, bool active) {
    NodeId a = active ? x : activate(graph, x, "bn1");
    NodeId y = branch(net, graph, a, width, stride, options->stride_in);
    if (options->shortcut == SHORTCUT_NONE) {
        return y;
    }
    int channels = net->bottleneck ? BOTTLENECK_EXPANSION * width : width;
    NodeId s = shortcut(graph, first ? a : x, channels, stride, options->shortcut);
    return graph_add(graph, y, s, "add");
}

static NodeId stem(const PreResNet *net, Graph *graph, NodeId x) {
    if (!net->imagenet) {
        return conv(graph, x, net->width, 3, 1, "conv1");
    }
    NodeId y = activate(graph, conv(graph, x, net->width, 7, 2, "conv1"), "bn1");
    return graph_max_pool(graph, y, (PoolAttr){.kernel = 3, .stride = 2, .pad = 1}, "maxpool");
}

static NodeId preresnet_build(int member, const ModelOptions *options, Graph *graph, NodeId x) {
    const PreResNet *net = &PRERESNETS[member];
    NodeId y = stem(net, graph, x);
    for (int stage = 0; stage < MOST_STAGES && net->blocks[stage] > 0; stage++) {
        for (int i = 0; i < net->blocks[stage]; i++) {
            int stride = stage > 0 && i == 0 ? 2 : 1;
            bool active = net->imagenet && stage == 0 && i == 0;
            graph_push(graph, "layer%d.%d", stage + 1, i);
            y = unit(net, options, graph, y, net->width << stage, stride, i == 0, active);
            graph_pop(graph);
        }
    }
    y = graph_global_pool(graph, activate(graph, y, "bn"));
    return graph_linear(graph, y, options->classes, "fc");
}

static const ModelInfo *preresnet_info(int member) { return &PRERESNETS[member].info; }

static Status preresnet_resolve(int member, ModelOptions *options) {
    const PreResNet *net = &PRERESNETS[member];
    if (options->shortcut == SHORTCUT_DEFAULT) {
        options->shortcut = net->shortcut;
    }
    if (options->zero_init_last_norm != 0) {
        return status_fail(STATUS_USAGE, "%s has no norm at the end of a branch to begin at zero",
                           net->info.name);
    }
    return choose_stride_in(&net->info, net->bottleneck, options);
}

const Family FAMILY_PRERESNET = {
    .count = (int)(sizeof PRERESNETS / sizeof PRERESNETS[0]),
    .info = preresnet_info,
    .resolve = preresnet_resolve,
    .build = preresnet_build,
};
