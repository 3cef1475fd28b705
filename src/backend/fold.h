// SPDX-License-Identifier: Apache-2.0
// A norm folded into the convolution before it, the same in every backend:
//
//     norm(conv(x) + bias) = factor * conv(x) + ((bias - mean) * factor + shift)
//     factor = scale / sqrt(variance + epsilon)
//
// in double, rounded once by whoever stores it.
#ifndef RESNET_BACKEND_FOLD_H
#define RESNET_BACKEND_FOLD_H

#include <math.h>

#include "backend/backend.h"

// The parameters of a convolution or linear layer by their places in Call.param and Node.param.
enum { FOLD_WEIGHT, FOLD_BIAS, FOLD_SCALE, FOLD_SHIFT, FOLD_MEAN, FOLD_VARIANCE };

// Element o of a parameter of floats or doubles; 0 for one that is not there.
static inline double fold_element(const Call *call, int param, size_t element_size, int o) {
    const void *values = call->param[param];
    return values == NULL                  ? 0
           : element_size == sizeof(float) ? (double)((const float *)values)[o]
                                           : ((const double *)values)[o];
}

// The factor of output channel o, and what is added to it; 1 and the bias where no norm is folded.
static inline double fold_channel(const Call *call, size_t element_size, int o, double *offset) {
    *offset = fold_element(call, FOLD_BIAS, element_size, o);
    if (call->param[FOLD_VARIANCE] == NULL) {
        return 1;
    }
    const double variance = fold_element(call, FOLD_VARIANCE, element_size, o);
    const double factor = fold_element(call, FOLD_SCALE, element_size, o) /
                          sqrt(variance + (double)call->node->folded_epsilon);
    const double centred = *offset - fold_element(call, FOLD_MEAN, element_size, o);
    *offset = centred * factor + fold_element(call, FOLD_SHIFT, element_size, o);
    return factor;
}

#endif
