// SPDX-License-Identifier: Apache-2.0
// The transforms of the stem's Winograd convolution for one instruction set: see
// winograd_kernels.h. Numbers are made as in winograd_kernels.c: by additions and by
// acc += constant * a, in a fixed order.
#include "backend/cpu/kernels/conv_kernels.h"
#include "backend/cpu/kernels/winograd_end.h"

enum { SIDE = STEM_SIDE, OUTPUTS = WINOGRAD_OUTPUTS };

// Of B': the rows of +p and -p, from t6 - s t4 + q t2 and t5 - s t3 + q t1.
MAP_INLINE void input_pair(const Vec d[SIDE], float p, float s, float q, Vec *plus, Vec *minus) {
    const Vec even = (d[6] - s * d[4]) + q * d[2], odd = (d[5] - s * d[3]) + q * d[1];
    *plus = even + p * odd;
    *minus = even - p * odd;
}

MAP_INLINE void input_line(const Vec d[SIDE], Vec r[SIDE]) {
    const Vec middle = d[2] - d[4];
    r[0] = (d[6] - d[0]) + 5.25f * middle;
    input_pair(d, 0.5f, 5.0f, 4.0f, &r[1], &r[2]);
    input_pair(d, 1.0f, 4.25f, 1.0f, &r[3], &r[4]);
    input_pair(d, 2.0f, 1.25f, 0.25f, &r[5], &r[6]);
}

MAP_INLINE void output_line(const Vec s[SIDE], Vec y[OUTPUTS]) {
    const Vec half_even = s[1] + s[2], half_odd = s[1] - s[2];
    const Vec one_even = s[3] + s[4], one_odd = s[3] - s[4];
    const Vec two_even = s[5] + s[6], two_odd = s[5] - s[6];
    y[0] = ((s[0] + half_even) + one_even) + two_even;
    y[1] = (one_odd + 0.5f * half_odd) + 2.0f * two_odd;
    y[2] = (one_even + 0.25f * half_even) + 4.0f * two_even;
    y[3] = (one_odd + 0.125f * half_odd) + 8.0f * two_odd;
}

void KERNEL(winograd_stem_input)(const StemInput *tile);
void KERNEL(winograd_stem_output)(const WinogradOutput *tile);

void KERNEL(winograd_stem_input)(const StemInput *tile) {
    for (int lane = 0; lane < CONV_BLOCK; lane += LANES) {
        Vec half[SIDE][SIDE]; // [row][column]
        UNROLL for (int x = 0; x < SIDE; x++) {
            Vec d[SIDE], r[SIDE];
            UNROLL for (int y = 0; y < SIDE; y++) {
                d[y] = vec_load(tile->from + y * tile->row + x * CONV_BLOCK + lane);
            }
            input_line(d, r);
            UNROLL for (int y = 0; y < SIDE; y++) { half[y][x] = r[y]; }
        }
        float *to = tile->to + lane;
        for (int y = 0; y < SIDE; y++) {
            Vec r[SIDE];
            input_line(half[y], r);
            UNROLL for (int x = 0; x < SIDE; x++) {
                vec_store(to, r[x]);
                to += tile->point;
            }
        }
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
        output_row(tile, i, y, start, lane, lanes);
    }
}

void KERNEL(winograd_stem_output)(const WinogradOutput *tile) {
    int lane = 0;
    for (; lane + LANES <= tile->lanes; lane += LANES) {
        output_lanes(tile, lane, LANES);
    }
    if (lane < tile->lanes) {
        output_lanes(tile, lane, tile->lanes - lane);
    }
}
