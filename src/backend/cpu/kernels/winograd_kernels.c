// SPDX-License-Identifier: Apache-2.0
// The transforms of one instruction set: see winograd_kernels.h.
//
// A tile's transform is one along its columns, put aside, and one along its rows. Each number is
// made by additions and by acc += constant * a in a fixed order; where the first term has a factor
// as well, it is added to zero, so that the compiler has no choice of what to contract.
#include "backend/cpu/kernels/winograd_kernels.h"

#include "backend/cpu/kernels/conv_kernels.h"
#include "backend/cpu/kernels/winograd_end.h"

enum { SIDE = WINOGRAD_SIDE, OUTPUTS = WINOGRAD_OUTPUTS };

// The points and their powers: exact in float.
#define P WINOGRAD_P
#define Q WINOGRAD_Q
#define P2 (P * P)
#define Q2 (Q * Q)

// The divisors of G.
#define SCALE_0 (1.0 / ((double)P2 * Q2))
#define SCALE_P (0.5 / ((double)P2 * (P2 - Q2)))
#define SCALE_Q (0.5 / ((double)Q2 * (Q2 - P2)))

// Rows of B' come in pairs that share terms: the first and the last, those of +-p, those of +-q.
// Numbers of a line in pair i of the transformed line.
enum { PAIRS = 3 };
static const int pair_first[PAIRS] = {0, 1, 3}, pair_second[PAIRS] = {5, 2, 4};

MAP_INLINE void input_pair(const Vec d[SIDE], int pair, Vec *first, Vec *second) {
    if (pair == 0) {
        *first = (d[4] - (P2 + Q2) * d[2]) + (P2 * Q2) * d[0];
        *second = (d[5] - (P2 + Q2) * d[3]) + (P2 * Q2) * d[1];
    } else if (pair == 1) {
        const Vec even = d[4] - Q2 * d[2], odd = d[3] - Q2 * d[1];
        *first = even + P * odd;
        *second = even - P * odd;
    } else {
        const Vec even = d[4] - P2 * d[2], odd = d[3] - P2 * d[1];
        *first = even + Q * odd;
        *second = even - Q * odd;
    }
}

MAP_INLINE void output_line(const Vec s[SIDE], Vec y[OUTPUTS]) {
    const Vec zero = {0};
    const Vec p_even = s[1] + s[2], p_odd = s[1] - s[2];
    const Vec q_even = s[3] + s[4], q_odd = s[3] - s[4];
    y[0] = (s[0] + p_even) + q_even;
    y[1] = (zero + P * p_odd) + Q * q_odd;
    y[2] = (zero + P2 * p_even) + Q2 * q_even;
    y[3] = (s[5] + (P2 * P) * p_odd) + (Q2 * Q) * q_odd;
}

// The same of sums that lack the divisors of G.
MAP_INLINE void scaled_line(const Vec s[SIDE], Vec y[OUTPUTS]) {
    const float divisor_0 = (float)SCALE_0, divisor_p = (float)SCALE_P, divisor_q = (float)SCALE_Q;
    const Vec zero = {0};
    const Vec p_even = zero + divisor_p * (s[1] + s[2]), p_odd = zero + divisor_p * (s[1] - s[2]);
    const Vec q_even = zero + divisor_q * (s[3] + s[4]), q_odd = zero + divisor_q * (s[3] - s[4]);
    y[0] = (p_even + divisor_0 * s[0]) + q_even;
    y[1] = (zero + P * p_odd) + Q * q_odd;
    y[2] = (zero + P2 * p_even) + Q2 * q_even;
    y[3] = (s[5] + (P2 * P) * p_odd) + (Q2 * Q) * q_odd;
}

// A, whose rows are the points, by the same pairs.
MAP_INLINE void gradient_pair(const Vec y[OUTPUTS], int pair, Vec *first, Vec *second) {
    if (pair == 0) {
        *first = y[0];
        *second = y[3];
    } else if (pair == 1) {
        const Vec even = y[0] + P2 * y[2], odd = y[1] + P2 * y[3];
        *first = even + P * odd;
        *second = even - P * odd;
    } else {
        const Vec even = y[0] + Q2 * y[2], odd = y[1] + Q2 * y[3];
        *first = even + Q * odd;
        *second = even - Q * odd;
    }
}

// By a literal after inlining: a tile of the output's gradient, or one of the input.
MAP_INLINE void line_pair(const Vec *line, const bool gradient, int pair, Vec *first, Vec *second) {
    if (gradient) {
        gradient_pair(line, pair, first, second);
    } else {
        input_pair(line, pair, first, second);
    }
}

