// SPDX-License-Identifier: Apache-2.0
#include "data/resize_pass.h"

#include <string.h>

#include "base/cpu.h"

static int32_t pair_of(int32_t first, int32_t second) {
    return (int32_t)(((uint32_t)first & 0xffff) | (uint32_t)second << 16);
}

void resize_split_weights(const int32_t weight[4], int32_t pairs[4]) {
    for (int k = 0; k < 4; k += 2) {
        pairs[k] = pair_of(weight[k] >> 15, weight[k + 1] >> 15);
        pairs[k + 1] = pair_of(weight[k] & 0x7fff, weight[k + 1] & 0x7fff);
    }
}

// ---- plainly -----------------------------------------------------------------------------------

enum { HALF = 1 << (RESIZE_PRECISION - 1) };

// Inlined with a literal number of channels.
static inline void target_pixel(const Axis *axis, int i, const uint8_t *from, int channels,
                                uint8_t *to) {
    const int32_t *weight = axis->weight + (size_t)i * (size_t)axis->taps;
    const uint8_t *pixel = from + (size_t)axis->first[i] * (size_t)channels;
    int32_t sum[3] = {HALF, HALF, HALF};
    for (int j = 0; j < axis->count[i]; j++) {
        for (int c = 0; c < channels; c++) {
            sum[c] += *pixel++ * weight[j];
        }
    }
    for (int c = 0; c < channels; c++) {
        to[c] = resize_round(sum[c]);
    }
}

static void row_portable(const Axis *axis, const uint8_t *from, const uint8_t *end, int channels,
                         uint8_t *to) {
    (void)end;
    for (int i = 0; i < axis->targets; i++) {
        if (channels == 3) {
            target_pixel(axis, i, from, 3, to + 3 * (size_t)i);
        } else {
            target_pixel(axis, i, from, 1, to + i);
        }
    }
}

static void columns_portable(const Axis *axis, int i, const uint8_t *from, size_t stride,
                             size_t bytes, uint8_t *to) {
    enum { STRIP = 256 }; // bytes of a row summed together: the sums stay in the cache
    const int32_t *weight = axis->weight + (size_t)i * (size_t)axis->taps;
    for (size_t begin = 0; begin < bytes; begin += STRIP) {
        size_t length = bytes - begin < STRIP ? bytes - begin : STRIP;
        int32_t sum[STRIP];
        for (size_t x = 0; x < length; x++) {
            sum[x] = HALF;
        }
        for (int j = 0; j < axis->count[i]; j++) {
            const uint8_t *row = from + (size_t)j * stride + begin;
            for (size_t x = 0; x < length; x++) {
                sum[x] += row[x] * weight[j];
            }
        }
        for (size_t x = 0; x < length; x++) {
            to[begin + x] = resize_round(sum[x]);
        }
    }
}

const ResizePasses resize_passes_portable = {row_portable, columns_portable};

// ---- AVX2 --------------------------------------------------------------------------------------
// 16 x 16 bits are multiplied and added in pairs, for the high and the low halves of the weights.
// Sums may wrap on the way: the result, which fits, is right modulo 2^32.

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

AVX2 static inline __m256i join(__m256i high, __m256i low) {
    __m256i sum = _mm256_add_epi32(_mm256_slli_epi32(high, 15), low);
    return _mm256_srai_epi32(_mm256_add_epi32(sum, _mm256_set1_epi32(HALF)), RESIZE_PRECISION);
}

