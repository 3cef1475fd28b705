// SPDX-License-Identifier: Apache-2.0
// The reference backend's table, one row for each op kind, and what its loops share.
//
// This backend is the specification: each op is its formula in plain loops, sums are taken in Real
// in the order of the loops, nothing is packed and no scratch memory is needed.
#ifndef RESNET_BACKEND_REFERENCE_OPS_H
#define RESNET_BACKEND_REFERENCE_OPS_H

#include "backend/backend.h"
#include "backend/reference/real.h"

typedef struct ReferenceOp {
    void (*forward)(const Call *call);
    void (*backward)(const Call *call);
} ReferenceOp;

// conv.c, linear.c, norm.c
extern const ReferenceOp REAL_NAME(reference_conv), REAL_NAME(reference_linear),
    REAL_NAME(reference_norm);
// elementwise.c
extern const ReferenceOp REAL_NAME(reference_relu), REAL_NAME(reference_sigmoid),
    REAL_NAME(reference_add), REAL_NAME(reference_gate), REAL_NAME(reference_dropout);
// pool.c, channels.c, loss.c
extern const ReferenceOp REAL_NAME(reference_max_pool), REAL_NAME(reference_avg_pool),
    REAL_NAME(reference_global_pool), REAL_NAME(reference_concat),
    REAL_NAME(reference_pad_shortcut), REAL_NAME(reference_lrn), REAL_NAME(reference_softmax_loss);
// bytes.c: the conversions
extern const ReferenceOp REAL_NAME(reference_quantize), REAL_NAME(reference_dequantize);

// bytes.c: ops that read bytes.
void REAL_NAME(reference_layer_bytes)(const Call *call); // conv, linear
void REAL_NAME(reference_max_pool_bytes)(const Call *call);
void REAL_NAME(reference_global_pool_bytes)(const Call *call);
void REAL_NAME(reference_concat_bytes)(const Call *call);
void REAL_NAME(reference_pad_shortcut_bytes)(const Call *call);

// Where element (y, x, channel 0) of a sample lies in [batch][height][width][channels].
static inline size_t pixel_offset(Shape shape, int sample, int y, int x) {
    size_t row = (size_t)sample * (size_t)shape.height + (size_t)y;
    return (row * (size_t)shape.width + (size_t)x) * (size_t)shape.channels;
}

// max(x, 0) that keeps NaN.
static inline Real rectified(Real x) { return x <= 0 ? 0 : x; }

// The gradient that reaches an op's own result through its fused relu, if it has one.
static inline Real output_gradient_at(const Call *call, size_t i) {
    bool blocked = call->node->relu && !(((const Real *)call->output)[i] > 0);
    return blocked ? 0 : ((const Real *)call->output_gradient)[i];
}

// Writes or adds element i of the gradient of input k; nothing when it is not wanted.
static inline void put_input_gradient(const Call *call, int k, size_t i, Real value) {
    Real *gradient = call->input_gradient[k];
    if (gradient != NULL) {
        gradient[i] = call->accumulate[k] ? gradient[i] + value : value;
    }
}

#endif