// Two rows of the transformed tile at a time: they are made from the strip's columns and stay in
// registers until they are transformed along themselves. Reading a column thrice costs less than
// putting all rows aside.
MAP_INLINE void transform_vector(const float *from, ptrdiff_t row, const bool gradient, float *to,
                                 ptrdiff_t point) {
    const int side = gradient ? OUTPUTS : SIDE;
    UNROLL for (int pair = 0; pair < PAIRS; pair++) {
        Vec first[SIDE], second[SIDE];
        UNROLL for (int x = 0; x < side; x++) {
            Vec line[SIDE];
            UNROLL for (int y = 0; y < side; y++) {
                line[y] = vec_load(from + y * row + x * CONV_BLOCK);
            }
            line_pair(line, gradient, pair, &first[x], &second[x]);
        }
        float *to_first = to + pair_first[pair] * SIDE * point;
        float *to_second = to + pair_second[pair] * SIDE * point;
        UNROLL for (int along = 0; along < PAIRS; along++) {
            Vec r[2];
            line_pair(first, gradient, along, &r[0], &r[1]);
            vec_store(to_first + pair_first[along] * point, r[0]);
            vec_store(to_first + pair_second[along] * point, r[1]);
            line_pair(second, gradient, along, &r[0], &r[1]);
            vec_store(to_second + pair_first[along] * point, r[0]);
            vec_store(to_second + pair_second[along] * point, r[1]);
        }
    }
}

MAP_INLINE void transform_strip(const float *strip, ptrdiff_t row, ptrdiff_t step, int tiles,
                                const bool gradient, float *to, ptrdiff_t point) {
    for (int t = 0; t < tiles; t++) {
        for (int i = 0; i < CONV_BLOCK; i += LANES) {
            transform_vector(strip + i, row, gradient, to + i, point);
        }
        strip += step;
        to += CONV_BLOCK;
    }
}

static void transform_input(const float *strip, ptrdiff_t row, ptrdiff_t step, int tiles, float *to,
                            ptrdiff_t point) {
    transform_strip(strip, row, step, tiles, false, to, point);
}

static void transform_gradient(const float *strip, ptrdiff_t row, ptrdiff_t step, int tiles,
                               float *to, ptrdiff_t point) {
    transform_strip(strip, row, step, tiles, true, to, point);
}

MAP_INLINE void output_lanes(const WinogradOutput *tile, int lane, int lanes) {
    const float *from = tile->from + lane;
    const Vec start = tile->start != NULL ? vec_load(tile->start + lane) : (Vec){0};
    Vec half[OUTPUTS][SIDE];
    UNROLL for (int x = 0; x < SIDE; x++) {
        Vec s[SIDE], y[OUTPUTS];
        UNROLL for (int i = 0; i < SIDE; i++) {
            s[i] = vec_load(from + (i * SIDE + x) * tile->point);
        }
        if (tile->scaled) {
            scaled_line(s, y);
        } else {
            output_line(s, y);
        }
        UNROLL for (int i = 0; i < OUTPUTS; i++) { half[i][x] = y[i]; }
    }
    UNROLL for (int i = 0; i < OUTPUTS; i++) {
        Vec y[OUTPUTS];
        if (tile->scaled) {
            scaled_line(half[i], y);
        } else {
            output_line(half[i], y);
        }
        if (i < tile->rows) {
            output_row(tile, i, y, start, lane, lanes);
        }
    }
}

static void transform_output(const WinogradOutput *tile) {
    int lane = 0;
    for (; lane + LANES <= tile->lanes; lane += LANES) {
        output_lanes(tile, lane, LANES);
    }
    if (lane < tile->lanes) {
        output_lanes(tile, lane, tile->lanes - lane);
    }
}

// Lanes of weights are in double: half as many fill a vector.
enum { WIDE_LANES = LANES / 2, TAPS_SIDE = 3, TAPS = WINOGRAD_TAPS };

typedef double Wide __attribute__((vector_size(VECTOR_BYTES)));
typedef float Narrow __attribute__((vector_size(VECTOR_BYTES / 2)));
typedef float UnalignedNarrow __attribute__((vector_size(VECTOR_BYTES / 2), aligned(4), may_alias));

// G without its divisors; they and the factor are for the end, where no sum follows that a product
// could be contracted with.
MAP_INLINE void weights_line(const Wide w[TAPS_SIDE], Wide r[SIDE]) {
    const double p = P, q = Q, p2 = P2, q2 = Q2;
    const Wide p_even = w[0] + p2 * w[2], q_even = w[0] + q2 * w[2];
    r[0] = w[0];
    r[1] = p_even + p * w[1];
    r[2] = p_even - p * w[1];
    r[3] = q_even + q * w[1];
    r[4] = q_even - q * w[1];
    r[5] = w[2];
}

static const double scales[SIDE] = {SCALE_0, SCALE_P, SCALE_P, SCALE_Q, SCALE_Q, 1.0};

typedef float Taps[TAPS][CONV_BLOCK]; // [tap][lane]

// The taps of all channels, lane after lane, as they lie in memory; lanes that do not exist are
// zeros.
static void gather_taps(const WinogradWeights *weights, Taps *taps) {
    for (int i = 0; i < CONV_BLOCK; i++) {
        const float *from = weights->from + i * weights->lane;
        for (int k = 0; k < weights->channels; k++) {
            if (i >= weights->lanes) {
                UNROLL for (int t = 0; t < TAPS; t++) { taps[k][t][i] = 0; }
            } else if (weights->turned) {
                UNROLL for (int t = 0; t < TAPS; t++) { taps[k][t][i] = from[TAPS - 1 - t]; }
            } else {
                UNROLL for (int t = 0; t < TAPS; t++) { taps[k][t][i] = from[t]; }
            }
            from += weights->channel;
        }
    }
}

