// SPDX-License-Identifier: Apache-2.0
// A Winograd convolution that trains together with the norm behind it.
#ifndef RESNET_BACKEND_CPU_CONV_WINOGRAD_PAIR_H
#define RESNET_BACKEND_CPU_CONV_WINOGRAD_PAIR_H

#include "backend/cpu/conv_winograd_run.h"
#include "backend/cpu/norm.h"

// Bytes of workspace; 0 where pairs do not pay.
size_t winograd_pair_bytes(const ConvGeometry *g, int threads);
// As ConvPath's forward_with() and backward_with(); the convolution's own direction is given, and
// backward that to its input.
bool winograd_pair_forward(Winograd forward, const ConvGeometry *g, const Call *call,
                           const NormRun *norm);
bool winograd_pair_backward(Winograd to_input, const ConvGeometry *g, const Call *call,
                            const NormRun *norm);

#endif
