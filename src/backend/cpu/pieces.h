// SPDX-License-Identifier: Apache-2.0
// How ops without a structure of their own are split into tasks: pieces of a fixed number of
// elements or pixels, by shape alone, so that neither results nor their order depend on threads.
#ifndef RESNET_BACKEND_CPU_PIECES_H
#define RESNET_BACKEND_CPU_PIECES_H

#include "backend/backend.h"

// 64 KB of floats: long against the start of a task, short against the second level cache.
enum { PIECE_ELEMENTS = 16384 };

typedef struct Piece {
    int64_t begin;
    int count;
} Piece;

// Rows of `channels` elements in a piece, at least 1.
static inline int piece_rows(int channels) {
    int rows = PIECE_ELEMENTS / channels;
    return rows > 0 ? rows : 1;
}

static inline int pieces_of(int64_t total, int size) { return (int)((total + size - 1) / size); }

static inline Piece piece_at(int64_t total, int size, int task) {
    int64_t begin = (int64_t)task * size;
    int64_t left = total - begin;
    return (Piece){.begin = begin, .count = left < size ? (int)left : size};
}

// Pixels of one sample.
static inline int shape_pixels(Shape shape) { return shape.height * shape.width; }

#endif
