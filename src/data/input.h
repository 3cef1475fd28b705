// SPDX-License-Identifier: Apache-2.0
// The bytes of a picture: a file's, or what comes through standard input.
#ifndef RESNET_DATA_INPUT_H
#define RESNET_DATA_INPUT_H

#include "base/files.h"

typedef struct Input {
    const uint8_t *bytes;
    size_t size;
    FileBytes mapped; // one of these two holds them
    uint8_t *owned;
} Input;

// path "-": standard input to its end, at most IMAGE_BYTES_MAX.
Status input_open(const char *path, Input *out);
void input_close(Input *input);

// Whether bytes begin as gzip does, and what is inside: at most IMAGE_BYTES_MAX, in memory that
// grows with what really comes out. Freed by input_close().
bool input_is_gzipped(const uint8_t *bytes, size_t size);
Status input_expand(const char *name, const uint8_t *bytes, size_t size, Input *out);

#endif
