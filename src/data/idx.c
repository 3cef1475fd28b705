// SPDX-License-Identifier: Apache-2.0
// MNIST's IDX files (LeCun): big-endian 32-bit words, then bytes.
//
//     images: 0x00000803 | count | 28 | 28 | count x 28 x 28 bytes
//     labels: 0x00000801 | count | count bytes
//
// A header is only believed as far as data follows it: memory grows with what was really read.
// Images get a border of two zeros on each side, 32x32 being what the networks for small images
// are made for.
#include <stdlib.h>
#include <string.h>

#include "data/sources.h"
#include "data/stream.h"

enum {
    SIDE = 28,
    BORDER = (SAMPLE_SIDE - SIDE) / 2,
    COUNT_MAX = 10 * 1000 * 1000, // the largest published set of this form has 8.1 million
    FIRST_BYTES = 1 << 20,        // of a body whose length is still only a header's word
};

// What one of the two files holds.
typedef struct Idx {
    const char *what;    // "images of 28x28"
    uint32_t dimensions; // after the count
    size_t item;         // bytes of one
    uint32_t count;
    uint8_t *bytes; // [count][item]
} Idx;

static uint32_t word(const uint8_t *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static Status read_header(Stream *stream, Idx *idx) {
    const char *path = stream->file->path;
    uint8_t header[16];
    size_t size = 8 + 4 * idx->dimensions;
    size_t got;
    TRY(stream_read(stream, header, size, &got));
    if (got < size) {
        return status_fail(STATUS_FAILED, "%s: has %zu bytes, expected a header of %zu", path, got,
                           size);
    }
    uint32_t magic = 0x801 + idx->dimensions;
    if (word(header) != magic) {
        return status_fail(
            STATUS_FAILED, "%s: begins with 0x%08x, expected 0x%08x (bytes in %u dimension%s)",
            path, word(header), magic, idx->dimensions + 1, idx->dimensions == 0 ? "" : "s");
    }
    idx->count = word(header + 4);
    if (idx->count == 0 || idx->count > COUNT_MAX) {
        return status_fail(STATUS_FAILED, "%s: byte 4 announces %u %s, expected 1 to %d", path,
                           idx->count, idx->what, (int)COUNT_MAX);
    }
    if (idx->dimensions == 2 && (word(header + 8) != SIDE || word(header + 12) != SIDE)) {
        return status_fail(STATUS_FAILED, "%s: byte 8 announces images of %ux%u, expected 28x28",
                           path, word(header + 8), word(header + 12));
    }
    return STATUS_OK;
}

static Status read_body(Stream *stream, Idx *idx) {
    const char *path = stream->file->path;
    size_t header = 8 + 4 * idx->dimensions;
    size_t size = idx->count * idx->item;
    size_t room = size < FIRST_BYTES ? size : FIRST_BYTES;
    size_t filled = 0;
    while (filled < size) {
        uint8_t *grown = realloc(idx->bytes, room);
        if (grown == NULL) {
            return status_fail(STATUS_FAILED, "%s: cannot get %zu bytes of memory for it", path,
                               room);
        }
        idx->bytes = grown;
        size_t got;
        TRY(stream_read(stream, idx->bytes + filled, room - filled, &got));
        filled += got;
        if (filled < room) {
            return status_fail(STATUS_FAILED,
                               "%s: has %zu bytes%s, expected %zu (its header announces %u %s)",
                               path, header + filled, stream->gzipped ? " expanded" : "",
                               header + size, idx->count, idx->what);
        }
        room = room < size / 2 ? 2 * room : size;
    }
    // Reading on also makes gzip data prove its checksum.
    uint8_t beyond;
    size_t got;
    TRY(stream_read(stream, &beyond, 1, &got));
    if (got > 0) {
        return status_fail(STATUS_FAILED,
                           "%s: has more than the %zu bytes that its header announces (%u %s)",
                           path, header + size, idx->count, idx->what);
    }
    return STATUS_OK;
}

// idx->bytes is the caller's to free, whatever the status.
static Status read_idx(const DataFile *file, Idx *idx) {
    Stream stream;
    TRY(stream_open(file, &stream));
    Status status = read_header(&stream, idx);
    if (status == STATUS_OK) {
        status = read_body(&stream, idx);
    }
    stream_close(&stream);
    return status;
}

static Status fill(const Source *source, const DataFile *files, const Idx *images,
                   const Idx *labels, Dataset *out) {
    if (images->count != labels->count) {
        return status_fail(STATUS_FAILED,
                           "%s: has %u labels, expected %u (%s has that many images)",
                           files[1].path, labels->count, images->count, files[0].path);
    }
    for (uint32_t i = 0; i < labels->count; i++) {
        if (labels->bytes[i] >= source->classes) {
            return status_fail(STATUS_FAILED,
                               "%s: item %u (byte %u) has label %d, expected 0 to %d",
                               files[1].path, i, 8 + i, labels->bytes[i], source->classes - 1);
        }
    }
    TRY(dataset_allocate(out, 1, images->count));
    for (uint32_t i = 0; i < images->count; i++) {
        out->labels[i] = labels->bytes[i];
        const uint8_t *from = images->bytes + (size_t)i * SIDE * SIDE;
        uint8_t *to = out->pixels + (size_t)i * SAMPLE_SIDE * SAMPLE_SIDE;
        for (int y = 0; y < SIDE; y++) {
            memcpy(to + (y + BORDER) * SAMPLE_SIDE + BORDER, from + y * SIDE, SIDE);
        }
    }
    return STATUS_OK;
}

Status idx_decode(const Source *source, const DataFile *files, int count, Dataset *out) {
    if (count != 2) {
        return status_fail(STATUS_FAILED, "%s: %d files given, expected images and labels",
                           source->name, count);
    }
    Idx images = {.what = "images of 28x28", .dimensions = 2, .item = SIDE * SIDE};
    Idx labels = {.what = "labels", .dimensions = 0, .item = 1};
    Status status = read_idx(&files[0], &images);
    if (status == STATUS_OK) {
        status = read_idx(&files[1], &labels);
    }
    if (status == STATUS_OK) {
        status = fill(source, files, &images, &labels, out);
    }
    free(images.bytes);
    free(labels.bytes);
    return status;
}
