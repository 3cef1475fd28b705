// SPDX-License-Identifier: Apache-2.0
// The gradient of 3x3 weights by Winograd's formula: see winograd_kernels.h.
//
//     for each chunk of the batch's tiles, for each cell of dw (a task)
//         for each block of the chunk's tiles
//             transform tiles of the input and of the output's gradient: [point][16s][tile][16]
//             for each panel and 16 channels of the cell, for each point:
//                 sums[point] += input * gradient, by WeightTiles
//         partial[chunk] = the sums transformed back
//     dw = partial[0] + partial[1] + ...  in this order
//
// A cell is so small that its sums, four times as many as its weights, stay in the second cache.
// Chunks depend on shapes and batch alone, so that dw does too.

#include "backend/cpu/conv_winograd_weights.h"

#include "backend/cpu/conv_winograd_tiles.h"

enum {
    TILES_MAX = 32, // in a block
    CELL = 64,      // channels on both sides of a cell, a multiple of the panel
    ENOUGH_TASKS = 16
};

static int least(int a, int b) { return a < b ? a : b; }
static int ceil_divide(int a, int b) { return (a + b - 1) / b; }

typedef struct Run {
    const ConvGeometry *g;
    const Kernels *kernels;
    WinogradTiles tiles;
    const float *x, *dy;
    const WinogradSteps *steps; // or NULL: dy lies in memory
    int in_cell, out_cell, in_cells, out_cells, chunks;
    float *partial, *workspace;
    size_t chunk_floats;
    // Of a worker's workspace, in floats: [strip][input][gradient][sums].
    ptrdiff_t plane, input_point, gradient_point, sums, worker;
} Run;

static Run plan_run(const ConvGeometry *g) {
    Run r = {.g = g, .tiles = winograd_tiles(g->batch, g->height, g->width)};
    r.in_cell = least(CELL, g->channels);
    r.out_cell = least(CELL, g->out_channels);
    r.in_cells = ceil_divide(g->channels, r.in_cell);
    r.out_cells = ceil_divide(g->out_channels, r.out_cell);
    r.chunks = least(r.tiles.count, ceil_divide(ENOUGH_TASKS, r.in_cells * r.out_cells));
    r.chunk_floats = conv_forward_floats(g);
    r.plane = winograd_odd_lines(TILES_MAX * CONV_BLOCK);
    r.input_point = blocks_of(r.in_cell) * r.plane;
    r.gradient_point = blocks_of(r.out_cell) * r.plane;
    r.sums = (ptrdiff_t)WINOGRAD_POINTS * lanes_of(r.in_cell) * lanes_of(r.out_cell);
    r.worker =
        WINOGRAD_STRIP_FLOATS + WINOGRAD_POINTS * (r.input_point + r.gradient_point) + r.sums;
    return r;
}

// One cell of dw.
typedef struct Cell {
    int channel, channels, lane, lanes; // the first and how many, on both sides
} Cell;

// Calls for every panel and block of 16 channels of a cell; sums lie [panel][block][point][channel]
// [lane].
typedef struct Part {
    int panel, width; // of lanes; the panel's place in dw is `panel`
    int block, depth; // of channels
    float *sums;
} Part;

static void multiply(const Run *r, const Cell *cell, const Part *part, int tiles,
                     const float *input, const float *gradient, bool resume,
                     WinogradAhead ahead[2]) {
    const int units = part->width / CONV_BLOCK;
    const int most = r->kernels->conv->weight_rows[units - 1];
    const int count = ceil_divide(part->depth, most);
    const ptrdiff_t first = (ptrdiff_t)part->panel * panel_lanes(r->kernels) - cell->lane;
    WeightTile tile = {.gradient_plane = r->plane, .height = 1, .width = tiles, .resume = resume};
    input += (part->block - cell->channel / CONV_BLOCK) * r->plane;
    gradient += first / CONV_BLOCK * r->plane;
    float *sums = part->sums;
    for (int point = 0; point < WINOGRAD_POINTS; point++) {
        tile.gradient = gradient;
        winograd_ahead_step(&ahead[0]);
        winograd_ahead_step(&ahead[1]);
        for (int i = 0; i < count; i++) {
            const int k = part->depth * i / count, rows = part->depth * (i + 1) / count - k;
            tile.input = input + k;
            tile.sum = sums + (ptrdiff_t)k * part->width;
            r->kernels->conv->weight_tile[units - 1][rows - 1](&tile);
        }
        input += r->input_point;
        gradient += r->gradient_point;
        sums += part->depth * part->width;
    }
}

