// SPDX-License-Identifier: Apache-2.0
// The Winograd path: 3x3, stride 1, pad 1, one group. See winograd_kernels.h for the formula.
//
//     for each block of tiles of the output, and each range of panels (a task)
//         transform the input's tiles: [point][block][tile][16]
//         for each panel of output channels
//             for each point: sums = tiles * weights, by ConvTiles: [point][tile][lane]
//             transform the sums back, add, and write
//
// A block's transformed input and one panel's sums stay in the second cache, while the weights
// stream by. Tiles are numbered across the batch, and a tile's sums do not depend on its
// neighbours.
//
// Prepared: [panel][point][channel][lane], [what is added at the end: bias or folded norm], and in
// training the weights for the input's gradient: that is the same convolution of the output's
// gradient, with the kernel turned by half a turn.
#include <assert.h>
#include <string.h>

#include "backend/cpu/conv_winograd.h"

enum {
    // In a block: one or two ConvTiles. More would use the weights more often, but measured slower:
    // at 64 channels all weights and a block this large fit the second cache (1 MB) together.
    TILES_MAX = 14,
    // With fewer blocks than this, their panels are dealt out too.
    ENOUGH_TASKS = 16,
    // With fewer channels the transforms cost what the products save.
    CHANNELS_MIN = 16,
    // With fewer tiles in an image, weights, four times as many, are read for too few products.
    TILES_MIN = 4
};

static int least(int a, int b) { return a < b ? a : b; }
static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

// One direction: from `depth` channels to `lanes` channels of an image of the same size.
typedef struct Winograd {
    const Kernels *kernels;
    int batch, height, width, depth, lanes;
    const float *source, *weights;
    const float *start, *residual; // or NULL
    float *out;
    bool relu, scaled;
    float *workspace;
    // By winograd_run().
    WinogradTiles tiles;
    int blocks, splits, panels; // of tiles; tasks for each; of lanes
    // Of a worker's workspace, in floats: [zeros][transformed input][sums].
    ptrdiff_t plane, input_point, sum_point, worker;
    int held[THREADS_MAX]; // the block whose input each worker has transformed; -1 for none
} Winograd;

// Sizes depend on the depth alone: the batch may be smaller than planned.
static void set_layout(Winograd *w) {
    w->plane = winograd_odd_lines(TILES_MAX * CONV_BLOCK);
    w->input_point = blocks_of(w->depth) * w->plane;
    w->sum_point = winograd_odd_lines(TILES_MAX * CONV_PANEL_MAX);
    w->worker = lanes_of(w->depth) + WINOGRAD_POINTS * (w->input_point + w->sum_point);
}

static size_t worker_bytes(int depth) {
    Winograd w = {.depth = depth};
    set_layout(&w);
    return (size_t)w.worker * sizeof(float);
}

// ---------------------------------------------------------------- forward and to the input

void winograd_transform_input(const WinogradSource *source, int t0, int t1, const float *zeros,
                              ptrdiff_t point, ptrdiff_t plane, float *to) {
    const WinogradTiles *tiles = source->tiles;
    WinogradInput tile = {.channels = source->channels, .point = point, .plane = plane};
    for (int t = t0; t < t1; t++) {
        const WinogradPlace at = winograd_place(tiles, t);
        const float *image = source->images + source->first +
                             (ptrdiff_t)at.image * tiles->height * tiles->width * source->pixel;
        for (int i = 0; i < WINOGRAD_SIDE; i++) {
            for (int j = 0; j < WINOGRAD_SIDE; j++) {
                const int y = at.y - 1 + i, x = at.x - 1 + j;
                const bool inside = y >= 0 && y < tiles->height && x >= 0 && x < tiles->width;
                tile.pixel[i][j] =
                    inside ? image + ((ptrdiff_t)y * tiles->width + x) * source->pixel : zeros;
            }
        }
        tile.to = to + (ptrdiff_t)(t - t0) * CONV_BLOCK;
        source->kernels->winograd->input(&tile);
    }
}

