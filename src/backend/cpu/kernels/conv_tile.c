// SPDX-License-Identifier: Apache-2.0
// The tile on floats for each number of rows: see conv_tile.h.
#include "backend/cpu/kernels/vector.h"

// Where tiles are small turns are so short that the end of the loop, which is mispredicted, and its
// counters count.
#if VECTOR_BYTES == 32
#define UNROLL_CHANNELS _Pragma("GCC unroll 4")
#endif
#include "backend/cpu/kernels/conv_tile.h"

#define DEFINE_TILE(rows, units)                                                                   \
    static void conv_tile_##rows##x##units(const ConvTile *tile) {                                 \
        conv_tile(rows, units, false, tile);                                                       \
    }
#define TILE_ENTRY(rows, units) conv_tile_##rows##x##units,

TILE_ROWS_1(DEFINE_TILE, 1)
ConvTileFunction *const KERNEL(conv_tiles_1)[] = {TILE_ROWS_1(TILE_ENTRY, 1)};
#if TILE_UNITS > 1
TILE_ROWS_2(DEFINE_TILE, 2)
ConvTileFunction *const KERNEL(conv_tiles_2)[] = {TILE_ROWS_2(TILE_ENTRY, 2)};
#endif
