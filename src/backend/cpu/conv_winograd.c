// SPDX-License-Identifier: Apache-2.0
// The Winograd path: 3x3, stride 1, pad 1, one group. See winograd_kernels.h for the formula.
//
//     for each block of tiles of the output, and each range of panels (a task)
//         copy the input to strips, and transform its tiles: [point][block][tile][16]
//         for each panel of output channels
//             for each point: sums = tiles * weights, by ConvTiles: [point][tile][lane]
//             transform the sums back, add, and write
//
// A block's transformed input and one panel's sums stay in the second cache, while the weights
// stream by, and the next block's input and this one's outputs are fetched a few lines at a time.
// Tiles are numbered across the batch, and a tile's sums do not depend on its
// neighbours.
//
// Prepared: [panel][point][channel][lane], [what is added at the end: bias or folded norm], and in
// training the weights for the input's gradient: that is the same convolution of the output's
// gradient, with the kernel turned by half a turn.
#include "backend/cpu/conv_winograd.h"

#include <assert.h>

#include "backend/cpu/conv_winograd_taps.h"

enum {
    // In a block: one or two ConvTiles. More would use the weights more often, but measured slower:
    // at 64 channels all weights and a block this large fit the second cache (1 MB) together.
    TILES_MAX = 14,
    // The same where depth is one block of channels: then what is transformed nearly stays in the
    // first cache, which counts where products are few.
    TILES_SHALLOW = 8,
    // With fewer blocks than this, their panels are dealt out too.
    ENOUGH_TASKS = 16,
    // Blocks are dealt out in so many ranges: enough for many threads to end together.
    RANGES_MAX = 32,
    // With fewer channels the transforms cost what the products save.
    CHANNELS_MIN = 16,
    // With fewer tiles in an image, weights, four times as many, are read for too few products.
    TILES_MIN = 4
};

static int least(int a, int b) { return a < b ? a : b; }
static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

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

// Sizes depend on the depth alone: the batch may be smaller than planned.
static void set_layout(Run *r, int depth) {
    r->most = depth > CONV_BLOCK ? TILES_MAX : TILES_SHALLOW;
    r->plane = winograd_odd_lines(r->most * CONV_BLOCK);
    r->input_point = blocks_of(depth) * r->plane;
    r->sum_point = winograd_odd_lines(r->most * CONV_PANEL_MAX);
    r->worker = WINOGRAD_STRIP_FLOATS + WINOGRAD_POINTS * (r->input_point + r->sum_point);
}

size_t winograd_worker_bytes(int depth) {
    Run r;
    set_layout(&r, depth);
    return (size_t)r.worker * sizeof(float);
}

static Run run_begin(const Winograd *w, int batch, int *held) {
    Run r = {.w = w,
             .source = w->source,
             .residual = w->residual,
             .out = w->out,
             .tiles = winograd_tiles(batch, w->height, w->width),
             .splits = 1,
             .panels = panel_count(w->kernels, w->lanes),
             .held = held};
    set_layout(&r, w->depth);
    r.blocks = (r.tiles.count + r.most - 1) / r.most;
    return r;
}

// ---------------------------------------------------------------- forward and to the input

static void run_block(const Run *r, int block, int split, int worker, float *workspace) {
    const Winograd *w = r->w;
    const int t0 = (int)((int64_t)r->tiles.count * block / r->blocks);
    const int t1 = (int)((int64_t)r->tiles.count * (block + 1) / r->blocks);
    const int p0 = r->panels * split / r->splits, p1 = r->panels * (split + 1) / r->splits;
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
    float *strip = workspace, *input = strip + WINOGRAD_STRIP_FLOATS;
    float *sums = input + WINOGRAD_POINTS * r->input_point;
    const WinogradSource source = {w->kernels, &r->tiles, r->source, w->depth, 0, w->depth};
    WinogradSource out = {w->kernels, &r->tiles, r->out, w->lanes, 0, 0};
    // Tasks come in order: a worker often gets the same block again.
    if (r->held[worker] != block) {
        winograd_transform(&source, false, t0, t1, strip, r->input_point, r->plane, input);
        r->held[worker] = block;
    }
    const int steps = (p1 - p0) * WINOGRAD_POINTS;
    WinogradAhead ahead[2] = {winograd_ahead(&source, false, t1, t1 + (t1 - t0), steps)};
    for (int panel = p0; panel < p1; panel++) {
        out.first = panel * panel_lanes(w->kernels);
        out.channels = least(panel_width(w->kernels, w->lanes, panel), w->lanes - out.first);
        ahead[1] = winograd_ahead(&out, true, t0, t1, WINOGRAD_POINTS);
        winograd_multiply(&products, panel, t1 - t0, input, sums, ahead, 2);
        winograd_transform_sums(&target, out.first, panel_width(w->kernels, w->lanes, panel), t0,
                                t1, sums, r->sum_point);
    }
}

// Neighbours in a range of blocks: what one asks for, the next finds in its core's cache.
static void run_task(void *context, int task, int worker) {
    const Run *r = context;
    const int range = task / r->splits;
    const int begin = (int)((int64_t)r->blocks * range / r->ranges);
    const int end = (int)((int64_t)r->blocks * (range + 1) / r->ranges);
    for (int block = begin; block < end; block++) {
        run_block(r, block, task % r->splits, worker, r->w->workspace + worker * r->worker);
    }
}

void winograd_run(const Winograd *w, Threads *threads) {
    int held[THREADS_MAX];
    Run r = run_begin(w, w->batch, held);
    r.ranges = least(r.blocks, RANGES_MAX);
    r.splits = least(r.panels, (ENOUGH_TASKS + r.blocks - 1) / r.blocks);
    for (int i = 0; i < threads_count(threads); i++) {
        held[i] = -1;
    }
    threads_run(threads, r.ranges * r.splits, run_task, &r);
}

void winograd_images(const Winograd *w, int image, int count, const float *source,
                     float *workspace) {
    int held = -1;
    Run r = run_begin(w, count, &held);
    const ptrdiff_t place = (ptrdiff_t)image * w->height * w->width * w->lanes;
    r.source = source;
    r.residual = w->residual != NULL ? w->residual + place : NULL;
    r.out = w->out + place;
    for (int block = 0; block < r.blocks; block++) {
        run_block(&r, block, 0, 0, workspace);
    }
}

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

Winograd winograd_forward(const ConvGeometry *g, const Call *call, const Kernels *kernels) {
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

Winograd winograd_to_input(const ConvGeometry *g, const Call *call, const Kernels *kernels) {
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
    const Winograd w = winograd_forward(g, call, kernels);
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
        const Winograd w = winograd_to_input(g, call, kernels);
        winograd_run(&w, call->threads);
    }
}

const ConvPath conv_winograd = {
    .name = "winograd",
    .applies = applies,
    .prepared_size = prepared_size,
    .workspace_size = workspace_size,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .forward_with = winograd_forward_with,
    .backward_with = winograd_backward_with,
};