static void multiply(const Winograd *w, int panel, int tiles, const float *input, float *sums) {
    static const int32_t tap = 0;
    const int width = panel_width(w->kernels, w->lanes, panel), units = width / CONV_BLOCK;
    const int most = w->kernels->conv->rows[units - 1], count = (tiles + most - 1) / most;
    const ptrdiff_t first = (ptrdiff_t)panel * panel_lanes(w->kernels);
    ConvTile tile = {.plane = w->plane,
                     .blocks = blocks_of(w->depth),
                     .last_depth = (w->depth - 1) % CONV_BLOCK + 1,
                     .tap = &tap,
                     .taps = 1,
                     .weights = w->weights + first * WINOGRAD_POINTS * w->depth,
                     .output_stride = width};
    for (int point = 0; point < WINOGRAD_POINTS; point++) {
        for (int i = 0; i < count; i++) {
            const int t = tiles * i / count, rows = tiles * (i + 1) / count - t;
            tile.input[0] = input + (ptrdiff_t)t * CONV_BLOCK;
            tile.input[1] = tile.input[0] + (ptrdiff_t)(rows / 2) * CONV_BLOCK;
            tile.output[0] = sums + (ptrdiff_t)t * width;
            tile.output[1] = tile.output[0] + (ptrdiff_t)(rows / 2) * width;
            w->kernels->conv->tile[units - 1][rows - 1](&tile);
        }
        tile.weights += (ptrdiff_t)w->depth * width;
        input += w->input_point;
        sums += w->sum_point;
    }
}

void winograd_transform_sums(const WinogradTarget *target, int first, int width, int t0, int t1,
                             const float *sums, ptrdiff_t point) {
    const WinogradTiles *tiles = target->tiles;
    WinogradOutput tile = {.point = point,
                           .lanes = least(width, target->lanes - first),
                           .start = target->start != NULL ? target->start + first : NULL,
                           .row = (ptrdiff_t)tiles->width * target->lanes,
                           .column = target->lanes,
                           .relu = target->relu,
                           .scaled = target->scaled};
    for (int t = t0; t < t1; t++) {
        const WinogradPlace at = winograd_place(tiles, t);
        const ptrdiff_t pixel = ((ptrdiff_t)at.image * tiles->height + at.y) * tiles->width + at.x;
        const ptrdiff_t place = pixel * target->lanes + first;
        tile.rows = least(WINOGRAD_OUTPUTS, tiles->height - at.y);
        tile.columns = least(WINOGRAD_OUTPUTS, tiles->width - at.x);
        tile.from = sums + (ptrdiff_t)(t - t0) * width;
        tile.output = target->out + place;
        tile.residual = target->residual != NULL ? target->residual + place : NULL;
        target->kernels->winograd->output(&tile);
    }
}

static void run_task(void *context, int task, int worker) {
    Winograd *w = context;
    const int block = task / w->splits, split = task % w->splits;
    const int t0 = (int)((int64_t)w->tiles.count * block / w->blocks);
    const int t1 = (int)((int64_t)w->tiles.count * (block + 1) / w->blocks);
    const int p0 = w->panels * split / w->splits, p1 = w->panels * (split + 1) / w->splits;
    const WinogradTarget target = {.kernels = w->kernels,
                                   .tiles = &w->tiles,
                                   .lanes = w->lanes,
                                   .start = w->start,
                                   .residual = w->residual,
                                   .out = w->out,
                                   .relu = w->relu,
                                   .scaled = w->scaled};
    float *zeros = w->workspace + worker * w->worker;
    float *input = zeros + lanes_of(w->depth);
    float *sums = input + WINOGRAD_POINTS * w->input_point;
    // Tasks come in order: a worker often gets the same block again.
    if (w->held[worker] != block) {
        if (w->held[worker] < 0) {
            memset(zeros, 0, (size_t)lanes_of(w->depth) * sizeof(float));
        }
        winograd_transform_input(
            &(WinogradSource){w->kernels, &w->tiles, w->source, w->depth, 0, w->depth}, t0, t1,
            zeros, w->input_point, w->plane, input);
        w->held[worker] = block;
    }
    for (int panel = p0; panel < p1; panel++) {
        multiply(w, panel, t1 - t0, input, sums);
        winograd_transform_sums(&target, panel * panel_lanes(w->kernels),
                                panel_width(w->kernels, w->lanes, panel), t0, t1, sums,
                                w->sum_point);
    }
}

static void winograd_run(Winograd *w, Threads *threads) {
    set_layout(w);
    w->tiles = winograd_tiles(w->batch, w->height, w->width);
    w->blocks = (w->tiles.count + TILES_MAX - 1) / TILES_MAX;
    w->panels = panel_count(w->kernels, w->lanes);
    w->splits = least(w->panels, (ENOUGH_TASKS + w->blocks - 1) / w->blocks);
    for (int i = 0; i < threads_count(threads); i++) {
        w->held[i] = -1;
    }
    threads_run(threads, w->blocks * w->splits, run_task, w);
}

// ---------------------------------------------------------------- weights

