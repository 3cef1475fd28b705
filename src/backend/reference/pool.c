// SPDX-License-Identifier: Apache-2.0
// Pooling over windows of each channel, with PyTorch's conventions.
//
//     max_pool     y = the largest value inside the image; the first of equals; NaN if there is one
//     avg_pool     y = sum / d, d = places of the window inside the padded image (include_pad) or
//                  inside the image; adaptive windows have no pad
//     global_pool  y = mean over height and width
//
// max_pool puts aside, one byte for each output element, which place ky * kernel + kx of its window
// won; the backward pass sends the gradient there.
#include <math.h>

#include "backend/reference/ops.h"

// The part of a window inside the image along one axis, [begin, end), and its whole start.
typedef struct Span {
    int start, begin, end;
    int padded; // places inside the padded image
} Span;

static Span adaptive_span(int windows, int output, int extent) {
    Span span;
    span.start = span.begin = (int)((int64_t)output * extent / windows);
    span.end = (int)((((int64_t)output + 1) * extent + windows - 1) / windows);
    span.padded = span.end - span.start;
    return span;
}

static Span window_span(const PoolAttr *pool, int output, int extent) {
    if (pool->adaptive > 0) {
        return adaptive_span(pool->adaptive, output, extent);
    }
    Span span;
    span.start = output * pool->stride - pool->pad;
    int stop = span.start + pool->kernel;
    int padded_stop = stop < extent + pool->pad ? stop : extent + pool->pad;
    span.padded = padded_stop - span.start;
    span.begin = span.start > 0 ? span.start : 0;
    span.end = stop < extent ? stop : extent;
    return span;
}

// One window's run, for a channel c of a pixel of the output at element i.
typedef void WindowFunction(const Call *call, Span rows, Span columns, int n, int c, size_t i);

static void for_each_window(const Call *call, WindowFunction *function) {
    const PoolAttr *pool = &call->node->pool;
    Shape in = call->input_shape[0], out = call->node->shape;
    for (int n = 0; n < call->batch; n++) {
        for (int oy = 0; oy < out.height; oy++) {
            Span rows = window_span(pool, oy, in.height);
            for (int ox = 0; ox < out.width; ox++) {
                Span columns = window_span(pool, ox, in.width);
                for (int c = 0; c < out.channels; c++) {
                    function(call, rows, columns, n, c, pixel_offset(out, n, oy, ox) + (size_t)c);
                }
            }
        }
    }
}

// Windows overlap, so the backward pass adds into gradients that begin at 0.
static void begin_input_gradient(const Call *call) {
    Real *gradient = call->input_gradient[0];
    size_t elements = (size_t)call->batch * shape_elements(call->input_shape[0]);
    for (size_t i = 0; !call->accumulate[0] && i < elements; i++) {
        gradient[i] = 0;
    }
}

static void max_window(const Call *call, Span rows, Span columns, int n, int c, size_t i) {
    const Real *x = call->input[0];
    Real best = -(Real)INFINITY;
    int place = (rows.begin - rows.start) * call->node->pool.kernel + columns.begin - columns.start;
    for (int y = rows.begin; y < rows.end; y++) {
        for (int column = columns.begin; column < columns.end; column++) {
            Real value = x[pixel_offset(call->input_shape[0], n, y, column) + (size_t)c];
            if (value > best || isnan(value)) {
                best = value;
                place = (y - rows.start) * call->node->pool.kernel + column - columns.start;
            }
        }
    }
    ((Real *)call->output)[i] = best;
    if (call->saved != NULL) {
        ((uint8_t *)call->saved)[i] = (uint8_t)place;
    }
}

static void max_window_backward(const Call *call, Span rows, Span columns, int n, int c, size_t i) {
    Real *dx = call->input_gradient[0];
    int place = ((const uint8_t *)call->saved)[i];
    int y = rows.start + place / call->node->pool.kernel;
    int x = columns.start + place % call->node->pool.kernel;
    dx[pixel_offset(call->input_shape[0], n, y, x) + (size_t)c] +=
        ((const Real *)call->output_gradient)[i];
}

static void max_pool_forward(const Call *call) { for_each_window(call, max_window); }

static void max_pool_backward(const Call *call) {
    if (call->input_gradient[0] != NULL) {
        begin_input_gradient(call);
        for_each_window(call, max_window_backward);
    }
}

const ReferenceOp REAL_NAME(reference_max_pool) = {max_pool_forward, max_pool_backward};

static Real average_divisor(const Call *call, Span rows, Span columns) {
    if (call->node->pool.include_pad) {
        return (Real)(rows.padded * columns.padded);
    }
    return (Real)((rows.end - rows.begin) * (columns.end - columns.begin));
}

static void average_window(const Call *call, Span rows, Span columns, int n, int c, size_t i) {
    const Real *x = call->input[0];
    Real sum = 0;
    for (int y = rows.begin; y < rows.end; y++) {
        for (int column = columns.begin; column < columns.end; column++) {
            sum += x[pixel_offset(call->input_shape[0], n, y, column) + (size_t)c];
        }
    }
    ((Real *)call->output)[i] = sum / average_divisor(call, rows, columns);
}

static void average_window_backward(const Call *call, Span rows, Span columns, int n, int c,
                                    size_t i) {
    Real *dx = call->input_gradient[0];
    Real share = ((const Real *)call->output_gradient)[i] / average_divisor(call, rows, columns);
    for (int y = rows.begin; y < rows.end; y++) {
        for (int column = columns.begin; column < columns.end; column++) {
            dx[pixel_offset(call->input_shape[0], n, y, column) + (size_t)c] += share;
        }
    }
}

static void avg_pool_forward(const Call *call) { for_each_window(call, average_window); }

static void avg_pool_backward(const Call *call) {
    if (call->input_gradient[0] != NULL) {
        begin_input_gradient(call);
        for_each_window(call, average_window_backward);
    }
}

const ReferenceOp REAL_NAME(reference_avg_pool) = {avg_pool_forward, avg_pool_backward};

static void global_pool_forward(const Call *call) {
    size_t channels = (size_t)call->input_shape[0].channels;
    size_t pixels = shape_elements(call->input_shape[0]) / channels;
    const Real *x = call->input[0];
    Real *y = call->output;
    for (size_t n = 0; n < (size_t)call->batch; n++) {
        for (size_t c = 0; c < channels; c++) {
            Real sum = 0;
            for (size_t p = 0; p < pixels; p++) {
                sum += x[(n * pixels + p) * channels + c];
            }
            y[n * channels + c] = sum / (Real)pixels;
        }
    }
}

static void global_pool_backward(const Call *call) {
    size_t channels = (size_t)call->input_shape[0].channels;
    size_t pixels = shape_elements(call->input_shape[0]) / channels;
    const Real *dy = call->output_gradient;
    for (size_t i = 0; i < (size_t)call->batch * pixels * channels; i++) {
        size_t sample = i / (pixels * channels);
        put_input_gradient(call, 0, i, dy[sample * channels + i % channels] / (Real)pixels);
    }
}

const ReferenceOp REAL_NAME(reference_global_pool) = {global_pool_forward, global_pool_backward};
