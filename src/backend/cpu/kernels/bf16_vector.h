// SPDX-License-Identifier: Apache-2.0
// Products of pairs of bf16 (base/bf16.h) on each instruction set. A pair is four bytes, the first
// value in the lower half. AVX-512 has an instruction for them; elsewhere halves become floats.
#ifndef RESNET_BACKEND_CPU_KERNELS_BF16_VECTOR_H
#define RESNET_BACKEND_CPU_KERNELS_BF16_VECTOR_H

#include "backend/cpu/kernels/vector.h"

typedef int32_t PairBits __attribute__((may_alias));

// The pair of all lanes. Never moved as a float, which could change its bits.
static inline IntVec load_pair(const float *from) { return *(const PairBits *)from - (IntVec){0}; }

static inline Vec add_pair(Vec sum, IntVec x, IntVec w) {
#if defined(__AVX512BF16__)
    return (Vec)_mm512_dpbf16_ps((__m512)sum, (__m512bh)x, (__m512bh)w);
#else
    const IntVec upper = (IntVec){0} - 0x10000;
    sum += (Vec)(x & upper) * (Vec)(w & upper);
    sum += (Vec)(x << 16) * (Vec)(w << 16);
    return sum;
#endif
}

#endif
