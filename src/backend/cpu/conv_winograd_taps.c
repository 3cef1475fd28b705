// SPDX-License-Identifier: Apache-2.0
// Winograd's convolution at inference where weights are many: from their nine taps, which are a
// quarter of the 36 numbers to be read from memory. See winograd_kernels.h.
//
//     for each block of tiles, and each range of units, 16 output channels each (a task)
//         transform the input: [block of channels][point][slot][16]
//         for each unit
//             for each group of input channels, for each row of points
//                 sums += tiles * weights, made of the group's taps
//             transform the sums back, add, and write
//
// The next group's taps are fetched a few lines at a time meanwhile, evenly: memory that is asked
// for all at once is waited for.
//
// Prepared: [unit][channel][tap][lane].
#include <string.h>

#include "backend/cpu/conv_winograd_taps.h"
#include "backend/cpu/conv_winograd_tiles.h"

enum {
    TAPS = WINOGRAD_TAPS,
    UNIT = CONV_BLOCK,
    CHANNEL = TAPS * UNIT, // floats
    // With fewer weights than these, a core's caches hold all 36 of each.
    WEIGHTS_MIN = 256 * 256,
    // Tiles in a block: so many that making their weights costs little, and so few that a block,
    // with taps now and next, stays about in the second cache.
    TILES_DEEP = 16,
    TILES_MAX = WINOGRAD_BLOCK_MAX,
    DEEP = 256, // channels
    // Channels whose taps are read once for all rows of points, and stay in the first cache: 18 KB.
    GROUP = 32,
    ENOUGH_TASKS = 16
};

static int least(int a, int b) { return a < b ? a : b; }
static int ceil_divide(int a, int b) { return (a + b - 1) / b; }

bool winograd_from_taps(const ConvGeometry *g, Phase phase) {
    return phase == PHASE_INFERENCE && g->channels * g->out_channels >= WEIGHTS_MIN;
}

size_t winograd_taps_floats(const ConvGeometry *g) {
    return (size_t)TAPS * (size_t)g->channels * (size_t)lanes_of(g->out_channels);
}

// Of a worker's workspace, in floats: [strip][transformed input][sums].
typedef struct Layout {
    int tiles;              // of a block, in whole quads
    ptrdiff_t point, plane; // of the input and the sums
    ptrdiff_t sums, worker;
} Layout;

static int most_tiles(const ConvGeometry *g) { return g->channels > DEEP ? TILES_DEEP : TILES_MAX; }

static Layout find_layout(const ConvGeometry *g, int tiles) {
    Layout l = {.tiles = ceil_divide(tiles, WINOGRAD_QUAD) * WINOGRAD_QUAD};
    l.point = (ptrdiff_t)l.tiles * CONV_BLOCK;
    l.plane = winograd_odd_lines(WINOGRAD_POINTS * l.point);
    l.sums = WINOGRAD_STRIP_FLOATS + blocks_of(g->channels) * l.plane;
    l.worker = l.sums + WINOGRAD_POINTS * l.point;
    return l;
}

size_t winograd_taps_bytes(const ConvGeometry *g) {
    // Not by the batch, which may be smaller than planned.
    return (size_t)find_layout(g, most_tiles(g)).worker * sizeof(float);
}

typedef struct Run {
    const ConvGeometry *geometry;
    const Kernels *kernels;
    const float *source, *taps;
    float *workspace;
    WinogradTiles tiles;
    WinogradTarget target;
    Layout layout;
    int units, blocks, splits;
    int held[THREADS_MAX]; // the block that each worker has transformed; -1 for none
} Run;

static void run_unit(const Run *run, int unit, int t0, int t1, const WinogradOrder *order,
                     float *worker) {
    const Layout *l = &run->layout;
    const int depth = run->geometry->channels;
    const float *taps = run->taps + (ptrdiff_t)unit * depth * CHANNEL;
    const float *input = worker + WINOGRAD_STRIP_FLOATS;
    float *sums = worker + l->sums;
    for (int k = 0; k < depth; k += GROUP) {
        const int channels = least(GROUP, depth - k);
        const float *next = taps + (ptrdiff_t)channels * CHANNEL;
        for (int y = 0; y < WINOGRAD_SIDE; y++) {
            run->kernels->winograd->taps_row(&(WinogradTapsRow){
                .taps = taps,
                .input = input + y * WINOGRAD_SIDE * l->point,
                .row = y,
                .channels = channels,
                .tiles = winograd_range(order, y, 0),
                .last = winograd_range(order, y, WINOGRAD_SIDE - 1),
                .plane = l->plane,
                .point = l->point,
                .sums = sums + y * WINOGRAD_SIDE * l->point,
                .resume = k > 0,
                .fetch = next + (ptrdiff_t)channels * y * (CHANNEL / WINOGRAD_SIDE)});
        }
        taps = next;
        input += GROUP / CONV_BLOCK * l->plane;
    }
    winograd_transform_sums(&run->target, unit * UNIT, UNIT, t0, t1, order, sums, l->point);
}

