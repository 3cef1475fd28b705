// SPDX-License-Identifier: Apache-2.0
// What a convolution is in numbers, for conv and linear nodes: see conv.h.
#include <assert.h>

#include "backend/cpu/conv.h"

// Images of so few channels, grey to RGB and alpha, leave most of a block empty.
enum { FEW_CHANNELS = 4 };

static int ceil_divide(int a, int b) { return (a + b - 1) / b; }
static int least(int a, int b) { return a < b ? a : b; }

// One row of all pixels of all samples.
static void flatten(ConvGeometry *g) {
    assert((int64_t)g->batch * g->height * g->width <= INT32_MAX);
    g->width = g->out_width = g->batch * g->height * g->width;
    g->batch = g->height = g->out_height = 1;
}

ConvGeometry conv_geometry(const Node *node, Shape input, int batch) {
    if (node->op == OP_LINEAR) {
        const int pixels = input.height * input.width, features = input.channels * pixels;
        ConvGeometry g = {.batch = batch,
                          .groups = 1,
                          .channels = features,
                          .out_channels = node->shape.channels,
                          .height = 1,
                          .width = 1,
                          .out_height = 1,
                          .out_width = 1,
                          .kernel_height = 1,
                          .kernel_width = 1,
                          .stride = 1,
                          .inner = input.channels,
                          .step = pixels,
                          .tap_step = 1,
                          .joined = 1,
                          .weight_size = features};
        flatten(&g);
        return g;
    }
    const ConvAttr *attr = &node->conv;
    const int groups = attr->groups > 0 ? attr->groups : 1;
    const int channels = input.channels / groups, taps = attr->kernel_height * attr->kernel_width;
    ConvGeometry g = {.batch = batch,
                      .groups = groups,
                      .channels = channels,
                      .out_channels = attr->out_channels / groups,
                      .height = input.height,
                      .width = input.width,
                      .out_height = node->shape.height,
                      .out_width = node->shape.width,
                      .kernel_height = attr->kernel_height,
                      .kernel_width = attr->kernel_width,
                      .stride = attr->stride,
                      .pad = attr->pad,
                      .inner = channels,
                      .step = taps,
                      .tap_step = 1,
                      .joined = 1,
                      .weight_size = (int64_t)channels * taps};
    if (taps == 1 && g.stride == 1 && g.pad == 0) {
        flatten(&g);
    }
    return g;
}

ConvGeometry conv_joined(const ConvGeometry *g) {
    ConvGeometry joined = *g;
    if (g->groups == 1 && g->channels <= FEW_CHANNELS && g->kernel_width > 1) {
        joined.joined = joined.tap_step = g->kernel_width;
        joined.channels = g->channels * g->kernel_width;
        joined.kernel_width = 1;
    }
    return joined;
}

ConvAxis conv_axis(const ConvGeometry *g, bool backward, int kernel, int phase) {
    if (!backward) {
        return (ConvAxis){.count = kernel, .step = 1, .direction = 1};
    }
    // Tap t of phase p reads the gradient at v + (p + pad - t) / stride.
    int lowest = INT32_MAX;
    ConvAxis axis = {.step = g->stride, .direction = -1};
    for (int p = 0; p < g->stride; p++) {
        const int first = (p + g->pad) % g->stride;
        const int count = first < kernel ? ceil_divide(kernel - first, g->stride) : 0;
        const int place = (p + g->pad) / g->stride;
        if (count > 0) {
            lowest = least(lowest, place - (count - 1));
        }
        if (p == phase) {
            axis.first = first;
            axis.count = count;
            axis.position = place;
        }
    }
    axis.position -= lowest;
    return axis;
}
