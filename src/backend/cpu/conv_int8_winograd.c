// SPDX-License-Identifier: Apache-2.0
// The Winograd path of layers on bytes: 3x3, stride 1, pad 1, one group. It makes the integers of
// the direct path (kernels/int8_winograd.c says why), and runs as conv_winograd.c does:
//
//     for each block of tiles of the output, and each range of panels (a task)
//         transform the input's tiles: [point][block of 32 channels][tile][16 dwords]
//         for each panel of output channels
//             for each point: sums = tiles * weights: [point][tile][lane]
//             transform the sums back and end them
//
// Prepared: [whether it is so][weights: panel, point, block, dword of two channels, lane, 2]
// [what sums end with]; or, where a channel's weights are too large all together, [0] and the
// direct path's. Either gives the same results.
#include <string.h>

#include "backend/cpu/conv_int8_pack.h"
#include "backend/cpu/conv_int8_sweep.h"
#include "backend/cpu/conv_winograd_tiles.h"
#include "graph/quantize.h"

enum {
    TILES_LEAST = 14, // in a block: one tile of products
    TILES_MOST = 28,
    TILES_ENOUGH = 32,
    INPUT_BYTES = 320 * 1024,   // of a block's transformed input, in the second cache
    WEIGHT_BYTES = 1024 * 1024, // that are used often enough from there
    ENOUGH_TASKS = 16,          // with fewer blocks, their panels are dealt out too
    HEADER_BYTES = BLOCK_ALIGNMENT,
    BLOCK_CHANNELS = 2 * CONV_BLOCK
};

static int least(int a, int b) { return a < b ? a : b; }
static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

// Channels of a pixel, those that pad it included: they meet weights of zero.
static int depth_of(const ConvGeometry *g) { return (g->channels + 3) / 4 * 4; }
static int input_blocks(int depth) { return (depth + BLOCK_CHANNELS - 1) / BLOCK_CHANNELS; }

// ---------------------------------------------------------------- parameters

typedef struct Prepared {
    int32_t *exact;   // 1: what follows is here; 0: the direct path's parameters follow the header
    int16_t *weights; // of a lane there are 36 times depth
    Int8Prepared end; // its weights are not used
    int32_t *magnitude; // [lane]
    void *direct;
} Prepared;

static size_t weight_bytes(const ConvGeometry *g) {
    return (size_t)lanes_of(g->out_channels) * WINOGRAD_POINTS * (size_t)depth_of(g) *
           sizeof(int16_t);
}

static size_t own_bytes(const ConvGeometry *g) {
    return weight_bytes(g) + (size_t)lanes_of(g->out_channels) * 5 * sizeof(int32_t);
}

static Prepared prepared_of(const ConvGeometry *g, void *block) {
    const size_t lanes = (size_t)lanes_of(g->out_channels);
    char *weights = (char *)block + HEADER_BYTES;
    Prepared p = {.exact = block, .weights = (int16_t *)(void *)weights, .direct = weights};
    p.end.factor = (float *)(void *)(weights + weight_bytes(g));
    p.end.start = (int32_t *)(void *)(p.end.factor + lanes);
    p.end.residual = p.end.start + lanes;
    p.end.shift = p.end.residual + lanes;
    p.magnitude = p.end.shift + lanes;
    return p;
}

typedef struct Packing {
    const ConvGeometry *g;
    const Call *call;
    const Kernels *kernels;
    Prepared to;
} Packing;

static void prepare_panel(void *context, int panel, int worker) {
    (void)worker;
    enum { ZERO = 128 }; // what the transform takes away from every byte
    const Packing *p = context;
    const ConvGeometry *g = p->g;
    const int first = panel * int8_panel_lanes(p->kernels), depth = depth_of(g);
    const int width = int8_panel_width(p->kernels, g->out_channels, panel);
    int16_t *to = p->to.weights + (ptrdiff_t)first * WINOGRAD_POINTS * depth;
    int8_t q[QUANTIZED_DEPTH_MAX];
    memset(to, 0, (size_t)width * WINOGRAD_POINTS * (size_t)depth * sizeof *to);
    for (int i = 0; i < width; i++) {
        const int lane = first + i;
        Int8Channel channel = {0};
        int32_t sums[2] = {0};
        if (lane < g->out_channels) {
            channel = int8_round_channel(g, p->call, p->kernels, lane, q, sums);
            p->kernels->int8->winograd->weights(to + 2 * (ptrdiff_t)i, q, g->channels,
                                                2 * (ptrdiff_t)width, (ptrdiff_t)width * depth);
        }
        p->to.end.factor[lane] = channel.factor;
        p->to.end.start[lane] =
            (int32_t)((int64_t)channel.start + (int64_t)ZERO * sums[0] * (1 << channel.shift));
        p->to.end.residual[lane] = channel.residual;
        p->to.end.shift[lane] = channel.shift;
        p->to.magnitude[lane] = sums[1];
    }
}

