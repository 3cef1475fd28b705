// SPDX-License-Identifier: Apache-2.0
// Shape rules. A window of `kernel` places moved by `stride` over an extent padded on both sides:
//
//     out = floor((extent + 2*pad - kernel) / stride) + 1
//
// or with ceil instead of floor, less one where the last window would begin in the right pad.
// Sentences name shapes as channels x height x width.
#include "graph/op_rules.h"

// A shape as three arguments of a format "%dx%dx%d".
#define SHAPE_FORMAT "%dx%dx%d"
#define SHAPE_ARGUMENTS(shape) (shape).channels, (shape).height, (shape).width

enum { LARGEST_WINDOW = 16 }; // max_pool keeps a place in its window as one byte

static Shape input_shape(const Graph *graph, const Node *node, int index) {
    return graph_shape(graph, node->input[index]);
}

static bool shapes_equal(Shape a, Shape b) {
    return a.channels == b.channels && a.height == b.height && a.width == b.width;
}

// Windows along one axis; 0 where not even one fits. 64 bits, because a pad may be any int32.
static int64_t window_count(int64_t extent, int64_t kernel, int64_t stride, int64_t pad,
                            bool ceil) {
    int64_t room = extent + 2 * pad - kernel;
    if (room < 0) {
        return 0;
    }
    int64_t count = (room + (ceil ? stride - 1 : 0)) / stride + 1;
    bool begins_in_pad = ceil && (count - 1) * stride >= extent + pad;
    return begins_in_pad ? count - 1 : count;
}

// Sets the output's extents from a sliding window, or poisons the graph.
static void infer_window(Graph *graph, Node *node, PoolAttr window, int32_t kernel_height,
                         int32_t kernel_width) {
    Shape in = input_shape(graph, node, 0);
    int64_t height = window_count(in.height, kernel_height, window.stride, window.pad, window.ceil);
    int64_t width = window_count(in.width, kernel_width, window.stride, window.pad, window.ceil);
    if (height == 0 || width == 0) {
        graph_fail(graph, "%s: kernel %dx%d with pad %d does not fit " SHAPE_FORMAT, node->name,
                   kernel_height, kernel_width, window.pad, SHAPE_ARGUMENTS(in));
    } else if (height > INT32_MAX || width > INT32_MAX) {
        graph_fail(graph, "%s: pad %d of " SHAPE_FORMAT " is too large", node->name, window.pad,
                   SHAPE_ARGUMENTS(in));
    } else {
        node->shape.height = (int32_t)height;
        node->shape.width = (int32_t)width;
    }
}

void op_infer_input(Graph *graph, Node *node) {
    Shape shape = node->shape;
    if (shape.channels < 1 || shape.height < 1 || shape.width < 1) {
        graph_fail(graph, "%s: " SHAPE_FORMAT " has an extent below 1", node->name,
                   SHAPE_ARGUMENTS(shape));
    }
}

void op_infer_conv(Graph *graph, Node *node) {
    const ConvAttr *conv = &node->conv;
    int32_t in = input_shape(graph, node, 0).channels;
    if (conv->out_channels < 1 || conv->kernel_height < 1 || conv->kernel_width < 1 ||
        conv->stride < 1 || conv->pad < 0 || conv->groups < 1) {
        graph_fail(graph,
                   "%s: %d channels, kernel %dx%d, stride %d, pad %d, %d groups is no convolution",
                   node->name, conv->out_channels, conv->kernel_height, conv->kernel_width,
                   conv->stride, conv->pad, conv->groups);
        return;
    }
    if (in % conv->groups != 0 || conv->out_channels % conv->groups != 0) {
        graph_fail(graph, "%s: %d input and %d output channels do not divide into %d groups",
                   node->name, in, conv->out_channels, conv->groups);
        return;
    }
    node->shape.channels = conv->out_channels;
    infer_window(graph, node, (PoolAttr){.stride = conv->stride, .pad = conv->pad},
                 conv->kernel_height, conv->kernel_width);
}

void op_infer_same(Graph *graph, Node *node) { node->shape = input_shape(graph, node, 0); }

void op_infer_add(Graph *graph, Node *node) {
    Shape a = input_shape(graph, node, 0), b = input_shape(graph, node, 1);
    if (!shapes_equal(a, b)) {
        graph_fail(graph, "%s: " SHAPE_FORMAT " and " SHAPE_FORMAT " differ", node->name,
                   SHAPE_ARGUMENTS(a), SHAPE_ARGUMENTS(b));
    }
    node->shape = a;
}

