// SPDX-License-Identifier: Apache-2.0
// GoogLeNet (Szegedy et al., arXiv 1409.4842, Table 1): nine inception modules,
//
//     concat(conv1x1(x), conv3x3(conv1x1(x)), conv5x5(conv1x1(x)), conv1x1(maxpool3x3(x)))
//
// and, for training, two auxiliary heads whose losses count 0.3 each. They stand behind the rest of
// the list, so that the parameters of the net without them begin both blocks at the same offsets.
//
// The paper's form has biases and local response normalisation. torchvision's has norms instead,
// 3x3 kernels where the paper has 5x5, and other poolings. Names of parameters are torchvision's in
// both. torchvision's own weights were trained on images normalised by mean and deviation 0.5 (its
// transform_input turns the usual ones into these); that is a preset, not in the graph.
//
// The small form is for images of 32x32: a quarter of the width, and a stem that halves them once.
#include "models/choices.h"
#include "models/family.h"
#include "models/layers.h"

typedef struct GoogLeNet {
    ModelInfo info;
    bool norm;       // norms; else biases and response normalisation
    int third;       // kernel of the third branch
    int last_pool;   // kernel of the last max pooling
    bool even_heads; // auxiliary heads: 4x4 even windows; else 5x5 windows with stride 3
    float dropout;
    int narrow; // what channels are divided by
    bool small; // the stem
} GoogLeNet;

#define IMAGENET {3, 224, 224}, 1000

// clang-format off
static const GoogLeNet GOOGLENETS[] = {
    {{"googlenet", "9 inception modules, 22 layers, for 224x224 images (torchvision's)",
      IMAGENET, "inception"},
     true, 3, 2, true, 0.2f, 1, false},
    {{"googlenet_paper", "9 inception modules, 22 layers, for 224x224 images (GoogLeNet's paper)",
      IMAGENET, "torchvision"},
     false, 5, 3, false, 0.4f, 1, false},
    {{"googlenet_small", "googlenet of a quarter of the width, for 32x32 images",
      {3, 32, 32}, 10, "cifar"},
     true, 3, 2, true, 0.2f, 4, true},
};
// clang-format on

#undef IMAGENET

typedef enum After { NOTHING, POOL, HEAD } After;

// Channels by branch; "reduce": of the 1x1 convolution ahead of the larger one.
typedef struct Inception {
    const char *name;
    int first, second_reduce, second, third_reduce, third, fourth;
    After after;
} Inception;

static const Inception INCEPTIONS[] = {
    {"3a", 64, 96, 128, 16, 32, 32, NOTHING},     {"3b", 128, 128, 192, 32, 96, 64, POOL},
    {"4a", 192, 96, 208, 16, 48, 64, HEAD},       {"4b", 160, 112, 224, 24, 64, 64, NOTHING},
    {"4c", 128, 128, 256, 24, 64, 64, NOTHING},   {"4d", 112, 144, 288, 32, 64, 64, HEAD},
    {"4e", 256, 160, 320, 32, 128, 128, POOL},    {"5a", 256, 160, 320, 32, 128, 128, NOTHING},
    {"5b", 384, 192, 384, 48, 128, 128, NOTHING},
};

enum { INCEPTION_COUNT = sizeof INCEPTIONS / sizeof INCEPTIONS[0], HEADS = 2 };

static const float NORM_EPSILON = 1e-3f, HEAD_WEIGHT = 0.3f, HEAD_DROPOUT = 0.7f;

// relu(norm(conv(x))), or relu(conv(x)) with a bias.
static NodeId unit(const GoogLeNet *net, Graph *graph, NodeId x, int channels, int kernel,
                   int stride, const char *name) {
    ConvAttr attr = layer_conv_attr(channels / net->narrow, kernel, stride);
    attr.bias = !net->norm;
    graph_push(graph, "%s", name);
    NodeId y = graph_conv(graph, x, attr, "conv");
    if (net->norm) {
        y = graph_norm(graph, y, "bn");
        if (y != NODE_NONE) {
            graph->nodes[y].norm.epsilon = NORM_EPSILON;
        }
    }
    y = graph_relu(graph, y);
    graph_pop(graph);
    return y;
}

static NodeId pool(Graph *graph, NodeId x, int kernel, const char *name) {
    return graph_max_pool(graph, x, (PoolAttr){.kernel = kernel, .stride = 2, .ceil = true}, name);
}

