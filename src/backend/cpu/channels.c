// SPDX-License-Identifier: Apache-2.0
// Ops that handle whole channels: gate, concat, pad_shortcut. A task is a piece of the pixels of
// one sample.
#include <string.h>

#include "backend/cpu/bytes.h"
#include "backend/cpu/kernels/map_kernels.h"
#include "backend/cpu/ops.h"
#include "backend/cpu/pieces.h"

typedef struct Run {
    const Call *call;
    const ElementKernels *kernels;
    int pixels, piece, pieces; // of a sample, of a task, tasks of a sample
} Run;

// The pixels are those of `shape`; a piece of them holds PIECE_ELEMENTS in that shape's channels.
static void pixels_run(const Call *call, const Kernels *kernels, Shape shape,
                       TaskFunction *function) {
    Run run = {.call = call, .kernels = kernels->map->element, .pixels = shape_pixels(shape)};
    run.piece = piece_rows(shape.channels);
    run.pieces = pieces_of(run.pixels, run.piece);
    threads_run(call->threads, call->batch * run.pieces, function, &run);
}

static void gate_task(void *context, int task, int worker) {
    (void)worker;
    const Run *run = context;
    const Call *call = run->call;
    int sample = task / run->pieces, channels = call->node->shape.channels;
    Piece pixels = piece_at(run->pixels, run->piece, task % run->pieces);
    int64_t at = ((int64_t)sample * run->pixels + pixels.begin) * channels;
    const float *factors = (const float *)call->input[1] + (int64_t)sample * channels;
    run->kernels->scale_rows((float *)call->output + at, (const float *)call->input[0] + at,
                             factors, false, pixels.count, channels);
}

static void gate_gradient_task(void *context, int task, int worker) {
    (void)worker;
    const Run *run = context;
    const Call *call = run->call;
    int sample = task / run->pieces, channels = call->node->shape.channels;
    Piece pixels = piece_at(run->pixels, run->piece, task % run->pieces);
    int64_t at = ((int64_t)sample * run->pixels + pixels.begin) * channels;
    const float *factors = (const float *)call->input[1] + (int64_t)sample * channels;
    run->kernels->scale_rows((float *)call->input_gradient[0] + at,
                             (const float *)call->output_gradient + at, factors,
                             call->accumulate[0], pixels.count, channels);
}

// The factors' gradient of one sample: the sum over its pixels of x times the output's gradient.
static void gate_factors_task(void *context, int task, int worker) {
    (void)worker;
    const Run *run = context;
    const Call *call = run->call;
    int channels = call->node->shape.channels;
    int64_t at = (int64_t)task * run->pixels * channels;
    run->kernels->sum_rows((float *)call->input_gradient[1] + (int64_t)task * channels,
                           (const float *)call->output_gradient + at,
                           (const float *)call->input[0] + at, 1, call->accumulate[1], run->pixels,
                           channels);
}

static void gate_forward(const Call *call, const Kernels *kernels) {
    pixels_run(call, kernels, call->node->shape, gate_task);
}

static void gate_backward(const Call *call, const Kernels *kernels) {
    if (call->input_gradient[1] != NULL) {
        Run run = {.call = call,
                   .kernels = kernels->map->element,
                   .pixels = shape_pixels(call->node->shape)};
        threads_run(call->threads, call->batch, gate_factors_task, &run);
    }
    if (call->input_gradient[0] != NULL) {
        pixels_run(call, kernels, call->node->shape, gate_gradient_task);
    }
}

static void concat_task(void *context, int task, int worker) {
    (void)worker;
    const Run *run = context;
    const Call *call = run->call;
    Piece pixels = piece_at(run->pixels, run->piece, task % run->pieces);
    int64_t first = (int64_t)(task / run->pieces) * run->pixels + pixels.begin;
    int channels = call->node->shape.channels, before = 0;
    for (int k = 0; k < NODE_INPUTS && call->node->input[k] != NODE_NONE; k++) {
        int own = call->input_shape[k].channels;
        const float *x = (const float *)call->input[k] + first * own;
        float *y = (float *)call->output + first * channels + before;
        for (int pixel = 0; pixel < pixels.count; pixel++, x += own, y += channels) {
            memcpy(y, x, (size_t)own * sizeof *y);
        }
        before += own;
    }
}

