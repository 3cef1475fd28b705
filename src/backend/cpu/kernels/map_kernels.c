// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/kernels/map_kernels.h"

#include "backend/cpu/kernels/vector.h"

extern const NormKernels KERNEL(norm_kernels);
extern const ElementKernels KERNEL(element_kernels);
extern const PoolKernels KERNEL(pool_kernels);

extern const MapKernels KERNEL(map_kernels);

const MapKernels KERNEL(map_kernels) = {
    .norm = &KERNEL(norm_kernels),
    .element = &KERNEL(element_kernels),
    .pool = &KERNEL(pool_kernels),
};
