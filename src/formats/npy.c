// SPDX-License-Identifier: Apache-2.0
//     "\x93NUMPY" | 1 0 | u16 length | {'descr': '<f4', …, 'shape': (2, 3), } spaces "\n" | values
#include "formats/npy.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/files.h"

enum { PREFIX_BYTES = 10, HEADER_BYTES = 512, DATA_ALIGNMENT = 64 };

// Fills `header` to a multiple of the data's alignment and returns its size.
static size_t print_header(char header[HEADER_BYTES], const char *type, const int64_t *dims,
                           int rank) {
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    size_t size = PREFIX_BYTES;
    size += (size_t)snprintf(header + size, HEADER_BYTES - size,
                             "{'descr': '%s', 'fortran_order': False, 'shape': (", type);
    for (int i = 0; i < rank; i++) {
        // Python's tuple of one element ends in a comma.
        size += (size_t)snprintf(header + size, HEADER_BYTES - size, "%s%" PRId64 "%s",
                                 i > 0 ? ", " : "", dims[i], rank == 1 ? "," : "");
    }
    size += (size_t)snprintf(header + size, HEADER_BYTES - size, "), }");
    while ((size + 1) % DATA_ALIGNMENT != 0) {
        header[size++] = ' ';
    }
    header[size++] = '\n';
    uint16_t length = (uint16_t)(size - PREFIX_BYTES);
    memcpy(header + 8, &length, sizeof length);
    return size;
}

static Status write_array(const char *path, const char *type, const void *values, size_t size,
                          const int64_t *dims, int rank) {
    assert(rank >= 0 && rank <= NPY_RANK_MAX);
    size_t count = 1;
    for (int i = 0; i < rank; i++) {
        assert(dims[i] >= 0);
        count *= (size_t)dims[i];
    }
    char header[HEADER_BYTES];
    size_t header_size = print_header(header, type, dims, rank);
    FileWriter *writer;
    TRY(file_writer_open(path, &writer));
    file_writer_write(writer, header, header_size);
    file_writer_write(writer, values, count * size);
    return file_writer_commit(writer);
}

Status npy_write(const char *path, const float *values, const int64_t *dims, int rank) {
    return write_array(path, "<f4", values, sizeof *values, dims, rank);
}

Status npy_write_bytes(const char *path, const uint8_t *values, const int64_t *dims, int rank) {
    return write_array(path, "|u1", values, sizeof *values, dims, rank);
}
