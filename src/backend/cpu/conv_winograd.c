// SPDX-License-Identifier: Apache-2.0
// The Winograd path: 3x3, stride 1, pad 1, one group. See winograd_kernels.h for the formula.
//
// Prepared: [panel][point][channel][lane], [what is added at the end: bias or folded norm], and in
// training the weights for the input's gradient: that is the same convolution of the output's
// gradient, with the kernel turned by half a turn.
#include <assert.h>

#include "backend/cpu/conv_winograd_pair.h"
#include "backend/cpu/conv_winograd_taps.h"
#include "backend/cpu/conv_winograd_weights.h"

enum {
    // With fewer channels the transforms cost what the products save.
    CHANNELS_MIN = 16,
    // With fewer tiles in an image, weights, four times as many, are read for too few products.
    TILES_MIN = 4
};

static int least(int a, int b) { return a < b ? a : b; }
static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

// ---------------------------------------------------------------- weights

typedef struct Packing {
    const Kernels *kernels;
    const float *from; // OIHW
    const double *factor;
    float *to;
    int depth, lanes;
    bool backward;
} Packing;

static void pack_panel(void *context, int panel, int worker) {
    (void)worker;
    const Packing *p = context;
    const int first = panel * panel_lanes(p->kernels);
    const int width = panel_width(p->kernels, p->lanes, panel);
    // Floats from one weight to that of the next lane and channel.
    const ptrdiff_t lane = p->backward ? WINOGRAD_TAPS : WINOGRAD_TAPS * (ptrdiff_t)p->depth;
    const ptrdiff_t channel = p->backward ? WINOGRAD_TAPS * (ptrdiff_t)p->lanes : WINOGRAD_TAPS;
    WinogradWeights w = {.lane = lane,
                         .channel = channel,
                         .turned = p->backward,
                         .point = (ptrdiff_t)p->depth * width,
                         .width = width};
    for (int k = 0; k < p->depth; k += CONV_BLOCK) {
        w.channels = least(CONV_BLOCK, p->depth - k);
        for (int i = 0; i < width; i += CONV_BLOCK) {
            w.from = p->from + (first + i) * lane + k * channel;
            w.lanes = least(CONV_BLOCK, p->lanes - first - i);
            w.factor = p->factor != NULL ? p->factor + first + i : NULL;
            w.to = p->to + (ptrdiff_t)first * WINOGRAD_POINTS * p->depth + (ptrdiff_t)k * width + i;
            p->kernels->winograd->weights(&w);
        }
    }
}

// ---------------------------------------------------------------- the path

static size_t weight_floats(int depth, int lanes) {
    return (size_t)WINOGRAD_POINTS * (size_t)depth * (size_t)lanes_of(lanes);
}

// Where it measured clearly faster: enough channels and tiles, and at most half of the products of
// the direct sum, 36 a tile for 9 a pixel: images that do not lie badly in tiles, as 5x5 would.
static bool applies(const ConvGeometry *g, Phase phase) {
    (void)phase;
    const int64_t pixels = (int64_t)g->height * g->width;
    const int64_t tiles = (int64_t)winograd_tiles_along(g->height) * winograd_tiles_along(g->width);
    return g->kernel_height == 3 && g->kernel_width == 3 && g->stride == 1 && g->pad == 1 &&
           g->groups == 1 && g->channels >= CHANNELS_MIN && g->out_channels >= CHANNELS_MIN &&
           tiles >= TILES_MIN && 9 * pixels >= 2 * WINOGRAD_POINTS * tiles;
}

static size_t forward_floats(const ConvGeometry *g, Phase phase) {
    return winograd_from_taps(g, phase) ? winograd_taps_floats(g)
                                        : weight_floats(g->channels, g->out_channels);
}

static size_t prepared_size(const ConvGeometry *g, Phase phase) {
    size_t floats = forward_floats(g, phase) + conv_start_floats(g);
    if (phase == PHASE_TRAINING) {
        floats += weight_floats(g->out_channels, g->channels);
    }
    return floats * sizeof(float);
}

