// SPDX-License-Identifier: Apache-2.0
// Convolution backward to the weights: WeightTiles over strips of input and output gradient.
//
// The sum over (sample, strip) is cut into chunks, and dw into cells that stay in a core's cache:
//
//     for each chunk, for each cell of dw (a task)
//         for each strip of the chunk
//             copy the input's channels and the gradient's channels of this cell
//             for each group of rows, panel, block, tap: partial[chunk] += input * gradient
//     dw = partial[0] + partial[1] + ...  in this order
//
// The number of chunks depends on shapes and batch alone, so that dw does too.
#include <string.h>

#include "backend/cpu/conv.h"

enum {
    ENOUGH_TASKS = 16,
    // Sides of a cell, multiples of the panel: 64 x 64 x 9 weights or 256 x 256 are 147 or 262 KB.
    CELL_OF_WINDOWS = 64,
    CELL_OF_PIXELS = 256,
    // Pixels that a group of rows should have: what a panel and a block read of it fits the first
    // cache, and loading and storing the sums costs little beside.
    GROUP_PIXELS = 128,
    // Where a window has fewer taps, cells are large.
    FEW_TAPS = 4
};

static int least(int a, int b) { return a < b ? a : b; }
static int ceil_divide(int a, int b) { return (a + b - 1) / b; }

typedef struct Plan {
    ConvView input, gradient;
    ConvCut cut;           // of both views' common grid
    int in_cell, out_cell; // channels in a cell
    int in_cells, out_cells;
    int items, chunks; // strips of all samples; partial sums
    bool with_sweep;   // strips are whole images: the gradient's may serve a sweep too
    ConvView swept;
    size_t input_floats, gradient_floats; // of workspace
    size_t partial_floats, bias_floats;   // of a chunk
} Plan;

static size_t at_least_budget(size_t floats) {
    return floats > STRIP_FLOATS ? floats : STRIP_FLOATS;
}

static Plan plan_weights(const ConvGeometry *g) {
    Plan p = {.input = conv_view_forward(g), .gradient = conv_view_gradient(g)};
    const int cell = conv_taps(g) < FEW_TAPS ? CELL_OF_PIXELS : CELL_OF_WINDOWS;
    p.in_cell = least(cell, g->channels);
    p.out_cell = least(cell, g->out_channels);
    p.in_cells = ceil_divide(g->channels, p.in_cell);
    p.out_cells = ceil_divide(g->out_channels, p.out_cell);

    // Strips of the channels of a cell.
    ConvView input = p.input, gradient = p.gradient;
    input.channels = p.in_cell;
    gradient.channels = p.out_cell;
    const ConvCut wide = conv_cut(&input, g->batch, STRIP_COLUMNS);
    const ConvCut deep = conv_cut(&gradient, g->batch, STRIP_COLUMNS);
    p.cut = wide;
    p.cut.rows = least(wide.rows, deep.rows);
    p.cut.row_strips = ceil_divide(g->out_height, p.cut.rows);
    p.input_floats =
        at_least_budget(conv_strip_floats(&input, p.cut.rows, p.cut.columns, blocks_of(p.in_cell)));
    p.gradient_floats = at_least_budget(
        conv_strip_floats(&gradient, p.cut.rows, p.cut.columns, blocks_of(p.out_cell)));

    const int cells = g->groups * p.in_cells * p.out_cells;
    p.items = g->batch * p.cut.row_strips * p.cut.column_strips;
    p.chunks = least(p.items, ceil_divide(ENOUGH_TASKS, cells));
    p.partial_floats = conv_forward_floats(g);
    p.bias_floats = (size_t)g->groups * (size_t)lanes_of(g->out_channels);

    p.swept = conv_view_backward(g);
    p.with_sweep = p.in_cells == 1 && p.out_cells == 1 && p.cut.row_strips == 1 &&
                   p.cut.column_strips == 1 &&
                   conv_strip_floats(&p.swept, p.swept.grid_height, p.swept.grid_width,
                                     blocks_of(g->out_channels)) <= STRIP_FLOATS;
    return p;
}

