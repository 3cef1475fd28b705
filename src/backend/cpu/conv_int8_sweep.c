// SPDX-License-Identifier: Apache-2.0
// Layers on bytes: Int8Tiles swept over strips, as conv_sweep.c does it for floats. Sums never wait
// in memory, because their places in the output have no room for them: a tile goes through all
// channels, so a strip always holds all of them.
#include "backend/cpu/conv_int8_sweep.h"

#include <string.h>

#include "backend/cpu/conv_int8_pack.h"

// Strips are dealt out in about so many tasks, and where there are fewer than ENOUGH_SPLITS, their
// panels too.
enum { ENOUGH_TASKS = 32, ENOUGH_SPLITS = 16 };
// Kernels of one tap over one row of pixels: a strip has FLAT_DWORDS at most, so that it stays in
// the second cache, but FLAT_PIXELS at least, so that weights are used often; and whole tiles.
enum { FLAT_DWORDS = 32 * 1024, FLAT_PIXELS = 56, FLAT_MULTIPLE = 14 };

static int ceil_divide(int a, int b) { return (a + b - 1) / b; }
static int least(int a, int b) { return a < b ? a : b; }
static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

typedef struct Sweep {
    ConvGeometry dwords;
    const Call *call;
    const Kernels *kernels;
    ConvView view;
    ConvCut cut;
    Int8Prepared prepared;
    ptrdiff_t out_pixel, residual_pixel; // elements of the output, bytes, from pixel to pixel
    char *workspace;
    size_t worker_bytes;
    int strips, items; // strips of an image; of all images and groups
    int tasks, splits, panels;
    int held[THREADS_MAX]; // the item whose strip each worker has filled; -1 for none
} Sweep;

static ConvView view_of(const ConvGeometry *dwords, int32_t zero) {
    ConvView view = conv_view_forward(dwords);
    const uint8_t byte = (uint8_t)zero;
    const uint8_t pad[sizeof view.pad] = {byte, byte, byte, byte};
    memcpy(&view.pad, pad, sizeof pad);
    return view;
}

static bool is_flat(const ConvGeometry *dwords) {
    return conv_taps(dwords) == 1 && dwords->height == 1 && dwords->stride == 1 && dwords->pad == 0;
}

static int flat_pixels(const ConvGeometry *dwords) {
    const int pixels = FLAT_DWORDS / dwords->channels;
    return pixels > FLAT_PIXELS ? pixels : FLAT_PIXELS;
}

// As strips divide into panels for the workers, they need not be small where there are few pixels.
static ConvCut flat_cut(const ConvGeometry *dwords, int panels) {
    const int width = dwords->out_width;
    const int64_t enough = (int64_t)dwords->groups * panels * width / ENOUGH_SPLITS;
    int pixels = flat_pixels(dwords);
    if (pixels > enough) {
        pixels = enough > FLAT_PIXELS ? (int)enough : FLAT_PIXELS;
    }
    ConvCut cut = {.rows = 1, .row_strips = 1, .columns = width, .column_strips = 1};
    if (width > pixels) {
        const int even = ceil_divide(width, ceil_divide(width, pixels));
        cut.columns = ceil_divide(even, FLAT_MULTIPLE) * FLAT_MULTIPLE;
        cut.column_strips = ceil_divide(width, cut.columns);
    }
    return cut;
}

static size_t strip_floats(const ConvGeometry *dwords, const ConvView *view) {
    if (is_flat(dwords)) {
        const int columns = least(flat_pixels(dwords), view->grid_width) + FLAT_MULTIPLE;
        return conv_strip_floats(view, 1, columns, blocks_of(view->channels));
    }
    const ConvCut cut = conv_cut(view, (int64_t)dwords->batch * dwords->groups, STRIP_COLUMNS);
    const int blocks = blocks_of(view->channels);
    // A smaller batch may be cut into larger strips.
    const size_t row = conv_strip_floats(view, 1, least(view->grid_width, STRIP_COLUMNS), blocks);
    return larger(larger(row, STRIP_FLOATS),
                  conv_strip_floats(view, cut.rows, cut.columns, blocks));
}

size_t int8_sweep_bytes(const ConvGeometry *g) {
    const ConvGeometry dwords = int8_dwords(g);
    const ConvView view = view_of(&dwords, 0);
    const size_t bytes =
        strip_floats(&dwords, &view) * sizeof(float) + (size_t)conv_taps(&dwords) * sizeof(int32_t);
    return block_aligned(bytes);
}

// What the tiles of one strip and panel have in common.
typedef struct Pass {
    const Sweep *sweep;
    Int8Tile tile;
    const int32_t *strip;
    ConvStrip layout;
    ConvPart part;
    int units, lanes; // of the panel; lanes that exist
    ptrdiff_t pixel;  // of the image's first one among all pixels
    int first;        // the panel's first channel among all
    ConvNext next;
    ConvAhead *ahead;
} Pass;