// G w of one channel's lanes, a vector of them, without the divisors.
MAP_INLINE void weights_columns(const float *taps, Wide half[SIDE][TAPS_SIDE]) {
    UNROLL for (int x = 0; x < TAPS_SIDE; x++) {
        Wide w[TAPS_SIDE], r[SIDE];
        UNROLL for (int y = 0; y < TAPS_SIDE; y++) {
            const float *tap = taps + (y * TAPS_SIDE + x) * CONV_BLOCK;
            w[y] = __builtin_convertvector(*(const UnalignedNarrow *)tap, Wide);
        }
        weights_line(w, r);
        UNROLL for (int y = 0; y < SIDE; y++) { half[y][x] = r[y]; }
    }
}

MAP_INLINE void weights_lanes(const float *taps, Wide factor, float *to, ptrdiff_t point) {
    Wide half[SIDE][TAPS_SIDE]; // [row][column]
    weights_columns(taps, half);
    UNROLL for (int y = 0; y < SIDE; y++) {
        Wide r[SIDE];
        weights_line(half[y], r);
        UNROLL for (int x = 0; x < SIDE; x++) {
            const Wide value = scales[y] * scales[x] * factor * r[x];
            *(UnalignedNarrow *)to = __builtin_convertvector(value, Narrow);
            to += point;
        }
    }
}

static void lane_factors(const WinogradWeights *weights, double factor[CONV_BLOCK]) {
    for (int i = 0; i < CONV_BLOCK; i++) {
        factor[i] = i < weights->lanes && weights->factor != NULL ? weights->factor[i] : 1.0;
    }
}

static void transform_weights(const WinogradWeights *weights) {
    Taps taps[CONV_BLOCK];
    _Alignas(VECTOR_BYTES) double factor[CONV_BLOCK];
    gather_taps(weights, taps);
    lane_factors(weights, factor);
    for (int k = 0; k < weights->channels; k++) {
        for (int i = 0; i < CONV_BLOCK; i += WIDE_LANES) {
            weights_lanes(taps[k][0] + i, *(const Wide *)&factor[i],
                          weights->to + k * weights->width + i, weights->point);
        }
    }
}

// The reverse of weights_line, with the divisors.
MAP_INLINE void sums_line(const Wide m[SIDE], Wide w[TAPS_SIDE]) {
    const double p = P, q = Q, p2 = P2, q2 = Q2;
    const Wide zero = {0};
    const Wide p_even = m[1] + m[2], p_odd = m[1] - m[2];
    const Wide q_even = m[3] + m[4], q_odd = m[3] - m[4];
    w[0] = ((zero + SCALE_0 * m[0]) + SCALE_P * p_even) + SCALE_Q * q_even;
    w[1] = (zero + (SCALE_P * p) * p_odd) + (SCALE_Q * q) * q_odd;
    w[2] = (m[5] + (SCALE_P * p2) * p_even) + (SCALE_Q * q2) * q_even;
}

static void transform_weight_sums(const WinogradWeightSums *sums) {
    for (int i = 0; i < sums->count; i += WIDE_LANES) {
        Wide half[TAPS_SIDE][SIDE]; // [row][column]
        UNROLL for (int x = 0; x < SIDE; x++) {
            Wide m[SIDE], w[TAPS_SIDE];
            UNROLL for (int y = 0; y < SIDE; y++) {
                const float *from = sums->from + (y * SIDE + x) * sums->point + i;
                m[y] = __builtin_convertvector(*(const UnalignedNarrow *)from, Wide);
            }
            sums_line(m, w);
            UNROLL for (int y = 0; y < TAPS_SIDE; y++) { half[y][x] = w[y]; }
        }
        UNROLL for (int y = 0; y < TAPS_SIDE; y++) {
            Wide w[TAPS_SIDE];
            sums_line(half[y], w);
            UNROLL for (int x = 0; x < TAPS_SIDE; x++) {
                float *to = sums->to + (y * TAPS_SIDE + x) * sums->tap + i;
                *(UnalignedNarrow *)to = __builtin_convertvector(w[x], Narrow);
            }
        }
    }
}

extern const WinogradKernels KERNEL(winograd_kernels);
void KERNEL(winograd_taps_row)(const WinogradTapsRow *row);
void KERNEL(winograd_stem_input)(const StemInput *tile);
void KERNEL(winograd_stem_output)(const WinogradOutput *tile);

const WinogradKernels KERNEL(winograd_kernels) = {
    .input = transform_input,
    .output = transform_output,
    .weights = transform_weights,
    .taps_row = KERNEL(winograd_taps_row),
    .gradient = transform_gradient,
    .weight_sums = transform_weight_sums,
    .stem_input = KERNEL(winograd_stem_input),
    .stem_output = KERNEL(winograd_stem_output),
};
