// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/kernels/kernels.h"

#include "backend/cpu/kernels/vector.h"

extern const ConvKernels KERNEL(conv_kernels);
extern const ConvKernels KERNEL(bf16_kernels);
extern const MapKernels KERNEL(map_kernels);
extern const WinogradKernels KERNEL(winograd_kernels);
extern const Int8Kernels KERNEL(int8_kernels);

#define ISA_portable ISA_PORTABLE
#define ISA_neon ISA_NEON
#define ISA_avx2 ISA_AVX2
#define ISA_avx512 ISA_AVX512

const Kernels KERNEL(kernels) = {
    .isa = KERNEL_JOIN(ISA, KERNELS_ISA),
    .lanes = LANES,
    .conv = &KERNEL(conv_kernels),
    .bf16 = &KERNEL(bf16_kernels),
    .map = &KERNEL(map_kernels),
    .winograd = &KERNEL(winograd_kernels),
    .int8 = &KERNEL(int8_kernels),
};
