// SPDX-License-Identifier: Apache-2.0
// The direct path of convolutions: every geometry, each product of the sums taken once.
//
// Prepared: [forward weights][what sums begin with: bias or folded norm][weights for the input's
// gradient, in training].
#include <assert.h>

#include "backend/cpu/conv.h"

static bool applies(const ConvGeometry *g, Phase phase) {
    (void)g;
    (void)phase;
    return true;
}

static size_t prepared_size(const ConvGeometry *g, Phase phase) {
    size_t floats = conv_forward_floats(g) + conv_start_floats(g);
    if (phase == PHASE_TRAINING) {
        floats += conv_backward_floats(g);
    }
    return floats * sizeof(float);
}

static size_t workspace_size(const ConvGeometry *g, Phase phase, int threads) {
    const ConvGeometry joined = conv_joined(g);
    const ConvSweep forward = conv_sweep_forward(&joined, NULL);
    size_t bytes = (size_t)threads * conv_sweep_bytes(&joined, &forward);
    const size_t fold = conv_fold_bytes(g);
    bytes = bytes > fold ? bytes : fold;
    if (phase == PHASE_TRAINING) {
        const ConvSweep backward = conv_sweep_backward(g, NULL);
        const size_t data = (size_t)threads * conv_sweep_bytes(g, &backward);
        const size_t weights = conv_weights_bytes(&joined, threads);
        bytes = bytes > data ? bytes : data;
        bytes = bytes > weights ? bytes : weights;
    }
    return bytes;
}

static void prepare(const ConvGeometry *g, const Call *call, const Kernels *kernels) {
    float *weights = call->prepared;
    float *start = weights + conv_forward_floats(g);
    const double *factor = conv_fold(g, call, start);
    const ConvGeometry joined = conv_joined(g);
    conv_pack_forward(&joined, call->param[0], factor, weights, kernels, call->threads);
    if (call->phase == PHASE_TRAINING) {
        conv_pack_backward(g, call->param[0], start + conv_start_floats(g), kernels, call->threads);
    }
}

static void forward(const ConvGeometry *g, const Call *call, const Kernels *kernels) {
    const Node *node = call->node;
    const ConvGeometry joined = conv_joined(g);
    ConvSweep sweep = conv_sweep_forward(&joined, kernels);
    sweep.source = call->input[0];
    sweep.residual = call->input[1];
    sweep.weights = call->prepared;
    sweep.start =
        conv_has_start(call) ? (const float *)call->prepared + conv_forward_floats(g) : NULL;
    sweep.out = call->output;
    sweep.relu = node->relu;
    conv_sweep_run(&sweep, call->workspace, call->threads);
}

static void backward(const ConvGeometry *g, const Call *call, const Kernels *kernels) {
    assert(!call->node->relu && !call->node->folded_norm && call->input[1] == NULL);
    ConvSweep sweep = conv_sweep_backward(g, kernels);
    sweep.source = call->output_gradient;
    sweep.weights = (const float *)call->prepared + conv_forward_floats(g) + conv_start_floats(g);
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
