// SPDX-License-Identifier: Apache-2.0
// Ops on values held as bytes: the formulas of backend/int8.h in plain loops. There is no backward
// pass: bytes exist in inference only.
#include <assert.h>
#include <string.h>

#include "backend/int8.h"
#include "backend/reference/ops.h"
#include "graph/quantize.h"

// Where byte (y, x, channel 0) of a sample lies.
static size_t byte_offset(Shape shape, int sample, int y, int x) {
    size_t row = (size_t)sample * (size_t)shape.height + (size_t)y;
    return (row * (size_t)shape.width + (size_t)x) * shape_byte_pixel(shape);
}

static bool inside(int position, int extent) { return position >= 0 && position < extent; }

// A linear layer is a convolution whose window is the whole image.
typedef struct Layer {
    Shape in, out;
    int kernel_height, kernel_width, stride, pad;
    int group_in, group_out; // channels of one group
    size_t depth;            // products in a sum
} Layer;

static Layer layer_of(const Call *call) {
    const Node *node = call->node;
    const Shape in = call->input_shape[0];
    Layer layer = {.in = in, .out = node->shape, .stride = 1};
    int groups = 1;
    if (node->op == OP_LINEAR) {
        layer.kernel_height = in.height;
        layer.kernel_width = in.width;
    } else {
        groups = node->conv.groups > 0 ? node->conv.groups : 1;
        layer.kernel_height = node->conv.kernel_height;
        layer.kernel_width = node->conv.kernel_width;
        layer.stride = node->conv.stride;
        layer.pad = node->conv.pad;
    }
    layer.group_in = in.channels / groups;
    layer.group_out = node->shape.channels / groups;
    layer.depth = (size_t)layer.group_in * (size_t)layer.kernel_height * (size_t)layer.kernel_width;
    return layer;
}

// Output channel o, and its weights as integers, in the parameter's order.
static Int8Channel layer_channel(const Call *call, const Layer *layer, int o, int8_t *q) {
    const Real *weight = (const Real *)call->param[FOLD_WEIGHT] + (size_t)o * layer->depth;
    double largest = 0, offset;
    for (size_t i = 0; i < layer->depth; i++) {
        largest = fmax(largest, fabs((double)weight[i]));
    }
    const double factor = fold_channel(call, sizeof(Real), o, &offset);
    Int8Channel channel = int8_channel_scale(call, largest, factor, offset);
    int64_t sum = 0, magnitude = 0;
    for (size_t i = 0; i < layer->depth; i++) {
        q[i] = int8_weight((float)weight[i], channel.inverse);
        sum += q[i];
        magnitude += q[i] < 0 ? -q[i] : q[i];
    }
    int8_channel_finish(call, sum, magnitude, &channel);
    return channel;
}

static int64_t window_sum(const Call *call, const Layer *layer, const int8_t *q, int n, int oy,
                          int ox, int o) {
    const size_t taps = (size_t)layer->kernel_height * (size_t)layer->kernel_width;
    const int first_channel = o / layer->group_out * layer->group_in;
    int64_t sum = 0;
    for (int ky = 0; ky < layer->kernel_height; ky++) {
        for (int kx = 0; kx < layer->kernel_width; kx++) {
            const int iy = oy * layer->stride - layer->pad + ky;
            const int ix = ox * layer->stride - layer->pad + kx;
            const bool exists = inside(iy, layer->in.height) && inside(ix, layer->in.width);
            const uint8_t *pixel = call->input[0];
            pixel += exists ? byte_offset(layer->in, n, iy, ix) + (size_t)first_channel : 0;
            const size_t tap = (size_t)ky * (size_t)layer->kernel_width + (size_t)kx;
            for (int c = 0; c < layer->group_in; c++) {
                const int x = exists ? pixel[c] : call->input_node[0]->zero;
                sum += x * q[(size_t)c * taps + tap];
            }
        }
    }
    return sum;
}

static void layer_output(const Call *call, const Layer *layer, const Int8Channel *channel,
                         int64_t sum, int n, int oy, int ox, int o) {
    const Node *node = call->node;
    sum = sum * (1 << channel->shift) + channel->start;
    if (call->input[1] != NULL) {
        const uint8_t *residual = call->input[1];
        sum +=
            (int64_t)residual[byte_offset(layer->out, n, oy, ox) + (size_t)o] * channel->residual;
    }
    assert(sum >= INT32_MIN && sum <= INT32_MAX);
    const float value = (float)(int32_t)sum * channel->factor;
    if (node->bytes) {
        ((uint8_t *)call->output)[byte_offset(layer->out, n, oy, ox) + (size_t)o] =
            int8_byte(value, node->zero, node->relu);
    } else {
        ((Real *)call->output)[pixel_offset(layer->out, n, oy, ox) + (size_t)o] =
            node->relu ? rectified((Real)value) : (Real)value;
    }
}

