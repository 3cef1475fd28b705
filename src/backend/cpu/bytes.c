// SPDX-License-Identifier: Apache-2.0
// Ops on bytes but for layers (conv_int8.c): conversions, and what moves or compares bytes. See
// backend/int8.h. A task is some rows of an image, or a whole sample.
#include "backend/cpu/bytes.h"

#include <string.h>

#include "backend/cpu/kernels/int8_kernels.h"
#include "backend/cpu/pieces.h"
#include "backend/int8.h"

typedef struct Run {
    const Call *call;
    const Int8Kernels *kernels;
    int64_t pixels; // of all samples
    int piece;      // of them in a task
} Run;

static ptrdiff_t pixel_at(Shape shape, int sample, int y, int x) {
    const ptrdiff_t row = (ptrdiff_t)sample * shape.height + y;
    return (row * shape.width + x) * (ptrdiff_t)shape_byte_pixel(shape);
}

static void run_pieces(const Call *call, const Kernels *kernels, TaskFunction *function) {
    const Shape shape = call->node->shape;
    Run run = {.call = call,
               .kernels = kernels->int8,
               .pixels = (int64_t)call->batch * shape_pixels(shape),
               .piece = piece_rows(shape.channels)};
    threads_run(call->threads, pieces_of(run.pixels, run.piece), function, &run);
}

static void quantize_task(void *context, int task, int worker) {
    (void)worker;
    const Run *run = context;
    const Node *node = run->call->node;
    const int channels = node->shape.channels;
    const Piece pixels = piece_at(run->pixels, run->piece, task);
    run->kernels->quantize((uint8_t *)run->call->output +
                               pixels.begin * (int64_t)shape_byte_pixel(node->shape),
                           (const float *)run->call->input[0] + pixels.begin * channels,
                           int8_inverse(node->scale), node->zero, pixels.count, channels);
}

static void dequantize_task(void *context, int task, int worker) {
    (void)worker;
    const Run *run = context;
    const Node *input = run->call->input_node[0];
    const int channels = input->shape.channels;
    const Piece pixels = piece_at(run->pixels, run->piece, task);
    run->kernels->dequantize((float *)run->call->output + pixels.begin * channels,
                             (const uint8_t *)run->call->input[0] +
                                 pixels.begin * (int64_t)shape_byte_pixel(input->shape),
                             input->scale, input->zero, pixels.count, channels);
}

static void quantize_forward(const Call *call, const Kernels *kernels) {
    run_pieces(call, kernels, quantize_task);
}

static void dequantize_forward(const Call *call, const Kernels *kernels) {
    run_pieces(call, kernels, dequantize_task);
}

// A task: a row of one sample's output.
static void max_pool_task(void *context, int task, int worker) {
    (void)worker;
    const Run *run = context;
    const PoolAttr *pool = &run->call->node->pool;
    const Shape in = run->call->input_shape[0], out = run->call->node->shape;
    const int sample = task / out.height, y = task % out.height, bytes = (int)shape_byte_pixel(in);
    const int top = y * pool->stride - pool->pad, y0 = top > 0 ? top : 0;
    const int y1 = top + pool->kernel < in.height ? top + pool->kernel : in.height;
    uint8_t *to = (uint8_t *)run->call->output + pixel_at(out, sample, y, 0);
    for (int x = 0; x < out.width; x++) {
        const int left = x * pool->stride - pool->pad, x0 = left > 0 ? left : 0;
        const int x1 = left + pool->kernel < in.width ? left + pool->kernel : in.width;
        run->kernels->max(to, (const uint8_t *)run->call->input[0] + pixel_at(in, sample, y0, x0),
                          (ptrdiff_t)in.width * bytes, y1 - y0, x1 - x0, bytes);
        to += bytes;
    }
}

void bytes_max_pool(const Call *call, const Kernels *kernels) {
    Run run = {.call = call, .kernels = kernels->int8};
    threads_run(call->threads, call->batch * call->node->shape.height, max_pool_task, &run);
}

static void global_pool_task(void *context, int task, int worker) {
    (void)worker;
    const Run *run = context;
    const Node *input = run->call->input_node[0];
    const int pixels = shape_pixels(input->shape);
    run->kernels->mean((float *)run->call->output + (ptrdiff_t)task * input->shape.channels,
                       (const uint8_t *)run->call->input[0] + pixel_at(input->shape, task, 0, 0),
                       input->zero, int8_mean(input->scale, pixels), pixels, input->shape.channels);
}

void bytes_global_pool(const Call *call, const Kernels *kernels) {
    Run run = {.call = call, .kernels = kernels->int8};
    threads_run(call->threads, call->batch, global_pool_task, &run);
}

static void concat_task(void *context, int task, int worker) {
    (void)worker;
    const Run *run = context;
    const Call *call = run->call;
    const Piece pixels = piece_at(run->pixels, run->piece, task);
    const size_t whole = shape_byte_pixel(call->node->shape);
    size_t before = 0;
    for (int k = 0; k < NODE_INPUTS && call->node->input[k] != NODE_NONE; k++) {
        const size_t own = shape_byte_pixel(call->input_shape[k]);
        const size_t channels = (size_t)call->input_shape[k].channels;
        const uint8_t *from = (const uint8_t *)call->input[k] + (size_t)pixels.begin * own;
        uint8_t *to = (uint8_t *)call->output + (size_t)pixels.begin * whole + before;
        for (int i = 0; i < pixels.count; i++, from += own, to += whole) {
            memcpy(to, from, channels);
        }
        before += channels;
    }
}

void bytes_concat(const Call *call, const Kernels *kernels) {
    run_pieces(call, kernels, concat_task);
}

static void pad_shortcut_task(void *context, int task, int worker) {
    (void)worker;
    const Run *run = context;
    const Call *call = run->call;
    const Shape in = call->input_shape[0], out = call->node->shape;
    const int stride = call->node->pad_shortcut.stride;
    const int sample = task / out.height, y = task % out.height;
    const size_t channels = (size_t)in.channels, whole = shape_byte_pixel(out);
    const size_t before = (size_t)((out.channels - in.channels) / 2);
    uint8_t *to = (uint8_t *)call->output + pixel_at(out, sample, y, 0);
    for (int x = 0; x < out.width; x++, to += whole) {
        memset(to, call->node->zero, before);
        memcpy(to + before,
               (const uint8_t *)call->input[0] + pixel_at(in, sample, y * stride, x * stride),
               channels);
        memset(to + before + channels, call->node->zero, whole - before - channels);
    }
}

void bytes_pad_shortcut(const Call *call, const Kernels *kernels) {
    Run run = {.call = call, .kernels = kernels->int8};
    threads_run(call->threads, call->batch * call->node->shape.height, pad_shortcut_task, &run);
}

const CpuOp cpu_quantize = {.forward = quantize_forward};
const CpuOp cpu_dequantize = {.forward = dequantize_forward};
