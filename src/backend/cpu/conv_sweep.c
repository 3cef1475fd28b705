// SPDX-License-Identifier: Apache-2.0
// Convolution forward and backward to the input: ConvTiles swept over strips. See conv.h.
//
//     for each strip of the source (a task)
//         copy it
//         for each panel of output channels
//             for each group of input blocks whose weights fit the first cache
//                 for each tile of the strip: sum += input * weights
//
// Sums wait in the output between groups of blocks.
#include <string.h>

#include "backend/cpu/conv.h"

// The weights of one panel that all tiles of a strip use before the next ones are read: 80 KB, or
// 32 KB for small tiles, which use a weight too few times to read it from the second cache.
enum { WEIGHT_FLOATS = 20 * 1024, WEIGHT_FLOATS_SMALL = 8 * 1024 };
// Processors whose tiles are small have second caches of 256 or 512 KB: strips that take more than
// 128 KB are cut to a few tiles.
enum { STRIP_FLOATS_SMALL = 32 * 1024, STRIP_COLUMNS_SMALL = 48 };
// Strips are dealt out in about so many tasks: enough for many threads, and each task has a next
// strip whose source can be fetched ahead.
enum { ENOUGH_TASKS = 32 };
// With fewer strips than this, a strip's panels are dealt out too.
enum { ENOUGH_SPLITS = 16 };

static int least(int a, int b) { return a < b ? a : b; }

static int weight_floats(const Kernels *kernels) {
    return conv_small_tiles(kernels) ? WEIGHT_FLOATS_SMALL : WEIGHT_FLOATS;
}

// Without kernels: the most.
static ConvCut cut(const ConvView *view, int64_t tasks, const Kernels *kernels) {
    const size_t floats = conv_strip_floats(view, 1, STRIP_COLUMNS, conv_view_blocks(view));
    const bool few = kernels != NULL && conv_small_tiles(kernels) && floats > STRIP_FLOATS_SMALL;
    return conv_cut(view, tasks, few ? STRIP_COLUMNS_SMALL : STRIP_COLUMNS);
}

// What multiplies the strips of an image: a strip's panels are dealt out too where strips are few.
// How wide panels are depends on the instruction set, but the room for strips must not.
static int64_t strip_tasks(const ConvGeometry *g, int lanes) {
    return (int64_t)g->batch * g->groups * ((lanes + CONV_PANEL_MAX - 1) / CONV_PANEL_MAX);
}

ConvSweep conv_sweep_forward(const ConvGeometry *g, const Kernels *kernels) {
    const ConvView view = conv_view_forward(g);
    return (ConvSweep){.geometry = g,
                       .kernels = kernels,
                       .view = view,
                       .cut = cut(&view, strip_tasks(g, g->out_channels), kernels),
                       .depth = (g->channels + view.pack - 1) / view.pack,
                       .lanes = g->out_channels,
                       .out_height = g->out_height,
                       .out_width = g->out_width,
                       .out_stride = 1};
}

ConvSweep conv_sweep_backward(const ConvGeometry *g, const Kernels *kernels) {
    const ConvView view = conv_view_backward(g);
    return (ConvSweep){.geometry = g,
                       .kernels = kernels,
                       .backward = true,
                       .view = view,
                       .cut = cut(&view, strip_tasks(g, g->channels), kernels),
                       .depth = g->out_channels,
                       .lanes = g->channels,
                       .out_height = g->height,
                       .out_width = g->width,
                       .out_stride = g->stride};
}

// What the tiles of one phase, panel and group of blocks have in common.
typedef struct Pass {
    const ConvSweep *sweep;
    ConvTile tile;
    const float *strip; // at the first block of the group
    ConvStrip layout;
    ConvPart part;         // y1, x1 cut to the phase's extents
    int units, lanes;      // of the panel; lanes that exist
    ptrdiff_t origin;      // of the panel's first lane at grid position (0, 0) in the output
    ptrdiff_t row, column; // floats in the output from one grid row, column to the next
    ConvNext next;
    ConvAhead *ahead;
} Pass;

