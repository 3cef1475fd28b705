// SPDX-License-Identifier: Apache-2.0
// The path of stems at inference: 7x7, stride 2, pad 3, images of at most 4 channels. By Winograd's
// formula: see winograd_kernels.h.
//
//     for each row of tiles (a task)
//         copy the rows of the image that it sees: [row][column][phase][channel]
//         for each block of its tiles
//             transform the tiles: [point][tile][16]
//             for each panel of output channels
//                 for each point: sums = tiles * weights, by ConvTiles: [point][tile][lane]
//                 transform the sums back, add, and write
//
// A pixel of the copy is 2 x 2 of the image, whose channels lie side by side: (row phase, column
// phase, channel). Pixel (y, x) begins at (2 y - 3, 2 x - 3) of the image, and an output (i, j)
// sees the pixels (i … i+3, j … j+3).
//
// Prepared: [panel][point][phase and channel][lane], [what is added at the end: bias or folded
// norm].
#include <string.h>

#include "backend/cpu/conv_winograd_tiles.h"

enum {
    KERNEL = 7,
    STRIDE = 2,
    PAD = 3,
    PHASES = STRIDE * STRIDE,
    CHANNELS_MOST = CONV_BLOCK / PHASES,
    LANES_MIN = 16,
    TAPS = 4,       // of a phase, along each axis
    TILES_MAX = 14, // in a block: one ConvTile
    OUTPUTS = WINOGRAD_OUTPUTS,
    OVERLAP = STEM_SIDE - OUTPUTS // pixels that a tile shares with the next one
};

typedef struct Stem {
    const Kernels *kernels;
    const ConvGeometry *geometry;
    const float *source, *weights;
    const float *start, *residual; // or NULL
    float *out;
    bool relu;
    float *workspace;
    WinogradTiles tiles;
    int depth; // channels of all phases
    // Of a worker's workspace, in floats: [copy][transformed input][sums].
    ptrdiff_t row, input_point, sum_point, worker;
} Stem;

static int least(int a, int b) { return a < b ? a : b; }

static Stem stem_layout(const ConvGeometry *g) {
    Stem s = {.geometry = g,
              .tiles = winograd_tiles(g->batch, g->out_height, g->out_width),
              .depth = PHASES * g->channels,
              .input_point = winograd_odd_lines(TILES_MAX * CONV_BLOCK),
              .sum_point = winograd_odd_lines(TILES_MAX * CONV_PANEL_MAX)};
    s.row = (ptrdiff_t)(s.tiles.columns * OUTPUTS + OVERLAP) * CONV_BLOCK;
    s.worker = STEM_SIDE * s.row + STEM_POINTS * (s.input_point + s.sum_point);
    return s;
}

// ---------------------------------------------------------------- forward

// Two columns of one row of the image, those outside being zeros.
static void copy_columns(const ConvGeometry *g, const float *row, int x, float *to) {
    const int channels = g->channels;
    if (row != NULL && x >= 0 && x + STRIDE <= g->width) {
        if (channels == 3) { // a size that the compiler knows
            memcpy(to, row + (ptrdiff_t)x * channels, STRIDE * 3 * sizeof(float));
        } else {
            memcpy(to, row + (ptrdiff_t)x * channels, (size_t)(STRIDE * channels) * sizeof(float));
        }
        return;
    }
    for (int i = 0; i < STRIDE; i++, x++, to += channels) {
        if (row != NULL && x >= 0 && x < g->width) {
            memcpy(to, row + (ptrdiff_t)x * channels, (size_t)channels * sizeof(float));
        } else {
            memset(to, 0, (size_t)channels * sizeof(float));
        }
    }
}

