// SPDX-License-Identifier: Apache-2.0
// Convolution (cross-correlation, as everywhere in the field), with groups:
//
//     y[o](oy, ox) = bias[o] + sum over c, ky, kx of
//                    weight[o][c][ky][kx] * x[c](oy*stride - pad + ky, ox*stride - pad + kx)
//
// where c runs over the input channels of o's group and x is 0 outside of the image.
// Fused: norm with the running statistics, then + residual, then relu.
//
// In bf16 (base/bf16.h) the norm is folded into the weights and what sums begin with, before both
// are rounded, and the order of sums is stated.
#include <assert.h>
#include <math.h>

#include "backend/fold.h"
#include "backend/reference/ops.h"
#include "base/bf16.h"

enum { WEIGHT, BIAS, SCALE, SHIFT, MEAN, VARIANCE };

typedef struct Conv {
    Shape in, out;
    int kernel_height, kernel_width, stride, pad;
    int group_in, group_out; // channels of one group
} Conv;

static Conv conv_of(const Call *call) {
    const ConvAttr *attr = &call->node->conv;
    int groups = attr->groups > 0 ? attr->groups : 1;
    return (Conv){
        .in = call->input_shape[0],
        .out = call->node->shape,
        .kernel_height = attr->kernel_height,
        .kernel_width = attr->kernel_width,
        .stride = attr->stride,
        .pad = attr->pad,
        .group_in = call->input_shape[0].channels / groups,
        .group_out = call->node->shape.channels / groups,
    };
}

static size_t weight_offset(const Conv *conv, int o, int c, int ky, int kx) {
    size_t plane = (size_t)o * (size_t)conv->group_in + (size_t)c;
    size_t row = plane * (size_t)conv->kernel_height + (size_t)ky;
    return row * (size_t)conv->kernel_width + (size_t)kx;
}

static bool inside(int position, int extent) { return position >= 0 && position < extent; }

// One output element, before bias.
static Real window_sum(const Conv *conv, const Real *x, const Real *weight, int n, int oy, int ox,
                       int o) {
    int first_channel = o / conv->group_out * conv->group_in;
    Real sum = 0;
    for (int ky = 0; ky < conv->kernel_height; ky++) {
        for (int kx = 0; kx < conv->kernel_width; kx++) {
            int iy = oy * conv->stride - conv->pad + ky;
            int ix = ox * conv->stride - conv->pad + kx;
            if (!inside(iy, conv->in.height) || !inside(ix, conv->in.width)) {
                continue;
            }
            const Real *pixel = x + pixel_offset(conv->in, n, iy, ix) + first_channel;
            for (int c = 0; c < conv->group_in; c++) {
                sum += pixel[c] * weight[weight_offset(conv, o, c, ky, kx)];
            }
        }
    }
    return sum;
}

// Bias, folded norm, residual and relu, each where the node has it.
static Real finished(const Call *call, Real sum, int o, size_t i) {
    const Node *node = call->node;
    if (call->param[BIAS] != NULL && !node->bf16) {
        sum += ((const Real *)call->param[BIAS])[o];
    }
    if (node->folded_norm && !node->bf16) {
        Real scale = ((const Real *)call->param[SCALE])[o];
        Real shift = ((const Real *)call->param[SHIFT])[o];
        Real mean = ((const Real *)call->param[MEAN])[o];
        Real variance = ((const Real *)call->param[VARIANCE])[o];
        Real deviation = (Real)sqrt((double)(variance + (Real)node->folded_epsilon));
        sum = (sum - mean) * (scale / deviation) + shift;
    }
    if (call->input[1] != NULL) {
        sum += ((const Real *)call->input[1])[i];
    }
    return node->relu ? rectified(sum) : sum;
}

// One output element in bf16, before the residual.
static Real window_sum_bf16(const Call *call, const Conv *conv, int n, int oy, int ox, int o) {
    const Real *x = call->input[0], *weight = call->param[WEIGHT];
    const int first_channel = o / conv->group_out * conv->group_in;
    double offset;
    const double factor = fold_channel(call, sizeof(Real), o, &offset);
    Real sum = (Real)bf16_start((float)offset);
    for (int block = 0; block < conv->group_in; block += BF16_BLOCK) {
        for (int tap = 0; tap < conv->kernel_height * conv->kernel_width; tap++) {
            const int ky = tap / conv->kernel_width, kx = tap % conv->kernel_width;
            const int iy = oy * conv->stride - conv->pad + ky;
            const int ix = ox * conv->stride - conv->pad + kx;
            if (!inside(iy, conv->in.height) || !inside(ix, conv->in.width)) {
                continue;
            }
            const Real *pixel = x + pixel_offset(conv->in, n, iy, ix) + first_channel;
            for (int i = 0; i < BF16_BLOCK; i++) {
                const int c = block + (i ^ 1); // the second one of each pair first
                if (c < conv->group_in) {
                    const double w = (double)weight[weight_offset(conv, o, c, ky, kx)] * factor;
                    sum += (Real)bf16_value((float)pixel[c]) * (Real)bf16_value((float)w);
                }
            }
        }
    }
    return sum;
}

