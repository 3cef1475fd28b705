// SPDX-License-Identifier: Apache-2.0
// How a tile of outputs ends: what is added, ReLU, and the store.
#ifndef RESNET_BACKEND_CPU_KERNELS_WINOGRAD_END_H
#define RESNET_BACKEND_CPU_KERNELS_WINOGRAD_END_H

#include "backend/cpu/kernels/map_vector.h"
#include "backend/cpu/kernels/winograd_kernels.h"

// Row `row` of a tile's outputs, y of its columns, from lane `lane` on.
MAP_INLINE void output_row(const WinogradOutput *tile, int row, const Vec y[WINOGRAD_OUTPUTS],
                           Vec start, int lane, int lanes) {
    UNROLL for (int x = 0; x < WINOGRAD_OUTPUTS; x++) {
        if (x < tile->columns) {
            const ptrdiff_t place = row * tile->row + x * tile->column + lane;
            Vec value = y[x] + start;
            if (tile->residual != NULL) {
                value += load_lanes(tile->residual + place, lanes);
            }
            store_lanes(tile->output + place, tile->relu ? vec_relu(value) : value, lanes);
        }
    }
}

#endif
