// SPDX-License-Identifier: Apache-2.0
// The writer of .npy files, byte by byte.
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/files.h"
#include "formats/folder.h"
#include "formats/npy.h"

static void expect_file(const char *path, const char *dictionary, size_t header_size,
                        const float *values, size_t count) {
    FileBytes file;
    assert_int_equal(file_map(path, &file), STATUS_OK);
    assert_int_equal(file.size, header_size + count * sizeof *values);
    assert_memory_equal(file.bytes, "\x93NUMPY\x01\x00", 8);
    assert_int_equal(file.bytes[8] | file.bytes[9] << 8, header_size - 10);
    size_t length = strlen(dictionary);
    assert_memory_equal(file.bytes + 10, dictionary, length);
    for (size_t i = 10 + length; i < header_size - 1; i++) {
        assert_int_equal(file.bytes[i], ' ');
    }
    assert_int_equal(file.bytes[header_size - 1], '\n');
    if (count > 0) {
        assert_memory_equal(file.bytes + header_size, values, count * sizeof *values);
    }
    file_unmap(&file);
}

static void test_shapes(void **state) {
    static const float VALUES[] = {0, 1, -2.5f, 3e38f, 1e-40f, -0.0f};
    const char *path = folder_path(*state, "a.npy");
    static const struct {
        int rank;
        int64_t dims[NPY_RANK_MAX];
        size_t count, header_size;
        const char *dictionary;
    } ROWS[] = {
        {0, {0}, 1, 128, "{'descr': '<f4', 'fortran_order': False, 'shape': (), }"},
        {1, {6}, 6, 128, "{'descr': '<f4', 'fortran_order': False, 'shape': (6,), }"},
        {2, {2, 3}, 6, 128, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"},
        {3, {1, 3, 2}, 6, 128, "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 2), }"},
        {2, {0, 1000}, 0, 128, "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 1000), }"},
        {8,
         {1000000000000, 1000000000000, 1000000000000, 1000000000000, 1000000000000, 1000000000000,
          1000000000000, 0},
         0,
         192,
         "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 1000000000000, "
         "1000000000000, 1000000000000, 1000000000000, 1000000000000, 1000000000000, 0), }"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        assert_int_equal(npy_write(path, VALUES, ROWS[i].dims, ROWS[i].rank), STATUS_OK);
        expect_file(path, ROWS[i].dictionary, ROWS[i].header_size, VALUES, ROWS[i].count);
    }
}

static void test_refusal(void **state) {
    static const float VALUE = 1;
    const char *path = folder_path(*state, "missing/a.npy");
    assert_int_equal(npy_write(path, &VALUE, NULL, 0), STATUS_FAILED);
    char expected[600];
    snprintf(expected, sizeof expected, "%s: cannot be written (No such file or directory)", path);
    assert_string_equal(status_message(), expected);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_refusal),
    };
    return cmocka_run_group_tests_name("formats.npy", tests, folder_create, folder_remove);
}
