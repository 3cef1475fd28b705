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
    // Most texts are names and fit here, so that they are formatted once.
    char most[256];
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(most, sizeof most, format, arguments);
    va_end(arguments);
    char *text = length < 0 ? NULL : arena_alloc(arena, (size_t)length + 1);
    if (text != NULL && (size_t)length < sizeof most) {
        memcpy(text, most, (size_t)length + 1);
    } else if (text != NULL) {
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
    // Large blocks begin on a huge page's boundary, so that the kernel can back them by such pages:
    // fewer TLB misses in the strided walks of a convolution. calloc() takes them fresh from the
    // kernel, which zeroes a page when it is first touched, by the thread that needs it; touching
    // them all here took longer than a small network's first run.
    enum { HUGE_PAGE = 2 << 20 };
    const size_t alignment = bytes >= 2 * (size_t)HUGE_PAGE ? HUGE_PAGE : BLOCK_ALIGNMENT;
    const size_t rounded = block_aligned(bytes);
    const size_t whole = rounded + alignment + sizeof(void *);
    char *base = whole > bytes ? calloc(1, whole) : NULL;
    if (base == NULL) {
        return status_fail(STATUS_FAILED, "cannot get %.1f MB of memory for %s",
                           (double)bytes / 1e6, what);
    }
    const size_t first = (size_t)(uintptr_t)base + sizeof(void *);
    char *block = base + sizeof(void *) + (alignment - first % alignment) % alignment;
    ((void **)(void *)block)[-1] = base;
    if (alignment == HUGE_PAGE) {
        madvise(block, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
    }
    *out = block;
    return STATUS_OK;
}

void block_free(void *block) {
    if (block != NULL) {
        free(((void **)block)[-1]);
    }
}