typedef struct Run {
    const ConvGeometry *g;
    const Kernels *kernels;
    const Plan *plan;
    const float *x, *dy;
    float *dw, *db;
    const ConvSweep *sweep; // done on the way; NULL for none
    float *partial;         // [chunk][partial_floats + bias_floats]
    char *workspace;
    size_t worker_bytes;
} Run;

static float *chunk_of(const Run *run, int chunk) {
    return run->partial + (size_t)chunk * (run->plan->partial_floats + run->plan->bias_floats);
}

// One strip of a cell: where both sides lie, and what of dw they make.
typedef struct Strips {
    const float *input, *gradient;
    ConvStrip input_layout, gradient_layout;
    ptrdiff_t gradient_origin; // of grid position (0, 0)
    ConvPart part;             // b0, b1: blocks of the input
    int p0, p1, first_lane;    // panels of dw; the lane at which the gradient's strip begins
    float *partial;            // of the chunk and group
    ConvAhead ahead;
    bool resume;
} Strips;

static void add_rows(const Run *run, Strips *s, int y0, int y1) {
    const ConvGeometry *g = run->g;
    const ConvKernels *conv = run->kernels->conv;
    const int columns = s->part.x1 - s->part.x0, taps = conv_taps(g);
    const int rows_before = y0 - s->part.y0;
    WeightTile tile = {.input_pitch =
                           (ptrdiff_t)s->input_layout.row_step * s->input_layout.pitch * CONV_BLOCK,
                       .gradient_pitch = (ptrdiff_t)s->gradient_layout.pitch * CONV_BLOCK,
                       .gradient_plane = s->gradient_layout.plane,
                       .height = y1 - y0,
                       .width = columns,
                       .resume = s->resume || y0 > s->part.y0};
    for (int panel = s->p0; panel < s->p1; panel++) {
        const int lane = panel * panel_lanes(run->kernels);
        const int width = panel_width(run->kernels, g->out_channels, panel);
        const int units = width / CONV_BLOCK, most = conv->weight_rows[units - 1];
        tile.gradient = s->gradient + s->gradient_origin + rows_before * tile.gradient_pitch +
                        (lane - s->first_lane) / CONV_BLOCK * tile.gradient_plane;
        for (int block = s->part.b0; block < s->part.b1; block++) {
            const int depth = least(CONV_BLOCK, g->channels - block * CONV_BLOCK);
            const int tiles = ceil_divide(depth, most);
            const float *input = s->input + rows_before * tile.input_pitch +
                                 (block - s->part.b0) * s->input_layout.plane;
            float *sum = s->partial + (ptrdiff_t)lane * g->channels * taps +
                         (ptrdiff_t)block * CONV_BLOCK * taps * width;
            for (int tap = 0; tap < taps; tap++) {
                const float *moved =
                    input + conv_strip_offset(&run->plan->input, &s->input_layout, columns,
                                              tap / g->kernel_width, tap % g->kernel_width);
                for (int i = 0; i < tiles; i++) {
                    const int k = depth * i / tiles, rows = depth * (i + 1) / tiles - k;
                    tile.input = moved + k;
                    tile.sum = sum + (ptrdiff_t)(tap * depth + k) * width;
                    conv_ahead_step(&s->ahead);
                    conv->weight_tile[units - 1][rows - 1](&tile);
                }
            }
        }
    }
}

