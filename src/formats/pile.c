// SPDX-License-Identifier: Apache-2.0
#include "formats/pile.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_ELEMENTS = 1024 };

static bool add_chunk(Pile *pile) {
    if (pile->chunk_count == pile->chunk_room) {
        size_t room = 2 * pile->chunk_room + 8;
        unsigned char **chunks = realloc(pile->chunks, room * sizeof *chunks);
        if (chunks == NULL) {
            return false;
        }
        pile->chunks = chunks;
        pile->chunk_room = room;
    }
    unsigned char *chunk = malloc(CHUNK_ELEMENTS * pile->element_size);
    if (chunk == NULL) {
        return false;
    }
    pile->chunks[pile->chunk_count++] = chunk;
    return true;
}

bool pile_push(Pile *pile, const void *element) {
    if (pile->count == pile->chunk_count * CHUNK_ELEMENTS && !add_chunk(pile)) {
        return false;
    }
    memcpy(pile_at(pile, pile->count++), element, pile->element_size);
    return true;
}

void *pile_at(const Pile *pile, size_t index) {
    assert(index / CHUNK_ELEMENTS < pile->chunk_count);
    return pile->chunks[index / CHUNK_ELEMENTS] + index % CHUNK_ELEMENTS * pile->element_size;
}

void pile_cut(Pile *pile, size_t count) {
    assert(count <= pile->count);
    pile->count = count;
}

void pile_free(Pile *pile) {
    for (size_t i = 0; i < pile->chunk_count; i++) {
        free(pile->chunks[i]);
    }
    free(pile->chunks);
    pile->chunks = NULL;
    pile->chunk_count = pile->chunk_room = pile->count = 0;
}
