// SPDX-License-Identifier: Apache-2.0
// The loops of the ops that are bound by memory: norms, pools and elementwise ops.
//
// A map of activations is rows x channels, a row being one pixel of one sample; rows lie one behind
// the other. Lanes of a vector are channels, and the last channels of a row that do not fill a
// vector go through the same operations in a partly filled one. Sums over rows are taken for each
// channel in an order that depends on the row's number alone.
#ifndef RESNET_BACKEND_CPU_KERNELS_MAP_KERNELS_H
#define RESNET_BACKEND_CPU_KERNELS_MAP_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/cpu/kernels/kernels.h"

// A stretch of a norm's backward pass, g being the gradient that has passed the fused ReLU:
//
//     g  = output_gradient, where `relu` is set only where the output is > 0
//     dx = g * scale + (x - mean) * input_factor + constant
typedef struct NormGradient {
    const float *x, *output_gradient;
    bool relu;
    const float
        *output; // tells where g passes; NULL: (x - mean) * scale + shift tells, computed again
    const float *mean, *scale, *shift;
    float *masked;                        // gradient_sums: g is stored here; NULL: nowhere
    bool stream_masked;                   // past the caches
    const float *input_factor, *constant; // gradient
    float *input_gradient;                // gradient: dx
    bool accumulate, stream_input_gradient;
} NormGradient;

typedef struct NormKernels {
    // For each channel: a pivot near the values, and the sums of (x - pivot) and (x - pivot)^2.
    // The pivot is the mean of the first 8 rows, so that by Cauchy and Schwarz
    // sum (x - pivot)^2 is at most 1 + rows/8 times sum (x - mean)^2: what is later taken away
    // from it costs a few bits at the worst, whatever the mean.
    void (*moments)(const float *x, int rows, int channels, float *pivot, float *sum,
                    float *square);
    // y = (x - mean) * scale + shift, + residual unless NULL, then max(., 0) for `relu`; written
    // past the caches for `stream`.
    void (*normalise)(float *y, const float *x, const float *residual, const float *mean,
                      const float *scale, const float *shift, int rows, int channels, bool relu,
                      bool stream);
    // For each channel: the sums of g and of g * (x - mean).
    void (*gradient_sums)(const NormGradient *pass, int rows, int channels, float *sum,
                          float *product);
    // dx, written or added.
    void (*gradient)(const NormGradient *pass, int rows, int channels);
} NormKernels;

typedef struct ElementKernels {
    void (*relu)(float *y, const float *x, size_t count);
    // y = a + b, then max(., 0) for `relu`.
    void (*add)(float *y, const float *a, const float *b, bool relu, size_t count);
    // y = x, only where mask > 0 unless mask is NULL; added to y for `accumulate`.
    void (*pass)(float *y, const float *x, const float *mask, bool accumulate, size_t count);
    // Each row of y = the row of x times the factors; added to y for `accumulate`.
    void (*scale_rows)(float *y, const float *x, const float *factors, bool accumulate, int rows,
                       int channels);
    // Each row of y = value; added to y for `accumulate`.
    void (*fill_rows)(float *y, const float *value, bool accumulate, int rows, int channels);
    // sum = the sum of x (of x * y unless y is NULL) over the rows, over the divisor; added to what
    // is there for `accumulate`.
    void (*sum_rows)(float *sum, const float *x, const float *y, float divisor, bool accumulate,
                     int rows, int channels);
} ElementKernels;

// A rectangle of pixels: `first` is its upper left one, `step` the floats from row to row.
typedef struct PoolWindow {
    const float *first;
    ptrdiff_t step;
    int rows, columns, channels;
} PoolWindow;

typedef struct PoolKernels {
    // y[i] = the largest of the `count` numbers x[i + k * step]; a NaN counts as such.
    void (*largest)(float *y, const float *x, ptrdiff_t step, int count, size_t elements);
    // The maximum of an output pixel's window (the part of it inside the input), and where in the
    // window it was found: `place` is the number of the first pixel, in windows of `kernel`
    // columns. The first maximum is taken; a NaN counts as one.
    void (*max)(float *y, uint8_t *index, const PoolWindow *window, int place, int kernel);
    // An input pixel's gradient: the window is the output gradients that may reach it, and those
    // count whose index names this pixel; its number is `place` in the first window, less by
    // place_row from one row of windows to the next and by place_column from column to column.
    void (*max_gradient)(float *dx, const uint8_t *index, const PoolWindow *window, int place,
                         int place_row, int place_column, bool accumulate);
    // The sum of the window over the divisor.
    void (*average)(float *y, const PoolWindow *window, float divisor);
    // The sum of the output gradients in the window, each over its divisor, which are laid out as
    // the output's pixels: divisor_step floats from row to row.
    void (*average_gradient)(float *dx, const PoolWindow *window, const float *divisor,
                             ptrdiff_t divisor_step, bool accumulate);
} PoolKernels;

struct MapKernels {
    const NormKernels *norm;
    const ElementKernels *element;
    const PoolKernels *pool;
};

#endif
