// SPDX-License-Identifier: Apache-2.0
// Ops that mix or move channels of a pixel:
//
//     concat        y = [x0, x1, …]
//     pad_shortcut  y = every stride-th pixel, with zero channels, half of them on each side
//                   (option A, paper §3.3; of an odd number the smaller half comes first)
//     lrn           y[c] = x[c] / d[c]^beta,  d[c] = k + alpha/size * sum of x[j]^2 over the `size`
//                   channels j = c - size/2 … that exist (PyTorch's LocalResponseNorm)
#include "backend/reference/ops.h"
#include "base/elementary.h"

static void concat_forward(const Call *call) {
    size_t channels = (size_t)call->node->shape.channels;
    size_t rows = (size_t)call->batch * shape_elements(call->node->shape) / channels;
    size_t first = 0;
    for (int k = 0; k < NODE_INPUTS && call->node->input[k] != NODE_NONE; k++) {
        size_t part = (size_t)call->input_shape[k].channels;
        for (size_t i = 0; i < rows * part; i++) {
            ((Real *)call->output)[i / part * channels + first + i % part] =
                ((const Real *)call->input[k])[i];
        }
        first += part;
    }
}

static void concat_backward(const Call *call) {
    size_t channels = (size_t)call->node->shape.channels;
    size_t rows = (size_t)call->batch * shape_elements(call->node->shape) / channels;
    const Real *dy = call->output_gradient;
    size_t first = 0;
    for (int k = 0; k < NODE_INPUTS && call->node->input[k] != NODE_NONE; k++) {
        size_t part = (size_t)call->input_shape[k].channels;
        for (size_t i = 0; i < rows * part; i++) {
            put_input_gradient(call, k, i, dy[i / part * channels + first + i % part]);
        }
        first += part;
    }
}

const ReferenceOp REAL_NAME(reference_concat) = {concat_forward, concat_backward};

static void pad_shortcut_forward(const Call *call) {
    Shape in = call->input_shape[0], out = call->node->shape;
    int stride = call->node->pad_shortcut.stride, first = (out.channels - in.channels) / 2;
    for (int n = 0; n < call->batch; n++) {
        for (int oy = 0; oy < out.height; oy++) {
            for (int ox = 0; ox < out.width; ox++) {
                const Real *x =
                    (const Real *)call->input[0] + pixel_offset(in, n, oy * stride, ox * stride);
                Real *y = (Real *)call->output + pixel_offset(out, n, oy, ox);
                for (int c = 0; c < out.channels; c++) {
                    bool carried = c >= first && c < first + in.channels;
                    y[c] = carried ? x[c - first] : 0;
                }
            }
        }
    }
}

static void pad_shortcut_backward(const Call *call) {
    Shape in = call->input_shape[0], out = call->node->shape;
    int stride = call->node->pad_shortcut.stride, first = (out.channels - in.channels) / 2;
    const Real *dy = call->output_gradient;
    for (int n = 0; n < call->batch; n++) {
        for (int iy = 0; iy < in.height; iy++) {
            for (int ix = 0; ix < in.width; ix++) {
                bool taken = iy % stride == 0 && ix % stride == 0;
                size_t from = taken ? pixel_offset(out, n, iy / stride, ix / stride) : 0;
                for (int c = 0; c < in.channels; c++) {
                    put_input_gradient(call, 0, pixel_offset(in, n, iy, ix) + (size_t)c,
                                       taken ? dy[from + (size_t)(first + c)] : 0);
                }
            }
        }
    }
}

const ReferenceOp REAL_NAME(reference_pad_shortcut) = {pad_shortcut_forward, pad_shortcut_backward};

// d[c] of the pixel at x.
static Real lrn_base(const LrnAttr *lrn, const Real *x, int channels, int c) {
    Real sum = 0;
    for (int j = c - lrn->size / 2; j < c - lrn->size / 2 + lrn->size; j++) {
        if (j >= 0 && j < channels) {
            sum += x[j] * x[j];
        }
    }
    return (Real)lrn->k + (Real)lrn->alpha / (Real)lrn->size * sum;
}

static void lrn_forward(const Call *call) {
    const LrnAttr *lrn = &call->node->lrn;
    int channels = call->node->shape.channels;
    size_t rows = (size_t)call->batch * shape_elements(call->node->shape) / (size_t)channels;
    for (size_t r = 0; r < rows; r++) {
        const Real *x = (const Real *)call->input[0] + r * (size_t)channels;
        Real *y = (Real *)call->output + r * (size_t)channels;
        for (int c = 0; c < channels; c++) {
            double base = (double)lrn_base(lrn, x, channels, c);
            y[c] = x[c] * (Real)exact_pow(base, -(double)lrn->beta);
        }
    }
}

// dx[c] = dy[c] * d[c]^-beta - 2*beta*alpha/size * x[c] * sum of dy[j] * x[j] * d[j]^(-beta-1)
// over the channels j whose windows hold c.
static void lrn_backward(const Call *call) {
    const LrnAttr *lrn = &call->node->lrn;
    int channels = call->node->shape.channels;
    size_t rows = (size_t)call->batch * shape_elements(call->node->shape) / (size_t)channels;
    double beta = (double)lrn->beta;
    Real factor = 2 * (Real)lrn->beta * (Real)lrn->alpha / (Real)lrn->size;
    for (size_t r = 0; r < rows; r++) {
        const Real *x = (const Real *)call->input[0] + r * (size_t)channels;
        const Real *dy = (const Real *)call->output_gradient + r * (size_t)channels;
        for (int c = 0; c < channels; c++) {
            Real sum = 0;
            for (int j = c + lrn->size / 2 - lrn->size + 1; j <= c + lrn->size / 2; j++) {
                if (j >= 0 && j < channels) {
                    double base = (double)lrn_base(lrn, x, channels, j);
                    sum += dy[j] * x[j] * (Real)exact_pow(base, -beta - 1);
                }
            }
            double base = (double)lrn_base(lrn, x, channels, c);
            Real dx = dy[c] * (Real)exact_pow(base, -beta) - factor * x[c] * sum;
            put_input_gradient(call, 0, r * (size_t)channels + (size_t)c, dx);
        }
    }
}

const ReferenceOp REAL_NAME(reference_lrn) = {lrn_forward, lrn_backward};
