// SPDX-License-Identifier: Apache-2.0
// Ops that compute each element from the elements at its place:
//
//     relu     y = max(x, 0)                     dx = dy where y > 0, else 0
//     sigmoid  y = 1 / (1 + e^-x)                dx = dy * y * (1 - y)
//     add      y = a + b, fused: relu            da = db = dy
//     gate     y = x * f[channel]                dx = dy * f,  df = sum over pixels of dy * x
//     dropout  y = x / (1 - rate) or 0           dx = dy / (1 - rate) or 0
//
// Output over input[0], and gradient over gradient, is safe: each element is read before it is
// written.
#include "backend/reference/ops.h"
#include "base/elementary.h"
#include "base/random.h"

static size_t call_elements(const Call *call) {
    return (size_t)call->batch * shape_elements(call->node->shape);
}

static void relu_forward(const Call *call) {
    const Real *x = call->input[0];
    Real *y = call->output;
    for (size_t i = 0; i < call_elements(call); i++) {
        y[i] = rectified(x[i]);
    }
}

static void relu_backward(const Call *call) {
    const Real *y = call->output, *dy = call->output_gradient;
    for (size_t i = 0; i < call_elements(call); i++) {
        put_input_gradient(call, 0, i, y[i] > 0 ? dy[i] : 0);
    }
}

const ReferenceOp REAL_NAME(reference_relu) = {relu_forward, relu_backward};

static void sigmoid_forward(const Call *call) {
    const Real *x = call->input[0];
    Real *y = call->output;
    for (size_t i = 0; i < call_elements(call); i++) {
        y[i] = (Real)(1 / (1 + exact_exp(-(double)x[i])));
    }
}

static void sigmoid_backward(const Call *call) {
    const Real *y = call->output, *dy = call->output_gradient;
    for (size_t i = 0; i < call_elements(call); i++) {
        put_input_gradient(call, 0, i, dy[i] * (y[i] * (1 - y[i])));
    }
}

const ReferenceOp REAL_NAME(reference_sigmoid) = {sigmoid_forward, sigmoid_backward};

static void add_forward(const Call *call) {
    const Real *a = call->input[0], *b = call->input[1];
    Real *y = call->output;
    for (size_t i = 0; i < call_elements(call); i++) {
        Real sum = a[i] + b[i];
        y[i] = call->node->relu ? rectified(sum) : sum;
    }
}

static void add_backward(const Call *call) {
    for (size_t i = 0; i < call_elements(call); i++) {
        Real dy = output_gradient_at(call, i);
        put_input_gradient(call, 0, i, dy);
        put_input_gradient(call, 1, i, dy);
    }
}

const ReferenceOp REAL_NAME(reference_add) = {add_forward, add_backward};

static void gate_forward(const Call *call) {
    size_t channels = (size_t)call->node->shape.channels;
    size_t pixels = shape_elements(call->node->shape) / channels;
    const Real *x = call->input[0], *factors = call->input[1];
    Real *y = call->output;
    for (size_t i = 0; i < call_elements(call); i++) {
        size_t sample = i / (pixels * channels);
        y[i] = x[i] * factors[sample * channels + i % channels];
    }
}

static void gate_backward(const Call *call) {
    size_t channels = (size_t)call->node->shape.channels;
    size_t pixels = shape_elements(call->node->shape) / channels;
    const Real *x = call->input[0], *factors = call->input[1], *dy = call->output_gradient;
    for (size_t n = 0; n < (size_t)call->batch; n++) {
        for (size_t c = 0; c < channels; c++) {
            Real sum = 0;
            for (size_t p = 0; p < pixels; p++) {
                size_t i = (n * pixels + p) * channels + c;
                put_input_gradient(call, 0, i, dy[i] * factors[n * channels + c]);
                sum += dy[i] * x[i];
            }
            put_input_gradient(call, 1, n * channels + c, sum);
        }
    }
}

const ReferenceOp REAL_NAME(reference_gate) = {gate_forward, gate_backward};

// The factor of element i: a function of its place in the whole batch, so that shards and the
// backward pass draw the same.
static Real dropout_factor(const Call *call, size_t i) {
    double rate = (double)call->node->dropout.rate;
    uint64_t major = call->iteration << 16 | (uint64_t)call->node_index;
    uint64_t minor = (uint64_t)call->first_sample * shape_elements(call->node->shape) + i;
    bool kept = random_uniform(call->seed, RANDOM_DROPOUT, major, minor) >= rate;
    return kept ? (Real)(1 / (1 - rate)) : 0;
}

static void dropout_forward(const Call *call) {
    const Real *x = call->input[0];
    Real *y = call->output;
    for (size_t i = 0; i < call_elements(call); i++) {
        y[i] = call->phase == PHASE_TRAINING ? x[i] * dropout_factor(call, i) : x[i];
    }
}

static void dropout_backward(const Call *call) {
    const Real *dy = call->output_gradient;
    for (size_t i = 0; i < call_elements(call); i++) {
        put_input_gradient(call, 0, i, dy[i] * dropout_factor(call, i));
    }
}

const ReferenceOp REAL_NAME(reference_dropout) = {dropout_forward, dropout_backward};
