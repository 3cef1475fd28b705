// SPDX-License-Identifier: Apache-2.0
// An array that grows without moving: elements of one size in chunks. It never takes more than one
// chunk above what is in it, where a moving array would take up to two and a half times as much.
#ifndef RESNET_FORMATS_PILE_H
#define RESNET_FORMATS_PILE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct Pile {
    unsigned char **chunks;
    size_t chunk_count, chunk_room;
    size_t count;
    size_t element_size; // set by the owner
} Pile;

// Puts a copy of *element on top; false when memory is out.
bool pile_push(Pile *pile, const void *element);
void *pile_at(const Pile *pile, size_t index);
void pile_cut(Pile *pile, size_t count); // keeps the first `count`
void pile_free(Pile *pile);

#endif
