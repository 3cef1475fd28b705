// SPDX-License-Identifier: Apache-2.0
// From sums to the output: what int8_tile.c and int8_winograd.c share. See Int8End.
#ifndef RESNET_BACKEND_CPU_KERNELS_INT8_END_H
#define RESNET_BACKEND_CPU_KERNELS_INT8_END_H

#include "backend/cpu/kernels/int8_kernels.h"
#include "backend/cpu/kernels/int8_rows.h"
#include "backend/cpu/kernels/int8_vector.h"

enum { VECTORS = CONV_BLOCK / LANES };

// What a panel's lanes end with, in registers or at least not behind pointers that stores of bytes
// might change.
typedef struct EndLanes {
    Vec factor[TILE_UNITS * VECTORS];
    IntVec start[TILE_UNITS * VECTORS], residual[TILE_UNITS * VECTORS], shift[TILE_UNITS * VECTORS];
} EndLanes;

// Literals after inlining: vectors, residual, shifted.
INT8_INLINE EndLanes end_lanes(const Int8End *end, const int vectors, const bool residual,
                               const bool shifted) {
    EndLanes lanes;
    UNROLL for (int j = 0; j < TILE_UNITS * VECTORS; j++) {
        if (j < vectors) {
            lanes.factor[j] = vec_load(end->factor + j * LANES);
            lanes.start[j] = int_load(end->start + j * LANES);
            lanes.residual[j] = residual ? int_load(end->residual + j * LANES) : (IntVec){0};
            lanes.shift[j] = shifted ? int_load(end->shift + j * LANES) : (IntVec){0};
        }
    }
    return lanes;
}

// A row's output from its sums; `started`: they began with `start`. `added`: its residual. Literals
// after inlining as above.
INT8_INLINE void finish_row(const EndLanes *lanes, const IntVec *sum, const uint8_t *added,
                            const int vectors, const bool started, const bool residual,
                            const bool shifted, Vec *value) {
    UNROLL for (int j = 0; j < TILE_UNITS * VECTORS; j++) {
        if (j < vectors) {
            IntVec total = sum[j];
            if (shifted) {
                total <<= lanes->shift[j];
            }
            if (!started) {
                total += lanes->start[j];
            }
            if (residual) {
                total = add_products(total, load_bytes(added + j * LANES), lanes->residual[j]);
            }
            value[j] = __builtin_convertvector(total, Vec) * lanes->factor[j];
        }
    }
}

#endif