static void conv_forward(const Call *call) {
    Conv conv = conv_of(call);
    const Real *x = call->input[0], *weight = call->param[WEIGHT];
    Real *y = call->output;
    for (int n = 0; n < call->batch; n++) {
        for (int oy = 0; oy < conv.out.height; oy++) {
            for (int ox = 0; ox < conv.out.width; ox++) {
                size_t pixel = pixel_offset(conv.out, n, oy, ox);
                for (int o = 0; o < conv.out.channels; o++) {
                    Real sum = call->node->bf16 ? window_sum_bf16(call, &conv, n, oy, ox, o)
                                                : window_sum(&conv, x, weight, n, oy, ox, o);
                    y[pixel + (size_t)o] = finished(call, sum, o, pixel + (size_t)o);
                }
            }
        }
    }
}

// dweight[o][c][ky][kx] = sum over n, oy, ox of dy[o](oy, ox) * x[c](its pixel under (ky, kx)).
static Real weight_sum(const Call *call, const Conv *conv, int o, int c, int ky, int kx) {
    const Real *x = call->input[0];
    int channel = o / conv->group_out * conv->group_in + c;
    Real sum = 0;
    for (int n = 0; n < call->batch; n++) {
        for (int oy = 0; oy < conv->out.height; oy++) {
            int iy = oy * conv->stride - conv->pad + ky;
            if (!inside(iy, conv->in.height)) {
                continue;
            }
            for (int ox = 0; ox < conv->out.width; ox++) {
                int ix = ox * conv->stride - conv->pad + kx;
                if (inside(ix, conv->in.width)) {
                    size_t i = pixel_offset(conv->out, n, oy, ox) + (size_t)o;
                    sum += output_gradient_at(call, i) *
                           x[pixel_offset(conv->in, n, iy, ix) + (size_t)channel];
                }
            }
        }
    }
    return sum;
}

static void conv_backward_weight(const Call *call, const Conv *conv, Real *gradient) {
    for (int o = 0; o < conv->out.channels; o++) {
        for (int c = 0; c < conv->group_in; c++) {
            for (int ky = 0; ky < conv->kernel_height; ky++) {
                for (int kx = 0; kx < conv->kernel_width; kx++) {
                    gradient[weight_offset(conv, o, c, ky, kx)] =
                        weight_sum(call, conv, o, c, ky, kx);
                }
            }
        }
    }
}

static void conv_backward_bias(const Call *call, const Conv *conv, Real *gradient) {
    for (int o = 0; o < conv->out.channels; o++) {
        Real sum = 0;
        for (int n = 0; n < call->batch; n++) {
            for (int oy = 0; oy < conv->out.height; oy++) {
                for (int ox = 0; ox < conv->out.width; ox++) {
                    sum += output_gradient_at(call, pixel_offset(conv->out, n, oy, ox) + (size_t)o);
                }
            }
        }
        gradient[o] = sum;
    }
}

// dx[c](iy, ix) = sum over the ky, kx, o whose windows cover the pixel of dy[o] * weight.
static Real data_sum(const Call *call, const Conv *conv, int n, int iy, int ix, int channel) {
    const Real *weight = call->param[WEIGHT];
    int first_out = channel / conv->group_in * conv->group_out;
    int c = channel % conv->group_in;
    Real sum = 0;
    for (int ky = 0; ky < conv->kernel_height; ky++) {
        for (int kx = 0; kx < conv->kernel_width; kx++) {
            int sy = iy + conv->pad - ky, sx = ix + conv->pad - kx; // stride * oy, stride * ox
            if (sy % conv->stride != 0 || sx % conv->stride != 0 ||
                !inside(sy, conv->out.height * conv->stride) ||
                !inside(sx, conv->out.width * conv->stride)) {
                continue;
            }
            size_t pixel = pixel_offset(conv->out, n, sy / conv->stride, sx / conv->stride);
            for (int o = first_out; o < first_out + conv->group_out; o++) {
                sum += output_gradient_at(call, pixel + (size_t)o) *
                       weight[weight_offset(conv, o, c, ky, kx)];
            }
        }
    }
    return sum;
}

static void conv_backward_data(const Call *call, const Conv *conv) {
    for (int n = 0; n < call->batch; n++) {
        for (int iy = 0; iy < conv->in.height; iy++) {
            for (int ix = 0; ix < conv->in.width; ix++) {
                size_t pixel = pixel_offset(conv->in, n, iy, ix);
                for (int c = 0; c < conv->in.channels; c++) {
                    put_input_gradient(call, 0, pixel + (size_t)c,
                                       data_sum(call, conv, n, iy, ix, c));
                }
            }
        }
    }
}

// A folded norm exists in inference only. The residual's gradient comes last, because it may take
// the place of the output's.
static void conv_backward(const Call *call) {
    assert(!call->node->folded_norm);
    Conv conv = conv_of(call);
    if (call->param_gradient[WEIGHT] != NULL) {
        conv_backward_weight(call, &conv, call->param_gradient[WEIGHT]);
    }
    if (call->param_gradient[BIAS] != NULL) {
        conv_backward_bias(call, &conv, call->param_gradient[BIAS]);
    }
    if (call->input_gradient[0] != NULL) {
        conv_backward_data(call, &conv);
    }
    size_t elements = (size_t)call->batch * shape_elements(conv.out);
    for (size_t i = 0; call->input_gradient[1] != NULL && i < elements; i++) {
        put_input_gradient(call, 1, i, output_gradient_at(call, i));
    }
}

const ReferenceOp REAL_NAME(reference_conv) = {conv_forward, conv_backward};