// The last panel's missing lanes have no place in the output: the tile works on a copy.
static void edge_tile(const Pass *pass, ConvTile *tile, int rows, ConvTileFunction *function) {
    float output[CONV_ROWS_MAX * CONV_PANEL_MAX], residual[CONV_ROWS_MAX * CONV_PANEL_MAX];
    const int width = pass->units * CONV_BLOCK, half = rows / 2;
    const size_t bytes = (size_t)pass->lanes * sizeof(float);
    ConvTile copy = *tile;
    memset(output, 0, sizeof output);
    memset(residual, 0, sizeof residual);
    for (int i = 0; i < rows; i++) {
        const int side = i >= half;
        const ptrdiff_t place = (i - side * half) * tile->output_stride;
        if (tile->resume) {
            memcpy(output + i * width, tile->output[side] + place, bytes);
        }
        if (tile->residual[0] != NULL) {
            memcpy(residual + i * width, tile->residual[side] + place, bytes);
        }
    }
    copy.output[0] = output;
    copy.output[1] = output + half * width;
    if (tile->residual[0] != NULL) {
        copy.residual[0] = residual;
        copy.residual[1] = residual + half * width;
    }
    copy.output_stride = width;
    function(&copy);
    for (int i = 0; i < rows; i++) {
        const int side = i >= half;
        memcpy(tile->output[side] + (i - side * half) * tile->output_stride, output + i * width,
               bytes);
    }
}

// A tile whose first half begins at grid position (y, x), and its second at (y2, x2).
static void run_tile(void *context, int y, int x, int y2, int x2, int rows) {
    Pass *pass = context;
    const ConvSweep *sweep = pass->sweep;
    ConvTile *tile = &pass->tile;
    const int at[2][2] = {{y, x}, {y2, x2}};
    for (int i = 0; i < 2; i++) {
        const ptrdiff_t place = pass->origin + at[i][0] * pass->row + at[i][1] * pass->column;
        tile->input[i] =
            pass->strip + conv_strip_position(&pass->layout, &pass->part, at[i][0], at[i][1]);
        tile->output[i] = sweep->out + place;
        if (tile->residual[0] != NULL) {
            tile->residual[i] = sweep->residual + place;
        }
    }
    conv_ahead_step(pass->ahead);
    tile->ahead = pass->next.at;
    pass->next.at += pass->next.tile;
    ConvTileFunction *function = sweep->kernels->conv->tile[pass->units - 1][rows - 1];
    if (pass->lanes < pass->units * CONV_BLOCK) {
        edge_tile(pass, tile, rows, function);
    } else {
        function(tile);
    }
}

static void run_pass(Pass *pass) {
    const int most = pass->sweep->kernels->conv->rows[pass->units - 1];
    const int width = pass->units * CONV_BLOCK * (int)sizeof(float);
    const ptrdiff_t rows = (ptrdiff_t)pass->tile.blocks * CONV_BLOCK * pass->tile.taps;
    pass->next = conv_next(&pass->part, most, pass->tile.weights, rows, width);
    pass->tile.ahead_step = pass->next.step;
    conv_part_tiles(&pass->part, most, run_tile, pass);
}

// The taps of a phase, as offsets in the strip.
static int phase_taps(const ConvSweep *sweep, const ConvStrip *layout, int grid_columns, int phase,
                      int32_t *taps) {
    const ConvGeometry *g = sweep->geometry;
    const ConvAxis y = conv_axis(g, sweep->backward, g->kernel_height, phase / sweep->out_stride);
    const ConvAxis x = conv_axis(g, sweep->backward, g->kernel_width, phase % sweep->out_stride);
    for (int i = 0; i < y.count; i++) {
        for (int j = 0; j < x.count; j++) {
            taps[i * x.count + j] = (int32_t)conv_strip_offset(&sweep->view, layout, grid_columns,
                                                               y.position + i * y.direction,
                                                               x.position + j * x.direction);
        }
    }
    return y.count * x.count;
}