static size_t workspace_size(const ConvGeometry *g, Phase phase, int threads) {
    const size_t worker =
        winograd_from_taps(g, phase) ? winograd_taps_bytes(g) : winograd_worker_bytes(g->channels);
    size_t bytes = larger((size_t)threads * worker, conv_fold_bytes(g));
    if (phase == PHASE_TRAINING) {
        bytes = larger(bytes, (size_t)threads * winograd_worker_bytes(g->out_channels));
        bytes = larger(bytes, conv_weights_bytes(g, threads));
        bytes = larger(bytes, winograd_weights_bytes(g, threads));
        bytes = larger(bytes, winograd_pair_bytes(g, threads));
    }
    return bytes;
}

static void prepare(const ConvGeometry *g, const Call *call, const Kernels *kernels) {
    Packing p = {.kernels = kernels,
                 .from = call->param[0],
                 .to = call->prepared,
                 .depth = g->channels,
                 .lanes = g->out_channels};
    float *start = p.to + forward_floats(g, call->phase);
    p.factor = conv_fold(g, call, start);
    if (winograd_from_taps(g, call->phase)) {
        winograd_taps_prepare(g, call, p.factor, p.to);
        return;
    }
    threads_run(call->threads, panel_count(kernels, p.lanes), pack_panel, &p);
    if (call->phase == PHASE_TRAINING) {
        p.to = start + conv_start_floats(g);
        p.depth = g->out_channels;
        p.lanes = g->channels;
        p.backward = true;
        threads_run(call->threads, panel_count(kernels, p.lanes), pack_panel, &p);
    }
}

static Winograd to_output(const ConvGeometry *g, const Call *call, const Kernels *kernels) {
    const float *weights = call->prepared;
    return (Winograd){.kernels = kernels,
                      .batch = g->batch,
                      .height = g->height,
                      .width = g->width,
                      .depth = g->channels,
                      .lanes = g->out_channels,
                      .source = call->input[0],
                      .weights = weights,
                      .start =
                          conv_has_start(call) ? weights + forward_floats(g, call->phase) : NULL,
                      .residual = call->input[1],
                      .out = call->output,
                      .relu = call->node->relu,
                      .workspace = call->workspace};
}

static Winograd to_input(const ConvGeometry *g, const Call *call, const Kernels *kernels) {
    const float *weights = call->prepared;
    return (Winograd){.kernels = kernels,
                      .batch = g->batch,
                      .height = g->height,
                      .width = g->width,
                      .depth = g->out_channels,
                      .lanes = g->channels,
                      .source = call->output_gradient,
                      .weights = weights + weight_floats(g->channels, g->out_channels) +
                                 conv_start_floats(g),
                      .residual = call->accumulate[0] ? call->input_gradient[0] : NULL,
                      .out = call->input_gradient[0],
                      .workspace = call->workspace};
}

static void forward(const ConvGeometry *g, const Call *call, const Kernels *kernels) {
    const Winograd w = to_output(g, call, kernels);
    if (winograd_from_taps(g, call->phase)) {
        winograd_taps_run(g, call, w.weights, w.start, kernels);
    } else {
        winograd_run(&w, call->threads);
    }
}

static void backward(const ConvGeometry *g, const Call *call, const Kernels *kernels) {
    assert(!call->node->relu && !call->node->folded_norm && call->input[1] == NULL);
    if (call->param_gradient[0] != NULL) {
        winograd_weights_run(g, kernels, call->input[0], call->output_gradient,
                             call->param_gradient[0], call->workspace, call->threads);
    }
    if (call->param_gradient[1] != NULL) {
        conv_weights_run(g, kernels, call->input[0], call->output_gradient, NULL,
                         call->param_gradient[1], NULL, call->workspace, call->threads);
    }
    if (call->input_gradient[0] != NULL) {
        const Winograd w = to_input(g, call, kernels);
        winograd_run(&w, call->threads);
    }
}

static bool forward_with(const ConvGeometry *g, const Call *call, const NormRun *norm,
                         const Kernels *kernels) {
    return winograd_pair_forward(to_output(g, call, kernels), g, call, norm);
}

static bool backward_with(const ConvGeometry *g, const Call *call, const NormRun *norm,
                          const Kernels *kernels) {
    return winograd_pair_backward(to_input(g, call, kernels), g, call, norm);
}

const ConvPath conv_winograd = {
    .name = "winograd",
    .applies = applies,
    .prepared_size = prepared_size,
    .workspace_size = workspace_size,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .forward_with = forward_with,
    .backward_with = backward_with,
};
