// SPDX-License-Identifier: Apache-2.0
// Weights in the order in which tiles read them, one after the other, and what sums begin with:
// see conv.h.
#include <string.h>

#include "backend/cpu/conv.h"
#include "backend/fold.h"

// One (panel, block): [tap][channel][lane] from weights that are w[lane offset + channel offset +
// tap]. Backward to the input lanes and channels change places.
typedef struct PackedBlock {
    int lanes, width; // lanes that exist, and with padding
    int depth;        // channels
    int64_t lane_offset[CONV_PANEL_MAX], channel_offset[CONV_BLOCK];
} PackedBlock;

static int64_t input_offset(const ConvGeometry *g, int channel) {
    return (int64_t)(channel % g->inner) * g->step + channel / g->inner;
}

static int64_t output_offset(const ConvGeometry *g, int group, int channel) {
    return ((int64_t)group * g->out_channels + channel) * g->weight_size;
}

static PackedBlock packed_block(const ConvGeometry *g, bool backward, int group, int first_lane,
                                int width, int block) {
    const int lanes = backward ? g->channels : g->out_channels;
    const int depth = backward ? g->out_channels : g->channels, first = block * CONV_BLOCK;
    PackedBlock b = {.width = width};
    b.lanes = lanes - first_lane < width ? lanes - first_lane : width;
    b.depth = depth - first < CONV_BLOCK ? depth - first : CONV_BLOCK;
    for (int i = 0; i < b.lanes; i++) {
        b.lane_offset[i] =
            backward ? input_offset(g, first_lane + i) : output_offset(g, group, first_lane + i);
    }
    for (int k = 0; k < b.depth; k++) {
        b.channel_offset[k] =
            backward ? output_offset(g, group, first + k) : input_offset(g, first + k);
    }
    return b;
}

// `tap`: the tap's offset in the weights.
static void pack_tap(const PackedBlock *b, const float *weights, int tap, const double *factor,
                     float *to) {
    for (int k = 0; k < b->depth; k++) {
        const float *from = weights + b->channel_offset[k] + tap;
        for (int i = 0; i < b->lanes; i++) {
            const float weight = from[b->lane_offset[i]];
            to[i] = factor != NULL ? (float)(weight * factor[i]) : weight;
        }
        memset(to + b->lanes, 0, (size_t)(b->width - b->lanes) * sizeof(float));
        to += b->width;
    }
}

size_t conv_forward_floats(const ConvGeometry *g) {
    return (size_t)g->groups * (size_t)lanes_of(g->out_channels) * (size_t)g->channels *
           (size_t)conv_taps(g);
}

size_t conv_backward_floats(const ConvGeometry *g) {
    return (size_t)g->groups * (size_t)lanes_of(g->channels) * (size_t)g->out_channels *
           (size_t)conv_taps(g);
}

typedef struct Packing {
    const ConvGeometry *g;
    const Kernels *kernels;
    const float *weights;
    const double *factor;
    float *to;
    int panels;
} Packing;

static void pack_forward_panel(void *context, int task, int worker) {
    (void)worker;
    const Packing *p = context;
    const ConvGeometry *g = p->g;
    const int group = task / p->panels, panel = task % p->panels, taps = conv_taps(g);
    const int first = panel * panel_lanes(p->kernels);
    const int width = panel_width(p->kernels, g->out_channels, panel);
    const double *factor =
        p->factor != NULL ? p->factor + (ptrdiff_t)group * g->out_channels + first : NULL;
    float *to = p->to + ((ptrdiff_t)group * lanes_of(g->out_channels) + first) * g->channels * taps;
    for (int block = 0; block < blocks_of(g->channels); block++) {
        const PackedBlock b = packed_block(g, false, group, first, width, block);
        for (int tap = 0; tap < taps; tap++) {
            pack_tap(&b, p->weights, tap * g->tap_step, factor, to);
            to += b.depth * width;
        }
    }
}

void conv_pack_forward(const ConvGeometry *g, const float *weights, const double *factor, float *to,
                       const Kernels *kernels, Threads *threads) {
    Packing p = {g, kernels, weights, factor, to, panel_count(kernels, g->out_channels)};
    threads_run(threads, g->groups * p.panels, pack_forward_panel, &p);
}

static void pack_backward_panel(void *context, int task, int worker) {
    (void)worker;
    const Packing *p = context;
    const ConvGeometry *g = p->g;
    const int group = task / p->panels, panel = task % p->panels;
    const int first = panel * panel_lanes(p->kernels), lanes = lanes_of(g->channels);
    const int width = panel_width(p->kernels, g->channels, panel);
    float *phase_to = p->to + (ptrdiff_t)group * lanes * g->out_channels * conv_taps(g);
    for (int phase = 0; phase < g->stride * g->stride; phase++) {
        const ConvAxis y = conv_axis(g, true, g->kernel_height, phase / g->stride);
        const ConvAxis x = conv_axis(g, true, g->kernel_width, phase % g->stride);
        const ptrdiff_t depth = (ptrdiff_t)y.count * x.count * g->out_channels;
        float *to = phase_to + first * depth;
        for (int block = 0; block < blocks_of(g->out_channels); block++) {
            const PackedBlock b = packed_block(g, true, group, first, width, block);
            for (int i = 0; i < y.count; i++) {
                for (int j = 0; j < x.count; j++) {
                    const int tap = (y.first + i * y.step) * g->kernel_width + x.first + j * x.step;
                    pack_tap(&b, p->weights, tap * g->tap_step, NULL, to);
                    to += b.depth * width;
                }
            }
        }
        phase_to += lanes * depth;
    }
}

void conv_pack_backward(const ConvGeometry *g, const float *weights, float *to,
                        const Kernels *kernels, Threads *threads) {
    Packing p = {g, kernels, weights, NULL, to, panel_count(kernels, g->channels)};
    threads_run(threads, g->groups * p.panels, pack_backward_panel, &p);
}

void conv_unpack(const ConvGeometry *g, const float *from, int group, int panel, int block,
                 float *weights, const Kernels *kernels) {
    const int width = panel_width(kernels, g->out_channels, panel);
    const PackedBlock b = packed_block(g, false, group, panel * panel_lanes(kernels), width, block);
    const int taps = conv_taps(g);
    for (int i = 0; i < b.lanes; i++) {
        for (int k = 0; k < b.depth; k++) {
            float *to = weights + b.lane_offset[i] + b.channel_offset[k];
            for (int tap = 0; tap < taps; tap++) {
                to[tap * g->tap_step] = from[((ptrdiff_t)tap * b.depth + k) * width + i];
            }
        }
    }
}

size_t conv_start_floats(const ConvGeometry *g) {
    return (size_t)g->groups * (size_t)lanes_of(g->out_channels);
}

size_t conv_fold_bytes(const ConvGeometry *g) {
    return (size_t)g->groups * (size_t)g->out_channels * sizeof(double);
}

bool conv_has_start(const Call *call) {
    return call->node->folded_norm || call->param[FOLD_BIAS] != NULL;
}

const double *conv_fold(const ConvGeometry *g, const Call *call, float *start) {
    double *factors = call->node->folded_norm ? call->workspace : NULL;
    memset(start, 0, conv_start_floats(g) * sizeof(float));
    for (int n = 0; n < g->groups * g->out_channels; n++) {
        double offset;
        const double factor = fold_channel(call, sizeof(float), n, &offset);
        if (factors != NULL) {
            factors[n] = factor;
        }
        start[n / g->out_channels * lanes_of(g->out_channels) + n % g->out_channels] =
            (float)offset;
    }
    return factors;
}