// The rows of an image that a row of tiles sees.
static void copy_rows(const Stem *s, int image, int tile_row, float *to) {
    const ConvGeometry *g = s->geometry;
    const ptrdiff_t image_row = (ptrdiff_t)g->width * g->channels;
    const int pixels = (int)(s->row / CONV_BLOCK);
    for (int i = 0; i < STEM_SIDE; i++) {
        const float *row[STRIDE];
        for (int p = 0; p < STRIDE; p++) {
            const int y = (tile_row * OUTPUTS + i) * STRIDE - PAD + p;
            const bool inside = y >= 0 && y < g->height;
            row[p] = inside ? s->source + ((ptrdiff_t)image * g->height + y) * image_row : NULL;
        }
        for (int j = 0; j < pixels; j++, to += CONV_BLOCK) {
            copy_columns(g, row[0], j * STRIDE - PAD, to);
            copy_columns(g, row[1], j * STRIDE - PAD, to + STRIDE * g->channels);
            memset(to + s->depth, 0, (size_t)(CONV_BLOCK - s->depth) * sizeof(float));
        }
    }
}

static void run_task(void *context, int task, int worker) {
    const Stem *s = context;
    const int columns = s->tiles.columns, blocks = (columns + TILES_MAX - 1) / TILES_MAX;
    const WinogradProducts products = {.kernels = s->kernels,
                                       .points = STEM_POINTS,
                                       .depth = s->depth,
                                       .lanes = s->geometry->out_channels,
                                       .weights = s->weights,
                                       .input_point = s->input_point,
                                       .sum_point = s->sum_point};
    const WinogradTarget target = {.output = s->kernels->winograd->stem_output,
                                   .tiles = &s->tiles,
                                   .lanes = products.lanes,
                                   .start = s->start,
                                   .residual = s->residual,
                                   .out = s->out,
                                   .relu = s->relu};
    float *copy = s->workspace + worker * s->worker;
    float *input = copy + STEM_SIDE * s->row, *sums = input + STEM_POINTS * s->input_point;
    copy_rows(s, task / s->tiles.rows, task % s->tiles.rows, copy);
    for (int block = 0; block < blocks; block++) {
        const int t0 = columns * block / blocks, t1 = columns * (block + 1) / blocks;
        for (int t = t0; t < t1; t++) {
            s->kernels->winograd->stem_input(
                &(StemInput){.from = copy + (ptrdiff_t)t * OUTPUTS * CONV_BLOCK,
                             .row = s->row,
                             .to = input + (ptrdiff_t)(t - t0) * CONV_BLOCK,
                             .point = s->input_point});
        }
        for (int panel = 0; panel < panel_count(s->kernels, products.lanes); panel++) {
            winograd_multiply(&products, panel, t1 - t0, NULL, input, sums, NULL, 0);
            winograd_transform_sums(&target, panel * panel_lanes(s->kernels),
                                    panel_width(s->kernels, products.lanes, panel),
                                    task * columns + t0, task * columns + t1, NULL, sums,
                                    s->sum_point);
        }
    }
}

// ---------------------------------------------------------------- weights

// G: row i is 1, a, a2, a3 of point a, over the product of its differences to the other points.
static const double matrix[STEM_SIDE][TAPS] = {
    {-1, 0, 0, 0},
    {1 / 1.40625, 0.5 / 1.40625, 0.25 / 1.40625, 0.125 / 1.40625},
    {1 / 1.40625, -0.5 / 1.40625, 0.25 / 1.40625, -0.125 / 1.40625},
    {-1 / 4.5, -1 / 4.5, -1 / 4.5, -1 / 4.5},
    {-1 / 4.5, 1 / 4.5, -1 / 4.5, 1 / 4.5},
    {1 / 90.0, 2 / 90.0, 4 / 90.0, 8 / 90.0},
    {1 / 90.0, -2 / 90.0, 4 / 90.0, -8 / 90.0},
};

typedef struct Packing {
    const Kernels *kernels;
    const ConvGeometry *geometry;
    const float *from; // OIHW
    const double *factor;
    float *to;
} Packing;