static void prepare(const ConvGeometry *g, const Call *call, const Kernels *kernels) {
    Packing p = {.g = g, .call = call, .kernels = kernels, .to = prepared_of(g, call->prepared)};
    threads_run(call->threads, int8_panel_count(kernels, g->out_channels), prepare_panel, &p);
    bool exact = true;
    for (int i = 0; i < g->out_channels; i++) {
        exact = exact && p.to.magnitude[i] < INT8_WINOGRAD_MAGNITUDE;
    }
    *p.to.exact = exact;
    if (!exact) {
        int8_prepare(g, call, p.to.direct, kernels);
    }
}

// ---------------------------------------------------------------- forward

typedef struct Winograd {
    const ConvGeometry *g;
    const Call *call;
    const Kernels *kernels;
    Prepared prepared;
    int depth, lanes;
    ptrdiff_t in_pixel, out_pixel, residual_pixel; // bytes; elements of the output; bytes
    WinogradTiles tiles;
    int blocks, splits, panels; // of tiles; tasks for each; of lanes
    // Of a worker's workspace, in dwords: [pixel of the padding][transformed input][sums].
    ptrdiff_t pad, plane, input_point, sum_point, worker;
    char *workspace;
    int held[THREADS_MAX]; // the block whose input each worker has transformed; -1 for none
} Winograd;

static int tiles_in_block(int depth) {
    const int bytes = WINOGRAD_POINTS * input_blocks(depth) * BLOCK_CHANNELS * (int)sizeof(int16_t);
    const int tiles = INPUT_BYTES / bytes;
    return tiles < TILES_LEAST ? TILES_LEAST : least(tiles, TILES_MOST);
}

// Sizes depend on the depth alone: the batch may be smaller than planned.
static void set_layout(Winograd *w) {
    const int tiles = tiles_in_block(w->depth);
    w->pad = winograd_odd_lines(input_blocks(w->depth) * CONV_BLOCK);
    w->plane = winograd_odd_lines((ptrdiff_t)tiles * CONV_BLOCK);
    w->input_point = input_blocks(w->depth) * w->plane;
    w->sum_point = winograd_odd_lines((ptrdiff_t)tiles * CONV_PANEL_MAX);
    w->worker = w->pad + WINOGRAD_POINTS * (w->input_point + w->sum_point);
}

static size_t worker_bytes(const ConvGeometry *g) {
    Winograd w = {.depth = depth_of(g)};
    set_layout(&w);
    return (size_t)w.worker * sizeof(int32_t);
}

static void transform_input(const Winograd *w, int t0, int t1, const uint8_t *pad, int32_t *to) {
    const int height = w->g->height, width = w->g->width;
    Int8WinogradInput tile = {.channels = w->depth, .point = w->input_point, .plane = w->plane};
    for (int t = t0; t < t1; t++) {
        const WinogradPlace at = winograd_place(&w->tiles, t);
        const uint8_t *image =
            (const uint8_t *)w->call->input[0] + (ptrdiff_t)at.image * height * width * w->in_pixel;
        for (int i = 0; i < WINOGRAD_SIDE; i++) {
            for (int j = 0; j < WINOGRAD_SIDE; j++) {
                const int y = at.y - 1 + i, x = at.x - 1 + j;
                const bool inside = y >= 0 && y < height && x >= 0 && x < width;
                tile.pixel[i][j] = inside ? image + ((ptrdiff_t)y * width + x) * w->in_pixel : pad;
            }
        }
        tile.to = to + (ptrdiff_t)(t - t0) * CONV_BLOCK;
        w->kernels->int8->winograd->input(&tile);
    }
}

static void multiply(const Winograd *w, int panel, int tiles, const int32_t *input, int32_t *sums) {
    const Int8WinogradKernels *kernels = w->kernels->int8->winograd;
    const int width = int8_panel_width(w->kernels, w->lanes, panel), units = width / CONV_BLOCK;
    const int most = kernels->rows[units - 1], count = (tiles + most - 1) / most;
    const ptrdiff_t first = (ptrdiff_t)panel * int8_panel_lanes(w->kernels);
    Int8WinogradTile tile = {.plane = w->plane,
                             .blocks = input_blocks(w->depth),
                             .last_depth = (w->depth - 1) % BLOCK_CHANNELS / 2 + 1,
                             .weights = w->prepared.weights + first * WINOGRAD_POINTS * w->depth};
    for (int point = 0; point < WINOGRAD_POINTS; point++) {
        for (int i = 0; i < count; i++) {
            const int t = tiles * i / count, rows = tiles * (i + 1) / count - t;
            tile.input = input + (ptrdiff_t)t * CONV_BLOCK;
            tile.sum = sums + (ptrdiff_t)t * width;
            kernels->tile[units - 1][rows - 1](&tile);
        }
        tile.weights += (ptrdiff_t)w->depth * width;
        input += w->input_point;
        sums += w->sum_point;
    }
}

