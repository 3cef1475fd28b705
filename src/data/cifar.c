// SPDX-License-Identifier: Apache-2.0
// CIFAR's binary version (Krizhevsky 2009): rows of
//
//     | label, or coarse label and fine label | 1024 red | 1024 green | 1024 blue |
//
// with planes of 32x32 bytes. Files may have any whole number of rows: 10000 in the published ones.
#include "data/sources.h"

enum { CHANNELS = 3, PLANE = SAMPLE_SIDE * SAMPLE_SIDE };

static Status check(const Source *source, const DataFile *file) {
    size_t row = (size_t)source->label_bytes + CHANNELS * PLANE;
    size_t size = file->content.size;
    if (size == 0 || size % row != 0) {
        return status_fail(STATUS_FAILED,
                           "%s: has %zu bytes, expected a multiple of %zu (rows of %d label "
                           "byte%s and 32x32 RGB pixels)",
                           file->path, size, row, source->label_bytes,
                           source->label_bytes == 1 ? "" : "s");
    }
    size_t place = (size_t)source->label_bytes - 1;
    for (size_t i = 0; i < size / row; i++) {
        int label = file->content.bytes[i * row + place];
        if (label >= source->classes) {
            return status_fail(STATUS_FAILED,
                               "%s: row %zu (byte %zu) has label %d, expected 0 to %d", file->path,
                               i, i * row + place, label, source->classes - 1);
        }
    }
    return STATUS_OK;
}

Status cifar_decode(const Source *source, const DataFile *files, int count, Dataset *out) {
    size_t row = (size_t)source->label_bytes + CHANNELS * PLANE;
    size_t total = 0;
    for (int f = 0; f < count; f++) {
        TRY(check(source, &files[f]));
        total += files[f].content.size / row;
    }
    if (total > INT32_MAX) {
        return status_fail(STATUS_FAILED,
                           "%s: %zu samples with the files beside it, at most %d "
                           "are possible",
                           files[0].path, total, INT32_MAX);
    }
    TRY(dataset_allocate(out, CHANNELS, (uint32_t)total));
    uint8_t *pixel = out->pixels;
    int32_t *label = out->labels;
    for (int f = 0; f < count; f++) {
        const uint8_t *end = files[f].content.bytes + files[f].content.size;
        for (const uint8_t *at = files[f].content.bytes; at < end; at += row) {
            const uint8_t *red = at + source->label_bytes;
            *label++ = red[-1];
            for (int i = 0; i < PLANE; i++) {
                *pixel++ = red[i];
                *pixel++ = red[i + PLANE];
                *pixel++ = red[i + 2 * PLANE];
            }
        }
    }
    return STATUS_OK;
}