// Puts a part's sums, transformed back, where conv_pack_forward() would put these weights.
static void finish(const Run *r, const Part *part, float *partial) {
    const ptrdiff_t lane = (ptrdiff_t)part->panel * panel_lanes(r->kernels);
    const int count = part->depth * part->width;
    r->kernels->winograd->weight_sums(&(WinogradWeightSums){
        .from = part->sums,
        .point = count,
        .tap = count,
        .to = partial + lane * r->g->channels * WINOGRAD_TAPS +
              (ptrdiff_t)part->block * CONV_BLOCK * WINOGRAD_TAPS * part->width,
        .count = count});
}

// A chunk of the tiles and a cell of dw.
typedef struct Task {
    const Run *run;
    Cell cell;
    float *strip, *input, *gradient, *sums, *partial; // the first four in the worker's workspace
    int panel0, panels;
    WinogradSource x;
} Task;

// Tiles t0 … t1-1, of `end` that will come; tile t0 of the batch is tile `local` of dy.
static void run_tiles(const Task *task, const WinogradSource *dy, int t0, int t1, int local,
                      int end, bool resume, bool last) {
    const Run *r = task->run;
    const ConvGeometry *g = r->g;
    const Cell *cell = &task->cell;
    const int steps = task->panels * blocks_of(cell->channels) * WINOGRAD_POINTS;
    winograd_transform(&task->x, false, t0, t1, NULL, task->strip, r->input_point, r->plane,
                       task->input);
    winograd_transform(dy, true, local, local + t1 - t0, NULL, task->strip, r->gradient_point,
                       r->plane, task->gradient);
    const int next = least(end, t1 + TILES_MAX), dy_next = r->steps != NULL ? t1 : next;
    WinogradAhead ahead[2] = {winograd_ahead(&task->x, WINOGRAD_SEE, t1, next, steps),
                              winograd_ahead(dy, WINOGRAD_SEE, t1, dy_next, steps)};
    Part part = {.sums = task->sums};
    for (int p = 0; p < task->panels; p++) {
        part.panel = task->panel0 + p;
        part.width = panel_width(r->kernels, g->out_channels, part.panel);
        for (int b = 0; b < blocks_of(cell->channels); b++) {
            part.block = cell->channel / CONV_BLOCK + b;
            part.depth = least(CONV_BLOCK, cell->channels - b * CONV_BLOCK);
            multiply(r, cell, &part, t1 - t0, task->input, task->gradient, resume, ahead);
            if (last) {
                finish(r, &part, task->partial);
            }
            part.sums += WINOGRAD_POINTS * part.depth * part.width;
        }
    }
}

// The images of tiles begin … end-1, a step at a time.
static void run_steps(const Task *task, int begin, int end, int worker) {
    const Run *r = task->run;
    const WinogradSteps *steps = r->steps;
    const int tiles = r->tiles.rows * r->tiles.columns, most = steps->images;
    for (int image = begin / tiles; image < end / tiles; image += most) {
        const int count = least(most, end / tiles - image), all = count * tiles;
        const WinogradTiles local = winograd_tiles(count, r->tiles.height, r->tiles.width);
        const WinogradSource dy = {
            r->kernels,         &local,          steps->begin(steps->context, image, count, worker),
            r->g->out_channels, task->cell.lane, task->cell.lanes};
        const int blocks = ceil_divide(all, TILES_MAX), first = image * tiles;
        for (int i = 0; i < blocks; i++) {
            const int t0 = all * i / blocks, t1 = all * (i + 1) / blocks;
            run_tiles(task, &dy, first + t0, first + t1, t0, end, first + t0 > begin,
                      first + t1 == end);
        }
        steps->end(steps->context, image, count, worker);
    }
}

