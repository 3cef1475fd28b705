// SPDX-License-Identifier: Apache-2.0
// The direct path of convolutions: every geometry, each product of the sums taken once.
//
// Prepared: [forward weights][what sums begin with: bias or folded norm][weights for the input's
// gradient, in training].
#include <assert.h>
#include <math.h>
#include <string.h>

#include "backend/cpu/conv.h"

enum { SCALE = 2, SHIFT = 3, MEAN = 4, VARIANCE = 5 }; // a folded norm among the node's parameters

static size_t start_floats(const ConvGeometry *g) {
    return (size_t)g->groups * (size_t)lanes_of(g->out_channels);
}

static bool applies(const ConvGeometry *g, Phase phase) {
    (void)g;
    (void)phase;
    return true;
}

static size_t prepared_size(const ConvGeometry *g, Phase phase) {
    size_t floats = conv_forward_floats(g) + start_floats(g);
    if (phase == PHASE_TRAINING) {
        floats += conv_backward_floats(g);
    }
    return floats * sizeof(float);
}

static size_t workspace_size(const ConvGeometry *g, Phase phase, int threads) {
    const ConvGeometry joined = conv_joined(g);
    const ConvSweep forward = conv_sweep_forward(&joined, NULL);
    size_t bytes = (size_t)threads * conv_sweep_bytes(&joined, &forward);
    const size_t factors = (size_t)g->groups * (size_t)g->out_channels * sizeof(double);
    bytes = bytes > factors ? bytes : factors;
    if (phase == PHASE_TRAINING) {
        const ConvSweep backward = conv_sweep_backward(g, NULL);
        const size_t data = (size_t)threads * conv_sweep_bytes(g, &backward);
        const size_t weights = conv_weights_bytes(&joined, threads);
        bytes = bytes > data ? bytes : data;
        bytes = bytes > weights ? bytes : weights;
    }
    return bytes;
}

// norm(conv(x) + bias) = factor * conv(x) + ((bias - mean) * factor + shift), with
// factor = scale / sqrt(variance + epsilon); in double, rounded once.
static void prepare(const ConvGeometry *g, const Call *call, const Kernels *kernels) {
    const int channels = g->groups * g->out_channels;
    float *weights = call->prepared;
    float *start = weights + conv_forward_floats(g);
    const float *bias = call->param[1];
    double *factor = NULL;
    if (call->node->folded_norm) {
        const float *scale = call->param[SCALE], *variance = call->param[VARIANCE];
        factor = call->workspace;
        for (int n = 0; n < channels; n++) {
            factor[n] = scale[n] / sqrt((double)variance[n] + (double)call->node->folded_epsilon);
        }
    }
    memset(start, 0, start_floats(g) * sizeof(float));
    for (int n = 0; n < channels; n++) {
        double value = bias != NULL ? bias[n] : 0.0;
        if (factor != NULL) {
            const float *shift = call->param[SHIFT], *mean = call->param[MEAN];
            value = (value - mean[n]) * factor[n] + shift[n];
        }
        start[n / g->out_channels * lanes_of(g->out_channels) + n % g->out_channels] = (float)value;
    }
    const ConvGeometry joined = conv_joined(g);
    conv_pack_forward(&joined, call->param[0], factor, weights, kernels, call->threads);
    if (call->phase == PHASE_TRAINING) {
        conv_pack_backward(g, call->param[0], start + start_floats(g), kernels, call->threads);
    }
}

static void forward(const ConvGeometry *g, const Call *call, const Kernels *kernels) {
    const Node *node = call->node;
    const ConvGeometry joined = conv_joined(g);
    ConvSweep sweep = conv_sweep_forward(&joined, kernels);
    sweep.source = call->input[0];
    sweep.residual = call->input[1];
    sweep.weights = call->prepared;
    sweep.start = node->folded_norm || call->param[1] != NULL
                      ? (const float *)call->prepared + conv_forward_floats(g)
                      : NULL;
    sweep.out = call->output;
    sweep.relu = node->relu;
    conv_sweep_run(&sweep, call->workspace, call->threads);
}

static void backward(const ConvGeometry *g, const Call *call, const Kernels *kernels) {
    assert(!call->node->relu && !call->node->folded_norm && call->input[1] == NULL);
    ConvSweep sweep = conv_sweep_backward(g, kernels);
    sweep.source = call->output_gradient;
    sweep.weights = (const float *)call->prepared + conv_forward_floats(g) + start_floats(g);
    sweep.out = call->input_gradient[0];
    sweep.resume = call->accumulate[0];
    bool swept = sweep.out == NULL;
    if (call->param_gradient[0] != NULL || call->param_gradient[1] != NULL) {
        const ConvGeometry joined = conv_joined(g);
        swept |= conv_weights_run(&joined, kernels, call->input[0], call->output_gradient,
                                  call->param_gradient[0], call->param_gradient[1],
                                  swept || joined.joined > 1 ? NULL : &sweep, call->workspace,
                                  call->threads);
    }
    if (!swept) {
        conv_sweep_run(&sweep, call->workspace, call->threads);
    }
}

const ConvPath conv_direct = {
    .name = "direct",
    .applies = applies,
    .prepared_size = prepared_size,
    .workspace_size = workspace_size,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
};