// The last panel's missing lanes have no place in the output: the tile works on a copy.
static void edge_tile(const Pass *pass, const Int8Tile *tile, int rows,
                      Int8TileFunction *function) {
    float output[CONV_ROWS_MAX * CONV_PANEL_MAX];
    uint8_t residual[CONV_ROWS_MAX * CONV_PANEL_MAX] = {0};
    const int width = pass->units * CONV_BLOCK, half = rows / 2;
    const size_t size = tile->end.floats ? sizeof(float) : 1;
    const size_t bytes = (size_t)pass->lanes * size;
    Int8Tile copy = *tile;
    char *to = (char *)output;
    copy.output[0] = to;
    copy.output[1] = to + (size_t)(half * width) * size;
    copy.output_stride = width;
    for (int i = 0; i < rows && tile->residual[0] != NULL; i++) {
        const int side = i >= half;
        memcpy(residual + i * width,
               tile->residual[side] + (i - side * half) * tile->residual_stride,
               (size_t)pass->lanes);
    }
    if (tile->residual[0] != NULL) {
        copy.residual[0] = residual;
        copy.residual[1] = residual + half * width;
        copy.residual_stride = width;
    }
    function(&copy);
    for (int i = 0; i < rows; i++) {
        const int side = i >= half;
        memcpy((char *)tile->output[side] +
                   (i - side * half) * tile->output_stride * (ptrdiff_t)size,
               to + (size_t)(i * width) * size, bytes);
    }
}

// A tile whose first half begins at (y, x) of the output, and its second at (y2, x2).
static void run_tile(void *context, int y, int x, int y2, int x2, int rows) {
    Pass *pass = context;
    const Sweep *sweep = pass->sweep;
    const ConvGeometry *dwords = &sweep->dwords;
    Int8Tile *tile = &pass->tile;
    const int at[2][2] = {{y, x}, {y2, x2}};
    for (int i = 0; i < 2; i++) {
        const ptrdiff_t pixel = pass->pixel + (ptrdiff_t)at[i][0] * dwords->out_width + at[i][1];
        const ptrdiff_t place = pixel * sweep->out_pixel + pass->first;
        tile->input[i] =
            pass->strip + conv_strip_position(&pass->layout, &pass->part, at[i][0], at[i][1]);
        tile->output[i] =
            (char *)sweep->call->output + place * (tile->end.floats ? (ptrdiff_t)sizeof(float) : 1);
        if (sweep->call->input[1] != NULL) {
            tile->residual[i] = (const uint8_t *)sweep->call->input[1] +
                                pixel * sweep->residual_pixel + pass->first;
        }
    }
    conv_ahead_step(pass->ahead);
    tile->ahead = pass->next.at;
    pass->next.at += pass->next.tile;
    Int8TileFunction *function = sweep->kernels->int8->tile[pass->units - 1][rows - 1];
    if (pass->lanes < pass->units * CONV_BLOCK) {
        edge_tile(pass, tile, rows, function);
    } else {
        function(tile);
    }
}

static void run_panel(Pass *pass) {
    const int most = pass->sweep->kernels->int8->rows[pass->units - 1];
    const int width = pass->units * CONV_BLOCK * 4;
    const ptrdiff_t rows = (ptrdiff_t)pass->tile.blocks * CONV_BLOCK * pass->tile.taps;
    pass->next = conv_next(&pass->part, most, pass->tile.weights, rows, width);
    pass->tile.ahead_step = pass->next.step;
    conv_part_tiles(&pass->part, most, run_tile, pass);
}

// The panels p0 … p1-1 over a strip that lies filled in memory.
static void run_strip(const Sweep *sweep, int image, int group, const ConvPart *part,
                      const int32_t *strip, int p0, int p1, int32_t *taps, ConvAhead *ahead) {
    const ConvGeometry *dwords = &sweep->dwords;
    const Node *node = sweep->call->node;
    const int columns = part->x1 - part->x0, blocks = blocks_of(dwords->channels);
    Pass pass = {.sweep = sweep,
                 .strip = strip,
                 .layout = conv_strip(&sweep->view, part->y1 - part->y0, columns),
                 .part = *part,
                 .pixel = (ptrdiff_t)image * dwords->out_height * dwords->out_width,
                 .ahead = ahead};
    for (int i = 0; i < dwords->kernel_height; i++) {
        for (int j = 0; j < dwords->kernel_width; j++) {
            taps[i * dwords->kernel_width + j] =
                (int32_t)conv_strip_offset(&sweep->view, &pass.layout, columns, i, j);
        }
    }
    pass.tile = (Int8Tile){.plane = pass.layout.plane,
                           .blocks = blocks,
                           .last_depth = dwords->channels - (blocks - 1) * CONV_BLOCK,
                           .tap = taps,
                           .taps = conv_taps(dwords),
                           .residual_stride = sweep->residual_pixel,
                           .output_stride = sweep->out_pixel,
                           .end = {.floats = !node->bytes, .relu = node->relu, .zero = node->zero}};
    for (int panel = p0; panel < p1; panel++) {
        const int first = panel * int8_panel_lanes(sweep->kernels);
        const int width = int8_panel_width(sweep->kernels, dwords->out_channels, panel);
        const ptrdiff_t lane = (ptrdiff_t)group * lanes_of(dwords->out_channels) + first;
        pass.units = width / CONV_BLOCK;
        pass.lanes = least(width, dwords->out_channels - first);
        pass.first = group * dwords->out_channels + first;
        pass.tile.weights =
            sweep->prepared.weights + lane * dwords->channels * conv_taps(dwords) * 4;
        int8_end_lanes(&sweep->prepared, lane, pass.lanes, &pass.tile.end);
        run_panel(&pass);
    }
}

