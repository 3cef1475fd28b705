// SPDX-License-Identifier: Apache-2.0
#include "weights/checksum.h"

#include <string.h>

static uint64_t add_word(uint64_t state, uint64_t word) {
    state = (state ^ word) * UINT64_C(0x9fb21c651e98df25);
    return state ^ state >> 32;
}

uint64_t checksum_add(uint64_t state, const void *bytes, size_t size) {
    const char *at = bytes;
    size_t left = size;
    for (; left >= sizeof(uint64_t); left -= sizeof(uint64_t), at += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        state = add_word(state, word);
    }
    if (left > 0) {
        uint64_t word = 0;
        memcpy(&word, at, left);
        state = add_word(state, word);
    }
    return add_word(state, size);
}

uint64_t checksum_add_text(uint64_t state, const char *text) {
    return checksum_add(state, text, strlen(text) + 1);
}
