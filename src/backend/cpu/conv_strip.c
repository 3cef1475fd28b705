// SPDX-License-Identifier: Apache-2.0
// Strips: the pieces of its source that a convolution's tiles read. See conv.h.
#include "backend/cpu/conv.h"

// Work is cut into at least this many tasks where shapes allow, with strips no smaller than these.
enum { ENOUGH_TASKS = 16, LEAST_ROWS = 4, LEAST_COLUMNS = 28 };

static int ceil_divide(int a, int b) { return (a + b - 1) / b; }
static int least(int a, int b) { return a < b ? a : b; }

ConvView conv_view_forward(const ConvGeometry *g) {
    return (ConvView){.height = g->height,
                      .width = g->width,
                      .channels = g->channels,
                      .pixel_stride = g->groups * g->channels / g->joined,
                      .grid_height = g->out_height,
                      .grid_width = g->out_width,
                      .window_height = g->kernel_height,
                      .window_width = g->kernel_width,
                      .stride = g->stride,
                      .top = g->pad,
                      .left = g->pad,
                      .pack = g->bf16 ? 2 : 1,
                      .joined = g->joined};
}

// The window of source positions that some phase of an axis reads, and how far it begins before v.
static void backward_window(const ConvGeometry *g, int kernel, int *window, int *before) {
    int lowest = INT32_MAX, highest = 0;
    for (int phase = 0; phase < g->stride; phase++) {
        const ConvAxis axis = conv_axis(g, true, kernel, phase);
        if (axis.count > 0) {
            highest = axis.position > highest ? axis.position : highest;
            lowest = least(lowest, (phase + g->pad) / g->stride - (axis.count - 1));
        }
    }
    *window = highest + 1;
    *before = -lowest;
}

ConvView conv_view_backward(const ConvGeometry *g) {
    ConvView view = {.height = g->out_height,
                     .width = g->out_width,
                     .channels = g->out_channels,
                     .pixel_stride = g->groups * g->out_channels,
                     .grid_height = ceil_divide(g->height, g->stride),
                     .grid_width = ceil_divide(g->width, g->stride),
                     .stride = 1,
                     .pack = 1,
                     .joined = 1};
    backward_window(g, g->kernel_height, &view.window_height, &view.top);
    backward_window(g, g->kernel_width, &view.window_width, &view.left);
    return view;
}

ConvView conv_view_gradient(const ConvGeometry *g) {
    return (ConvView){.height = g->out_height,
                      .width = g->out_width,
                      .channels = g->out_channels,
                      .pixel_stride = g->groups * g->out_channels,
                      .grid_height = g->out_height,
                      .grid_width = g->out_width,
                      .window_height = 1,
                      .window_width = 1,
                      .stride = 1,
                      .pack = 1,
                      .joined = 1};
}

// Pixels of one phase in a strip row.
static int phase_pixels(const ConvView *view, int grid_columns, int phase) {
    return grid_columns + (view->window_width - 1 - phase) / view->stride;
}

static int phase_count(const ConvView *view) { return least(view->stride, view->window_width); }

ConvStrip conv_strip(const ConvView *view, int grid_rows, int grid_columns) {
    ConvStrip strip = {.row_step = least(view->stride, view->window_height)};
    strip.rows = (grid_rows - 1) * strip.row_step + view->window_height;
    for (int phase = 0; phase < phase_count(view); phase++) {
        strip.pitch += phase_pixels(view, grid_columns, phase);
    }
    // An odd number of cache lines, so that blocks do not meet in the same sets of the cache.
    strip.plane = (((ptrdiff_t)strip.rows * strip.pitch) | 1) * CONV_BLOCK;
    return strip;
}

size_t conv_strip_floats(const ConvView *view, int grid_rows, int grid_columns, int blocks) {
    return (size_t)conv_strip(view, grid_rows, grid_columns).plane * (size_t)blocks;
}

ptrdiff_t conv_strip_offset(const ConvView *view, const ConvStrip *strip, int grid_columns, int row,
                            int column) {
    int place = column / view->stride;
    for (int phase = 0; phase < column % view->stride; phase++) {
        place += phase_pixels(view, grid_columns, phase);
    }
    return ((ptrdiff_t)row * strip->pitch + place) * CONV_BLOCK;
}

