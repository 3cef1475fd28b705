// SPDX-License-Identifier: Apache-2.0
// Convolutions (and linear layers) of the cpu backend: what the files conv_*.c share.
//
// A convolution is direct: no matrix of patches is made. A strip of the source (some rows and
// columns of one sample, with the zeros of the padding) is copied to workspace in blocks of 16
// channels, and register tiles run over it (kernels/conv_kernels.h). Three sums use two tiles:
//
//     forward      y[p][n]  = sum over taps, c of x[p * stride + tap][c] * w[n][c][tap]
//     to the input dx[q][c] = sum over taps, n of dy[(q - tap) / stride][n] * w[n][c][tap]
//     to weights   dw[n][c][tap] = sum over samples, p of x[p * stride + tap][c] * dy[p][n]
//
// The order of each sum is fixed by shapes: blocks of 16 channels, in them taps, in them channels;
// for weights, samples in chunks (conv_weights.c), in them pixels.
#ifndef RESNET_BACKEND_CPU_CONV_H
#define RESNET_BACKEND_CPU_CONV_H

#include "backend/cpu/kernels/conv_kernels.h"
#include "backend/cpu/norm.h"
#include "backend/cpu/ops.h"

_Static_assert((int)CONV_BLOCK == (int)CHANNEL_BLOCK, "one block size");

// The numbers of a convolution. Channels are those of one group.
typedef struct ConvGeometry {
    int batch, groups, channels, out_channels;
    int height, width, out_height, out_width;
    int kernel_height, kernel_width, stride, pad;
    // Channel c's weight for tap t lies at (c % inner) * step + c / inner + t * tap_step of its
    // output channel's `weight_size` weights. (A linear layer reads pixels channels-last, but its
    // weights are not.)
    int inner, step, tap_step;
    int joined; // by conv_joined(): source columns side by side that are one pixel here; else 1
    int64_t weight_size;
    bool bytes; // the input is bytes (conv_int8.c)
    bool bf16;  // products are of bf16 (conv_bf16.c)
} ConvGeometry;

// The geometry of a conv or linear node; where every pixel stands for itself (1x1, stride 1,
// linear) the batch is one row of pixels.
ConvGeometry conv_geometry(const Node *node, Shape input, int batch);

// For an image of few channels (the first layer's): the same sums with the kernel's columns as
// channels, so that blocks are fuller. A strip's pixel is then what one row of the window sees.
// Forward and weights only. Other geometries are returned as they are.
ConvGeometry conv_joined(const ConvGeometry *g);

static inline int conv_taps(const ConvGeometry *g) { return g->kernel_height * g->kernel_width; }
static inline int blocks_of(int channels) { return (channels + CONV_BLOCK - 1) / CONV_BLOCK; }
static inline int lanes_of(int channels) { return blocks_of(channels) * CONV_BLOCK; }

// The taps of one phase along one axis. Forward has one phase. Backward to the input has `stride`
// phases: the input's positions q = stride * v + phase meet the taps t = phase + pad - stride * o
// for whole o, and each phase is a convolution of stride 1 of its own.
typedef struct ConvAxis {
    int count;               // taps
    int first, step;         // kernel index of tap j: first + step * j
    int position, direction; // its place in the view's window: position + direction * j
} ConvAxis;

ConvAxis conv_axis(const ConvGeometry *g, bool backward, int kernel, int phase);

// ---------------------------------------------------------------- strips (conv_strip.c)

// How a sweep reads its source: for grid position (y, x) the window of window_height x window_width
// source pixels that begins at (y * stride - top, x * stride - left).
typedef struct ConvView {
    int height, width; // of the source image
    int channels;      // to read
    int pack;          // of them, in one element of the strip: 1, or 2 rounded to bf16
    int pixel_stride;  // floats from pixel to pixel of the source
    int grid_height, grid_width;
    int window_height, window_width, stride, top, left;
    int joined; // source columns, `stride` apart from the next, in one pixel of the strip; else 1
    float pad;  // what the padding holds
} ConvView;

// The part of a view that a strip holds: grid rows y0 … y1-1, columns x0 … x1-1, blocks of 16
// elements b0 … b1-1.
typedef struct ConvPart {
    int y0, y1, x0, x1, b0, b1;
} ConvPart;

// Where things lie in a strip: [block][row][phase][column][16]. Source columns are sorted by their
// remainder (phase) modulo the stride, so that neighbours on the grid are neighbours in the strip.
typedef struct ConvStrip {
    int row_step;    // strip rows from one grid row to the next
    int rows, pitch; // strip rows; pixels in each
    ptrdiff_t plane; // floats from block to block
} ConvStrip;