// Four taps at once: RGBRGB of two pixels to R R G G B B, two pixels a lane.
AVX2 static void row_avx2(const Axis *axis, const uint8_t *from, const uint8_t *end, int channels,
                          uint8_t *to) {
    enum { LOAD = 16, GROUP_BYTES = 12 };
    if (channels != 3) {
        row_portable(axis, from, end, channels, to);
        return;
    }
    const char none = -1;
    const __m256i spread = _mm256_setr_epi8(0, none, 3, none, 1, none, 4, none, 2, none, 5, none,
                                            none, none, none, none, 6, none, 9, none, 7, none, 10,
                                            none, 8, none, 11, none, none, none, none, none);
    const __m256i take_high = _mm256_setr_epi32(0, 0, 0, 0, 2, 2, 2, 2);
    const __m256i take_low = _mm256_setr_epi32(1, 1, 1, 1, 3, 3, 3, 3);
    const int taps = axis->taps;
    for (int i = 0; i < axis->targets; i++, to += 3) {
        const uint8_t *pixel = from + 3 * (size_t)axis->first[i];
        const int32_t *pairs = axis->pairs + (size_t)i * (size_t)taps;
        int groups = (axis->count[i] + 3) / 4;
        if ((size_t)(end - pixel) < (size_t)groups * GROUP_BYTES + LOAD - GROUP_BYTES) {
            target_pixel(axis, i, from, 3, to);
            continue;
        }
        __m256i high = _mm256_setzero_si256(), low = high;
        for (int g = 0; g < groups; g++, pixel += GROUP_BYTES, pairs += 4) {
            __m256i four = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)pixel));
            four = _mm256_shuffle_epi8(four, spread);
            __m256 weights = _mm256_broadcast_ps((const __m128 *)pairs);
            __m256i upper = _mm256_castps_si256(_mm256_permutevar_ps(weights, take_high));
            __m256i lower = _mm256_castps_si256(_mm256_permutevar_ps(weights, take_low));
            high = _mm256_add_epi32(high, _mm256_madd_epi16(four, upper));
            low = _mm256_add_epi32(low, _mm256_madd_epi16(four, lower));
        }
        __m256i both = _mm256_add_epi32(_mm256_slli_epi32(high, 15), low);
        __m128i sum =
            _mm_add_epi32(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
        sum = _mm_srai_epi32(_mm_add_epi32(sum, _mm_set1_epi32(HALF)), RESIZE_PRECISION);
        sum = _mm_packs_epi32(sum, sum);
        uint32_t rgb = (uint32_t)_mm_cvtsi128_si32(_mm_packus_epi16(sum, sum));
        memcpy(to, &rgb, 3);
    }
}

// 32 bytes of a row at once, two rows at a time.
AVX2 static inline void columns_block(const int32_t *pairs, int count, const uint8_t *from,
                                      size_t stride, uint8_t *to) {
    const __m256i zero = _mm256_setzero_si256();
    __m256i high[4] = {zero, zero, zero, zero}, low[4] = {zero, zero, zero, zero};
    for (int j = 0; j < count; j += 2, pairs += 2) {
        const uint8_t *row = from + (size_t)j * stride;
        const uint8_t *next = j + 1 < count ? row + stride : row; // whose weight is 0 then
        __m256i a = _mm256_loadu_si256((const __m256i *)row);
        __m256i b = _mm256_loadu_si256((const __m256i *)next);
        __m256i first = _mm256_unpacklo_epi8(a, b), second = _mm256_unpackhi_epi8(a, b);
        __m256i upper = _mm256_set1_epi32(pairs[0]), lower = _mm256_set1_epi32(pairs[1]);
        __m256i words[4] = {_mm256_unpacklo_epi8(first, zero), _mm256_unpackhi_epi8(first, zero),
                            _mm256_unpacklo_epi8(second, zero), _mm256_unpackhi_epi8(second, zero)};
        for (int k = 0; k < 4; k++) {
            high[k] = _mm256_add_epi32(high[k], _mm256_madd_epi16(words[k], upper));
            low[k] = _mm256_add_epi32(low[k], _mm256_madd_epi16(words[k], lower));
        }
    }
    __m256i front = _mm256_packs_epi32(join(high[0], low[0]), join(high[1], low[1]));
    __m256i back = _mm256_packs_epi32(join(high[2], low[2]), join(high[3], low[3]));
    _mm256_storeu_si256((__m256i *)to, _mm256_packus_epi16(front, back));
}

AVX2 static void columns_avx2(const Axis *axis, int i, const uint8_t *from, size_t stride,
                              size_t bytes, uint8_t *to) {
    enum { BLOCK = 32 };
    const int32_t *pairs = axis->pairs + (size_t)i * (size_t)axis->taps;
    if (bytes < BLOCK) {
        columns_portable(axis, i, from, stride, bytes, to);
        return;
    }
    for (size_t x = 0; x < bytes; x += BLOCK) {
        size_t at = bytes - x < BLOCK ? bytes - BLOCK : x; // the last block overlaps
        columns_block(pairs, axis->count[i], from + at, stride, to + at);
    }
}

const ResizePasses resize_passes_avx2 = {row_avx2, columns_avx2};
#endif

const ResizePasses *resize_passes(void) {
#if defined(__x86_64__)
    if (isa_supported(ISA_AVX2)) {
        return &resize_passes_avx2;
    }
#endif
    return &resize_passes_portable;
}
