// SPDX-License-Identifier: Apache-2.0
// The transforms of one instruction set: see winograd_kernels.h.
//
// A tile's transform is one along its columns, put aside, and one along its rows. Each number is
// made by additions and by acc += constant * a in a fixed order; where the first term has a factor
// as well, it is added to zero, so that the compiler has no choice of what to contract.
#include "backend/cpu/kernels/winograd_kernels.h"

#include "backend/cpu/kernels/conv_kernels.h"
#include "backend/cpu/kernels/map_vector.h"

enum { SIDE = WINOGRAD_SIDE, OUTPUTS = WINOGRAD_OUTPUTS };

// The points and their powers: exact in float.
#define P 0.625f
#define Q 1.5f
#define P2 (P * P)
#define Q2 (Q * Q)

MAP_INLINE void input_line(const Vec d[SIDE], Vec r[SIDE]) {
    const Vec p_even = d[4] - Q2 * d[2], p_odd = d[3] - Q2 * d[1];
    const Vec q_even = d[4] - P2 * d[2], q_odd = d[3] - P2 * d[1];
    r[0] = (d[4] - (P2 + Q2) * d[2]) + (P2 * Q2) * d[0];
    r[1] = p_even + P * p_odd;
    r[2] = p_even - P * p_odd;
    r[3] = q_even + Q * q_odd;
    r[4] = q_even - Q * q_odd;
    r[5] = (d[5] - (P2 + Q2) * d[3]) + (P2 * Q2) * d[1];
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

MAP_INLINE void input_lanes(const WinogradInput *tile, int channel, int lanes) {
    float *to = tile->to + channel / CONV_BLOCK * tile->plane + channel % CONV_BLOCK;
    Vec half[SIDE][SIDE]; // [row][column]
    UNROLL for (int x = 0; x < SIDE; x++) {
        Vec d[SIDE], r[SIDE];
        UNROLL for (int y = 0; y < SIDE; y++) {
            d[y] = load_lanes(tile->pixel[y][x] + channel, lanes);
        }
        input_line(d, r);
        UNROLL for (int y = 0; y < SIDE; y++) { half[y][x] = r[y]; }
    }
    for (int y = 0; y < SIDE; y++) {
        Vec r[SIDE];
        input_line(half[y], r);
        UNROLL for (int x = 0; x < SIDE; x++) {
            vec_store(to, r[x]);
            to += tile->point;
        }
    }
}

static void transform_input(const WinogradInput *tile) {
    int channel = 0;
    for (; channel + LANES <= tile->channels; channel += LANES) {
        input_lanes(tile, channel, LANES);
    }
    if (channel < tile->channels) {
        input_lanes(tile, channel, tile->channels - channel);
    }
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
        output_line(s, y);
        UNROLL for (int i = 0; i < OUTPUTS; i++) { half[i][x] = y[i]; }
    }
    for (int i = 0; i < tile->rows; i++) {
        Vec y[OUTPUTS];
        output_line(half[i], y);
        UNROLL for (int x = 0; x < OUTPUTS; x++) {
            if (x < tile->columns) {
                const ptrdiff_t place = i * tile->row + x * tile->column + lane;
                Vec value = y[x] + start;
                if (tile->residual != NULL) {
                    value += load_lanes(tile->residual + place, lanes);
                }
                store_lanes(tile->output + place, tile->relu ? vec_relu(value) : value, lanes);
            }
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

typedef double Line[CONV_BLOCK]; // [lane]

// G without its divisors; they and the factor are for the end, where no sum follows that a product
// could be contracted with. `step` lines lie between two of w, and of r.
MAP_INLINE void weights_line(const Line *w, int step, Line *r) {
    const double p = P, q = Q, p2 = P2, q2 = Q2;
    for (int i = 0; i < CONV_BLOCK; i++) {
        const double first = w[0][i], middle = w[step][i], last = w[2 * step][i];
        const double p_even = first + p2 * last, q_even = first + q2 * last;
        r[0][i] = first;
        r[1 * step][i] = p_even + p * middle;
        r[2 * step][i] = p_even - p * middle;
        r[3 * step][i] = q_even + q * middle;
        r[4 * step][i] = q_even - q * middle;
        r[5 * step][i] = last;
    }
}

#define SCALE_0 (1.0 / ((double)P2 * Q2))
#define SCALE_P (0.5 / ((double)P2 * (P2 - Q2)))
#define SCALE_Q (0.5 / ((double)Q2 * (Q2 - P2)))
static const double scales[SIDE] = {SCALE_0, SCALE_P, SCALE_P, SCALE_Q, SCALE_Q, 1.0};

static void transform_weights(const WinogradWeights *weights) {
    enum { KERNEL_SIDE = 3, TAPS = KERNEL_SIDE * KERNEL_SIDE };
    Line w[TAPS], half[SIDE * KERNEL_SIDE], r[SIDE], factor;
    for (int i = 0; i < CONV_BLOCK; i++) {
        const bool exists = i < weights->lanes;
        const float *from = weights->from + i * weights->lane;
        factor[i] = exists && weights->factor != NULL ? weights->factor[i] : 1.0;
        for (int tap = 0; tap < TAPS; tap++) {
            w[tap][i] = exists ? from[weights->turned ? TAPS - 1 - tap : tap] : 0.0;
        }
    }
    for (int x = 0; x < KERNEL_SIDE; x++) { // [row][3]
        weights_line(w + x, KERNEL_SIDE, half + x);
    }
    for (int y = 0; y < SIDE; y++) {
        weights_line(half + y * KERNEL_SIDE, 1, r);
        for (int x = 0; x < SIDE; x++) {
            float *to = weights->to + (y * SIDE + x) * weights->point;
            for (int i = 0; i < CONV_BLOCK; i++) {
                to[i] = (float)(scales[y] * scales[x] * factor[i] * r[x][i]);
            }
        }
    }
}

extern const WinogradKernels KERNEL(winograd_kernels);

const WinogradKernels KERNEL(winograd_kernels) = {
    .input = transform_input,
    .output = transform_output,
    .weights = transform_weights,
};
