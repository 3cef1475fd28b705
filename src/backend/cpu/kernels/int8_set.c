// SPDX-License-Identifier: Apache-2.0
// AVX-512 with VNNI: a set of its own whose kernels on bytes alone are (the build compiles int8_*.c
// for it); all others are those of AVX-512.
#include "backend/cpu/kernels/kernels.h"

#if defined(__AVX512VNNI__)

extern const ConvKernels conv_kernels_avx512, bf16_kernels_avx512;
extern const MapKernels map_kernels_avx512;
extern const WinogradKernels winograd_kernels_avx512;
extern const Int8Kernels int8_kernels_avx512vnni;

const Kernels kernels_avx512vnni = {
    .isa = ISA_AVX512VNNI,
    .lanes = 16,
    .conv = &conv_kernels_avx512,
    .bf16 = &bf16_kernels_avx512,
    .map = &map_kernels_avx512,
    .winograd = &winograd_kernels_avx512,
    .int8 = &int8_kernels_avx512vnni,
};

#endif