// Blocks of 16 elements that a strip with all channels has.
static inline int conv_view_blocks(const ConvView *view) {
    return blocks_of((view->channels + view->pack - 1) / view->pack);
}

ConvView conv_view_forward(const ConvGeometry *g);
ConvView conv_view_backward(const ConvGeometry *g); // of the output's gradient, for the input's
ConvView conv_view_gradient(const ConvGeometry *g); // of the output's gradient, without padding

ConvStrip conv_strip(const ConvView *view, int grid_rows, int grid_columns);
// Floats of a strip of that many blocks.
size_t conv_strip_floats(const ConvView *view, int grid_rows, int grid_columns, int blocks);
// The strip's offset in floats of window position (row, column) for the first grid position.
ptrdiff_t conv_strip_offset(const ConvView *view, const ConvStrip *strip, int grid_columns, int row,
                            int column);
// Copies a part of one sample's image.
void conv_strip_fill(const ConvView *view, const ConvPart *part, const float *image, float *to,
                     const ConvKernels *kernels);

// Source memory that the next strip will copy, fetched to cache piece by piece while tiles run:
// copies would otherwise wait for memory while the multipliers idle.
typedef struct ConvSpan { // `pieces` of so many bytes, `stride` bytes apart
    const char *at;
    ptrdiff_t piece, stride;
    int pieces;
    ptrdiff_t done; // bytes of the piece at `at`
} ConvSpan;

enum { AHEAD_SPANS = 3 };

typedef struct ConvAhead {
    ConvSpan span[AHEAD_SPANS];
    int lines; // cache lines for each tile
} ConvAhead;

// Sets a span to what `part` of an image reads.
void conv_ahead_set(ConvAhead *ahead, int span, const ConvView *view, const ConvPart *part,
                    const float *image);
// Spreads the spans over that many tiles.
void conv_ahead_spread(ConvAhead *ahead, int tiles);
// To be called once for each tile.
void conv_ahead_step(ConvAhead *ahead);

// A strip's size: it and what it meets stay in a core's second cache (256 KB of 1 MB). Few pixels
// of many channels may take twice that, before their channels are cut as well.
enum { STRIP_FLOATS = 64 * 1024, STRIP_FLOATS_MOST = 2 * STRIP_FLOATS };

// How a view is cut into strips: from shapes alone.
typedef struct ConvCut {
    int rows, columns;             // of the grid in one strip
    int row_strips, column_strips; // strips in an image
    int blocks;                    // in one strip; fewer than all when even one row is too large
    size_t floats;                 // of the largest strip
} ConvCut;

// A strip is at most this wide: a multiple of the usual tiles (28, 14, 8, 7).
enum { STRIP_COLUMNS = 112 };
// Strips of at most `columns` are made smaller until they are enough for many threads, with
// `images` times as many tasks as an image has strips.
ConvCut conv_cut(const ConvView *view, int64_t images, int columns);
// Strip `index` (0 … row_strips * column_strips - 1) of an image, with all blocks.
ConvPart conv_cut_part(const ConvView *view, const ConvCut *cut, int index);

// Where grid position (y, x) of a part lies in its strip, in floats.
static inline ptrdiff_t conv_strip_position(const ConvStrip *strip, const ConvPart *part, int y,
                                            int x) {
    return ((ptrdiff_t)(y - part->y0) * strip->row_step * strip->pitch + (x - part->x0)) *
           CONV_BLOCK;
}

// How a part's grid is covered by tiles of at most `most` rows: the first half of a tile begins at
// (y, x), its second half at (y2, x2). Of narrow images two rows are in one tile. Largest tiles are
// the fastest by far, and tiny ones slow: when less than half of one is left, all are equal.
typedef void ConvTileVisit(void *pass, int y, int x, int y2, int x2, int rows);

static inline void conv_part_tiles(const ConvPart *part, int most, ConvTileVisit *visit,
                                   void *pass) {
    const int columns = part->x1 - part->x0, tiles = (columns + most - 1) / most;
    const bool largest = columns % most * 2 >= most;
    int y = part->y0;
    for (; columns > 0 && columns * 2 <= most && y + 2 <= part->y1; y += 2) {
        visit(pass, y, part->x0, y + 1, part->x0, columns * 2);
    }
    for (; y < part->y1; y++) {
        int x = part->x0;
        for (int i = tiles; i > 0; i--) {
            const int left = part->x1 - x, rows = largest && left > most ? most : left / i;
            visit(pass, y, x, y, x + rows / 2, rows);
            x += rows;
        }
    }
}

