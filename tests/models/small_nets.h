// SPDX-License-Identifier: Apache-2.0
// Small graphs with what makes graphs hard to fuse and to plan: branches, gates, auxiliary losses,
// values with many readers, and knots that no model of the table has.
#ifndef TESTS_MODELS_SMALL_NETS_H
#define TESTS_MODELS_SMALL_NETS_H

#include "graph/graph.h"

static inline ConvAttr small_conv(int channels, int kernel, bool bias) {
    return (ConvAttr){.out_channels = channels,
                      .kernel_height = kernel,
                      .kernel_width = kernel,
                      .stride = 1,
                      .pad = kernel / 2,
                      .bias = bias};
}

static inline NodeId small_head(Graph *graph, NodeId x, const char *name, float weight) {
    NodeId logits = graph_linear(graph, graph_global_pool(graph, x), 10, name);
    graph_push(graph, "%s", name);
    graph_softmax_loss(graph, logits, (LossAttr){.weight = weight}, "loss");
    graph_pop(graph);
    return logits;
}

// VGG and AlexNet: biases, no norms, dropout, response normalisation.
static inline Graph *small_vgg(void) {
    Graph *g = graph_create();
    NodeId x = graph_input(g, (Shape){3, 16, 16});
    x = graph_relu(g, graph_conv(g, x, small_conv(8, 3, true), "features.0"));
    x = graph_lrn(g, x, (LrnAttr){5, 1e-4f, 0.75f, 1}, "features.1");
    x = graph_max_pool(g, x, (PoolAttr){.kernel = 2, .stride = 2}, "features.2");
    x = graph_relu(g, graph_conv(g, x, small_conv(16, 3, true), "features.3"));
    x = graph_dropout(g, x, 0.5f, "drop1");
    x = graph_relu(g, graph_linear(g, x, 32, "fc1"));
    x = graph_dropout(g, x, 0.5f, "drop2");
    NodeId logits = graph_linear(g, x, 10, "fc2");
    graph_set_output(g, logits);
    graph_softmax_loss(g, logits, (LossAttr){.weight = 1}, "loss");
    return g;
}

// GoogLeNet: four branches, an average pool, an auxiliary loss, dropout as the graph's output.
static inline Graph *small_inception(void) {
    Graph *g = graph_create();
    NodeId x = graph_input(g, (Shape){3, 16, 16});
    x = graph_relu(g, graph_norm(g, graph_conv(g, x, small_conv(8, 3, false), "conv1"), "bn1"));
    NodeId branch[4];
    branch[0] = graph_relu(g, graph_conv(g, x, small_conv(4, 1, true), "a1"));
    branch[1] = graph_relu(g, graph_norm(g, graph_conv(g, x, small_conv(6, 3, false), "b1"), "b2"));
    branch[2] = graph_conv(g, graph_relu(g, graph_conv(g, x, small_conv(2, 1, true), "c1")),
                           small_conv(4, 5, true), "c2");
    branch[3] = graph_avg_pool(g, x, (PoolAttr){.kernel = 3, .stride = 1, .pad = 1}, "d1");
    NodeId y = graph_concat(g, branch, 4, "concat");
    small_head(g, y, "aux", 0.3f);
    y = graph_max_pool(g, y, (PoolAttr){.kernel = 3, .stride = 2, .ceil = true}, "pool");
    NodeId logits = small_head(g, graph_relu(g, y), "fc", 1);
    graph_set_output(g, graph_dropout(g, logits, 0.1f, "drop"));
    return g;
}

// Squeeze-excite: y = relu(x + u * sigmoid(W2 relu(W1 mean(u)))).
static inline Graph *small_excite(void) {
    Graph *g = graph_create();
    NodeId x = graph_input(g, (Shape){3, 8, 8});
    x = graph_relu(g, graph_norm(g, graph_conv(g, x, small_conv(8, 3, false), "conv1"), "bn1"));
    for (int i = 0; i < 3; i++) {
        graph_push(g, "layer1.%d", i);
        NodeId u = graph_norm(g, graph_conv(g, x, small_conv(8, 3, false), "conv"), "bn");
        NodeId s = graph_relu(g, graph_linear(g, graph_global_pool(g, u), 2, "se1"));
        s = graph_sigmoid(g, graph_linear(g, s, 8, "se2"));
        x = graph_relu(g, graph_add(g, graph_gate(g, u, s, "gate"), x, "add"));
        graph_pop(g);
    }
    graph_set_output(g, small_head(g, x, "fc", 1));
    return g;
}

// What fusion and sharing must keep their hands off: a value added to itself, a norm added to its
// own input, a value read by two relus, a norm after a pool, an output in the middle, parts of the
// graph that no loss and no output depends on.
static inline Graph *small_knots(void) {
    Graph *g = graph_create();
    NodeId x = graph_input(g, (Shape){3, 8, 8});
    NodeId a = graph_conv(g, x, small_conv(4, 3, false), "conv1");
    NodeId b = graph_norm(g, a, "bn1");
    NodeId c = graph_relu(g, graph_add(g, b, a, "add_input"));
    NodeId d = graph_relu(g, graph_add(g, c, c, "add_self"));
    NodeId e = graph_conv(g, d, small_conv(4, 3, false), "conv2");
    NodeId f = graph_add(g, graph_relu(g, e), graph_relu(g, e), "add_twins");
    NodeId h = graph_relu(
        g,
        graph_norm(g, graph_max_pool(g, f, (PoolAttr){.kernel = 3, .stride = 2, .pad = 1}, "pool"),
                   "bn2"));
    NodeId three[] = {h, h, graph_sigmoid(g, h)};
    NodeId logits = small_head(g, graph_concat(g, three, 3, "concat"), "fc", 1);
    graph_sigmoid(g, graph_conv(g, h, small_conv(2, 1, true), "unused"));
    graph_set_output(g, logits);
    graph_relu(g, logits);
    return g;
}

typedef Graph *SmallNet(void);

static SmallNet *const SMALL_NETS[] = {small_vgg, small_inception, small_excite, small_knots};

enum { SMALL_NET_COUNT = sizeof SMALL_NETS / sizeof SMALL_NETS[0] };

#endif
