// SPDX-License-Identifier: Apache-2.0
// Products of bytes on each instruction set, for int8_tile.c: what a register of sums holds, how
// four channels of a pixel and the weights of some lanes come into registers, and how they are
// multiplied.
//
//     VNNI      a register holds LANES sums, one for each lane
//     AVX-512, AVX2
//               bytes become 16 bits, vpmaddwd sums pairs: a register holds LANES / 2 lanes, two
//               sums for each, which are added up at the end. (vpmaddubsw would saturate.)
//     others    the same in plain C: 16 bits hold a product, and its 32 bits are taken apart
#ifndef RESNET_BACKEND_CPU_KERNELS_INT8_VECTOR_H
#define RESNET_BACKEND_CPU_KERNELS_INT8_VECTOR_H

#include "backend/cpu/kernels/vector.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

typedef IntVec UnalignedIntVec __attribute__((aligned(1), may_alias));
typedef int32_t UnalignedDword __attribute__((aligned(1), may_alias));

#define INT8_INLINE static inline __attribute__((always_inline))

INT8_INLINE IntVec int_load(const void *from) { return *(const UnalignedIntVec *)from; }
INT8_INLINE IntVec int_splat(int32_t value) { return value - (IntVec){0}; }

// SUM_LANES: lanes in a register of sums. Weights: of so many lanes. Input: a pixel's four
// channels. lane_sums: the sums of LANES lanes, in order, from those of a unit.
#if defined(__AVX512VNNI__)

enum { SUM_LANES = LANES };
typedef IntVec Weights;
typedef IntVec Input;

INT8_INLINE Weights load_weights(const int8_t *from) { return int_load(from); }
INT8_INLINE Input load_input(const int32_t *from) {
    return int_splat(*(const UnalignedDword *)from);
}
INT8_INLINE IntVec dot(IntVec sum, Input x, Weights w) {
    return (IntVec)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)x, (__m512i)w);
}
INT8_INLINE IntVec lane_sums(const IntVec *sum, int vector) { return sum[vector]; }

#elif defined(__AVX512F__)

enum { SUM_LANES = LANES / 2 };
typedef __m512i Weights;
typedef __m512i Input;

INT8_INLINE Weights load_weights(const int8_t *from) {
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i_u *)from));
}
INT8_INLINE Input load_input(const int32_t *from) {
    return _mm512_cvtepu8_epi16(_mm256_set1_epi32(*(const UnalignedDword *)from));
}
INT8_INLINE IntVec dot(IntVec sum, Input x, Weights w) {
    return sum + (IntVec)_mm512_madd_epi16(x, w);
}
INT8_INLINE IntVec lane_sums(const IntVec *sum, int vector) {
    const __m512i low = (__m512i)sum[2 * vector], high = (__m512i)sum[2 * vector + 1];
    const __m512i even =
        _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    return (IntVec)_mm512_add_epi32(_mm512_permutex2var_epi32(low, even, high),
                                    _mm512_permutex2var_epi32(low, odd, high));
}

#elif defined(__AVX2__)

enum { SUM_LANES = LANES / 2 };
typedef __m256i Weights;
typedef __m256i Input;

INT8_INLINE Weights load_weights(const int8_t *from) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i_u *)from));
}
INT8_INLINE Input load_input(const int32_t *from) {
    return _mm256_cvtepu8_epi16(_mm_set1_epi32(*(const UnalignedDword *)from));
}
INT8_INLINE IntVec dot(IntVec sum, Input x, Weights w) {
    return sum + (IntVec)_mm256_madd_epi16(x, w);
}
INT8_INLINE IntVec lane_sums(const IntVec *sum, int vector) {
    // vphaddd works on halves: {l0 l1 h0 h1 | l2 l3 h2 h3}.
    const __m256i sums = _mm256_hadd_epi32((__m256i)sum[2 * vector], (__m256i)sum[2 * vector + 1]);
    return (IntVec)_mm256_permute4x64_epi64(sums, 0xd8);
}

#else

enum { SUM_LANES = LANES / 2 };
typedef int16_t WordVec __attribute__((vector_size(VECTOR_BYTES)));
typedef int8_t HalfVec __attribute__((vector_size(VECTOR_BYTES / 2)));
typedef uint8_t UnsignedHalfVec __attribute__((vector_size(VECTOR_BYTES / 2)));
typedef WordVec Weights;
typedef WordVec Input;

