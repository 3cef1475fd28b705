// SPDX-License-Identifier: Apache-2.0
// How much memory a call takes at most: glibc's allocator behind counters. Under a sanitizer, which
// has an allocator of its own, nothing is counted.
#ifndef RESNET_TESTS_FORMATS_HEAP_H
#define RESNET_TESTS_FORMATS_HEAP_H

#include <stddef.h>
#include <stdlib.h>

static long heap_now, heap_peak;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HEAP_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HEAP_SANITIZED 1
#endif
#endif

#if defined(__GLIBC__) && !defined(HEAP_SANITIZED)
#include <malloc.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void __libc_free(void *block);

static void *heap_count(void *block) {
    heap_now += block != NULL ? (long)malloc_usable_size(block) : 0;
    heap_peak = heap_now > heap_peak ? heap_now : heap_peak;
    return block;
}

void *malloc(size_t size) { return heap_count(__libc_malloc(size)); }

void *calloc(size_t count, size_t size) { return heap_count(__libc_calloc(count, size)); }

void *realloc(void *block, size_t size) {
    // A block that moves is there twice for a moment.
    long before = block != NULL ? (long)malloc_usable_size(block) : 0;
    void *moved = heap_count(__libc_realloc(block, size));
    heap_now -= moved != NULL ? before : 0;
    return moved;
}

void free(void *block) {
    heap_now -= block != NULL ? (long)malloc_usable_size(block) : 0;
    __libc_free(block);
}
#endif

// From here on, heap_taken() says the most that was taken above what is taken now.
static long heap_base;

static inline void heap_begin(void) { heap_base = heap_peak = heap_now; }
static inline long heap_taken(void) { return heap_peak - heap_base; }

#endif
