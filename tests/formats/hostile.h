// SPDX-License-Identifier: Apache-2.0
// Gives a hostile file to the reader: it must be refused, in one sentence that names the file and
// the place, taking no more memory than promised.
#ifndef RESNET_TESTS_FORMATS_HOSTILE_H
#define RESNET_TESTS_FORMATS_HOSTILE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "formats/bytes.h"
#include "formats/heap.h"
#include "formats/tensor_file.h"

enum { MEMORY_FACTOR = 64, MEMORY_SPARE = 1024 * 1024 };

static int hostile_refused; // files so far

static inline bool names_a_place(const char *sentence) {
    static const char *const PLACES[] = {
        "byte ",     "record \"", "tensor \"", "storage \"",          "zip directory",
        "entry ",    "path \"",   "at \"",     "is nested deep",      "dictionary \"",
        "object \"", "member \"", "key ",      "names of its values",
    };
    for (size_t i = 0; i < sizeof PLACES / sizeof PLACES[0]; i++) {
        if (strstr(sentence, PLACES[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static inline void assert_memory_taken(size_t size) {
    if (heap_taken() > MEMORY_FACTOR * (long)size + MEMORY_SPARE) {
        fail_msg("%ld bytes of memory for a file of %zu", heap_taken(), size);
    }
}

// In a block of exactly its size. Returns whether it was refused, and checks the sentence if so.
static inline bool is_refused(const uint8_t *bytes, size_t size) {
    uint8_t *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    if (size > 0) {
        memcpy(copy, bytes, size);
    }
    TensorFile *file;
    heap_begin();
    Status status = tensor_file_parse(copy, size, "hostile.pth", &file);
    assert_memory_taken(size);
    tensor_file_close(file);
    free(copy);
    if (status == STATUS_OK) {
        return false;
    }
    const char *sentence = status_message();
    if (strncmp(sentence, "hostile.pth: ", 13) != 0 || !names_a_place(sentence)) {
        fail_msg("a sentence without file or place: %s", sentence);
    }
    for (const char *c = sentence; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f) {
            fail_msg("a control character in: %s", sentence);
        }
    }
    hostile_refused++;
    return true;
}

// Refused with a sentence that has this part; "" for a file that must be read.
static inline void assert_refused(const Bytes *file, const char *part) {
    bool refused = is_refused(file->bytes, file->size);
    if (refused != (part[0] != '\0') || (refused && strstr(status_message(), part) == NULL)) {
        fail_msg("expected \"%s\", found \"%s\"", part, refused ? status_message() : "no refusal");
    }
}

#endif