static void concat_gradient_task(void *context, int task, int worker) {
    (void)worker;
    const Run *run = context;
    const Call *call = run->call;
    Piece pixels = piece_at(run->pixels, run->piece, task % run->pieces);
    int64_t first = (int64_t)(task / run->pieces) * run->pixels + pixels.begin;
    int channels = call->node->shape.channels, before = 0;
    for (int k = 0; k < NODE_INPUTS && call->node->input[k] != NODE_NONE; k++) {
        int own = call->input_shape[k].channels;
        if (call->input_gradient[k] != NULL) {
            float *dx = (float *)call->input_gradient[k] + first * own;
            const float *dy = (const float *)call->output_gradient + first * channels + before;
            for (int pixel = 0; pixel < pixels.count; pixel++, dx += own, dy += channels) {
                run->kernels->pass(dx, dy, NULL, call->accumulate[k], (size_t)own);
            }
        }
        before += own;
    }
}

static void concat_forward(const Call *call, const Kernels *kernels) {
    pixels_run(call, kernels, call->node->shape, concat_task);
}

static void concat_backward(const Call *call, const Kernels *kernels) {
    pixels_run(call, kernels, call->node->shape, concat_gradient_task);
}

// Zero channels before the input's; the rest of the new ones come after.
static int zeros_before(const Call *call) {
    return (call->node->shape.channels - call->input_shape[0].channels) / 2;
}

static void pad_shortcut_task(void *context, int task, int worker) {
    (void)worker;
    const Run *run = context;
    const Call *call = run->call;
    Shape in = call->input_shape[0], out = call->node->shape;
    int stride = call->node->pad_shortcut.stride, before = zeros_before(call);
    int sample = task / run->pieces;
    Piece pixels = piece_at(run->pixels, run->piece, task % run->pieces);
    for (int i = 0; i < pixels.count; i++) {
        int pixel = (int)pixels.begin + i;
        int64_t row = (int64_t)sample * in.height + pixel / out.width * stride;
        const float *x = (const float *)call->input[0] +
                         (row * in.width + pixel % out.width * stride) * in.channels;
        float *y = (float *)call->output + ((int64_t)sample * run->pixels + pixel) * out.channels;
        memset(y, 0, (size_t)before * sizeof *y);
        memcpy(y + before, x, (size_t)in.channels * sizeof *y);
        memset(y + before + in.channels, 0,
               (size_t)(out.channels - in.channels - before) * sizeof *y);
    }
}

static void pad_shortcut_gradient_task(void *context, int task, int worker) {
    (void)worker;
    const Run *run = context;
    const Call *call = run->call;
    Shape in = call->input_shape[0], out = call->node->shape;
    int stride = call->node->pad_shortcut.stride, before = zeros_before(call);
    int sample = task / run->pieces;
    Piece pixels = piece_at(run->pixels, run->piece, task % run->pieces);
    for (int i = 0; i < pixels.count; i++) {
        int pixel = (int)pixels.begin + i;
        int y = pixel / in.width, x = pixel % in.width;
        float *dx = (float *)call->input_gradient[0] +
                    ((int64_t)sample * run->pixels + pixel) * in.channels;
        if (y % stride == 0 && x % stride == 0) {
            int64_t row = (int64_t)sample * out.height + y / stride;
            const float *dy = (const float *)call->output_gradient +
                              (row * out.width + x / stride) * out.channels + before;
            run->kernels->pass(dx, dy, NULL, call->accumulate[0], (size_t)in.channels);
        } else if (!call->accumulate[0]) {
            memset(dx, 0, (size_t)in.channels * sizeof *dx);
        }
    }
}

static void pad_shortcut_forward(const Call *call, const Kernels *kernels) {
    pixels_run(call, kernels, call->node->shape, pad_shortcut_task);
}

static void pad_shortcut_backward(const Call *call, const Kernels *kernels) {
    if (call->input_gradient[0] != NULL) {
        pixels_run(call, kernels, call->input_shape[0], pad_shortcut_gradient_task);
    }
}

const CpuOp cpu_gate = {.forward = gate_forward, .backward = gate_backward};
const CpuOp cpu_concat = {
    .forward = concat_forward,
    .forward_bytes = bytes_concat,
    .backward = concat_backward,
};
const CpuOp cpu_pad_shortcut = {
    .forward = pad_shortcut_forward,
    .forward_bytes = bytes_pad_shortcut,
    .backward = pad_shortcut_backward,
};
