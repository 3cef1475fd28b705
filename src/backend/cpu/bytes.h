// SPDX-License-Identifier: Apache-2.0
// The forward functions of ops whose inputs are bytes, where others exist for floats.
#ifndef RESNET_BACKEND_CPU_BYTES_H
#define RESNET_BACKEND_CPU_BYTES_H

#include "backend/cpu/ops.h"

void bytes_max_pool(const Call *call, const Kernels *kernels);
void bytes_global_pool(const Call *call, const Kernels *kernels);
void bytes_concat(const Call *call, const Kernels *kernels);
void bytes_pad_shortcut(const Call *call, const Kernels *kernels);

#endif
