// SPDX-License-Identifier: Apache-2.0
// The path of layers in bf16 (base/bf16.h): the direct sums of conv_direct.c, whose elements are
// pairs of channels. Inputs and outputs are floats; what a strip copies is rounded on the way, once
// for all output channels.
//
// Prepared: [group][panel][block][tap][pair][lane], a pair's two weights in four bytes, with the
// norm's factor in them; then what sums begin with.
#include <assert.h>
#include <string.h>

#include "backend/cpu/conv.h"
#include "backend/fold.h"
#include "base/bf16.h"

static bool applies(const ConvGeometry *g, Phase phase) {
    (void)phase;
    return g->bf16;
}

static int pairs_of(const ConvGeometry *g) { return (g->channels + 1) / 2; }

static size_t weight_pairs(const ConvGeometry *g) {
    return conv_start_floats(g) * (size_t)pairs_of(g) * (size_t)conv_taps(g);
}

static size_t prepared_size(const ConvGeometry *g, Phase phase) {
    (void)phase;
    return weight_pairs(g) * sizeof(uint32_t) + conv_start_floats(g) * sizeof(float);
}

static size_t workspace_size(const ConvGeometry *g, Phase phase, int threads) {
    (void)phase;
    const ConvSweep sweep = conv_sweep_forward(g, NULL);
    const size_t bytes = (size_t)threads * conv_sweep_bytes(g, &sweep);
    return bytes > conv_fold_bytes(g) ? bytes : conv_fold_bytes(g);
}

// The set's kernels, with those on pairs in the place of those on floats.
static Kernels pair_kernels(const Kernels *kernels) {
    Kernels pairs = *kernels;
    pairs.conv = kernels->bf16;
    return pairs;
}

typedef struct Packing {
    const ConvGeometry *g;
    const Kernels *kernels;
    const float *weights;
    const double *factor; // by output channel; NULL for 1
    uint32_t *to;
    int panels;
} Packing;

static uint32_t rounded_weight(const Packing *p, int output, int channel, int tap) {
    const ConvGeometry *g = p->g;
    if (channel >= g->channels) {
        return 0;
    }
    const float weight =
        p->weights[output * g->weight_size + (int64_t)(channel % g->inner) * g->step +
                   channel / g->inner + tap];
    return bf16_round(p->factor != NULL ? (float)((double)weight * p->factor[output]) : weight);
}

static void pack_panel(void *context, int task, int worker) {
    (void)worker;
    const Packing *p = context;
    const ConvGeometry *g = p->g;
    const int group = task / p->panels, panel = task % p->panels;
    const int first = panel * panel_lanes(p->kernels), taps = conv_taps(g), pairs = pairs_of(g);
    const int width = panel_width(p->kernels, g->out_channels, panel);
    const int lanes = width < g->out_channels - first ? width : g->out_channels - first;
    uint32_t *to = p->to + ((ptrdiff_t)group * lanes_of(g->out_channels) + first) * pairs * taps;
    for (int block = 0; block < pairs; block += CONV_BLOCK) {
        const int end = block + CONV_BLOCK < pairs ? block + CONV_BLOCK : pairs;
        for (int tap = 0; tap < taps; tap++) {
            for (int pair = block; pair < end; pair++) {
                for (int i = 0; i < lanes; i++) {
                    const int output = group * g->out_channels + first + i;
                    to[i] = rounded_weight(p, output, 2 * pair, tap) |
                            rounded_weight(p, output, 2 * pair + 1, tap) << 16;
                }
                memset(to + lanes, 0, (size_t)(width - lanes) * sizeof *to);
                to += width;
            }
        }
    }
}

static float *start_of(const ConvGeometry *g, const Call *call) {
    return (float *)call->prepared + weight_pairs(g);
}

static void prepare(const ConvGeometry *g, const Call *call, const Kernels *kernels) {
    const Kernels pairs = pair_kernels(kernels);
    float *start = start_of(g, call);
    Packing p = {.g = g,
                 .kernels = &pairs,
                 .weights = call->param[FOLD_WEIGHT],
                 .factor = conv_fold(g, call, start),
                 .to = call->prepared,
                 .panels = panel_count(&pairs, g->out_channels)};
    for (size_t i = 0; i < conv_start_floats(g); i++) {
        start[i] = bf16_start(start[i]);
    }
    threads_run(call->threads, g->groups * p.panels, pack_panel, &p);
}

static void forward(const ConvGeometry *g, const Call *call, const Kernels *kernels) {
    const Kernels pairs = pair_kernels(kernels);
    ConvSweep sweep = conv_sweep_forward(g, &pairs);
    sweep.source = call->input[0];
    sweep.residual = call->input[1];
    sweep.weights = call->prepared;
    sweep.start = start_of(g, call);
    sweep.out = call->output;
    sweep.relu = call->node->relu;
    conv_sweep_run(&sweep, call->workspace, call->threads);
}

const ConvPath conv_bf16 = {
    .name = "bf16",
    .applies = applies,
    .prepared_size = prepared_size,
    .workspace_size = workspace_size,
    .prepare = prepare,
    .forward = forward,
};
