// SPDX-License-Identifier: Apache-2.0
// The direct sum on bytes: strips of the input swept by tiles, as conv_sweep.c does with floats.
#ifndef RESNET_BACKEND_CPU_CONV_INT8_SWEEP_H
#define RESNET_BACKEND_CPU_CONV_INT8_SWEEP_H

#include "backend/cpu/conv.h"

// Bytes of workspace for one worker.
size_t int8_sweep_bytes(const ConvGeometry *g);
// Computes call's output; block has what int8_prepare() (conv_int8_pack.h) left there.
void int8_sweep_run(const ConvGeometry *g, const Call *call, void *block, const Kernels *kernels);

#endif