static void run_task(void *context, int index, int worker) {
    const Run *r = context;
    const ConvGeometry *g = r->g;
    const int chunk = index % r->chunks, cell = index / r->chunks;
    Task task = {.run = r,
                 .cell = {.channel = cell % r->in_cells * r->in_cell,
                          .lane = cell / r->in_cells * r->out_cell},
                 .strip = r->workspace + worker * r->worker,
                 .partial = r->partial + (size_t)chunk * r->chunk_floats};
    task.cell.channels = least(r->in_cell, g->channels - task.cell.channel);
    task.cell.lanes = least(r->out_cell, g->out_channels - task.cell.lane);
    task.input = task.strip + WINOGRAD_STRIP_FLOATS;
    task.gradient = task.input + WINOGRAD_POINTS * r->input_point;
    task.sums = task.gradient + WINOGRAD_POINTS * r->gradient_point;
    task.panel0 = task.cell.lane / panel_lanes(r->kernels);
    task.panels = ceil_divide(task.cell.lanes, panel_lanes(r->kernels));
    task.x = (WinogradSource){r->kernels,  &r->tiles,         r->x,
                              g->channels, task.cell.channel, task.cell.channels};

    const int begin = (int)((int64_t)r->tiles.count * chunk / r->chunks);
    const int end = (int)((int64_t)r->tiles.count * (chunk + 1) / r->chunks);
    if (r->steps != NULL) {
        run_steps(&task, begin, end, worker);
        return;
    }
    const WinogradSource dy = {r->kernels,      &r->tiles,      r->dy,
                               g->out_channels, task.cell.lane, task.cell.lanes};
    const int blocks = ceil_divide(end - begin, TILES_MAX);
    for (int i = 0; i < blocks; i++) {
        const int t0 = begin + (int)((int64_t)(end - begin) * i / blocks);
        const int t1 = begin + (int)((int64_t)(end - begin) * (i + 1) / blocks);
        run_tiles(&task, &dy, t0, t1, t0, end, i > 0, i == blocks - 1);
    }
}

size_t winograd_weights_bytes(const ConvGeometry *g, int threads) {
    const Run r = plan_run(g);
    // A smaller batch may have as many chunks.
    const size_t chunks = (size_t)ceil_divide(ENOUGH_TASKS, r.in_cells * r.out_cells);
    return ((size_t)threads * (size_t)r.worker + chunks * r.chunk_floats) * sizeof(float);
}

static void run_all(Run *r, const Kernels *kernels, float *dw, void *workspace, Threads *threads) {
    r->kernels = kernels;
    r->workspace = workspace;
    r->partial = r->workspace + threads_count(threads) * r->worker;
    threads_run(threads, r->in_cells * r->out_cells * r->chunks, run_task, r);
    conv_weights_reduce(r->g, kernels, r->partial, r->chunk_floats, r->chunks, dw, threads);
}

void winograd_weights_run(const ConvGeometry *g, const Kernels *kernels, const float *x,
                          const float *dy, float *dw, void *workspace, Threads *threads) {
    Run r = plan_run(g);
    r.x = x;
    r.dy = dy;
    run_all(&r, kernels, dw, workspace, threads);
}

bool winograd_weights_whole(const ConvGeometry *g) {
    const Run r = plan_run(g);
    return r.in_cells * r.out_cells == 1 && g->batch % r.chunks == 0;
}

void winograd_weights_steps(const ConvGeometry *g, const Kernels *kernels, const float *x,
                            const WinogradSteps *steps, float *dw, void *workspace,
                            Threads *threads) {
    Run r = plan_run(g);
    r.x = x;
    r.steps = steps;
    run_all(&r, kernels, dw, workspace, threads);
}
