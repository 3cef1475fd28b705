// SPDX-License-Identifier: Apache-2.0
// Scratch folders for tests, files in them, and a small made-up CIFAR-10 that can be learned: each
// class is a colour with a direction and a width of stripes, under noise.
#ifndef RESNET_TESTS_TRAIN_SCRATCH_H
#define RESNET_TESTS_TRAIN_SCRATCH_H

#include <ftw.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/random.h"

enum { SCRATCH_TRAIN = 300, SCRATCH_TEST = 100 };

static char scratch[256];

// A path in the scratch folder; 64 of them are valid at a time.
static inline const char *scratch_path(const char *name) {
    static char paths[64][512];
    static int next;
    next = (next + 1) % 64;
    snprintf(paths[next], sizeof paths[next], "%s/%s", scratch, name);
    return paths[next];
}

static inline uint8_t *file_read(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return NULL;
    }
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    uint8_t *bytes = malloc(*size + 1);
    *size = fread(bytes, 1, *size, file);
    bytes[*size] = 0;
    fclose(file);
    return bytes;
}

static inline void file_write(const char *path, const void *bytes, size_t size) {
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) {
        abort();
    }
}

// Whether both files are there with the same bytes.
static inline bool files_equal(const char *a, const char *b) {
    size_t size_a = 0, size_b = 0;
    uint8_t *bytes_a = file_read(a, &size_a), *bytes_b = file_read(b, &size_b);
    bool equal = bytes_a != NULL && bytes_b != NULL && size_a == size_b &&
                 memcmp(bytes_a, bytes_b, size_a) == 0;
    free(bytes_a);
    free(bytes_b);
    return equal;
}

static inline void write_rows(const char *path, int first, int count) {
    enum { SIDE = 32, PLANE = SIDE * SIDE, ROW = 1 + 3 * PLANE };
    uint8_t *rows = malloc((size_t)count * ROW);
    for (int i = 0; i < count; i++) {
        uint8_t *row = rows + (size_t)i * ROW;
        int label = (first + i) % 10;
        row[0] = (uint8_t)label;
        for (int p = 0; p < 3 * PLANE; p++) {
            int stripe = label % 2 == 0 ? p % SIDE : p / SIDE;
            int value =
                60 + 25 * ((label >> p / PLANE) & 1) * 2 + 30 * (stripe / (label < 8 ? 4 : 8) % 2);
            uint64_t noise = random_bits(1, RANDOM_TEST, (uint64_t)(first + i), (uint64_t)p) % 61;
            row[1 + p] = (uint8_t)(value + (int)noise);
        }
    }
    file_write(path, rows, (size_t)count * ROW);
    free(rows);
}

// SCRATCH_TRAIN and SCRATCH_TEST samples in "data".
static inline void write_cifar(void) {
    mkdir(scratch_path("data"), 0777);
    for (int f = 0; f < 5; f++) {
        char name[64];
        snprintf(name, sizeof name, "data/data_batch_%d.bin", f + 1);
        write_rows(scratch_path(name), f * SCRATCH_TRAIN / 5, SCRATCH_TRAIN / 5);
    }
    write_rows(scratch_path("data/test_batch.bin"), SCRATCH_TRAIN, SCRATCH_TEST);
    const char names[] = "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n";
    file_write(scratch_path("data/batches.meta.txt"), names, sizeof names - 1);
}

// For cmocka's groups.
static inline int scratch_create(void **state) {
    (void)state;
    const char *parent = getenv("TMPDIR");
    snprintf(scratch, sizeof scratch, "%s/resnet-test-XXXXXX", parent != NULL ? parent : "/tmp");
    if (mkdtemp(scratch) == NULL) {
        return -1;
    }
    write_cifar();
    return 0;
}

static inline int remove_one(const char *path, const struct stat *info, int type,
                             struct FTW *walk) {
    (void)info, (void)type, (void)walk;
    return remove(path);
}

static inline int scratch_remove(void **state) {
    (void)state;
    return nftw(scratch, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#endif
