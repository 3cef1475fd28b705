// SPDX-License-Identifier: Apache-2.0
// Softmax and cross-entropy of each sample with its label, with label smoothing s:
//
//     p[c] = e^z[c] / sum of e^z
//     target[c] = (1 - s) * [c is the label] + s / classes
//     loss = weight * -sum of target[c] * log p[c]
//          = weight * (log(sum of e^z) - (1 - s) * z[label] - s / classes * sum of z)
//     dz[c] = loss_scale * weight * (p[c] - target[c])
//
// All z are taken relative to the largest, so that no e^z overflows. p is put aside in training.
#include "backend/reference/ops.h"
#include "base/elementary.h"

static void softmax_loss_forward(const Call *call) {
    size_t classes = shape_elements(call->input_shape[0]);
    Real weight = (Real)call->node->loss.weight, smoothing = (Real)call->node->loss.smoothing;
    for (size_t n = 0; n < (size_t)call->batch; n++) {
        const Real *z = (const Real *)call->input[0] + n * classes;
        Real largest = z[0];
        for (size_t c = 1; c < classes; c++) {
            largest = z[c] > largest ? z[c] : largest;
        }
        Real exponentials = 0, sum = 0;
        for (size_t c = 0; c < classes; c++) {
            exponentials += (Real)exact_exp((double)(z[c] - largest));
            sum += z[c] - largest;
        }
        Real logarithm = (Real)exact_log((double)exponentials);
        Real label = z[call->labels[n]] - largest;
        Real loss = logarithm - (1 - smoothing) * label;
        if (smoothing > 0) {
            loss -= smoothing / (Real)classes * sum;
        }
        ((Real *)call->output)[n] = weight * loss;
        for (size_t c = 0; call->saved != NULL && c < classes; c++) {
            ((Real *)call->saved)[n * classes + c] =
                (Real)exact_exp((double)(z[c] - largest)) / exponentials;
        }
    }
}

static void softmax_loss_backward(const Call *call) {
    size_t classes = shape_elements(call->input_shape[0]);
    Real smoothing = (Real)call->node->loss.smoothing;
    Real scale = (Real)call->loss_scale * (Real)call->node->loss.weight;
    const Real *p = call->saved;
    for (size_t i = 0; i < (size_t)call->batch * classes; i++) {
        bool is_label = i % classes == (size_t)call->labels[i / classes];
        Real target = smoothing / (Real)classes + (is_label ? 1 - smoothing : 0);
        put_input_gradient(call, 0, i, scale * (p[i] - target));
    }
}

const ReferenceOp REAL_NAME(reference_softmax_loss) = {softmax_loss_forward, softmax_loss_backward};