static void run_task(void *context, int task, int worker) {
    Run *run = context;
    const ConvGeometry *g = run->geometry;
    const Layout *l = &run->layout;
    const int block = task / run->splits, split = task % run->splits;
    const int t0 = (int)((int64_t)run->tiles.count * block / run->blocks);
    const int t1 = (int)((int64_t)run->tiles.count * (block + 1) / run->blocks);
    const WinogradOrder order = winograd_order(&run->tiles, t0, t1);
    float *strip = run->workspace + worker * l->worker;
    if (run->held[worker] != block) {
        const WinogradSource source = {run->kernels, &run->tiles, run->source,
                                       g->channels,  0,           g->channels};
        winograd_transform(&source, false, t0, t1, &order, strip, l->point, l->plane,
                           strip + WINOGRAD_STRIP_FLOATS);
        run->held[worker] = block;
    }
    const int end = run->units * (split + 1) / run->splits;
    for (int unit = run->units * split / run->splits; unit < end; unit++) {
        run_unit(run, unit, t0, t1, &order, strip);
    }
}

void winograd_taps_run(const ConvGeometry *g, const Call *call, const float *taps,
                       const float *start, const Kernels *kernels) {
    Run run = {.geometry = g,
               .kernels = kernels,
               .source = call->input[0],
               .taps = taps,
               .workspace = call->workspace,
               .tiles = winograd_even_tiles(g->batch, g->height, g->width),
               .units = blocks_of(g->out_channels)};
    run.target = (WinogradTarget){.output = kernels->winograd->output,
                                  .tiles = &run.tiles,
                                  .lanes = g->out_channels,
                                  .start = start,
                                  .residual = call->input[1],
                                  .out = call->output,
                                  .relu = call->node->relu,
                                  .scaled = true};
    run.layout = find_layout(g, least(most_tiles(g), run.tiles.count));
    run.blocks = ceil_divide(run.tiles.count, run.layout.tiles);
    run.splits = least(run.units, ceil_divide(ENOUGH_TASKS, run.blocks));
    for (int i = 0; i < threads_count(call->threads); i++) {
        run.held[i] = -1;
    }
    threads_run(call->threads, run.blocks * run.splits, run_task, &run);
}

// ---------------------------------------------------------------- weights

typedef struct Packing {
    const ConvGeometry *geometry;
    const float *from; // OIHW
    const double *factor;
    float *to;
} Packing;

// Lanes that do not exist are zeros. A few taps of all lanes at a time: lanes lie far apart.
static void pack_unit(void *context, int unit, int worker) {
    (void)worker;
    enum { AT_ONCE = 16 };
    const Packing *p = context;
    const ConvGeometry *g = p->geometry;
    const int first = unit * UNIT, lanes = least(UNIT, g->out_channels - first);
    const ptrdiff_t lane = (ptrdiff_t)g->channels * TAPS;
    float *to = p->to + first * lane;
    if (lanes < UNIT) {
        memset(to, 0, (size_t)lane * UNIT * sizeof(float));
    }
    for (ptrdiff_t begin = 0; begin < lane; begin += AT_ONCE) {
        const ptrdiff_t end = begin + AT_ONCE < lane ? begin + AT_ONCE : lane;
        for (int i = 0; i < lanes; i++) {
            const float *from = p->from + (first + i) * lane;
            const double factor = p->factor != NULL ? p->factor[first + i] : 1.0;
            for (ptrdiff_t t = begin; t < end; t++) {
                to[t * UNIT + i] = (float)(from[t] * factor);
            }
        }
    }
}

void winograd_taps_prepare(const ConvGeometry *g, const Call *call, const double *factor,
                           float *to) {
    Packing p = {g, call->param[0], factor, to};
    threads_run(call->threads, blocks_of(g->out_channels), pack_unit, &p);
}
