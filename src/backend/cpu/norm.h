// SPDX-License-Identifier: Apache-2.0
// A norm's passes in pieces, for the convolution before it: what a core has just made, or will soon
// use, is in its caches, and a map that is passed over once more is read from memory.
#ifndef RESNET_BACKEND_CPU_NORM_H
#define RESNET_BACKEND_CPU_NORM_H

#include "backend/cpu/kernels/map_kernels.h"
#include "backend/cpu/ops.h"

typedef struct NormRun {
    const Call *call;
    const NormKernels *kernels;
    const ElementKernels *element;
    int64_t rows; // pixels of the batch
    int channels, chunk_rows, chunks;
    bool stream;
    // In the workspace: factors [channels] each, then the chunks' [PARTIAL_SUMS][channels].
    float *scale, *input_factor, *constant, *partials;
    const float *mean;
    NormGradient gradient; // of the whole map
} NormRun;

NormRun norm_run(const Call *call, const Kernels *kernels);
// Bytes of the call's workspace that its passes use: in training, of a batch's map.
size_t norm_workspace_bytes(Shape shape, int batch);
// Rows of a chunk, whose sums are taken together.
int norm_chunk_rows(int channels);

// Forward in training: first the moments of all rows, in any order, each call with whole chunks,
// that is `first` a multiple of their rows and `count` too or up to the last row.
void norm_moments(const NormRun *run, int64_t first, int64_t count);
void norm_forward_end(NormRun *run);

// Backward: the sums over all rows, then the gradient of the input, in which each element stands
// for itself: of `count` rows from `first` on, written to `to`, or of all rows to the call's
// input_gradient. Either way once for each row.
void norm_backward_begin(NormRun *run);
void norm_gradient(const NormRun *run, int64_t first, int count, float *to);
void norm_backward_end(NormRun *run);

#endif