static void transform_output(const Winograd *w, int panel, int t0, int t1, const int32_t *sums) {
    const Node *node = w->call->node;
    const int first = panel * int8_panel_lanes(w->kernels), image_width = w->g->width;
    const int width = int8_panel_width(w->kernels, w->lanes, panel);
    const ptrdiff_t element = node->bytes ? 1 : (ptrdiff_t)sizeof(float);
    Int8WinogradOutput tile = {
        .point = w->sum_point,
        .lanes = least(width, w->lanes - first),
        .residual_row = image_width * w->residual_pixel,
        .residual_column = w->residual_pixel,
        .output_row = image_width * w->out_pixel,
        .output_column = w->out_pixel,
        .end = {.floats = !node->bytes, .relu = node->relu, .zero = node->zero}};
    int8_end_lanes(&w->prepared.end, first, tile.lanes, &tile.end);
    for (int t = t0; t < t1; t++) {
        const WinogradPlace at = winograd_place(&w->tiles, t);
        const ptrdiff_t pixel = ((ptrdiff_t)at.image * w->g->height + at.y) * image_width + at.x;
        tile.rows = at.height;
        tile.columns = at.width;
        tile.from = sums + (ptrdiff_t)(t - t0) * width;
        tile.output = (char *)w->call->output + (pixel * w->out_pixel + first) * element;
        tile.residual = w->call->input[1] == NULL ? NULL
                                                  : (const uint8_t *)w->call->input[1] +
                                                        pixel * w->residual_pixel + first;
        w->kernels->int8->winograd->output(&tile);
    }
}

static void run_task(void *context, int task, int worker) {
    Winograd *w = context;
    const int block = task / w->splits, split = task % w->splits;
    const int t0 = (int)((int64_t)w->tiles.count * block / w->blocks);
    const int t1 = (int)((int64_t)w->tiles.count * (block + 1) / w->blocks);
    const int p0 = w->panels * split / w->splits, p1 = w->panels * (split + 1) / w->splits;
    int32_t *pad = (int32_t *)(void *)w->workspace + worker * w->worker;
    int32_t *input = pad + w->pad;
    int32_t *sums = input + WINOGRAD_POINTS * w->input_point;
    // Tasks come in order: a worker often gets the same block again.
    if (w->held[worker] != block) {
        if (w->held[worker] < 0) {
            memset(pad, w->call->input_node[0]->zero, (size_t)w->depth);
        }
        transform_input(w, t0, t1, (const uint8_t *)pad, input);
        w->held[worker] = block;
    }
    for (int panel = p0; panel < p1; panel++) {
        multiply(w, panel, t1 - t0, input, sums);
        transform_output(w, panel, t0, t1, sums);
    }
}

static void forward(const ConvGeometry *g, const Call *call, const Kernels *kernels) {
    const Shape out = call->node->shape;
    Winograd w = {.g = g,
                  .call = call,
                  .kernels = kernels,
                  .prepared = prepared_of(g, call->prepared),
                  .depth = depth_of(g),
                  .lanes = g->out_channels,
                  .in_pixel = depth_of(g),
                  .residual_pixel = (ptrdiff_t)shape_byte_pixel(out),
                  .tiles = winograd_tiles(g->batch, g->height, g->width),
                  .panels = int8_panel_count(kernels, g->out_channels),
                  .workspace = call->workspace};
    if (!*w.prepared.exact) {
        int8_sweep_run(g, call, w.prepared.direct, kernels);
        return;
    }
    set_layout(&w);
    w.out_pixel = call->node->bytes ? w.residual_pixel : out.channels;
    w.blocks = (w.tiles.count + tiles_in_block(w.depth) - 1) / tiles_in_block(w.depth);
    w.splits = least(w.panels, (ENOUGH_TASKS + w.blocks - 1) / w.blocks);
    for (int i = 0; i < threads_count(call->threads); i++) {
        w.held[i] = -1;
    }
    threads_run(call->threads, w.blocks * w.splits, run_task, &w);
}

// ---------------------------------------------------------------- the path

// As for floats, but weights are eight times those of the direct path: when they do not fit the
// second cache, an image needs tiles enough to use them. The sixteen of 14x14 are too few: such a
// layer then waits for memory longer than the direct one multiplies.
static bool applies(const ConvGeometry *g, Phase phase) {
    const WinogradTiles tiles = winograd_tiles(1, g->height, g->width);
    return g->bytes && conv_winograd.applies(g, phase) &&
           (tiles.count >= TILES_ENOUGH || weight_bytes(g) <= WEIGHT_BYTES);
}

static size_t prepared_size(const ConvGeometry *g, Phase phase) {
    (void)phase;
    return HEADER_BYTES + larger(own_bytes(g), int8_prepared_bytes(g));
}

static size_t workspace_size(const ConvGeometry *g, Phase phase, int threads) {
    (void)phase;
    return (size_t)threads * larger(worker_bytes(g), int8_sweep_bytes(g));
}

const ConvPath conv_int8_winograd = {
    .name = "int8 winograd",
    .applies = applies,
    .prepared_size = prepared_size,
    .workspace_size = workspace_size,
    .prepare = prepare,
    .forward = forward,
};