static void add_bias(const Run *run, const Strips *s, float *sum) {
    const int lanes = least(s->p1 * panel_lanes(run->kernels), lanes_of(run->g->out_channels));
    for (int lane = s->first_lane; lane < lanes; lane += CONV_BLOCK) {
        if (!s->resume) {
            memset(sum + lane, 0, CONV_BLOCK * sizeof(float));
        }
        run->kernels->conv->sum_pixels(sum + lane,
                                       s->gradient + s->gradient_origin +
                                           (lane - s->first_lane) / CONV_BLOCK *
                                               s->gradient_layout.plane,
                                       (ptrdiff_t)s->gradient_layout.pitch * CONV_BLOCK,
                                       s->part.y1 - s->part.y0, s->part.x1 - s->part.x0);
    }
}

// Copies the output's gradient for the sweep, sweeps, and leaves the strip for the weights.
static void sweep_gradient(const Run *run, Strips *s, int image, int group, const float *dy,
                           float *gradient, int32_t *taps) {
    const ConvView *view = &run->plan->swept;
    const ConvPart whole = {
        .y1 = view->grid_height, .x1 = view->grid_width, .b1 = blocks_of(view->channels)};
    conv_strip_fill(view, &whole, dy, gradient, run->kernels->conv);
    conv_sweep_strip(run->sweep, image, group, &whole, gradient, 0,
                     panel_count(run->kernels, run->g->channels), taps, &s->ahead);
    s->gradient_layout = conv_strip(view, view->grid_height, view->grid_width);
    s->gradient_origin =
        ((ptrdiff_t)view->top * s->gradient_layout.pitch + view->left) * CONV_BLOCK;
}

// A cell of dw: a group's input channels from first_channel, output channels from first_lane.
typedef struct Cell {
    int group, first_channel, first_lane, last_lane;
} Cell;

// A strip of one sample.
typedef struct Item {
    int image;
    ConvPart part;
    const float *x, *dy; // the sample's and group's
} Item;

static Item item_of(const Run *run, const Cell *cell, int index) {
    const ConvGeometry *g = run->g;
    const Plan *plan = run->plan;
    const int strips = plan->cut.row_strips * plan->cut.column_strips;
    const ptrdiff_t image = index / strips;
    const ptrdiff_t in = image * g->height * g->width * plan->input.pixel_stride;
    const ptrdiff_t out = image * g->out_height * g->out_width * plan->gradient.pixel_stride;
    return (Item){.image = (int)image,
                  .part = conv_cut_part(&plan->input, &plan->cut, index % strips),
                  .x = run->x + in + (ptrdiff_t)cell->group * g->channels,
                  .dy = run->dy + out + (ptrdiff_t)cell->group * g->out_channels};
}

// Blocks of a cell on both sides.
static void input_blocks(const Run *run, const Cell *cell, ConvPart *part) {
    part->b0 = cell->first_channel / CONV_BLOCK;
    part->b1 = blocks_of(least(run->g->channels, cell->first_channel + run->plan->in_cell));
}
static void gradient_blocks(const Cell *cell, ConvPart *part) {
    part->b0 = cell->first_lane / CONV_BLOCK;
    part->b1 = blocks_of(cell->last_lane);
}

// What the next item reads.
static void look_ahead(const Run *run, const Cell *cell, const Item *item, int next,
                       ConvAhead *ahead) {
    const ConvGeometry *g = run->g;
    const Plan *plan = run->plan;
    Item later = item_of(run, cell, next);
    input_blocks(run, cell, &later.part);
    conv_ahead_set(ahead, 0, &plan->input, &later.part, later.x);
    gradient_blocks(cell, &later.part);
    conv_ahead_set(ahead, 1, &plan->gradient, &later.part, later.dy);
    int tiles = 0;
    if (run->sweep != NULL) {
        const ConvView *view = &run->plan->swept;
        const ConvPart whole = {.y1 = view->grid_height, .x1 = view->grid_width};
        conv_sweep_ahead(run->sweep, later.image, &whole, &ahead->span[2]);
        tiles += conv_sweep_tiles(run->sweep, &item->part, panel_count(run->kernels, g->channels));
    }
    if (run->dw != NULL) {
        const int most = run->kernels->conv->weight_rows[run->kernels->conv->units - 1];
        const int pixels = (item->part.y1 - item->part.y0) * (item->part.x1 - item->part.x0);
        tiles += ceil_divide(pixels, GROUP_PIXELS) * ceil_divide(plan->in_cell, most) *
                 conv_taps(g) * ceil_divide(plan->out_cell, panel_lanes(run->kernels));
    }
    conv_ahead_spread(ahead, tiles);
}