// One phase of a strip row from source row y (which may lie outside): pixel q is source column
// origin + q * stride.
static void fill_phase(const ConvView *view, const float *image, int y, int origin, int pixels,
                       int channels, float *to, ptrdiff_t plane, const ConvKernels *kernels) {
    const int stride = view->stride;
    int first = origin < 0 ? least(pixels, ceil_divide(-origin, stride)) : 0;
    int end = view->width > origin ? least(pixels, ceil_divide(view->width - origin, stride)) : 0;
    if (y < 0 || y >= view->height || end <= first) {
        first = end = pixels;
    }
    const float *from = image;
    if (first < end) {
        from +=
            ((ptrdiff_t)y * view->width + origin + (ptrdiff_t)first * stride) * view->pixel_stride;
    }
    kernels->pack_row(to, plane, from, (ptrdiff_t)stride * view->pixel_stride, first, end - first,
                      pixels - end, channels, view->pad);
}

// A strip row of joined columns: pixel q is source columns origin + q * stride and the next ones,
// of their channels side by side those from `skip` on.
static void fill_joined(const ConvView *view, const float *image, int y, int origin, int pixels,
                        int skip, int channels, float *to, ptrdiff_t plane,
                        const ConvKernels *kernels) {
    const int stride = view->stride, room = view->width - view->joined - origin;
    int first = origin < 0 ? least(pixels, ceil_divide(-origin, stride)) : 0; // wholly inside
    int end = room >= 0 ? least(pixels, room / stride + 1) : 0;
    if (y < 0 || y >= view->height) {
        kernels->pack_row(to, plane, image, 0, pixels, 0, 0, channels, view->pad);
        return;
    }
    if (end <= first) {
        first = end = pixels;
    }
    const float *row = image + (ptrdiff_t)y * view->width * view->pixel_stride;
    for (int q = 0; q < pixels; q++) {
        const int column = origin + q * stride;
        if (q == first) {
            kernels->pack_row(to + (ptrdiff_t)q * CONV_BLOCK, plane,
                              row + (ptrdiff_t)column * view->pixel_stride + skip,
                              (ptrdiff_t)stride * view->pixel_stride, 0, end - first, 0, channels,
                              view->pad);
            q = end - 1;
            continue;
        }
        for (int i = 0; i < channels; i++) {
            const int x = column + (skip + i) / view->pixel_stride;
            const int c = (skip + i) % view->pixel_stride;
            to[i / CONV_BLOCK * plane + q * CONV_BLOCK + i % CONV_BLOCK] =
                x >= 0 && x < view->width ? row[(ptrdiff_t)x * view->pixel_stride + c] : view->pad;
        }
    }
}

void conv_strip_fill(const ConvView *view, const ConvPart *part, const float *image, float *to,
                     const ConvKernels *kernels) {
    const int columns = part->x1 - part->x0, stride = view->stride;
    const ConvStrip strip = conv_strip(view, part->y1 - part->y0, columns);
    const int block = CONV_BLOCK * view->pack, skip = part->b0 * block;
    const int channels = least(view->channels, part->b1 * block) - skip;
    for (int r = 0; r < strip.rows; r++) {
        const int y = stride <= view->window_height
                          ? part->y0 * stride + r - view->top
                          : (part->y0 + r / view->window_height) * stride +
                                r % view->window_height - view->top;
        float *row = to + (ptrdiff_t)r * strip.pitch * CONV_BLOCK;
        if (view->joined > 1) {
            fill_joined(view, image, y, part->x0 * stride - view->left, columns, skip, channels,
                        row, strip.plane, kernels);
            continue;
        }
        for (int phase = 0; phase < phase_count(view); phase++) {
            const int pixels = phase_pixels(view, columns, phase);
            fill_phase(view, image + skip, y, part->x0 * stride + phase - view->left, pixels,
                       channels, row, strip.plane, kernels);
            row += (ptrdiff_t)pixels * CONV_BLOCK;
        }
    }
}

