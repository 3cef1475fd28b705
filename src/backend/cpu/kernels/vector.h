// SPDX-License-Identifier: Apache-2.0
// One vector type for every instruction set, built on the compiler's vector extensions.
//
// Every file of this folder is compiled once for each instruction set (KERNELS_ISA) and uses the
// widest vector that the set has. Lanes are channels; nothing sums across lanes, so results do not
// depend on the width. Rules, each of which cost a factor of 2 to 60 when it was forgotten:
//   1. contraction is on for these files (-ffp-contract=fast): write acc += a * b, and never
//      a * b + c * d, whose contraction is the compiler's choice and so not the same everywhere;
//   2. loops over registers are unrolled by pragma (UNROLL) and have literal bounds, with a guard
//      `if (i < rows)` for the short ones;
//   3. the vector is the set's own width: wider ones are split badly;
//   4. never -ffast-math: a NaN must be seen.
#ifndef RESNET_BACKEND_CPU_KERNELS_VECTOR_H
#define RESNET_BACKEND_CPU_KERNELS_VECTOR_H

#include <stdint.h>
#include <string.h>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX2__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif

enum { LANES = VECTOR_BYTES / 4 };

typedef float Vec __attribute__((vector_size(VECTOR_BYTES)));
typedef int32_t IntVec __attribute__((vector_size(VECTOR_BYTES)));
// The same vector in memory that need not be aligned, and may alias floats.
typedef float UnalignedVec __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));

#define KERNEL_JOIN_(name, isa) name##_##isa
#define KERNEL_JOIN(name, isa) KERNEL_JOIN_(name, isa)
// The name of a global of this folder, one for each instruction set: conv_kernels_avx512.
#define KERNEL(name) KERNEL_JOIN(name, KERNELS_ISA)

#define UNROLL _Pragma("GCC unroll 64")

static inline Vec vec_load(const float *from) { return *(const UnalignedVec *)from; }
static inline void vec_store(float *to, Vec value) { *(UnalignedVec *)to = value; }

// A store past the caches where the place is aligned to a vector: memory that will not be read soon
// is not fetched first only to be overwritten. vec_stream_end() before another thread may read it.
static inline void vec_stream(float *to, Vec value) {
#if defined(__AVX512F__)
    if ((uintptr_t)to % VECTOR_BYTES == 0) {
        _mm512_stream_ps(to, (__m512)value);
        return;
    }
#elif defined(__AVX2__)
    if ((uintptr_t)to % VECTOR_BYTES == 0) {
        _mm256_stream_ps(to, (__m256)value);
        return;
    }
#endif
    vec_store(to, value);
}
static inline void vec_stream_end(void) {
#if defined(__AVX2__)
    _mm_sfence();
#endif
}

static inline Vec vec_splat(float value) { return value - (Vec){0}; }

// The first `count` (0 … LANES) floats, zeros behind them; nothing is read or written past them.
#if defined(__AVX512F__)
static inline __mmask16 first_lanes(int count) { return (__mmask16)((1u << count) - 1); }
static inline Vec vec_load_partial(const float *from, int count) {
    return (Vec)_mm512_maskz_loadu_ps(first_lanes(count), from);
}
static inline void vec_store_partial(float *to, Vec value, int count) {
    _mm512_mask_storeu_ps(to, first_lanes(count), (__m512)value);
}
#elif defined(__AVX2__)
static inline __m256i first_lanes(int count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline Vec vec_load_partial(const float *from, int count) {
    return (Vec)_mm256_maskload_ps(from, first_lanes(count));
}
static inline void vec_store_partial(float *to, Vec value, int count) {
    _mm256_maskstore_ps(to, first_lanes(count), (__m256)value);
}
#else
static inline Vec vec_load_partial(const float *from, int count) {
    Vec value = {0};
    memcpy(&value, from, (size_t)count * sizeof(float));
    return value;
}
static inline void vec_store_partial(float *to, Vec value, int count) {
    memcpy(to, &value, (size_t)count * sizeof(float));
}
#endif

// max(x, 0); NaN gives NaN, so that it is seen at the end.
static inline Vec vec_relu(Vec x) {
    // x86 has an instruction that gives its second operand where one is a NaN or both are zeros.
#if defined(__AVX512F__)
    return (Vec)_mm512_max_ps((Vec){0}, x);
#elif defined(__AVX2__)
    return (Vec)_mm256_max_ps((Vec){0}, x);
#else
    return (Vec)((IntVec)x & ~(x < (Vec){0}));
#endif
}
// The larger one, a of equal ones and a NaN of either.
static inline Vec vec_max(Vec a, Vec b) {
#if defined(__AVX512F__)
    // The instruction gives its second operand where one is a NaN.
    const __mmask16 nan = _mm512_cmp_ps_mask(b, b, _CMP_UNORD_Q);
    return (Vec)_mm512_mask_mov_ps(_mm512_max_ps(b, a), nan, b);
#elif defined(__AVX2__)
    return (Vec)_mm256_blendv_ps(_mm256_max_ps(b, a), b, _mm256_cmp_ps(b, b, _CMP_UNORD_Q));
#else
    const IntVec taken = (b > a) | (b != b);
    return (Vec)(((IntVec)b & taken) | ((IntVec)a & ~taken));
#endif
}
// x where mask > 0, else 0.
static inline Vec vec_keep_positive(Vec x, Vec mask) {
    return (Vec)((IntVec)x & (mask > (Vec){0}));
}

#endif
