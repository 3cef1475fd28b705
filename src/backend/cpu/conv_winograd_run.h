// SPDX-License-Identifier: Apache-2.0
// One direction of a Winograd convolution, over a batch or over some images of it.
#ifndef RESNET_BACKEND_CPU_CONV_WINOGRAD_RUN_H
#define RESNET_BACKEND_CPU_CONV_WINOGRAD_RUN_H

#include "backend/cpu/conv_winograd_tiles.h"

// One direction: from `depth` channels to `lanes` channels of an image of the same size.
typedef struct Winograd {
    const Kernels *kernels;
    int batch, height, width, depth, lanes;
    const float *source, *weights;
    const float *start, *residual; // or NULL
    float *out;
    bool relu;
    float *workspace; // winograd_worker_bytes() for each worker
} Winograd;

size_t winograd_worker_bytes(int depth);
// All images, by all workers.
void winograd_run(const Winograd *w, Threads *threads);
// `count` images from `image` on, by one worker, the calling one; `source` is those images alone.
void winograd_images(const Winograd *w, int image, int count, const float *source, int worker);

#endif