// About how many tiles that are.
static inline int conv_part_tile_count(const ConvPart *part, int most) {
    return (part->y1 - part->y0) * ((part->x1 - part->x0 + most - 1) / most);
}

// The weights that come next in memory, as many as a pass uses: its tiles share them out, since
// memory that is asked for evenly, while there is something to multiply, is not waited for.
typedef struct ConvNext {
    const char *at;       // what the next tile fetches
    ptrdiff_t step, tile; // bytes for each row of weights and for each tile
} ConvNext;

// Behind `rows` rows of `width` bytes each.
static inline ConvNext conv_next(const ConvPart *part, int most, const void *weights,
                                 ptrdiff_t rows, int width) {
    enum { CACHE_LINE = 64 };
    const int tiles = conv_part_tile_count(part, most);
    const int step = tiles > 0 ? (width + tiles - 1) / tiles : 0;
    ConvNext next = {.at = (const char *)weights + width * rows,
                     .step = step < CACHE_LINE ? step : CACHE_LINE};
    next.tile = next.step * rows;
    return next;
}

// ---------------------------------------------------------------- weights (conv_pack.c)

// Sizes in floats of the packed weights for forward and for the input's gradient.
size_t conv_forward_floats(const ConvGeometry *g);
size_t conv_backward_floats(const ConvGeometry *g);
// Packs for forward: [group][panel][block][tap][channel][lane], lanes being output channels, times
// factor[output channel] when that is not NULL.
void conv_pack_forward(const ConvGeometry *g, const float *weights, const double *factor, float *to,
                       const Kernels *kernels, Threads *threads);
// Packs for the input's gradient: [group][phase][panel][block][tap][out channel][lane], lanes being
// input channels.
void conv_pack_backward(const ConvGeometry *g, const float *weights, float *to,
                        const Kernels *kernels, Threads *threads);
// The reverse of conv_pack_forward for one panel and block of a gradient.
void conv_unpack(const ConvGeometry *g, const float *from, int group, int panel, int block,
                 float *weights, const Kernels *kernels);

// What sums begin with, bias or folded norm: floats of [group][lanes_of(out_channels)].
size_t conv_start_floats(const ConvGeometry *g);
bool conv_has_start(const Call *call);
// The folded norm and bias of each output channel (backend/fold.h): fills `start` and returns the
// factors, conv_fold_bytes() at the call's workspace, or NULL when no norm is folded.
const double *conv_fold(const ConvGeometry *g, const Call *call, float *start);
size_t conv_fold_bytes(const ConvGeometry *g);

// Lanes are cut into panels as wide as the widest tile.
static inline int panel_lanes(const Kernels *kernels) { return kernels->conv->units * CONV_BLOCK; }
// Without whole vectors tiles have few rows and lanes (conv_rows.h).
static inline bool conv_small_tiles(const Kernels *kernels) { return kernels->conv->units == 1; }
static inline int panel_count(const Kernels *kernels, int channels) {
    return (lanes_of(channels) + panel_lanes(kernels) - 1) / panel_lanes(kernels);
}
static inline int panel_width(const Kernels *kernels, int channels, int panel) {
    const int left = lanes_of(channels) - panel * panel_lanes(kernels);
    return left < panel_lanes(kernels) ? left : panel_lanes(kernels);
}

// ---------------------------------------------------------------- sweeps (conv_sweep.c)

// A pass of ConvTiles over a source: forward, or backward to the input.
typedef struct ConvSweep {
    const ConvGeometry *geometry;
    const Kernels *kernels;
    bool backward;
    ConvView view;
    ConvCut cut;
    int depth, lanes; // of one group: elements of a strip's pixel summed over, channels made
    int out_height, out_width, out_stride; // of what is made: image and grid's step in it
    const float *source, *weights;
    const float *start;    // [group][lanes_of(lanes)] or NULL
    const float *residual; // as `out`, or NULL
    float *out;
    bool resume, relu;
} ConvSweep;