void conv_sweep_strip(const ConvSweep *sweep, int image, int group, const ConvPart *part,
                      const float *strip, int p0, int p1, int32_t *taps, ConvAhead *ahead) {
    const Kernels *kernels = sweep->kernels;
    const int columns = part->x1 - part->x0, step = sweep->out_stride;
    const int lanes = lanes_of(sweep->lanes), blocks = blocks_of(sweep->depth);
    const int pixel = sweep->geometry->groups * sweep->lanes;
    const float *weights =
        sweep->weights + (ptrdiff_t)group * lanes * sweep->depth * conv_taps(sweep->geometry);
    Pass pass = {.sweep = sweep, .layout = conv_strip(&sweep->view, part->y1 - part->y0, columns)};
    pass.row = (ptrdiff_t)step * sweep->out_width * pixel;
    pass.column = (ptrdiff_t)step * pixel;
    pass.tile.plane = pass.layout.plane;
    pass.tile.output_stride = pass.column;
    pass.tile.tap = taps;
    pass.ahead = ahead;
    for (int phase = 0; phase < step * step; phase++) {
        const int y = phase / step, x = phase % step; // in the output, before its stride
        const int count = phase_taps(sweep, &pass.layout, columns, phase, taps);
        pass.tile.taps = count;
        pass.part = *part;
        pass.part.y1 = least(part->y1, (sweep->out_height - y + step - 1) / step);
        pass.part.x1 = least(part->x1, (sweep->out_width - x + step - 1) / step);
        for (int panel = p0; panel < p1; panel++) {
            const int first = panel * panel_lanes(kernels);
            const int width = panel_width(kernels, sweep->lanes, panel);
            const int together =
                weight_floats(kernels) / (CONV_BLOCK * width * (count > 0 ? count : 1));
            pass.units = width / CONV_BLOCK;
            pass.lanes = least(width, sweep->lanes - first);
            pass.origin =
                (((ptrdiff_t)image * sweep->out_height + y) * sweep->out_width + x) * pixel +
                (ptrdiff_t)group * sweep->lanes + first;
            pass.tile.start =
                sweep->start != NULL ? sweep->start + (ptrdiff_t)group * lanes + first : NULL;
            for (int block = part->b0; block < part->b1;) {
                const int end = least(part->b1, block + (together > 0 ? together : 1));
                const bool last = end == blocks;
                pass.strip = strip + (block - part->b0) * pass.layout.plane;
                pass.tile.weights = weights + (ptrdiff_t)first * sweep->depth * count +
                                    (ptrdiff_t)block * CONV_BLOCK * count * width;
                pass.tile.blocks = end - block;
                pass.tile.last_depth = last ? sweep->depth - (end - 1) * CONV_BLOCK : CONV_BLOCK;
                pass.tile.resume = block > 0 || sweep->resume;
                pass.tile.relu = last && sweep->relu;
                pass.tile.residual[0] = last ? sweep->residual : NULL;
                if (count > 0 || !pass.tile.resume) { // without taps: zeros, once
                    run_pass(&pass);
                }
                block = end;
            }
        }
        weights += (ptrdiff_t)lanes * sweep->depth * count;
    }
}

void conv_sweep_ahead(const ConvSweep *sweep, int image, const ConvPart *part, ConvSpan *span) {
    *span = (ConvSpan){.pieces = 0};
    if (!sweep->resume) {
        return;
    }
    const int step = sweep->out_stride, y = part->y0 * step, x = part->x0 * step;
    const ptrdiff_t pixel = (ptrdiff_t)sweep->geometry->groups * sweep->lanes;
    const ptrdiff_t place = ((ptrdiff_t)image * sweep->out_height + y) * sweep->out_width + x;
    span->at = (const char *)(sweep->out + place * pixel);
    span->stride = sweep->out_width * pixel * (ptrdiff_t)sizeof(float);
    span->piece = (least(part->x1 * step, sweep->out_width) - x) * pixel * (ptrdiff_t)sizeof(float);
    span->pieces = least(part->y1 * step, sweep->out_height) - y;
}

int conv_sweep_tiles(const ConvSweep *sweep, const ConvPart *part, int panels) {
    const int most = sweep->kernels->conv->rows[sweep->kernels->conv->units - 1];
    const int blocks = part->b1 - part->b0, taps = conv_taps(sweep->geometry);
    const int floats = blocks * CONV_BLOCK * panel_lanes(sweep->kernels) * taps;
    const int together = weight_floats(sweep->kernels);
    return conv_part_tile_count(part, most) * panels * ((floats + together - 1) / together);
}

typedef struct Run {
    const ConvSweep *sweep;
    char *workspace;
    size_t worker_bytes;
    int strips, items; // strips of an image; of all images and groups
    int tasks, splits, panels;
    int held[THREADS_MAX]; // the item whose strip each worker has filled last; -1 for none
} Run;

