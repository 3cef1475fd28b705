// SPDX-License-Identifier: Apache-2.0
// The gradient of a Winograd convolution's weights: 3x3, stride 1, pad 1, one group.
#ifndef RESNET_BACKEND_CPU_CONV_WINOGRAD_WEIGHTS_H
#define RESNET_BACKEND_CPU_CONV_WINOGRAD_WEIGHTS_H

#include "backend/cpu/conv.h"

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

#endif