static int tiles_of(const Sweep *sweep, const ConvPart *part, int panels) {
    const Int8Kernels *kernels = sweep->kernels->int8;
    return conv_part_tile_count(part, kernels->rows[kernels->units - 1]) * panels;
}

// Items are ordered by group, then image, then strip.
typedef struct Item {
    int group, image;
    ConvPart part;
    const float *source; // dwords, which are only moved
} Item;

static Item item_of(const Sweep *sweep, int index) {
    const int images = sweep->dwords.batch;
    Item item = {.group = index / sweep->strips / images,
                 .image = index / sweep->strips % images,
                 .part = conv_cut_part(&sweep->view, &sweep->cut, index % sweep->strips)};
    const ConvView *view = &sweep->view;
    item.source = (const float *)sweep->call->input[0] +
                  (ptrdiff_t)item.image * view->height * view->width * view->pixel_stride +
                  (ptrdiff_t)item.group * sweep->dwords.channels;
    return item;
}

static void run_task(void *context, int task, int worker) {
    Sweep *sweep = context;
    const int split = task % sweep->splits;
    float *strip = (float *)(void *)(sweep->workspace + (size_t)worker * sweep->worker_bytes);
    int32_t *taps = (int32_t *)(void *)((char *)strip + sweep->worker_bytes) -
                    (ptrdiff_t)conv_taps(&sweep->dwords);
    const int p0 = sweep->panels * split / sweep->splits;
    const int p1 = sweep->panels * (split + 1) / sweep->splits;
    task /= sweep->splits;
    const int begin = (int)((int64_t)sweep->items * task / sweep->tasks);
    const int end = (int)((int64_t)sweep->items * (task + 1) / sweep->tasks);
    for (int index = begin; index < end; index++) {
        const Item item = item_of(sweep, index);
        ConvAhead ahead = {.lines = 0};
        if (index + 1 < end) {
            const Item next = item_of(sweep, index + 1);
            conv_ahead_set(&ahead, 0, &sweep->view, &next.part, next.source);
            conv_ahead_spread(&ahead, tiles_of(sweep, &item.part, p1 - p0));
        }
        // Tasks come in order: a worker often gets other panels of the same strip.
        if (sweep->held[worker] != index) {
            conv_strip_fill(&sweep->view, &item.part, item.source, strip, sweep->kernels->conv);
            sweep->held[worker] = index;
        }
        run_strip(sweep, item.image, item.group, &item.part, (const int32_t *)(const void *)strip,
                  p0, p1, taps, &ahead);
    }
}

void int8_sweep_run(const ConvGeometry *g, const Call *call, void *block, const Kernels *kernels) {
    const Shape out = call->node->shape;
    Sweep sweep = {.dwords = int8_dwords(g),
                   .call = call,
                   .kernels = kernels,
                   .prepared = int8_prepared(g, block),
                   .residual_pixel = (ptrdiff_t)shape_byte_pixel(out),
                   .workspace = call->workspace,
                   .worker_bytes = int8_sweep_bytes(g),
                   .splits = 1,
                   .panels = int8_panel_count(kernels, g->out_channels)};
    sweep.out_pixel = call->node->bytes ? sweep.residual_pixel : out.channels;
    sweep.view = view_of(&sweep.dwords, call->input_node[0]->zero);
    sweep.cut = is_flat(&sweep.dwords)
                    ? flat_cut(&sweep.dwords, sweep.panels)
                    : conv_cut(&sweep.view, (int64_t)g->batch * g->groups, STRIP_COLUMNS);
    sweep.strips = sweep.cut.row_strips * sweep.cut.column_strips;
    sweep.items = g->batch * g->groups * sweep.strips;
    sweep.tasks = least(sweep.items, ENOUGH_TASKS);
    if (sweep.tasks < ENOUGH_SPLITS) {
        sweep.splits = least(sweep.panels, (ENOUGH_SPLITS + sweep.tasks - 1) / sweep.tasks);
    }
    for (int i = 0; i < threads_count(call->threads); i++) {
        sweep.held[i] = -1;
    }
    threads_run(call->threads, sweep.tasks * sweep.splits, run_task, &sweep);
}
