// SPDX-License-Identifier: Apache-2.0
// The Winograd path's parts: one direction of the convolution (conv_winograd.c), the gradient of
// its weights (conv_winograd_weights.c), and both with the norm behind it (conv_winograd_pair.c).
#ifndef RESNET_BACKEND_CPU_CONV_WINOGRAD_H
#define RESNET_BACKEND_CPU_CONV_WINOGRAD_H

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

Winograd winograd_forward(const ConvGeometry *g, const Call *call, const Kernels *kernels);
Winograd winograd_to_input(const ConvGeometry *g, const Call *call, const Kernels *kernels);

// Bytes of workspace for one worker.
size_t winograd_worker_bytes(int depth);
// All images, by all workers.
void winograd_run(const Winograd *w, Threads *threads);
// `count` images from `image` on, by the calling worker; `source` is those images alone, and
// `workspace` the worker's.
void winograd_images(const Winograd *w, int image, int count, const float *source,
                     float *workspace);

size_t winograd_weights_bytes(const ConvGeometry *g, int threads);
// dw (OIHW) from x and dy.
void winograd_weights_run(const ConvGeometry *g, const Kernels *kernels, const float *x,
                          const float *dy, float *dw, void *workspace, Threads *threads);

// The same, with the same bits, from a dy that is made and used a few images at a time.
typedef struct WinogradSteps {
    int images; // in a step at most
    // Returns dy of `count` images from `image` on.
    const float *(*begin)(void *context, int image, int count, int worker);
    // The images' share of dw is taken.
    void (*end)(void *context, int image, int count, int worker);
    void *context;
} WinogradSteps;

// Whether every task of the batch has whole images, and all of dy's channels.
bool winograd_weights_whole(const ConvGeometry *g);
void winograd_weights_steps(const ConvGeometry *g, const Kernels *kernels, const float *x,
                            const WinogradSteps *steps, float *dw, void *workspace,
                            Threads *threads);

// As ConvPath has them.
size_t winograd_pair_bytes(const ConvGeometry *g, int threads);
bool winograd_forward_with(const ConvGeometry *g, const Call *call, const NormRun *norm,
                           const Kernels *kernels);
bool winograd_backward_with(const ConvGeometry *g, const Call *call, const NormRun *norm,
                            const Kernels *kernels);

#endif
