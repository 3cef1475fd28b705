// SPDX-License-Identifier: Apache-2.0
// For tests: small data sets in CIFAR's and MNIST's formats, with contents known by formula.
#ifndef RESNET_TESTS_DATA_TABLES_H
#define RESNET_TESTS_DATA_TABLES_H

#include <zlib.h>

#include "data/scratch.h"

// The byte of sample n at channel c, row y, column x.
static inline uint8_t table_pixel(int n, int c, int y, int x) {
    return (uint8_t)(37 * n + 85 * c + 7 * y + 3 * x + 1);
}

// `count` rows from sample `first` on; labels n mod classes, after a coarse label when there are 2.
static inline Bytes cifar_rows(int label_bytes, int classes, int first, int count) {
    Bytes rows = {0};
    for (int n = first; n < first + count; n++) {
        uint8_t row[2 + 3 * 1024];
        uint8_t *at = row;
        if (label_bytes == 2) {
            *at++ = 19;
        }
        *at++ = (uint8_t)(n % classes);
        for (int c = 0; c < 3; c++) {
            for (int y = 0; y < 32; y++) {
                for (int x = 0; x < 32; x++) {
                    *at++ = table_pixel(n, c, y, x);
                }
            }
        }
        bytes_append(&rows, row, (size_t)(at - row));
    }
    return rows;
}

static inline void append_word(Bytes *to, uint32_t word) {
    uint8_t bytes[4] = {(uint8_t)(word >> 24), (uint8_t)(word >> 16), (uint8_t)(word >> 8),
                        (uint8_t)word};
    bytes_append(to, bytes, 4);
}

static inline Bytes idx_images(uint32_t count) {
    Bytes idx = {0};
    append_word(&idx, 0x803);
    append_word(&idx, count);
    append_word(&idx, 28);
    append_word(&idx, 28);
    for (int n = 0; n < (int)count; n++) {
        uint8_t image[28 * 28];
        for (int y = 0; y < 28; y++) {
            for (int x = 0; x < 28; x++) {
                image[y * 28 + x] = table_pixel(n, 0, y, x);
            }
        }
        bytes_append(&idx, image, sizeof image);
    }
    return idx;
}

static inline Bytes idx_labels(uint32_t count) {
    Bytes idx = {0};
    append_word(&idx, 0x801);
    append_word(&idx, count);
    for (uint32_t n = 0; n < count; n++) {
        uint8_t label = (uint8_t)(n % 10);
        bytes_append(&idx, &label, 1);
    }
    return idx;
}

static inline Bytes gzip_bytes(const Bytes *plain) {
    z_stream stream = {0};
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    Bytes packed = {.size = deflateBound(&stream, plain->size)};
    packed.bytes = malloc(packed.size);
    assert_non_null(packed.bytes);
    stream.next_in = plain->bytes;
    stream.avail_in = (uInt)plain->size;
    stream.next_out = packed.bytes;
    stream.avail_out = (uInt)packed.size;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    packed.size = stream.total_out;
    deflateEnd(&stream);
    return packed;
}

#endif
