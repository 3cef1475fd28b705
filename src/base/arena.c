// SPDX-License-Identifier: Apache-2.0
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { CHUNK_BYTES = 64 * 1024, ARENA_ALIGNMENT = 16 };

typedef struct Chunk {
    struct Chunk *next;
    size_t used, size;
    _Alignas(ARENA_ALIGNMENT) unsigned char bytes[];
} Chunk;

struct Arena {
    Chunk *first;
};

Arena *arena_create(void) { return calloc(1, sizeof(Arena)); }

void arena_destroy(Arena *arena) {
    if (arena == NULL) {
        return;
    }
    for (Chunk *chunk = arena->first; chunk != NULL;) {
        Chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
    free(arena);
}

void *arena_alloc(Arena *arena, size_t bytes) {
    if (bytes > SIZE_MAX / 2) {
        return NULL;
    }
    bytes = (bytes + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT;
    Chunk *chunk = arena->first;
    if (chunk == NULL || chunk->size - chunk->used < bytes) {
        size_t size = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
        chunk = calloc(1, sizeof(Chunk) + size);
        if (chunk == NULL) {
            return NULL;
        }
        chunk->size = size;
        chunk->next = arena->first;
        arena->first = chunk;
    }
    void *result = chunk->bytes + chunk->used;
    chunk->used += bytes;
    return result;
}

char *arena_format(Arena *arena, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *text = length < 0 ? NULL : arena_alloc(arena, (size_t)length + 1);
    if (text != NULL) {
        vsnprintf(text, (size_t)length + 1, format, again);
    }
    va_end(again);
    return text;
}

Status block_alloc(size_t bytes, const char *what, void **out) {
    *out = NULL;
    if (bytes == 0) {
        return STATUS_OK;
    }
    void *block = NULL;
    size_t rounded = (bytes + BLOCK_ALIGNMENT - 1) / BLOCK_ALIGNMENT * BLOCK_ALIGNMENT;
    // Large blocks begin on a huge page's boundary, so that the kernel can back them by such pages:
    // fewer TLB misses in the strided walks of a convolution.
    enum { HUGE_PAGE = 2 << 20 };
    size_t alignment = bytes >= 2 * (size_t)HUGE_PAGE ? HUGE_PAGE : BLOCK_ALIGNMENT;
    if (rounded < bytes || posix_memalign(&block, alignment, rounded) != 0) {
        return status_fail(STATUS_FAILED, "cannot get %.1f MB of memory for %s",
                           (double)bytes / 1e6, what);
    }
    if (alignment == HUGE_PAGE) {
        madvise(block, rounded, MADV_HUGEPAGE);
    }
    memset(block, 0, rounded);
    *out = block;
    return STATUS_OK;
}

void block_free(void *block) { free(block); }
