// SPDX-License-Identifier: Apache-2.0
// What every refusal must look like, for the fuzz targets.
#ifndef TESTS_FUZZ_SENTENCE_H
#define TESTS_FUZZ_SENTENCE_H

#include <assert.h>
#include <string.h>

// One printable sentence that begins with the file's name, "fuzz".
static inline void check_sentence(const char *sentence) {
    assert(strncmp(sentence, "fuzz: ", 6) == 0 && strlen(sentence) > 10);
    for (const char *c = sentence; *c != '\0'; c++) {
        assert((unsigned char)*c >= ' ' && *c != 0x7f);
    }
}

#endif
