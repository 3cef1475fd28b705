// SPDX-License-Identifier: Apache-2.0
// Fully connected layer: y[o] = bias[o] + sum over i of weight[o][i] * x[i].
//
// A checkpoint numbers the inputs i in the order (channel, row, column), while activations lie as
// (row, column, channel); hence weight_offset().
#include "backend/reference/ops.h"
#include "base/bf16.h"

enum { WEIGHT, BIAS };

// Where the weight from input element `element` (row, column, channel) to output `o` lies.
static size_t weight_offset(Shape in, int o, size_t element) {
    size_t channels = (size_t)in.channels;
    size_t pixels = (size_t)in.height * (size_t)in.width;
    size_t channel = element % channels, pixel = element / channels;
    return ((size_t)o * channels + channel) * pixels + pixel;
}

// One output in bf16 (base/bf16.h).
static Real sum_bf16(const Call *call, const Real *x, int o) {
    const Shape in = call->input_shape[0];
    const size_t inputs = shape_elements(in);
    const Real *weight = call->param[WEIGHT], *bias = call->param[BIAS];
    Real sum = bias != NULL ? (Real)bf16_start((float)bias[o]) : 0;
    for (size_t k = 0; k < inputs + inputs % 2; k++) {
        const size_t i = k ^ 1; // the second one of each pair first
        if (i < inputs) {
            const Real w = weight[weight_offset(in, o, i)];
            sum += (Real)bf16_value((float)x[i]) * (Real)bf16_value((float)w);
        }
    }
    return sum;
}

static void linear_forward(const Call *call) {
    Shape in = call->input_shape[0];
    size_t inputs = shape_elements(in);
    int outputs = call->node->shape.channels;
    const Real *weight = call->param[WEIGHT], *bias = call->param[BIAS];
    for (int n = 0; n < call->batch; n++) {
        const Real *x = (const Real *)call->input[0] + (size_t)n * inputs;
        Real *y = (Real *)call->output + (size_t)n * (size_t)outputs;
        for (int o = 0; o < outputs; o++) {
            if (call->node->bf16) {
                y[o] = sum_bf16(call, x, o);
                continue;
            }
            Real sum = 0;
            for (size_t i = 0; i < inputs; i++) {
                sum += x[i] * weight[weight_offset(in, o, i)];
            }
            y[o] = bias != NULL ? sum + bias[o] : sum;
        }
    }
}

static void linear_backward(const Call *call) {
    Shape in = call->input_shape[0];
    size_t inputs = shape_elements(in);
    size_t outputs = (size_t)call->node->shape.channels;
    const Real *x = call->input[0], *weight = call->param[WEIGHT], *dy = call->output_gradient;
    Real *dweight = call->param_gradient[WEIGHT], *dbias = call->param_gradient[BIAS];
    for (size_t o = 0; dweight != NULL && o < outputs; o++) {
        for (size_t i = 0; i < inputs; i++) {
            Real sum = 0;
            for (size_t n = 0; n < (size_t)call->batch; n++) {
                sum += dy[n * outputs + o] * x[n * inputs + i];
            }
            dweight[weight_offset(in, (int)o, i)] = sum;
        }
    }
    for (size_t o = 0; dbias != NULL && o < outputs; o++) {
        Real sum = 0;
        for (size_t n = 0; n < (size_t)call->batch; n++) {
            sum += dy[n * outputs + o];
        }
        dbias[o] = sum;
    }
    for (size_t n = 0; call->input_gradient[0] != NULL && n < (size_t)call->batch; n++) {
        for (size_t i = 0; i < inputs; i++) {
            Real sum = 0;
            for (size_t o = 0; o < outputs; o++) {
                sum += dy[n * outputs + o] * weight[weight_offset(in, (int)o, i)];
            }
            put_input_gradient(call, 0, n * inputs + i, sum);
        }
    }
}

const ReferenceOp REAL_NAME(reference_linear) = {linear_forward, linear_backward};
