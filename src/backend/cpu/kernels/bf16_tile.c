// SPDX-License-Identifier: Apache-2.0
// The tile on pairs of bf16 for each number of rows: see conv_tile.h.
#include "backend/cpu/kernels/conv_tile.h"

#define DEFINE_TILE(rows, units)                                                                   \
    static void bf16_tile_##rows##x##units(const ConvTile *tile) {                                 \
        conv_tile(rows, units, true, tile);                                                        \
    }
#define TILE_ENTRY(rows, units) bf16_tile_##rows##x##units,

BF16_ROWS_1(DEFINE_TILE, 1)
ConvTileFunction *const KERNEL(bf16_tiles_1)[] = {BF16_ROWS_1(TILE_ENTRY, 1)};
#if TILE_UNITS > 1
BF16_ROWS_2(DEFINE_TILE, 2)
ConvTileFunction *const KERNEL(bf16_tiles_2)[] = {BF16_ROWS_2(TILE_ENTRY, 2)};
#endif