INT8_INLINE Weights load_weights(const int8_t *from) {
    HalfVec bytes;
    memcpy(&bytes, from, sizeof bytes);
    return __builtin_convertvector(bytes, WordVec);
}
INT8_INLINE Input load_input(const int32_t *from) {
    const int32_t twice[2] = {*(const UnalignedDword *)from, *(const UnalignedDword *)from};
    UnsignedHalfVec bytes;
    memcpy(&bytes, twice, sizeof bytes);
    return __builtin_convertvector(bytes, WordVec);
}
// A product is at most 255 * 127, which 16 bits hold.
INT8_INLINE IntVec dot(IntVec sum, Input x, Weights w) {
#if defined(__SSE2__)
    return sum + (IntVec)_mm_madd_epi16((__m128i)x, (__m128i)w);
#else
    const IntVec pairs = (IntVec)(x * w);
    return sum + (pairs << 16 >> 16) + (pairs >> 16);
#endif
}
INT8_INLINE IntVec lane_sums(const IntVec *sum, int vector) {
    const IntVec low = sum[2 * vector], high = sum[2 * vector + 1];
    return (IntVec){low[0] + low[1], low[2] + low[3], high[0] + high[1], high[2] + high[3]};
}

#endif

// ---- floats to bytes ----------------------------------------------------------------------------

INT8_INLINE Vec vec_at_least(Vec x, Vec low) { // low for NaN
#if defined(__AVX512F__)
    return (Vec)_mm512_max_ps((__m512)x, (__m512)low);
#elif defined(__AVX2__)
    return (Vec)_mm256_max_ps((__m256)x, (__m256)low);
#else
    return (Vec)(((IntVec)x & (x > low)) | ((IntVec)low & ~(x > low)));
#endif
}

INT8_INLINE Vec vec_min(Vec x, Vec high) {
#if defined(__AVX512F__)
    return (Vec)_mm512_min_ps((__m512)x, (__m512)high);
#elif defined(__AVX2__)
    return (Vec)_mm256_min_ps((__m256)x, (__m256)high);
#else
    return (Vec)(((IntVec)x & (x < high)) | ((IntVec)high & ~(x < high)));
#endif
}

// round(clamp(x)) + zero in the lowest byte of each lane. Added to 1.5 * 2^23 + zero, whose last
// bit is worth 1, a float is rounded to a whole number, which its lowest bits show. (zero is even,
// so that ties go the same way.)
typedef struct Rounding {
    Vec low, high, big;
} Rounding;

INT8_INLINE Rounding rounding_of(int32_t zero, bool relu) {
    return (Rounding){.low = vec_splat(relu ? 0.0f : (float)-zero),
                      .high = vec_splat((float)(255 - zero)),
                      .big = vec_splat(0x1.8p23f + (float)zero)};
}
INT8_INLINE IntVec round_bytes(const Rounding *r, Vec x) {
    return (IntVec)(vec_min(vec_at_least(x, r->low), r->high) + r->big);
}

// The lowest bytes of 16 lanes to memory.
INT8_INLINE void store_bytes(uint8_t *to, const IntVec *from) {
#if defined(__AVX512F__)
    _mm_storeu_si128((__m128i_u *)to, _mm512_cvtepi32_epi8((__m512i)from[0]));
#elif defined(__AVX2__)
    const __m256i lowest = _mm256_set1_epi32(255);
    const __m256i words = _mm256_packus_epi32(_mm256_and_si256((__m256i)from[0], lowest),
                                              _mm256_and_si256((__m256i)from[1], lowest));
    const __m256i ordered = _mm256_permute4x64_epi64(words, 0xd8);
    _mm_storeu_si128((__m128i_u *)to, _mm_packus_epi16(_mm256_castsi256_si128(ordered),
                                                       _mm256_extracti128_si256(ordered, 1)));
#else
    for (int i = 0; i < 16; i++) {
        to[i] = (uint8_t)from[i / LANES][i % LANES];
    }
#endif
}

// What ends a tile: sums that were made floats are rounded to whole numbers, cut to bytes by
// instructions that saturate, and stored. |value| is below 2^31.
typedef struct Ending {
#if defined(__AVX512F__)
    __m512i zero, low; // words, bytes
#elif defined(__AVX2__)
    __m256i zero;
    __m128i low;
#else
    Rounding rounding;
#endif
} Ending;

INT8_INLINE Ending ending_of(int32_t zero, bool relu) {
#if defined(__AVX512F__)
    return (Ending){_mm512_set1_epi16((short)zero), _mm512_set1_epi8((char)(relu ? zero : 0))};
#elif defined(__AVX2__)
    return (Ending){_mm256_set1_epi16((short)zero), _mm_set1_epi8((char)(relu ? zero : 0))};
#else
    return (Ending){rounding_of(zero, relu)};
#endif
}

