// SPDX-License-Identifier: Apache-2.0
// For tests: a folder of their own, the files in it, and the sentences they expect.
#ifndef RESNET_TESTS_DATA_SCRATCH_H
#define RESNET_TESTS_DATA_SCRATCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> // which needs those four

#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/status.h"

enum { SCRATCH_PATH = 512 };

// A block of bytes on the heap.
typedef struct Bytes {
    uint8_t *bytes;
    size_t size;
} Bytes;

static inline void bytes_append(Bytes *to, const void *bytes, size_t size) {
    to->bytes = realloc(to->bytes, to->size + size + 1);
    assert_non_null(to->bytes);
    if (size > 0) {
        memcpy(to->bytes + to->size, bytes, size);
    }
    to->size += size;
}

static inline void bytes_free(Bytes *bytes) {
    free(bytes->bytes);
    *bytes = (Bytes){0};
}

static inline void scratch_create(char folder[SCRATCH_PATH]) {
    const char *root = getenv("TMPDIR");
    snprintf(folder, SCRATCH_PATH, "%s/resnet-test-XXXXXX", root != NULL ? root : P_tmpdir);
    assert_non_null(mkdtemp(folder));
}

static inline int scratch_remove_one(const char *path, const struct stat *stat, int type,
                                     struct FTW *walk) {
    (void)stat, (void)type, (void)walk;
    return remove(path);
}

static inline void scratch_remove(const char *folder) {
    assert_int_equal(nftw(folder, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static inline void scratch_write(const char *folder, const char *name, const void *bytes,
                                 size_t size) {
    char path[2 * SCRATCH_PATH];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    if (size > 0) {
        assert_int_equal(fwrite(bytes, 1, size, file), size);
    }
    assert_int_equal(fclose(file), 0);
}

// The status and the whole sentence.
__attribute__((format(printf, 3, 4))) static inline void
expect_failure(Status found, Status expected, const char *format, ...) {
    char sentence[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    assert_int_equal(found, expected);
    assert_string_equal(status_message(), sentence);
}

static inline uint64_t hash_bytes(const void *bytes, size_t size) {
    uint64_t hash = 0xcbf29ce484222325U;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3U;
    }
    return hash;
}

#endif
