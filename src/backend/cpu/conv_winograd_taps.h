// SPDX-License-Identifier: Apache-2.0
// Winograd's path for layers with so many weights that only their taps are kept in memory.
#ifndef RESNET_BACKEND_CPU_CONV_WINOGRAD_TAPS_H
#define RESNET_BACKEND_CPU_CONV_WINOGRAD_TAPS_H

#include "backend/cpu/conv.h"

// Whether a layer keeps taps alone: many of them, at inference.
bool winograd_from_taps(const ConvGeometry *g, Phase phase);
// Floats of the taps, and bytes of workspace for each worker.
size_t winograd_taps_floats(const ConvGeometry *g);
size_t winograd_taps_bytes(const ConvGeometry *g);
// `factor`: of each output channel, or NULL.
void winograd_taps_prepare(const ConvGeometry *g, const Call *call, const double *factor,
                           float *to);
void winograd_taps_run(const ConvGeometry *g, const Call *call, const float *taps,
                       const float *start, const Kernels *kernels);

#endif