static void add_item(const Run *run, const Cell *cell, const Item *item, const ConvAhead *ahead,
                     float *partial, bool resume, int worker) {
    const ConvGeometry *g = run->g;
    const Plan *plan = run->plan;
    float *input = (float *)(void *)(run->workspace + (size_t)worker * run->worker_bytes);
    float *gradient = input + plan->input_floats;
    int32_t *taps = (int32_t *)(void *)(gradient + plan->gradient_floats);
    const ptrdiff_t group_lane = (ptrdiff_t)cell->group * lanes_of(g->out_channels);

    ConvPart part = item->part;
    input_blocks(run, cell, &part);
    Strips s = {.input = input,
                .gradient = gradient,
                .input_layout = conv_strip(&plan->input, part.y1 - part.y0, part.x1 - part.x0),
                .part = part,
                .p0 = cell->first_lane / panel_lanes(run->kernels),
                .p1 = ceil_divide(cell->last_lane, panel_lanes(run->kernels)),
                .first_lane = cell->first_lane,
                .partial = partial + group_lane * g->channels * conv_taps(g),
                .ahead = *ahead,
                .resume = resume};
    if (run->sweep != NULL) {
        sweep_gradient(run, &s, item->image, cell->group, item->dy, gradient, taps);
    } else {
        gradient_blocks(cell, &part);
        conv_strip_fill(&plan->gradient, &part, item->dy, gradient, run->kernels->conv);
        s.gradient_layout = conv_strip(&plan->gradient, part.y1 - part.y0, part.x1 - part.x0);
    }
    if (run->db != NULL && cell->first_channel == 0) {
        add_bias(run, &s, partial + plan->partial_floats + group_lane);
    }
    if (run->dw != NULL) {
        conv_strip_fill(&plan->input, &s.part, item->x, input, run->kernels->conv);
        const int rows = ceil_divide(GROUP_PIXELS, part.x1 - part.x0);
        for (int y = part.y0; y < part.y1; y += rows) {
            add_rows(run, &s, y, least(part.y1, y + rows));
        }
    }
}

static void run_task(void *context, int task, int worker) {
    const Run *run = context;
    const Plan *plan = run->plan;
    const int chunk = task % plan->chunks, index = task / plan->chunks;
    Cell cell = {.group = index / plan->in_cells / plan->out_cells,
                 .first_channel = index % plan->in_cells * plan->in_cell,
                 .first_lane = index / plan->in_cells % plan->out_cells * plan->out_cell};
    cell.last_lane = least(run->g->out_channels, cell.first_lane + plan->out_cell);
    const int begin = (int)((int64_t)plan->items * chunk / plan->chunks);
    const int end = (int)((int64_t)plan->items * (chunk + 1) / plan->chunks);
    for (int i = begin; i < end; i++) {
        const Item item = item_of(run, &cell, i);
        ConvAhead ahead = {.lines = 0};
        if (i + 1 < end) {
            look_ahead(run, &cell, &item, i + 1, &ahead);
        }
        add_item(run, &cell, &item, &ahead, chunk_of(run, chunk), i > begin, worker);
    }
}

typedef struct Reduction {
    const ConvGeometry *g;
    const Kernels *kernels;
    float *partial;
    size_t chunk_floats;
    int chunks;
    float *dw;
} Reduction;

