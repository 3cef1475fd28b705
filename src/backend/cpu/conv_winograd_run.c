// SPDX-License-Identifier: Apache-2.0
// One direction of a Winograd convolution: see conv_winograd_run.h, and winograd_kernels.h for the
// formula.
//
//     for each block of tiles of the output, and each range of panels (a task)
//         copy the input to strips, and transform its tiles: [point][block][tile][16]
//         for each panel of output channels
//             for each point: sums = tiles * weights, by ConvTiles: [point][tile][lane]
//             transform the sums back, add, and write
//
// A block's transformed input and one panel's sums stay in the second cache, while the weights
// stream by, and the next block's input and this one's outputs are fetched a few lines at a time.
// Tiles are numbered across the batch, and a tile's sums do not depend on its neighbours.
#include "backend/cpu/conv_winograd_run.h"

enum {
    // In a block: one or two ConvTiles. More would use the weights more often, but measured slower:
    // at 64 channels all weights and a block this large fit the second cache (1 MB) together.
    TILES_MAX = 14,
    // The same where depth is one block of channels: then what is transformed nearly stays in the
    // first cache, which counts where products are few.
    TILES_SHALLOW = 8,
    // The most rows of a small ConvTile; blocks are in whole ones of these, as a row more or less
    // counts there.
    ROWS_SMALL = 6,
    // With fewer blocks than this, their panels are dealt out too.
    ENOUGH_TASKS = 16,
    // Blocks are dealt out in so many ranges: enough for many threads to end together.
    RANGES_MAX = 32
};

static int least(int a, int b) { return a < b ? a : b; }

// What follows from a direction and its batch.
typedef struct Run {
    const Winograd *w;
    const float *source, *residual;
    float *out;
    WinogradTiles tiles;
    int blocks, ranges, splits, panels; // of tiles; of blocks; tasks for each; of lanes
    // Of a worker's workspace, in floats: [strip][transformed input][sums].
    int most; // tiles in a block
    ptrdiff_t plane, input_point, sum_point, worker;
    int *held; // by worker: the block whose input it has transformed; -1 for none
} Run;

// In whole multiples of `rows` tiles. Sizes do not depend on the batch, which may be smaller than
// planned.
static void set_layout(Run *r, int depth, int rows) {
    const int most = depth > CONV_BLOCK ? TILES_MAX : TILES_SHALLOW;
    r->most = (most + rows - 1) / rows * rows;
    r->plane = winograd_odd_lines(r->most * CONV_BLOCK);
    r->input_point = blocks_of(depth) * r->plane;
    r->sum_point = winograd_odd_lines(r->most * CONV_PANEL_MAX);
    r->worker = WINOGRAD_STRIP_FLOATS + WINOGRAD_POINTS * (r->input_point + r->sum_point);
}

size_t winograd_worker_bytes(int depth) {
    Run r;
    set_layout(&r, depth, ROWS_SMALL); // the largest
    return (size_t)r.worker * sizeof(float);
}

static Run run_begin(const Winograd *w, int batch) {
    Run r = {.w = w,
             .source = w->source,
             .residual = w->residual,
             .out = w->out,
             .tiles = winograd_even_tiles(batch, w->height, w->width),
             .splits = 1,
             .panels = panel_count(w->kernels, w->lanes)};
    set_layout(&r, w->depth, conv_small_tiles(w->kernels) ? w->kernels->conv->rows[0] : 1);
    r.blocks = (r.tiles.count + r.most - 1) / r.most;
    return r;
}