// G w G' of one output and image channel's taps of one phase: in double, rounded once. `point`
// floats lie from point to point.
static void pack_phase(const float *taps, int phase, double factor, float *to, ptrdiff_t point) {
    double half[STEM_SIDE][TAPS] = {{0}};
    for (int y = phase / STRIDE; y < KERNEL; y += STRIDE) {
        for (int x = phase % STRIDE; x < KERNEL; x += STRIDE) {
            for (int i = 0; i < STEM_SIDE; i++) {
                half[i][x / STRIDE] +=
                    matrix[i][y / STRIDE] * ((double)taps[y * KERNEL + x] * factor);
            }
        }
    }
    for (int i = 0; i < STEM_POINTS; i++) {
        double sum = 0;
        for (int x = 0; x < TAPS; x++) {
            sum += matrix[i % STEM_SIDE][x] * half[i / STEM_SIDE][x];
        }
        to[i * point] = (float)sum;
    }
}

static void pack_panel(void *context, int panel, int worker) {
    (void)worker;
    const Packing *p = context;
    const ConvGeometry *g = p->geometry;
    const int first = panel * panel_lanes(p->kernels), depth = PHASES * g->channels;
    const int width = panel_width(p->kernels, g->out_channels, panel);
    float *to = p->to + (ptrdiff_t)first * STEM_POINTS * depth;
    memset(to, 0, (size_t)(STEM_POINTS * depth * width) * sizeof(float));
    for (int lane = 0; lane < least(width, g->out_channels - first); lane++) {
        const double factor = p->factor != NULL ? p->factor[first + lane] : 1.0;
        for (int k = 0; k < depth; k++) {
            const ptrdiff_t channel = (ptrdiff_t)(first + lane) * g->channels + k % g->channels;
            pack_phase(p->from + channel * KERNEL * KERNEL, k / g->channels, factor,
                       to + (ptrdiff_t)k * width + lane, (ptrdiff_t)depth * width);
        }
    }
}

// ---------------------------------------------------------------- the path

static bool applies(const ConvGeometry *g, Phase phase) {
    return phase == PHASE_INFERENCE && g->kernel_height == KERNEL && g->kernel_width == KERNEL &&
           g->stride == STRIDE && g->pad == PAD && g->groups == 1 && g->channels <= CHANNELS_MOST &&
           g->out_channels >= LANES_MIN;
}

static size_t weight_floats(const ConvGeometry *g) {
    return (size_t)(STEM_POINTS * PHASES * g->channels) * (size_t)lanes_of(g->out_channels);
}

static size_t prepared_size(const ConvGeometry *g, Phase phase) {
    (void)phase;
    return (weight_floats(g) + conv_start_floats(g)) * sizeof(float);
}

static size_t workspace_size(const ConvGeometry *g, Phase phase, int threads) {
    (void)phase;
    const size_t bytes = (size_t)threads * (size_t)stem_layout(g).worker * sizeof(float);
    return bytes > conv_fold_bytes(g) ? bytes : conv_fold_bytes(g);
}

static void prepare(const ConvGeometry *g, const Call *call, const Kernels *kernels) {
    Packing p = {.kernels = kernels, .geometry = g, .from = call->param[0], .to = call->prepared};
    p.factor = conv_fold(g, call, p.to + weight_floats(g));
    threads_run(call->threads, panel_count(kernels, g->out_channels), pack_panel, &p);
}

static void forward(const ConvGeometry *g, const Call *call, const Kernels *kernels) {
    Stem s = stem_layout(g);
    s.kernels = kernels;
    s.source = call->input[0];
    s.weights = call->prepared;
    s.start = conv_has_start(call) ? s.weights + weight_floats(g) : NULL;
    s.residual = call->input[1];
    s.out = call->output;
    s.relu = call->node->relu;
    s.workspace = call->workspace;
    threads_run(call->threads, g->batch * s.tiles.rows, run_task, &s);
}

const ConvPath conv_stem = {
    .name = "winograd",
    .applies = applies,
    .prepared_size = prepared_size,
    .workspace_size = workspace_size,
    .prepare = prepare,
    .forward = forward,
};