// Never less than the budget: a smaller batch may be cut into larger strips.
static size_t strip_bytes(const ConvSweep *sweep) {
    const size_t floats = sweep->cut.floats;
    return (floats > STRIP_FLOATS_MOST ? floats : STRIP_FLOATS_MOST) * sizeof(float);
}

size_t conv_sweep_bytes(const ConvGeometry *g, const ConvSweep *sweep) {
    const size_t bytes = strip_bytes(sweep) + (size_t)conv_taps(g) * sizeof(int32_t);
    return block_aligned(bytes);
}

// Items are ordered by group, then image, then strip.
typedef struct Item {
    int group, image;
    ConvPart part;
    const float *source;
} Item;

static Item item_of(const Run *run, int index) {
    const ConvSweep *sweep = run->sweep;
    const int images = sweep->geometry->batch;
    Item item = {.group = index / run->strips / images,
                 .image = index / run->strips % images,
                 .part = conv_cut_part(&sweep->view, &sweep->cut, index % run->strips)};
    item.source =
        sweep->source +
        (ptrdiff_t)item.image * sweep->view.height * sweep->view.width * sweep->view.pixel_stride +
        (ptrdiff_t)item.group * sweep->view.channels;
    return item;
}

static void part_blocks(const ConvSweep *sweep, int first, ConvPart *part) {
    part->b0 = first;
    part->b1 = least(blocks_of(sweep->depth), first + sweep->cut.blocks);
}

static void run_task(void *context, int task, int worker) {
    Run *run = context;
    const ConvSweep *sweep = run->sweep;
    const int blocks = blocks_of(sweep->depth), split = task % run->splits;
    float *strip = (float *)(void *)(run->workspace + (size_t)worker * run->worker_bytes);
    int32_t *taps = (int32_t *)(void *)((char *)strip + strip_bytes(sweep));
    const int p0 = run->panels * split / run->splits, p1 = run->panels * (split + 1) / run->splits;
    task /= run->splits;
    const int begin = (int)((int64_t)run->items * task / run->tasks);
    const int end = (int)((int64_t)run->items * (task + 1) / run->tasks);
    // Blocks of an item within the strip's limits, then the next item.
    for (int index = begin, block = 0; index < end;) {
        Item item = item_of(run, index);
        part_blocks(sweep, block, &item.part);
        block = item.part.b1 < blocks ? item.part.b1 : 0;
        index += block == 0;
        ConvAhead ahead = {.lines = 0};
        if (index < end) {
            Item next = item_of(run, index);
            part_blocks(sweep, block, &next.part);
            conv_ahead_set(&ahead, 0, &sweep->view, &next.part, next.source);
            conv_sweep_ahead(sweep, next.image, &next.part, &ahead.span[1]);
            conv_ahead_spread(&ahead, conv_sweep_tiles(sweep, &item.part, p1 - p0));
        }
        // Splits come in order: a worker often gets the same strip again.
        const bool whole = item.part.b1 - item.part.b0 == blocks;
        if (!whole || run->held[worker] != begin || run->splits == 1) {
            conv_strip_fill(&sweep->view, &item.part, item.source, strip, sweep->kernels->conv);
        }
        run->held[worker] = begin;
        conv_sweep_strip(sweep, item.image, item.group, &item.part, strip, p0, p1, taps, &ahead);
    }
}

void conv_sweep_run(const ConvSweep *sweep, void *workspace, Threads *threads) {
    const ConvGeometry *g = sweep->geometry;
    Run run = {.sweep = sweep,
               .workspace = workspace,
               .worker_bytes = conv_sweep_bytes(g, sweep),
               .strips = sweep->cut.row_strips * sweep->cut.column_strips,
               .splits = 1,
               .panels = panel_count(sweep->kernels, sweep->lanes)};
    run.items = g->batch * g->groups * run.strips;
    run.tasks = least(run.items, ENOUGH_TASKS);
    if (run.tasks < ENOUGH_SPLITS) {
        run.splits = least(run.panels, (ENOUGH_SPLITS + run.tasks - 1) / run.tasks);
    }
    for (int i = 0; i < threads_count(threads); i++) {
        run.held[i] = -1;
    }
    threads_run(threads, run.tasks * run.splits, run_task, &run);
}