// `held`: the block whose input the worker has transformed.
static void run_block(const Run *r, int block, int split, int worker, int *held) {
    const Winograd *w = r->w;
    const int t0 = (int)((int64_t)r->tiles.count * block / r->blocks);
    const int t1 = (int)((int64_t)r->tiles.count * (block + 1) / r->blocks);
    const int p0 = r->panels * split / r->splits, p1 = r->panels * (split + 1) / r->splits;
    const WinogradOrder order = winograd_order(&r->tiles, t0, t1);
    const WinogradTarget target = {.output = w->kernels->winograd->output,
                                   .tiles = &r->tiles,
                                   .lanes = w->lanes,
                                   .start = w->start,
                                   .residual = r->residual,
                                   .out = r->out,
                                   .relu = w->relu};
    const WinogradProducts products = {.kernels = w->kernels,
                                       .points = WINOGRAD_POINTS,
                                       .depth = w->depth,
                                       .lanes = w->lanes,
                                       .weights = w->weights,
                                       .plane = r->plane,
                                       .input_point = r->input_point,
                                       .sum_point = r->sum_point};
    float *strip = w->workspace + worker * r->worker, *input = strip + WINOGRAD_STRIP_FLOATS;
    float *sums = input + WINOGRAD_POINTS * r->input_point;
    const WinogradSource source = {w->kernels, &r->tiles, r->source, w->depth, 0, w->depth};
    WinogradSource out = {w->kernels, &r->tiles, r->out, w->lanes, 0, 0};
    WinogradSource residual = {w->kernels, &r->tiles, r->residual, w->lanes, 0, 0};
    // Tasks come in order: a worker often gets the same block again.
    if (*held != block) {
        winograd_transform(&source, false, t0, t1, &order, strip, r->input_point, r->plane, input);
        *held = block;
    }
    const int steps = (p1 - p0) * WINOGRAD_POINTS;
    WinogradAhead ahead[3] = {winograd_ahead(&source, WINOGRAD_SEE, t1, t1 + (t1 - t0), steps)};
    for (int panel = p0; panel < p1; panel++) {
        out.first = panel * panel_lanes(w->kernels);
        out.channels = least(panel_width(w->kernels, w->lanes, panel), w->lanes - out.first);
        ahead[1] = winograd_ahead(&out, WINOGRAD_WRITE, t0, t1, WINOGRAD_POINTS);
        if (r->residual != NULL) {
            residual.first = out.first;
            residual.channels = out.channels;
            ahead[2] = winograd_ahead(&residual, WINOGRAD_ADD, t0, t1, WINOGRAD_POINTS);
        }
        winograd_multiply(&products, panel, t1 - t0, &order, input, sums, ahead,
                          r->residual != NULL ? 3 : 2);
        winograd_transform_sums(&target, out.first, panel_width(w->kernels, w->lanes, panel), t0,
                                t1, &order, sums, r->sum_point);
    }
}

// Neighbours in a range of blocks: what one asks for, the next finds in its core's cache.
static void run_task(void *context, int task, int worker) {
    const Run *r = context;
    const int range = task / r->splits;
    const int begin = (int)((int64_t)r->blocks * range / r->ranges);
    const int end = (int)((int64_t)r->blocks * (range + 1) / r->ranges);
    for (int block = begin; block < end; block++) {
        run_block(r, block, task % r->splits, worker, &r->held[worker]);
    }
}

void winograd_run(const Winograd *w, Threads *threads) {
    int held[THREADS_MAX];
    Run r = run_begin(w, w->batch);
    r.held = held;
    r.ranges = least(r.blocks, RANGES_MAX);
    r.splits = least(r.panels, (ENOUGH_TASKS + r.blocks - 1) / r.blocks);
    for (int i = 0; i < threads_count(threads); i++) {
        held[i] = -1;
    }
    threads_run(threads, r.ranges * r.splits, run_task, &r);
}

void winograd_images(const Winograd *w, int image, int count, const float *source, int worker) {
    int held = -1;
    Run r = run_begin(w, count);
    const ptrdiff_t place = (ptrdiff_t)image * w->height * w->width * w->lanes;
    r.source = source;
    r.residual = w->residual != NULL ? w->residual + place : NULL;
    r.out = w->out + place;
    for (int block = 0; block < r.blocks; block++) {
        run_block(&r, block, 0, worker, &held);
    }
}
