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
    float *out;                    // NULL: not wanted
    bool relu;
    float *workspace;
} Winograd;

// Bytes of workspace for one worker.
size_t winograd_worker_bytes(int depth);
// All images, by all workers.
void winograd_run(const Winograd *w, Threads *threads);
// `count` images from `image` on, by the calling worker; `source` is those images alone, and
// `workspace` the worker's.
void winograd_images(const Winograd *w, int image, int count, const float *source,
                     float *workspace);

#endif
