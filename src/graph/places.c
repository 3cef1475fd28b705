// SPDX-License-Identifier: Apache-2.0
// First fit: pieces are taken in some order, and each goes to the lowest place that is free during
// its life. What the order is decides how good that is, so two are tried:
//
//     larger, then longer first    good where sizes differ much (inference)
//     in order of time             good where lives are nested, as in training: what forward makes
//                                  early, backward needs late
#include "graph/places.h"

#include <stdlib.h>
#include <string.h>

typedef struct Entry {
    size_t elements;
    int32_t first, last;
    int32_t index; // of the piece; makes the order total
} Entry;

static int compare_number(int64_t a, int64_t b) { return (a > b) - (a < b); }

static int compare_size(const void *left, const void *right) {
    const Entry *a = left, *b = right;
    int order = compare_number((int64_t)b->elements, (int64_t)a->elements);
    if (order == 0) {
        order = compare_number((int64_t)b->last - b->first, (int64_t)a->last - a->first);
    }
    return order != 0 ? order : compare_number(a->index, b->index);
}

static int compare_time(const void *left, const void *right) {
    const Entry *a = left, *b = right;
    int order = compare_number(a->first, b->first);
    if (order == 0) {
        order = compare_number((int64_t)b->elements, (int64_t)a->elements);
    }
    return order != 0 ? order : compare_number(a->index, b->index);
}

// Places the entries in their order and writes offsets by piece. `placed`: room for `count`
// indices. Returns the size of the block.
static size_t place_all(const Entry *entries, int32_t count, const Piece *pieces, size_t *offsets,
                        int32_t *placed) {
    size_t size = 0;
    for (int32_t e = 0; e < count; e++) {
        const Entry *entry = &entries[e];
        // `placed` is sorted by offset, so that free gaps are met from the bottom up.
        size_t place = 0;
        int32_t p = 0;
        for (; p < e; p++) {
            const Piece *other = &pieces[placed[p]];
            if (other->last < entry->first || other->first > entry->last) {
                continue;
            }
            size_t begin = offsets[placed[p]], end = begin + other->elements;
            if (begin >= place + entry->elements) {
                break;
            }
            place = end > place ? end : place;
        }
        offsets[entry->index] = place;
        size = place + entry->elements > size ? place + entry->elements : size;
        int32_t slot = e;
        for (; slot > 0 && offsets[placed[slot - 1]] > place; slot--) {
            placed[slot] = placed[slot - 1];
        }
        placed[slot] = entry->index;
    }
    return size;
}

Status places_find(Piece *pieces, int32_t count, Arena *scratch, size_t *elements) {
    size_t length = (size_t)count;
    Entry *entries = arena_alloc(scratch, length * sizeof *entries);
    int32_t *placed = arena_alloc(scratch, length * sizeof *placed);
    size_t *by_size = arena_alloc(scratch, length * sizeof *by_size);
    size_t *by_time = arena_alloc(scratch, length * sizeof *by_time);
    if (entries == NULL || placed == NULL || by_size == NULL || by_time == NULL) {
        return status_fail(STATUS_FAILED, "cannot get memory to plan %d pieces", count);
    }
    for (int32_t i = 0; i < count; i++) {
        entries[i] = (Entry){pieces[i].elements, pieces[i].first, pieces[i].last, i};
    }
    qsort(entries, length, sizeof *entries, compare_size);
    size_t size = place_all(entries, count, pieces, by_size, placed);
    qsort(entries, length, sizeof *entries, compare_time);
    size_t time = place_all(entries, count, pieces, by_time, placed);
    const size_t *best = time < size ? by_time : by_size;
    for (int32_t i = 0; i < count; i++) {
        pieces[i].offset = best[i];
    }
    *elements = time < size ? time : size;
    return STATUS_OK;
}
