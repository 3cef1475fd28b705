// SPDX-License-Identifier: Apache-2.0
// Batch normalisation (Ioffe and Szegedy 2015), for each channel over the n = batch * height *
// width values:
//
//     training:   mean = sum(x) / n,  variance = sum((x - mean)^2) / n
//     inference:  mean and variance are the running ones
//     y = (x - mean) / sqrt(variance + epsilon) * scale + shift
//     running = (1 - momentum) * running + momentum * batch's, its variance times n / (n - 1)
//
// Backward, with h = (x - mean) / sqrt(variance + epsilon):
//
//     dshift = sum(dy),  dscale = sum(dy * h)
//     dx = scale / sqrt(variance + epsilon) * (dy - dshift / n - h * dscale / n)
//
// Fused: + residual, then relu.
#include <math.h>

#include "backend/reference/ops.h"

enum { SCALE, SHIFT, MEAN, VARIANCE };

typedef struct Moments {
    Real mean, variance;
} Moments;

static Moments batch_moments(const Real *x, size_t rows, size_t channels, size_t c) {
    Real sum = 0;
    for (size_t r = 0; r < rows; r++) {
        sum += x[r * channels + c];
    }
    Real mean = sum / (Real)rows;
    Real squares = 0;
    for (size_t r = 0; r < rows; r++) {
        Real difference = x[r * channels + c] - mean;
        squares += difference * difference;
    }
    return (Moments){mean, squares / (Real)rows};
}

// One value alone has no unbiased variance; its biased one, 0, keeps the running value finite.
static void update_running(const Call *call, Moments moments, size_t rows, size_t c) {
    if (call->norm_momentum == 0) {
        return;
    }
    Real *mean = call->param[MEAN], *variance = call->param[VARIANCE];
    Real momentum = (Real)call->norm_momentum;
    Real unbiased = rows > 1 ? (Real)rows / (Real)(rows - 1) : 1;
    mean[c] = (1 - momentum) * mean[c] + momentum * moments.mean;
    variance[c] = (1 - momentum) * variance[c] + momentum * (moments.variance * unbiased);
}

static void norm_forward(const Call *call) {
    const Node *node = call->node;
    size_t channels = (size_t)node->shape.channels;
    size_t rows = (size_t)call->batch * shape_elements(node->shape) / channels;
    const Real *x = call->input[0], *residual = call->input[1];
    const Real *scale = call->param[SCALE], *shift = call->param[SHIFT];
    Real *y = call->output;
    for (size_t c = 0; c < channels; c++) {
        Moments moments;
        if (call->phase == PHASE_TRAINING) {
            moments = batch_moments(x, rows, channels, c);
            update_running(call, moments, rows, c);
        } else {
            moments.mean = ((const Real *)call->param[MEAN])[c];
            moments.variance = ((const Real *)call->param[VARIANCE])[c];
        }
        Real deviation = (Real)sqrt((double)(moments.variance + (Real)node->norm.epsilon));
        Real inverse = 1 / deviation;
        if (call->phase == PHASE_TRAINING) {
            Real *saved = call->saved;
            saved[c] = moments.mean;
            saved[channels + c] = inverse;
        }
        for (size_t r = 0; r < rows; r++) {
            size_t i = r * channels + c;
            Real value = (x[i] - moments.mean) * (inverse * scale[c]) + shift[c];
            if (residual != NULL) {
                value += residual[i];
            }
            y[i] = node->relu ? rectified(value) : value;
        }
    }
}

static void norm_backward(const Call *call) {
    const Node *node = call->node;
    size_t channels = (size_t)node->shape.channels;
    size_t rows = (size_t)call->batch * shape_elements(node->shape) / channels;
    const Real *x = call->input[0], *scale = call->param[SCALE], *saved = call->saved;
    Real *dscale = call->param_gradient[SCALE], *dshift = call->param_gradient[SHIFT];
    for (size_t c = 0; c < channels; c++) {
        Real mean = saved[c], inverse = saved[channels + c];
        Real sum = 0, product = 0;
        for (size_t r = 0; r < rows; r++) {
            size_t i = r * channels + c;
            Real dy = output_gradient_at(call, i);
            sum += dy;
            product += dy * ((x[i] - mean) * inverse);
        }
        if (dshift != NULL) {
            dshift[c] = sum;
        }
        if (dscale != NULL) {
            dscale[c] = product;
        }
        // Each dy is read before the residual's gradient takes its place.
        for (size_t r = 0; r < rows; r++) {
            size_t i = r * channels + c;
            Real dy = output_gradient_at(call, i), h = (x[i] - mean) * inverse;
            Real dx = scale[c] * inverse * (dy - sum / (Real)rows - h * (product / (Real)rows));
            put_input_gradient(call, 0, i, dx);
            put_input_gradient(call, 1, i, dy);
        }
    }
}

const ReferenceOp REAL_NAME(reference_norm) = {norm_forward, norm_backward};