typedef struct Packing {
    const Kernels *kernels;
    const float *from; // OIHW
    const double *factor;
    float *to;
    int depth, lanes;
    bool backward, few;
} Packing;

// The weights of a layer of few tiles, from halves: the same as where halves are expanded later.
static void pack_expanded(const Packing *p, const WinogradWeights *w) {
    float halves[WINOGRAD_HALVES * CONV_BLOCK * CONV_BLOCK];
    const int channel = WINOGRAD_HALVES / WINOGRAD_SIDE * CONV_BLOCK;
    WinogradWeights half = *w;
    half.to = halves;
    half.point = (ptrdiff_t)CONV_BLOCK * channel;
    half.width = channel;
    p->kernels->winograd->half_weights(&half);
    p->kernels->winograd->expand(&(WinogradExpansion){.from = halves,
                                                      .channels = w->channels,
                                                      .to = w->to,
                                                      .point = w->point,
                                                      .width = w->width});
}

static void pack_panel(void *context, int panel, int worker) {
    (void)worker;
    const Packing *p = context;
    enum { TAPS = 9 };
    const int first = panel * panel_lanes(p->kernels);
    const int width = panel_width(p->kernels, p->lanes, panel);
    // Floats from one weight to that of the next lane and channel.
    const ptrdiff_t lane = p->backward ? TAPS : TAPS * (ptrdiff_t)p->depth;
    const ptrdiff_t channel = p->backward ? TAPS * (ptrdiff_t)p->lanes : TAPS;
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
            if (p->few) {
                pack_expanded(p, &w);
            } else {
                p->kernels->winograd->weights(&w);
            }
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
    return winograd_few(g, phase) && g->batch == 1 ? winograd_few_floats(g)
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
    size_t bytes = larger((size_t)threads * worker_bytes(g->channels), conv_fold_bytes(g));
    if (winograd_few(g, phase)) {
        bytes = larger(bytes, (size_t)threads * winograd_few_bytes(g));
    }
    if (phase == PHASE_TRAINING) {
        bytes = larger(bytes, (size_t)threads * worker_bytes(g->out_channels));
        bytes = larger(bytes, conv_weights_bytes(g, threads));
        bytes = larger(bytes, winograd_weights_bytes(g, threads));
    }
    return bytes;
}

static void prepare(const ConvGeometry *g, const Call *call, const Kernels *kernels) {
    Packing p = {.kernels = kernels,
                 .from = call->param[0],
                 .to = call->prepared,
                 .depth = g->channels,
                 .lanes = g->out_channels,
                 .few = winograd_few(g, call->phase)};
    float *start = p.to + forward_floats(g, call->phase);
    p.factor = conv_fold(g, call, start);
    if (p.few && g->batch == 1) {
        winograd_few_prepare(g, call, p.factor, p.to, kernels);
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

static void forward(const ConvGeometry *g, const Call *call, const Kernels *kernels) {
    const bool few = winograd_few(g, call->phase);
    if (few && call->planned == 1) {
        const float *weights = call->prepared;
        winograd_few_run(g, call, weights,
                         conv_has_start(call) ? weights + winograd_few_floats(g) : NULL, kernels);
        return;
    }
    Winograd w = {.kernels = kernels,
                  .batch = g->batch,
                  .height = g->height,
                  .width = g->width,
                  .depth = g->channels,
                  .lanes = g->out_channels,
                  .source = call->input[0],
                  .weights = call->prepared,
                  .residual = call->input[1],
                  .out = call->output,
                  .relu = call->node->relu,
                  .scaled = few,
                  .workspace = call->workspace};
    if (conv_has_start(call)) {
        w.start = w.weights + weight_floats(w.depth, w.lanes);
    }
    winograd_run(&w, call->threads);
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
    if (call->input_gradient[0] == NULL) {
        return;
    }
    Winograd w = {.kernels = kernels,
                  .batch = g->batch,
                  .height = g->height,
                  .width = g->width,
                  .depth = g->out_channels,
                  .lanes = g->channels,
                  .source = call->output_gradient,
                  .residual = call->accumulate[0] ? call->input_gradient[0] : NULL,
                  .out = call->input_gradient[0],
                  .workspace = call->workspace};
    w.weights = (const float *)call->prepared + weight_floats(g->channels, g->out_channels) +
                conv_start_floats(g);
    winograd_run(&w, call->threads);
}

const ConvPath conv_winograd = {
    .name = "winograd",
    .applies = applies,
    .prepared_size = prepared_size,
    .workspace_size = workspace_size,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
};