void op_infer_gate(Graph *graph, Node *node) {
    Shape x = input_shape(graph, node, 0), factors = input_shape(graph, node, 1);
    if (!shapes_equal(factors, (Shape){x.channels, 1, 1})) {
        graph_fail(graph, "%s: " SHAPE_FORMAT " needs %dx1x1 factors, not " SHAPE_FORMAT,
                   node->name, SHAPE_ARGUMENTS(x), x.channels, SHAPE_ARGUMENTS(factors));
    }
    node->shape = x;
}

void op_infer_concat(Graph *graph, Node *node) {
    Shape first = input_shape(graph, node, 0);
    int64_t channels = first.channels;
    for (int k = 1; k < NODE_INPUTS && node->input[k] != NODE_NONE; k++) {
        Shape next = input_shape(graph, node, k);
        if (next.height != first.height || next.width != first.width) {
            graph_fail(graph, "%s: " SHAPE_FORMAT " and " SHAPE_FORMAT " differ in height or width",
                       node->name, SHAPE_ARGUMENTS(first), SHAPE_ARGUMENTS(next));
            return;
        }
        channels += next.channels;
    }
    if (channels > INT32_MAX) {
        graph_fail(graph, "%s: %lld channels are too many", node->name, (long long)channels);
        return;
    }
    node->shape = (Shape){(int32_t)channels, first.height, first.width};
}

static void infer_pool(Graph *graph, Node *node) {
    const PoolAttr *pool = &node->pool;
    // A wider pad would hold windows with nothing inside them.
    if (pool->kernel < 1 || pool->stride < 1 || pool->pad < 0 || pool->pad > pool->kernel / 2) {
        graph_fail(graph, "%s: kernel %dx%d, stride %d, pad %d is no pooling (pad at most %d)",
                   node->name, pool->kernel, pool->kernel, pool->stride, pool->pad,
                   pool->kernel / 2);
        return;
    }
    node->shape.channels = input_shape(graph, node, 0).channels;
    infer_window(graph, node, *pool, pool->kernel, pool->kernel);
}

void op_infer_max_pool(Graph *graph, Node *node) {
    if (node->pool.kernel > LARGEST_WINDOW) {
        graph_fail(graph, "%s: kernel %dx%d is larger than %dx%d", node->name, node->pool.kernel,
                   node->pool.kernel, LARGEST_WINDOW, LARGEST_WINDOW);
        return;
    }
    infer_pool(graph, node);
}

void op_infer_avg_pool(Graph *graph, Node *node) {
    int32_t windows = node->pool.adaptive;
    if (windows == 0) {
        infer_pool(graph, node);
    } else if (windows < 0) {
        graph_fail(graph, "%s: %dx%d windows are no pooling", node->name, windows, windows);
    } else {
        node->shape = (Shape){input_shape(graph, node, 0).channels, windows, windows};
    }
}

void op_infer_global_pool(Graph *graph, Node *node) {
    node->shape = (Shape){input_shape(graph, node, 0).channels, 1, 1};
}

void op_infer_linear(Graph *graph, Node *node) {
    if (node->shape.channels < 1) {
        graph_fail(graph, "%s: %d outputs are too few", node->name, node->shape.channels);
    }
}

void op_infer_pad_shortcut(Graph *graph, Node *node) {
    const PadShortcutAttr *attr = &node->pad_shortcut;
    Shape in = input_shape(graph, node, 0);
    if (attr->stride < 1 || attr->out_channels < in.channels) {
        graph_fail(graph, "%s: " SHAPE_FORMAT " cannot be padded to %d channels with stride %d",
                   node->name, SHAPE_ARGUMENTS(in), attr->out_channels, attr->stride);
        return;
    }
    node->shape = (Shape){attr->out_channels, (in.height - 1) / attr->stride + 1,
                          (in.width - 1) / attr->stride + 1};
}

void op_infer_dropout(Graph *graph, Node *node) {
    if (!(node->dropout.rate >= 0 && node->dropout.rate < 1)) {
        graph_fail(graph, "%s: rate %g is not in 0 … 1", node->name, (double)node->dropout.rate);
    }
    op_infer_same(graph, node);
}

void op_infer_lrn(Graph *graph, Node *node) {
    if (node->lrn.size < 1) {
        graph_fail(graph, "%s: size %d is below 1", node->name, node->lrn.size);
    }
    op_infer_same(graph, node);
}

void op_infer_softmax_loss(Graph *graph, Node *node) {
    Shape in = input_shape(graph, node, 0);
    if (in.height != 1 || in.width != 1) {
        graph_fail(graph, "%s: " SHAPE_FORMAT " is no vector of logits", node->name,
                   SHAPE_ARGUMENTS(in));
    } else if (!(node->loss.smoothing >= 0 && node->loss.smoothing < 1)) {
        graph_fail(graph, "%s: label smoothing %g is not in 0 … 1", node->name,
                   (double)node->loss.smoothing);
    }
    node->shape = (Shape){1, 1, 1};
}
