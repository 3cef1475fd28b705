// SPDX-License-Identifier: Apache-2.0
// For tests of files: a folder for each test or all of them, and data sets opened from it.
#ifndef RESNET_TESTS_DATA_FOLDER_H
#define RESNET_TESTS_DATA_FOLDER_H

#include "data/dataset.h"
#include "data/tables.h"

static char folder[SCRATCH_PATH];

static inline int set_up(void **state) {
    (void)state;
    scratch_create(folder);
    return 0;
}

static inline int tear_down(void **state) {
    (void)state;
    scratch_remove(folder);
    return 0;
}

static inline Status open_kind(const char *kind, Split split, Dataset **out) {
    char spec[2 * SCRATCH_PATH];
    snprintf(spec, sizeof spec, "%s:%s", kind, folder);
    return dataset_open(spec, split, out);
}

static inline void write_and_free(const char *name, Bytes bytes) {
    scratch_write(folder, name, bytes.bytes, bytes.size);
    bytes_free(&bytes);
}

#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
