// SPDX-License-Identifier: Apache-2.0
// Cross-entropy of a softmax with the labels, with label smoothing s over K classes:
//
//     p = softmax(x),  t = (1-s) * onehot + s/K,  loss = weight * -sum t ln p
//     dx = loss_scale * weight * (p - t)
//
// In double: there is one short row for each sample.
#include "backend/cpu/ops.h"
#include "backend/cpu/pieces.h"
#include "base/elementary.h"

enum { TASK_SAMPLES = 16 };

static int class_count(const Call *call) { return (int)shape_elements(call->input_shape[0]); }

static void forward_task(void *context, int task, int worker) {
    (void)worker;
    const Call *call = context;
    int classes = class_count(call);
    double smoothing = (double)call->node->loss.smoothing;
    Piece samples = piece_at(call->batch, TASK_SAMPLES, task);
    for (int64_t sample = samples.begin; sample < samples.begin + samples.count; sample++) {
        const float *x = (const float *)call->input[0] + sample * classes;
        double largest = (double)x[0], sum = 0, all = 0;
        for (int k = 1; k < classes; k++) {
            largest = (double)x[k] > largest ? (double)x[k] : largest;
        }
        for (int k = 0; k < classes; k++) {
            sum += exact_exp((double)x[k] - largest);
        }
        double expected = (1 - smoothing) * ((double)x[call->labels[sample]] - largest);
        if (smoothing > 0) { // else an infinite logit of another class would make a NaN
            for (int k = 0; k < classes; k++) {
                all += (double)x[k] - largest;
            }
            expected += smoothing / classes * all;
        }
        ((float *)call->output)[sample] =
            (float)((double)call->node->loss.weight * (exact_log(sum) - expected));
        if (call->saved != NULL) {
            float *probability = (float *)call->saved + sample * classes;
            for (int k = 0; k < classes; k++) {
                probability[k] = (float)(exact_exp((double)x[k] - largest) / sum);
            }
        }
    }
}

static void backward_task(void *context, int task, int worker) {
    (void)worker;
    const Call *call = context;
    int classes = class_count(call);
    double smoothing = (double)call->node->loss.smoothing;
    double scale = (double)call->loss_scale * (double)call->node->loss.weight;
    Piece samples = piece_at(call->batch, TASK_SAMPLES, task);
    for (int64_t sample = samples.begin; sample < samples.begin + samples.count; sample++) {
        const float *probability = (const float *)call->saved + sample * classes;
        float *dx = (float *)call->input_gradient[0] + sample * classes;
        for (int k = 0; k < classes; k++) {
            double target = smoothing / classes;
            if (k == call->labels[sample]) {
                target += 1 - smoothing;
            }
            float gradient = (float)(scale * ((double)probability[k] - target));
            dx[k] = call->accumulate[0] ? dx[k] + gradient : gradient;
        }
    }
}

static void forward(const Call *call, const Kernels *kernels) {
    (void)kernels;
    threads_run(call->threads, pieces_of(call->batch, TASK_SAMPLES), forward_task, (void *)call);
}

static void backward(const Call *call, const Kernels *kernels) {
    (void)kernels;
    if (call->input_gradient[0] != NULL) {
        threads_run(call->threads, pieces_of(call->batch, TASK_SAMPLES), backward_task,
                    (void *)call);
    }
}

const CpuOp cpu_softmax_loss = {.forward = forward, .backward = backward};
