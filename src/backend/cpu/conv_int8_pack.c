// SPDX-License-Identifier: Apache-2.0
// The parameters of layers on bytes: weights are rounded and packed when the network is made. See
// conv_int8_pack.h.
#include "backend/cpu/conv_int8_pack.h"

#include <assert.h>
#include <string.h>

#include "graph/quantize.h"

enum { DWORD = 4 };

static int dwords_of_pixel(const ConvGeometry *g) { return (g->inner + DWORD - 1) / DWORD; }

// `inner` channels of g lie in one pixel: of a linear layer there are several pixels.
ConvGeometry int8_dwords(const ConvGeometry *g) {
    ConvGeometry dwords = *g;
    dwords.inner = dwords_of_pixel(g);
    dwords.channels = g->channels / g->inner * dwords.inner;
    return conv_joined(&dwords);
}

static size_t lanes_in_all(const ConvGeometry *g) {
    return (size_t)g->groups * (size_t)lanes_of(g->out_channels);
}

static size_t weight_bytes(const ConvGeometry *g) {
    const ConvGeometry dwords = int8_dwords(g);
    return lanes_in_all(g) * (size_t)dwords.channels * (size_t)conv_taps(&dwords) * DWORD;
}

size_t int8_prepared_bytes(const ConvGeometry *g) {
    return weight_bytes(g) + lanes_in_all(g) * 4 * sizeof(float);
}

Int8Prepared int8_prepared(const ConvGeometry *g, void *block) {
    Int8Prepared prepared = {.weights = block};
    prepared.factor = (float *)(void *)((char *)block + weight_bytes(g));
    prepared.start = (int32_t *)(void *)(prepared.factor + lanes_in_all(g));
    prepared.residual = prepared.start + lanes_in_all(g);
    prepared.shift = prepared.residual + lanes_in_all(g);
    return prepared;
}

typedef struct Packing {
    const ConvGeometry *g;
    ConvGeometry dwords;
    const Call *call;
    const Kernels *kernels;
    Int8Prepared to;
    int panels;
} Packing;

Int8Channel int8_round_channel(const ConvGeometry *g, const Call *call, const Kernels *kernels,
                               int o, int8_t *q, int32_t sums[2]) {
    const size_t count = (size_t)g->weight_size;
    const float *weights = (const float *)call->param[FOLD_WEIGHT] + (ptrdiff_t)o * g->weight_size;
    double offset;
    const double factor = fold_channel(call, sizeof(float), o, &offset);
    const float largest = kernels->int8->largest(weights, count);
    Int8Channel channel = int8_channel_scale(call, (double)largest, factor, offset);
    kernels->int8->round_weights(q, weights, channel.inverse, count, sums);
    int8_channel_finish(call, sums[0], sums[1], &channel);
    return channel;
}

// Puts one lane's weights in their places, `width` lanes apart, from `to` on: a dword is four
// channels of a pixel; its column is one of those joined, or the linear layer's pixel.
static void pack_lane(const Packing *p, const int8_t *q, int width, int8_t *to) {
    const ConvGeometry *g = p->g, *dwords = &p->dwords;
    const int taps = conv_taps(dwords), of_pixel = dwords_of_pixel(g);
    for (int block = 0; block < dwords->channels; block += CONV_BLOCK) {
        const int end =
            block + CONV_BLOCK < dwords->channels ? block + CONV_BLOCK : dwords->channels;
        for (int tap = 0; tap < taps; tap++) {
            for (int dword = block; dword < end; dword++) {
                const int8_t *from = q + dword / of_pixel + tap * dwords->tap_step;
                const int first = dword % of_pixel * DWORD;
                int8_t bytes[DWORD] = {0};
                for (int i = 0; i < DWORD && first + i < g->inner; i++) {
                    bytes[i] = from[(ptrdiff_t)(first + i) * g->step];
                }
                memcpy(to, bytes, DWORD);
                to += (ptrdiff_t)width * DWORD;
            }
        }
    }
}

static void prepare_panel(void *context, int task, int worker) {
    (void)worker;
    const Packing *p = context;
    const ConvGeometry *g = p->g;
    const int group = task / p->panels, panel = task % p->panels;
    const int first = panel * int8_panel_lanes(p->kernels);
    const int width = int8_panel_width(p->kernels, g->out_channels, panel);
    const ptrdiff_t lane = (ptrdiff_t)group * lanes_of(g->out_channels) + first;
    const ptrdiff_t depth = (ptrdiff_t)p->dwords.channels * conv_taps(&p->dwords) * DWORD;
    int8_t *to = p->to.weights + lane * depth;
    int8_t q[QUANTIZED_DEPTH_MAX];
    for (int i = 0; i < width; i++) {
        Int8Channel channel = {0};
        memset(q, 0, (size_t)g->weight_size);
        if (first + i < g->out_channels) {
            int32_t sums[2];
            channel = int8_round_channel(g, p->call, p->kernels,
                                         group * g->out_channels + first + i, q, sums);
        }
        pack_lane(p, q, width, to + (ptrdiff_t)i * DWORD);
        p->to.factor[lane + i] = channel.factor;
        p->to.start[lane + i] = channel.start;
        p->to.residual[lane + i] = channel.residual;
        p->to.shift[lane + i] = channel.shift;
    }
}

void int8_prepare(const ConvGeometry *g, const Call *call, void *block, const Kernels *kernels) {
    assert(g->weight_size <= QUANTIZED_DEPTH_MAX);
    Packing p = {.g = g,
                 .dwords = int8_dwords(g),
                 .call = call,
                 .kernels = kernels,
                 .to = int8_prepared(g, block),
                 .panels = int8_panel_count(kernels, g->out_channels)};
    threads_run(call->threads, g->groups * p.panels, prepare_panel, &p);
}

void int8_end_lanes(const Int8Prepared *prepared, ptrdiff_t lane, int lanes, Int8End *end) {
    end->start = prepared->start + lane;
    end->factor = prepared->factor + lane;
    end->residual = prepared->residual + lane;
    // Shifts are nearly always 0, which is faster.
    int32_t any = 0;
    for (int i = 0; i < lanes; i++) {
        any |= prepared->shift[lane + i];
    }
    end->shift = any != 0 ? prepared->shift + lane : NULL;
}