void REAL_NAME(reference_layer_bytes)(const Call *call) {
    const Layer layer = layer_of(call);
    assert(layer.depth <= QUANTIZED_DEPTH_MAX);
    int8_t q[QUANTIZED_DEPTH_MAX];
    for (int o = 0; o < layer.out.channels; o++) {
        const Int8Channel channel = layer_channel(call, &layer, o, q);
        for (int n = 0; n < call->batch; n++) {
            for (int oy = 0; oy < layer.out.height; oy++) {
                for (int ox = 0; ox < layer.out.width; ox++) {
                    layer_output(call, &layer, &channel, window_sum(call, &layer, q, n, oy, ox, o),
                                 n, oy, ox, o);
                }
            }
        }
    }
}

// Calls visit(call, n, y, x) for each pixel of the output.
static void for_each_pixel(const Call *call, void (*visit)(const Call *, int, int, int)) {
    const Shape out = call->node->shape;
    for (int n = 0; n < call->batch; n++) {
        for (int y = 0; y < out.height; y++) {
            for (int x = 0; x < out.width; x++) {
                visit(call, n, y, x);
            }
        }
    }
}

static void max_pixel(const Call *call, int n, int y, int x) {
    const PoolAttr *pool = &call->node->pool;
    const Shape in = call->input_shape[0], out = call->node->shape;
    uint8_t *best = (uint8_t *)call->output + byte_offset(out, n, y, x);
    memset(best, 0, (size_t)out.channels);
    for (int iy = y * pool->stride - pool->pad; iy < y * pool->stride - pool->pad + pool->kernel;
         iy++) {
        for (int ix = x * pool->stride - pool->pad;
             ix < x * pool->stride - pool->pad + pool->kernel; ix++) {
            if (!inside(iy, in.height) || !inside(ix, in.width)) {
                continue;
            }
            const uint8_t *pixel = (const uint8_t *)call->input[0] + byte_offset(in, n, iy, ix);
            for (int c = 0; c < out.channels; c++) {
                best[c] = pixel[c] > best[c] ? pixel[c] : best[c];
            }
        }
    }
}

void REAL_NAME(reference_max_pool_bytes)(const Call *call) { for_each_pixel(call, max_pixel); }

void REAL_NAME(reference_global_pool_bytes)(const Call *call) {
    const Node *input = call->input_node[0];
    const Shape in = input->shape;
    const float factor = int8_mean(input->scale, in.height * in.width);
    Real *y = call->output;
    for (int n = 0; n < call->batch; n++) {
        for (int c = 0; c < in.channels; c++) {
            int32_t sum = 0;
            for (int p = 0; p < in.height * in.width; p++) {
                const size_t at = byte_offset(in, n, p / in.width, p % in.width) + (size_t)c;
                sum += ((const uint8_t *)call->input[0])[at] - input->zero;
            }
            y[(size_t)n * (size_t)in.channels + (size_t)c] = (Real)((float)sum * factor);
        }
    }
}

static void concat_pixel(const Call *call, int n, int y, int x) {
    uint8_t *to = (uint8_t *)call->output + byte_offset(call->node->shape, n, y, x);
    for (int k = 0; k < NODE_INPUTS && call->node->input[k] != NODE_NONE; k++) {
        const Shape part = call->input_shape[k];
        memcpy(to, (const uint8_t *)call->input[k] + byte_offset(part, n, y, x),
               (size_t)part.channels);
        to += part.channels;
    }
}

void REAL_NAME(reference_concat_bytes)(const Call *call) { for_each_pixel(call, concat_pixel); }

static void pad_shortcut_pixel(const Call *call, int n, int y, int x) {
    const Shape in = call->input_shape[0], out = call->node->shape;
    const int stride = call->node->pad_shortcut.stride;
    uint8_t *to = (uint8_t *)call->output + byte_offset(out, n, y, x);
    memset(to, call->node->zero, (size_t)out.channels);
    memcpy(to + (out.channels - in.channels) / 2,
           (const uint8_t *)call->input[0] + byte_offset(in, n, y * stride, x * stride),
           (size_t)in.channels);
}

void REAL_NAME(reference_pad_shortcut_bytes)(const Call *call) {
    for_each_pixel(call, pad_shortcut_pixel);
}

static void quantize_pixel(const Call *call, int n, int y, int x) {
    const Node *node = call->node;
    const float inverse = int8_inverse(node->scale);
    const Real *from = (const Real *)call->input[0] + pixel_offset(node->shape, n, y, x);
    uint8_t *to = (uint8_t *)call->output + byte_offset(node->shape, n, y, x);
    for (int c = 0; c < node->shape.channels; c++) {
        to[c] = int8_byte((float)from[c] * inverse, node->zero, false);
    }
}

static void dequantize_pixel(const Call *call, int n, int y, int x) {
    const Node *input = call->input_node[0];
    const uint8_t *from = (const uint8_t *)call->input[0] + byte_offset(input->shape, n, y, x);
    Real *to = (Real *)call->output + pixel_offset(input->shape, n, y, x);
    for (int c = 0; c < input->shape.channels; c++) {
        to[c] = (Real)(input->scale * (float)(from[c] - input->zero));
    }
}

static void quantize_forward(const Call *call) { for_each_pixel(call, quantize_pixel); }
static void dequantize_forward(const Call *call) { for_each_pixel(call, dequantize_pixel); }

const ReferenceOp REAL_NAME(reference_quantize) = {.forward = quantize_forward};
const ReferenceOp REAL_NAME(reference_dequantize) = {.forward = dequantize_forward};
