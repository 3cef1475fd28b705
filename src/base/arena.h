// SPDX-License-Identifier: Apache-2.0
// Memory: an arena for small things that live together, and aligned blocks for large arrays.
#ifndef RESNET_BASE_ARENA_H
#define RESNET_BASE_ARENA_H

#include <stddef.h>

#include "base/status.h"

// Every large block begins on such a boundary: a cache line and the widest vector.
#define BLOCK_ALIGNMENT 64

// Bytes up to where the next block may begin.
static inline size_t block_aligned(size_t bytes) {
    return (bytes + BLOCK_ALIGNMENT - 1) / BLOCK_ALIGNMENT * BLOCK_ALIGNMENT;
}

typedef struct Arena Arena;

// NULL when memory is out.
Arena *arena_create(void);
void arena_destroy(Arena *arena);

// Zeroed, aligned to 16 bytes, freed with the arena. NULL when memory is out.
void *arena_alloc(Arena *arena, size_t bytes);

// A formatted string in the arena. NULL when memory is out.
char *arena_format(Arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

// A zeroed block of `bytes` (0 gives NULL and STATUS_OK), aligned to BLOCK_ALIGNMENT. `what` names
// it in the error: "cannot get 1.2 GB of memory for activations". Free with block_free().
Status block_alloc(size_t bytes, const char *what, void **out);
void block_free(void *block);

#endif
