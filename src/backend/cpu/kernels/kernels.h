// SPDX-License-Identifier: Apache-2.0
// The inner tiles of one instruction set, as tables of functions. This folder sees base/ alone.
#ifndef RESNET_BACKEND_CPU_KERNELS_KERNELS_H
#define RESNET_BACKEND_CPU_KERNELS_KERNELS_H

#include "base/cpu.h"

typedef struct ConvKernels ConvKernels;         // conv_kernels.h: the multiply-add tiles
typedef struct MapKernels MapKernels;           // map_kernels.h: norms, pools, elementwise ops
typedef struct WinogradKernels WinogradKernels; // winograd_kernels.h: its transforms
typedef struct Int8Kernels Int8Kernels;         // int8_kernels.h: layers and other ops on bytes

typedef struct Kernels {
    Isa isa;
    int lanes; // floats in a vector
    const ConvKernels *conv;
    const ConvKernels *bf16; // the same on pairs of bf16 (bf16_kernels.c)
    const MapKernels *map;
    const WinogradKernels *winograd;
    const Int8Kernels *int8;
} Kernels;

extern const Kernels kernels_portable;
#if defined(__x86_64__)
extern const Kernels kernels_avx2, kernels_avx512, kernels_avx512vnni, kernels_avx512bf16;
#elif defined(__aarch64__)
extern const Kernels kernels_neon;
#endif

#endif