// Adds the chunks of one panel and block, and puts them in the checkpoint's order.
static void reduce_task(void *context, int task, int worker) {
    (void)worker;
    const Reduction *r = context;
    const ConvGeometry *g = r->g;
    const int blocks = blocks_of(g->channels);
    const int panels = panel_count(r->kernels, g->out_channels);
    const int block = task % blocks, panel = task / blocks % panels, group = task / blocks / panels;
    const int width = panel_width(r->kernels, g->out_channels, panel);
    const int lane = panel * panel_lanes(r->kernels), taps = conv_taps(g);
    const int depth = least(CONV_BLOCK, g->channels - block * CONV_BLOCK);
    const ptrdiff_t place =
        ((ptrdiff_t)group * lanes_of(g->out_channels) + lane) * g->channels * taps +
        (ptrdiff_t)block * CONV_BLOCK * taps * width;
    float *sum = r->partial + place;
    for (int chunk = 1; chunk < r->chunks; chunk++) {
        r->kernels->conv->add(sum, sum + (size_t)chunk * r->chunk_floats,
                              (size_t)depth * (size_t)taps * (size_t)width);
    }
    conv_unpack(g, sum, group, panel, block, r->dw, r->kernels);
}

void conv_weights_reduce(const ConvGeometry *g, const Kernels *kernels, float *partial,
                         size_t chunk_floats, int chunks, float *dw, Threads *threads) {
    Reduction r = {g, kernels, partial, chunk_floats, chunks, dw};
    threads_run(threads, g->groups * panel_count(kernels, g->out_channels) * blocks_of(g->channels),
                reduce_task, &r);
}

static void reduce_bias(const Run *run) {
    const ConvGeometry *g = run->g;
    float *sum = chunk_of(run, 0) + run->plan->partial_floats;
    for (int chunk = 1; chunk < run->plan->chunks; chunk++) {
        run->kernels->conv->add(sum, chunk_of(run, chunk) + run->plan->partial_floats,
                                run->plan->bias_floats);
    }
    for (int group = 0; group < g->groups; group++) {
        memcpy(run->db + (ptrdiff_t)group * g->out_channels,
               sum + (ptrdiff_t)group * lanes_of(g->out_channels),
               (size_t)g->out_channels * sizeof(float));
    }
}

static size_t worker_bytes(const ConvGeometry *g, const Plan *plan) {
    const size_t bytes = (plan->input_floats + plan->gradient_floats) * sizeof(float) +
                         (size_t)conv_taps(g) * sizeof(int32_t);
    return block_aligned(bytes);
}

size_t conv_weights_bytes(const ConvGeometry *g, int threads) {
    const Plan plan = plan_weights(g);
    const int cells = g->groups * plan.in_cells * plan.out_cells;
    const size_t chunks = (size_t)ceil_divide(ENOUGH_TASKS, cells); // a smaller batch may have more
    return (size_t)threads * worker_bytes(g, &plan) +
           chunks * (plan.partial_floats + plan.bias_floats) * sizeof(float);
}

bool conv_weights_run(const ConvGeometry *g, const Kernels *kernels, const float *x,
                      const float *dy, float *dw, float *db, const ConvSweep *sweep,
                      void *workspace, Threads *threads) {
    const Plan plan = plan_weights(g);
    Run run = {.g = g,
               .kernels = kernels,
               .plan = &plan,
               .x = x,
               .dy = dy,
               .dw = dw,
               .db = db,
               .sweep = plan.with_sweep ? sweep : NULL,
               .workspace = workspace,
               .worker_bytes = worker_bytes(g, &plan)};
    run.partial =
        (float *)(void *)(run.workspace + (size_t)threads_count(threads) * run.worker_bytes);
    const int cells = g->groups * plan.in_cells * plan.out_cells;
    threads_run(threads, cells * plan.chunks, run_task, &run);
    if (dw != NULL) {
        conv_weights_reduce(g, kernels, run.partial, plan.partial_floats + plan.bias_floats,
                            plan.chunks, dw, threads);
    }
    if (db != NULL) {
        reduce_bias(&run);
    }
    return run.sweep != NULL;
}
