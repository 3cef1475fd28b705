// SPDX-License-Identifier: Apache-2.0
// Places in one block for blocks of memory that live for known spans of time.
#ifndef RESNET_GRAPH_PLACES_H
#define RESNET_GRAPH_PLACES_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

// A piece of memory: in use during the steps first … last, both included.
typedef struct Piece {
    size_t elements;
    int32_t first, last;
    size_t offset; // the answer
} Piece;

// Gives every piece an offset such that no two that live at the same step overlap, and the whole
// block's size in *elements. The same for the same pieces, whatever the machine. Scratch memory
// comes from `scratch`.
Status places_find(Piece *pieces, int32_t count, Arena *scratch, size_t *elements);

#endif
