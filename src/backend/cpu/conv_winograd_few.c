// SPDX-License-Identifier: Apache-2.0
// Winograd's convolution of one image of few tiles from halved weights: see winograd_kernels.h.
//
//     for each range of units, 16 output channels each (a task)
//         transform the input: [block][point][tile][16]
//         for each unit
//             for each row of points: sums, [point][tile][lane]
//             transform the sums back, add, and write
//
// Prepared: [unit][row of points][channel][3][lane].
#include "backend/cpu/conv_winograd.h"

enum {
    TILES = WINOGRAD_FEW,
    // With fewer weights than these, a core's caches hold them all.
    WEIGHTS_MIN = 256 * 256,
    ENOUGH_TASKS = 16,
    POINT = TILES * CONV_BLOCK,                   // floats
    PLANE = WINOGRAD_POINTS * POINT + CONV_BLOCK, // an odd number of lines
    CHANNEL = WINOGRAD_HALVES / WINOGRAD_SIDE * CONV_BLOCK
};

static int least(int a, int b) { return a < b ? a : b; }

bool winograd_few(const ConvGeometry *g, Phase phase) {
    return phase == PHASE_INFERENCE &&
           winograd_tiles_along(g->height) * winograd_tiles_along(g->width) == TILES &&
           g->channels * g->out_channels >= WEIGHTS_MIN;
}

size_t winograd_few_floats(const ConvGeometry *g) {
    return (size_t)WINOGRAD_HALVES * (size_t)g->channels * (size_t)lanes_of(g->out_channels);
}

// Of a worker: [strip][transformed input][sums].
static size_t worker_floats(const ConvGeometry *g) {
    return (size_t)(WINOGRAD_STRIP_FLOATS + blocks_of(g->channels) * PLANE +
                    WINOGRAD_POINTS * POINT);
}

size_t winograd_few_bytes(const ConvGeometry *g) { return worker_floats(g) * sizeof(float); }

typedef struct Few {
    const ConvGeometry *geometry;
    const Kernels *kernels;
    const Call *call;
    const float *weights;
    WinogradTiles tiles;
    WinogradTarget target;
    int units, tasks;
    bool held[THREADS_MAX]; // whether a worker has transformed the input
} Few;

static ptrdiff_t unit_floats(const ConvGeometry *g) {
    return (ptrdiff_t)WINOGRAD_HALVES * g->channels * CONV_BLOCK;
}

static void run_task(void *context, int task, int worker) {
    Few *few = context;
    const ConvGeometry *g = few->geometry;
    float *strip = (float *)few->call->workspace + (size_t)worker * worker_floats(g);
    float *input = strip + WINOGRAD_STRIP_FLOATS;
    float *sums = input + (ptrdiff_t)blocks_of(g->channels) * PLANE;
    if (!few->held[worker]) {
        winograd_transform(&(WinogradSource){few->kernels, &few->tiles, few->call->input[0],
                                             g->channels, 0, g->channels},
                           false, 0, TILES, strip, POINT, PLANE, input);
        few->held[worker] = true;
    }
    const int end = few->units * (task + 1) / few->tasks;
    for (int unit = few->units * task / few->tasks; unit < end; unit++) {
        const float *weights = few->weights + unit * unit_floats(g);
        for (int y = 0; y < WINOGRAD_SIDE; y++) {
            few->kernels->winograd->few_row(
                &(WinogradFewRow){.input = input + (ptrdiff_t)y * WINOGRAD_SIDE * POINT,
                                  .plane = PLANE,
                                  .depth = g->channels,
                                  .weights = weights + (ptrdiff_t)y * g->channels * CHANNEL,
                                  .sums = sums + (ptrdiff_t)y * WINOGRAD_SIDE * POINT});
        }
        winograd_transform_sums(&few->target, unit * CONV_BLOCK, CONV_BLOCK, 0, TILES, sums, POINT);
    }
}

void winograd_few_run(const ConvGeometry *g, const Call *call, const float *weights,
                      const float *start, const Kernels *kernels) {
    Few few = {.geometry = g,
               .kernels = kernels,
               .call = call,
               .weights = weights,
               .tiles = winograd_tiles(1, g->height, g->width),
               .units = blocks_of(g->out_channels)};
    few.target = (WinogradTarget){.output = kernels->winograd->output,
                                  .tiles = &few.tiles,
                                  .lanes = g->out_channels,
                                  .start = start,
                                  .residual = call->input[1],
                                  .out = call->output,
                                  .relu = call->node->relu,
                                  .scaled = true};
    few.tasks = least(few.units, ENOUGH_TASKS);
    threads_run(call->threads, few.tasks, run_task, &few);
}

typedef struct Packing {
    const ConvGeometry *geometry;
    const Kernels *kernels;
    const float *from; // OIHW
    const double *factor;
    float *to;
} Packing;

static void pack_unit(void *context, int unit, int worker) {
    (void)worker;
    enum { TAPS = 9 };
    const Packing *p = context;
    const ConvGeometry *g = p->geometry;
    const int first = unit * CONV_BLOCK;
    for (int k = 0; k < g->channels; k += CONV_BLOCK) {
        p->kernels->winograd->half_weights(
            &(WinogradWeights){.from = p->from + ((ptrdiff_t)first * g->channels + k) * TAPS,
                               .lane = (ptrdiff_t)g->channels * TAPS,
                               .channel = TAPS,
                               .lanes = least(CONV_BLOCK, g->out_channels - first),
                               .channels = least(CONV_BLOCK, g->channels - k),
                               .factor = p->factor != NULL ? p->factor + first : NULL,
                               .to = p->to + unit * unit_floats(g) + (ptrdiff_t)k * CHANNEL,
                               .point = (ptrdiff_t)g->channels * CHANNEL,
                               .width = CHANNEL});
    }
}

void winograd_few_prepare(const ConvGeometry *g, const Call *call, const double *factor, float *to,
                          const Kernels *kernels) {
    Packing p = {g, kernels, call->param[0], factor, to};
    threads_run(call->threads, blocks_of(g->out_channels), pack_unit, &p);
}
