// SPDX-License-Identifier: Apache-2.0
// Local response normalisation across channels (Krizhevsky, Sutskever, Hinton 2012, section 3.3),
// with PyTorch's window: `size` channels, size/2 of them before the channel.
//
//     d_i  = k + alpha/size * sum over j in window(i) of x_j^2        y_i = x_i * d_i^-beta
//     dx_i = dy_i * d_i^-beta
//            - 2 alpha beta/size * x_i * sum over j with i in window(j) of dy_j x_j d_j^(-beta-1)
//
// AlexNet alone uses it, so it is plain code in double rather than a kernel.
#include <math.h>

#include "backend/cpu/ops.h"
#include "backend/cpu/pieces.h"
#include "base/elementary.h"

typedef struct Run {
    const Call *call;
    LrnAttr attr;
    int64_t pixels; // of the batch
    int channels;
} Run;

// d^-beta; the usual exponent needs no logarithm: d^-3/4 = 1 / (sqrt(d) * sqrt(sqrt(d))).
static double negative_power(double d, double beta) {
    if (beta == 0.75) {
        double root = sqrt(d);
        return 1 / (root * sqrt(root));
    }
    return exact_pow(d, -beta);
}

// d of every channel of a pixel. Each window is summed anew: it is short, and a running sum drifts.
static void denominators(const Run *run, const float *x, double *d) {
    for (int c = 0; c < run->channels; c++) {
        int begin = c - run->attr.size / 2, end = begin + run->attr.size;
        begin = begin < 0 ? 0 : begin;
        end = end > run->channels ? run->channels : end;
        double sum = 0;
        for (int j = begin; j < end; j++) {
            sum += (double)x[j] * (double)x[j];
        }
        d[c] = (double)run->attr.k + (double)run->attr.alpha / run->attr.size * sum;
    }
}

static double *worker_scratch(const Run *run, int worker) {
    return (double *)run->call->workspace + (int64_t)worker * 2 * run->channels;
}

static void forward_task(void *context, int task, int worker) {
    const Run *run = context;
    Piece pixels = piece_at(run->pixels, piece_rows(run->channels), task);
    const float *x = (const float *)run->call->input[0] + pixels.begin * run->channels;
    float *y = (float *)run->call->output + pixels.begin * run->channels;
    double *d = worker_scratch(run, worker);
    for (int i = 0; i < pixels.count; i++, x += run->channels, y += run->channels) {
        denominators(run, x, d);
        for (int c = 0; c < run->channels; c++) {
            y[c] = (float)(x[c] * negative_power(d[c], (double)run->attr.beta));
        }
    }
}

static void backward_task(void *context, int task, int worker) {
    const Run *run = context;
    const Call *call = run->call;
    int channels = run->channels, size = run->attr.size;
    Piece pixels = piece_at(run->pixels, piece_rows(channels), task);
    const float *x = (const float *)call->input[0] + pixels.begin * channels;
    const float *dy = (const float *)call->output_gradient + pixels.begin * channels;
    float *dx = (float *)call->input_gradient[0] + pixels.begin * channels;
    double *power = worker_scratch(run, worker), *ratio = power + channels;
    double factor = 2 * (double)run->attr.alpha * (double)run->attr.beta / size;
    for (int i = 0; i < pixels.count; i++, x += channels, dy += channels, dx += channels) {
        denominators(run, x, power);
        for (int c = 0; c < channels; c++) {
            double d = power[c];
            power[c] = negative_power(d, (double)run->attr.beta);
            ratio[c] = (double)dy[c] * (double)x[c] * power[c] / d;
        }
        for (int c = 0; c < channels; c++) {
            int begin = c - (size - 1) / 2, end = begin + size;
            begin = begin < 0 ? 0 : begin;
            end = end > channels ? channels : end;
            double sum = 0;
            for (int j = begin; j < end; j++) {
                sum += ratio[j];
            }
            float gradient = (float)(dy[c] * power[c] - factor * x[c] * sum);
            dx[c] = call->accumulate[0] ? dx[c] + gradient : gradient;
        }
    }
}

static void pixels_run(const Call *call, TaskFunction *function) {
    Run run = {.call = call,
               .attr = call->node->lrn,
               .pixels = (int64_t)call->batch * shape_pixels(call->node->shape),
               .channels = call->node->shape.channels};
    threads_run(call->threads, pieces_of(run.pixels, piece_rows(run.channels)), function, &run);
}

static void forward(const Call *call, const Kernels *kernels) {
    (void)kernels;
    pixels_run(call, forward_task);
}

static void backward(const Call *call, const Kernels *kernels) {
    (void)kernels;
    if (call->input_gradient[0] != NULL) {
        pixels_run(call, backward_task);
    }
}

static size_t workspace_size(const Graph *graph, const Node *node, int batch, Phase phase,
                             int threads) {
    (void)graph, (void)batch, (void)phase;
    return 2 * (size_t)node->shape.channels * sizeof(double) * (size_t)threads;
}

const CpuOp cpu_lrn = {.workspace_size = workspace_size, .forward = forward, .backward = backward};
