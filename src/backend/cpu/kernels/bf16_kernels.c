// SPDX-License-Identifier: Apache-2.0
// The kernels on pairs of bf16 in the form of those on floats, so that the same sweep runs both: a
// pair, two channels of a pixel, is what a float is there. They have what inference needs.
#include "backend/cpu/kernels/bf16_vector.h"
#include "backend/cpu/kernels/conv_kernels.h"
#include "backend/cpu/kernels/conv_rows.h"
#include "base/bf16.h"

enum { BLOCK_FLOATS = 2 * CONV_BLOCK };
_Static_assert((int)BLOCK_FLOATS == (int)BF16_BLOCK, "the order of sums is that of blocks");

extern const ConvKernels KERNEL(bf16_kernels);
extern ConvTileFunction *const KERNEL(bf16_tiles_1)[];
#if TILE_UNITS > 1
extern ConvTileFunction *const KERNEL(bf16_tiles_2)[];
#endif

// 32 floats to 16 pairs.
static inline void round_block(float *to, const float *from) {
#if defined(__AVX512BF16__)
    // The instruction takes denormals for zeros: smaller values than those have gone before.
    const __m512 least = _mm512_set1_ps(BF16_LEAST);
    const __m512 low = _mm512_loadu_ps(from), high = _mm512_loadu_ps(from + LANES);
    const __mmask16 keep_low = _mm512_cmp_ps_mask(_mm512_abs_ps(low), least, _CMP_NLT_UQ);
    const __mmask16 keep_high = _mm512_cmp_ps_mask(_mm512_abs_ps(high), least, _CMP_NLT_UQ);
    const __m512bh pairs = _mm512_cvtne2ps_pbh(_mm512_maskz_mov_ps(keep_high, high),
                                               _mm512_maskz_mov_ps(keep_low, low));
    _mm512_storeu_si512(to, (__m512i)pairs);
#else
    uint32_t pairs[CONV_BLOCK];
    for (int i = 0; i < CONV_BLOCK; i++) {
        pairs[i] = bf16_round(from[2 * i]) | bf16_round(from[2 * i + 1]) << 16;
    }
    memcpy(to, pairs, sizeof pairs);
#endif
}

static void fill_pixels(float *to, int pixels, float pad) {
    float block[BLOCK_FLOATS];
    for (int i = 0; i < BLOCK_FLOATS; i++) {
        block[i] = pad;
    }
    for (int i = 0; i < pixels; i++) {
        round_block(to + (ptrdiff_t)i * CONV_BLOCK, block);
    }
}

// As ConvKernels has it, but that `channels` are floats, two in each element of the strip, and
// that zeros are behind the last one: they are multiplied.
static void pack_row(float *to, ptrdiff_t plane, const float *from, ptrdiff_t stride, int left,
                     int pixels, int right, int channels, float pad) {
    for (int first = 0; first < channels; first += BLOCK_FLOATS) {
        const int count = channels - first < BLOCK_FLOATS ? channels - first : BLOCK_FLOATS;
        float *at = to + (ptrdiff_t)left * CONV_BLOCK;
        fill_pixels(to, left, pad);
        fill_pixels(at + (ptrdiff_t)pixels * CONV_BLOCK, right, pad);
        for (int x = 0; x < pixels; x++) {
            const float *pixel = from + x * stride + first;
            if (count == BLOCK_FLOATS) {
                round_block(at, pixel);
            } else {
                float block[BLOCK_FLOATS] = {0};
                memcpy(block, pixel, (size_t)count * sizeof(float));
                round_block(at, block);
            }
            at += CONV_BLOCK;
        }
        to += plane;
    }
}

static double peak(int64_t turns, const float values[2], float *result) {
    enum { SUMS = 12 };
    Vec sum[SUMS];
    const IntVec factor = (IntVec)vec_splat(values[0]), term = (IntVec)vec_splat(values[1]);
    UNROLL for (int i = 0; i < SUMS; i++) { sum[i] = vec_splat(values[0] * (float)i); }
    for (int64_t turn = 0; turn < turns; turn++) {
        UNROLL for (int i = 0; i < SUMS; i++) { sum[i] = add_pair(sum[i], factor, term); }
    }
    Vec all = sum[0];
    UNROLL for (int i = 1; i < SUMS; i++) { all += sum[i]; }
    *result = all[0];
    return (double)turns * SUMS * LANES * 4.0;
}

const ConvKernels KERNEL(bf16_kernels) = {
    .units = TILE_UNITS,
    .rows = {BF16_MOST_1, BF16_MOST_2},
#if TILE_UNITS > 1
    .tile = {KERNEL(bf16_tiles_1), KERNEL(bf16_tiles_2)},
#else
    .tile = {KERNEL(bf16_tiles_1)},
#endif
    .pack_row = pack_row,
    .peak = peak,
};