// Two rows of `units` times 16 lanes, which may be one and the same.
INT8_INLINE void store_rows(const Ending *ending, uint8_t *to0, uint8_t *to1, const Vec *row0,
                            const Vec *row1, const int units) {
#if defined(__AVX512F__)
    const __m512i first0 = _mm512_cvtps_epi32((__m512)row0[0]);
    const __m512i first1 = _mm512_cvtps_epi32((__m512)row1[0]);
    if (units == 2) { // in each 128 bits: 8 bytes of row 0, 8 of row 1
        const __m512i words0 = _mm512_packs_epi32(first0, _mm512_cvtps_epi32((__m512)row0[1]));
        const __m512i words1 = _mm512_packs_epi32(first1, _mm512_cvtps_epi32((__m512)row1[1]));
        const __m512i bytes =
            _mm512_max_epu8(_mm512_packus_epi16(_mm512_adds_epi16(words0, ending->zero),
                                                _mm512_adds_epi16(words1, ending->zero)),
                            ending->low);
        const __m512i order =
            _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
        const __m512i ordered = _mm512_permutexvar_epi32(order, bytes);
        _mm256_storeu_si256((__m256i_u *)to0, _mm512_castsi512_si256(ordered));
        _mm256_storeu_si256((__m256i_u *)to1, _mm512_extracti64x4_epi64(ordered, 1));
        return;
    }
    const __m512i words = _mm512_adds_epi16(_mm512_packs_epi32(first0, first1), ending->zero);
    const __m512i bytes = _mm512_max_epu8(_mm512_packus_epi16(words, words), ending->low);
    const __m512i order = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
    const __m512i ordered = _mm512_permutexvar_epi32(order, bytes);
    _mm_storeu_si128((__m128i_u *)to0, _mm512_castsi512_si128(ordered));
    _mm_storeu_si128((__m128i_u *)to1, _mm512_extracti32x4_epi32(ordered, 1));
#elif defined(__AVX2__)
    (void)units;
    for (int i = 0; i < 2; i++) {
        const Vec *row = i == 0 ? row0 : row1;
        const __m256i words =
            _mm256_adds_epi16(_mm256_packs_epi32(_mm256_cvtps_epi32((__m256)row[0]),
                                                 _mm256_cvtps_epi32((__m256)row[1])),
                              ending->zero);
        const __m256i ordered = _mm256_permute4x64_epi64(words, 0xd8);
        const __m128i bytes =
            _mm_packus_epi16(_mm256_castsi256_si128(ordered), _mm256_extracti128_si256(ordered, 1));
        _mm_storeu_si128((__m128i_u *)(i == 0 ? to0 : to1), _mm_max_epu8(bytes, ending->low));
    }
#else
    for (int j = 0; j < units; j++) {
        IntVec bytes[16 / LANES];
        for (int i = 0; i < 2; i++) {
            for (int v = 0; v < 16 / LANES; v++) {
                bytes[v] =
                    round_bytes(&ending->rounding, (i == 0 ? row0 : row1)[j * 16 / LANES + v]);
            }
            store_bytes((i == 0 ? to0 : to1) + j * 16, bytes);
        }
    }
#endif
}

typedef uint8_t WholeByteVec __attribute__((vector_size(VECTOR_BYTES)));

INT8_INLINE WholeByteVec bytes_max(WholeByteVec a, WholeByteVec b) {
#if defined(__AVX512F__)
    return (WholeByteVec)_mm512_max_epu8((__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
    return (WholeByteVec)_mm256_max_epu8((__m256i)a, (__m256i)b);
#else
    const WholeByteVec larger = (WholeByteVec)(a > b);
    return (a & larger) | (b & ~larger);
#endif
}

// sum + bytes * factors, of which those fit 15 bits.
INT8_INLINE IntVec add_products(IntVec sum, IntVec bytes, IntVec factors) {
#if defined(__AVX512VNNI__)
    return (IntVec)_mm512_dpwssd_epi32((__m512i)sum, (__m512i)bytes, (__m512i)factors);
#elif defined(__AVX512F__)
    return sum + (IntVec)_mm512_madd_epi16((__m512i)bytes, (__m512i)factors);
#elif defined(__AVX2__)
    return sum + (IntVec)_mm256_madd_epi16((__m256i)bytes, (__m256i)factors);
#elif defined(__SSE2__)
    return sum + (IntVec)_mm_madd_epi16((__m128i)bytes, (__m128i)factors);
#else
    return sum + bytes * factors;
#endif
}

// LANES bytes as whole lanes.
INT8_INLINE IntVec load_bytes(const uint8_t *from) {
#if defined(__AVX512F__)
    return (IntVec)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i_u *)from));
#elif defined(__AVX2__)
    return (IntVec)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i_u *)from));
#else
    IntVec lanes;
    for (int i = 0; i < LANES; i++) {
        lanes[i] = from[i];
    }
    return lanes;
#endif
}

#endif