ConvSweep conv_sweep_forward(const ConvGeometry *g, const Kernels *kernels);
ConvSweep conv_sweep_backward(const ConvGeometry *g, const Kernels *kernels);
// Bytes of workspace for one worker.
size_t conv_sweep_bytes(const ConvGeometry *g, const ConvSweep *sweep);
void conv_sweep_run(const ConvSweep *sweep, void *workspace, Threads *threads);
// The sweep over one strip that lies filled in memory, for one group of one sample and the panels
// p0 … p1-1. `taps` has room for the kernel's taps.
void conv_sweep_strip(const ConvSweep *sweep, int image, int group, const ConvPart *part,
                      const float *strip, int p0, int p1, int32_t *taps, ConvAhead *ahead);
// What the sweep adds to in a part of an image, as a span to be fetched ahead: its tiles begin with
// loads of that, and would stand still. Nothing when outputs are only written.
void conv_sweep_ahead(const ConvSweep *sweep, int image, const ConvPart *part, ConvSpan *span);
// About how many tiles that takes.
int conv_sweep_tiles(const ConvSweep *sweep, const ConvPart *part, int panels);

// ---------------------------------------------------------------- gradient (conv_weights.c)

size_t conv_weights_bytes(const ConvGeometry *g, int threads);
// dw (OIHW) and db (NULL for none) from x and dy. When `sweep` is not NULL, it is a backward sweep
// over the same dy that is done on the way where that saves a copy; returns whether it was.
bool conv_weights_run(const ConvGeometry *g, const Kernels *kernels, const float *x,
                      const float *dy, float *dw, float *db, const ConvSweep *sweep,
                      void *workspace, Threads *threads);

// Floats of a partial sum of dw, laid out as conv_pack_forward() packs weights.
// dw = partial[0] + partial[1] + ... in this order, `chunk_floats` apart; destroys partial[0].
void conv_weights_reduce(const ConvGeometry *g, const Kernels *kernels, float *partial,
                         size_t chunk_floats, int chunks, float *dw, Threads *threads);

// ---------------------------------------------------------------- paths (conv.c)

// One way to run a convolution. The first row that applies to the geometry is taken: a fixed rule,
// so that results do not depend on timings. It must not look at the batch: an image has the same
// logits in every batch. The geometry's batch is the call's, and for prepared_size() and prepare()
// the most of any call.
typedef struct ConvPath {
    const char *name;
    bool (*applies)(const ConvGeometry *g, Phase phase);
    size_t (*prepared_size)(const ConvGeometry *g, Phase phase);
    size_t (*workspace_size)(const ConvGeometry *g, Phase phase, int threads);
    void (*prepare)(const ConvGeometry *g, const Call *call, const Kernels *kernels);
    void (*forward)(const ConvGeometry *g, const Call *call, const Kernels *kernels);
    void (*backward)(const ConvGeometry *g, const Call *call, const Kernels *kernels);
    // Training: the same, and what norm.h lets a convolution do for the norm behind it: forward all
    // moments, and backward, after norm_backward_begin(), all of the gradient. False: nothing is
    // done, as for NULL. The workspace begins with the norm's.
    bool (*forward_with)(const ConvGeometry *g, const Call *call, const NormRun *norm,
                         const Kernels *kernels);
    bool (*backward_with)(const ConvGeometry *g, const Call *call, const NormRun *norm,
                          const Kernels *kernels);
} ConvPath;

extern const ConvPath conv_direct;   // conv_direct.c: every geometry
extern const ConvPath conv_winograd; // conv_winograd.c: 3x3, stride 1, pad 1, one group
extern const ConvPath conv_stem;     // conv_stem.c: 7x7, stride 2, few channels, at inference
extern const ConvPath conv_bf16;     // conv_bf16.c: layers in bf16
// Inputs of bytes: conv_int8.c, every geometry; conv_int8_winograd.c, as conv_winograd.
extern const ConvPath conv_int8, conv_int8_winograd;
const ConvPath *conv_path(const ConvGeometry *g, Phase phase);

// The op functions shared by conv and linear.
size_t conv_prepared_size(const Graph *graph, const Node *node, int batch, Phase phase);
size_t conv_workspace_size(const Graph *graph, const Node *node, int batch, Phase phase,
                           int threads);
void conv_prepare(const Call *call, const Kernels *kernels);
void conv_forward(const Call *call, const Kernels *kernels);
void conv_backward(const Call *call, const Kernels *kernels);
// As Backend's forward_pair() and backward_pair().
void conv_forward_pair(const Call *conv, const Call *norm, const Kernels *kernels);
void conv_backward_pair(const Call *conv, const Call *norm, const Kernels *kernels);
const char *conv_path_name(const Graph *graph, const Node *node, Phase phase);

#endif