static NodeId respond(const GoogLeNet *net, Graph *graph, NodeId x, const char *name) {
    LrnAttr attr = {.size = 5, .alpha = 1e-4f, .beta = 0.75f, .k = 1};
    return net->norm ? x : graph_lrn(graph, x, attr, name);
}

static NodeId stem(const GoogLeNet *net, Graph *graph, NodeId x) {
    NodeId y = net->small ? unit(net, graph, x, 64, 3, 1, "conv1")
                          : unit(net, graph, x, 64, 7, 2, "conv1");
    y = pool(graph, y, 3, "maxpool1");
    y = respond(net, graph, y, "lrn1");
    y = unit(net, graph, y, 64, 1, 1, "conv2");
    y = respond(net, graph, unit(net, graph, y, 192, 3, 1, "conv3"), "lrn2");
    return net->small ? y : pool(graph, y, 3, "maxpool2");
}

static NodeId inception(const GoogLeNet *net, Graph *graph, NodeId x, const Inception *shape) {
    graph_push(graph, "inception%s", shape->name);
    NodeId branch[4];
    branch[0] = unit(net, graph, x, shape->first, 1, 1, "branch1");
    NodeId y = unit(net, graph, x, shape->second_reduce, 1, 1, "branch2.0");
    branch[1] = unit(net, graph, y, shape->second, 3, 1, "branch2.1");
    y = unit(net, graph, x, shape->third_reduce, 1, 1, "branch3.0");
    branch[2] = unit(net, graph, y, shape->third, net->third, 1, "branch3.1");
    y = graph_max_pool(graph, x, (PoolAttr){.kernel = 3, .stride = 1, .pad = 1}, "branch4.0");
    branch[3] = unit(net, graph, y, shape->fourth, 1, 1, "branch4.1");
    y = graph_concat(graph, branch, 4, "concat");
    graph_pop(graph);
    return y;
}

static void head(const GoogLeNet *net, const ModelOptions *options, Graph *graph, NodeId x,
                 int number) {
    graph_push(graph, "aux%d", number);
    NodeId y = net->even_heads
                   ? layer_pool_to(graph, x, 4, "pool")
                   : graph_avg_pool(graph, x, (PoolAttr){.kernel = 5, .stride = 3}, "pool");
    y = unit(net, graph, y, 128, 1, 1, "conv");
    y = graph_relu(graph, graph_linear(graph, y, 1024 / net->narrow, "fc1"));
    y = graph_dropout(graph, y, HEAD_DROPOUT, "dropout");
    y = graph_linear(graph, y, options->classes, "fc2");
    LossAttr loss = {.weight = HEAD_WEIGHT, .smoothing = options->label_smoothing};
    graph_softmax_loss(graph, y, loss, "loss");
    graph_pop(graph);
}

static NodeId googlenet_build(int member, const ModelOptions *options, Graph *graph, NodeId x) {
    const GoogLeNet *net = &GOOGLENETS[member];
    NodeId y = stem(net, graph, x);
    NodeId heads[HEADS];
    int head_count = 0, pools = 0;
    for (int i = 0; i < INCEPTION_COUNT; i++) {
        y = inception(net, graph, y, &INCEPTIONS[i]);
        if (INCEPTIONS[i].after == POOL) {
            y = pools == 0 ? pool(graph, y, 3, "maxpool3")
                           : pool(graph, y, net->last_pool, "maxpool4");
            pools++;
        } else if (INCEPTIONS[i].after == HEAD) {
            heads[head_count++] = y;
        }
    }
    y = graph_dropout(graph, graph_global_pool(graph, y), net->dropout, "dropout");
    y = graph_linear(graph, y, options->classes, "fc");
    for (int i = 0; i < head_count && options->loss; i++) {
        head(net, options, graph, heads[i], i + 1);
    }
    return y;
}

static const ModelInfo *googlenet_info(int member) { return &GOOGLENETS[member].info; }

static Status googlenet_resolve(int member, ModelOptions *options) {
    return choose_no_blocks(&GOOGLENETS[member].info, options);
}

const Family FAMILY_GOOGLENET = {
    .count = (int)(sizeof GOOGLENETS / sizeof GOOGLENETS[0]),
    .info = googlenet_info,
    .resolve = googlenet_resolve,
    .build = googlenet_build,
};