ConvCut conv_cut(const ConvView *view, int64_t images, int columns) {
    const int blocks = conv_view_blocks(view);
    ConvCut cut = {.blocks = blocks};
    cut.columns = ceil_divide(view->grid_width, ceil_divide(view->grid_width, columns));
    // As many rows as fit with all channels, but enough for tiles to use their weights often.
    cut.rows = view->grid_height;
    while (cut.rows * cut.columns > columns &&
           conv_strip_floats(view, cut.rows, cut.columns, blocks) > STRIP_FLOATS && cut.rows > 1) {
        cut.rows--;
    }
    cut.rows = ceil_divide(view->grid_height, ceil_divide(view->grid_height, cut.rows));
    for (;;) {
        cut.row_strips = ceil_divide(view->grid_height, cut.rows);
        cut.column_strips = ceil_divide(view->grid_width, cut.columns);
        if (images * cut.row_strips * cut.column_strips >= ENOUGH_TASKS) {
            break;
        }
        if (cut.rows > LEAST_ROWS) {
            cut.rows = (cut.rows + 1) / 2;
        } else if (view->grid_height == 1 && cut.columns > LEAST_COLUMNS) {
            cut.columns = (cut.columns + 1) / 2;
        } else {
            break;
        }
    }
    const size_t one = conv_strip_floats(view, cut.rows, cut.columns, 1);
    if (one * (size_t)blocks > STRIP_FLOATS_MOST) {
        cut.blocks = one < STRIP_FLOATS ? (int)(STRIP_FLOATS / one) : 1;
    }
    cut.floats = one * (size_t)cut.blocks;
    return cut;
}

ConvPart conv_cut_part(const ConvView *view, const ConvCut *cut, int index) {
    const int y = index / cut->column_strips * cut->rows;
    const int x = index % cut->column_strips * cut->columns;
    return (ConvPart){.y0 = y,
                      .y1 = least(y + cut->rows, view->grid_height),
                      .x0 = x,
                      .x1 = least(x + cut->columns, view->grid_width),
                      .b0 = 0,
                      .b1 = conv_view_blocks(view)};
}

void conv_ahead_set(ConvAhead *ahead, int span, const ConvView *view, const ConvPart *part,
                    const float *image) {
    int y0 = part->y0 * view->stride - view->top;
    int y1 = (part->y1 - 1) * view->stride - view->top + view->window_height;
    int x0 = part->x0 * view->stride - view->left;
    int x1 = (part->x1 - 1) * view->stride - view->left + view->window_width;
    y0 = y0 > 0 ? y0 : 0;
    x0 = x0 > 0 ? x0 : 0;
    y1 = least(y1, view->height);
    x1 = least(x1, view->width);
    if (y0 >= y1 || x0 >= x1) {
        return;
    }
    // From the first pixel to the last: whole rows but for the ends.
    const ptrdiff_t first = (ptrdiff_t)y0 * view->width + x0;
    const ptrdiff_t pixels = (ptrdiff_t)(y1 - 1) * view->width + x1 - first;
    const ptrdiff_t pixel = (ptrdiff_t)view->pixel_stride * (ptrdiff_t)sizeof(float);
    const int block = CONV_BLOCK * view->pack, skip = part->b0 * block;
    const int channels = least(view->channels, part->b1 * block) - skip;
    ConvSpan s = {.at = (const char *)(image + first * view->pixel_stride + skip),
                  .piece = pixels * pixel,
                  .pieces = 1};
    if (channels * view->joined < view->pixel_stride) {
        s.piece = channels * (ptrdiff_t)sizeof(float);
        s.stride = pixel;
        s.pieces = (int)pixels;
    }
    ahead->span[span] = s;
}

static ptrdiff_t span_lines(const ConvSpan *s) {
    return s->pieces * ((s->piece + BLOCK_ALIGNMENT - 1) / BLOCK_ALIGNMENT);
}

void conv_ahead_spread(ConvAhead *ahead, int tiles) {
    ptrdiff_t lines = 0;
    for (int i = 0; i < AHEAD_SPANS; i++) {
        lines += span_lines(&ahead->span[i]);
    }
    ahead->lines = (int)(lines / (tiles > 0 ? tiles : 1)) + 1;
}

void conv_ahead_step(ConvAhead *ahead) {
    ConvSpan *s = ahead->span;
    while (s->pieces == 0 && s < ahead->span + AHEAD_SPANS - 1) {
        s++;
    }
    for (int i = 0; i < ahead->lines && s->pieces > 0; i++) {
        __builtin_prefetch(s->at + s->done, 0, 2);
        s->done += BLOCK_ALIGNMENT;
        if (s->done >= s->piece) {
            s->done = 0;
            s->at += s->stride;
            s->pieces--;
        }
    }
}
