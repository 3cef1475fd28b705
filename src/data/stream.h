// SPDX-License-Identifier: Apache-2.0
// A file's bytes from first to last, expanded on the way when they begin as gzip does.
#ifndef RESNET_DATA_STREAM_H
#define RESNET_DATA_STREAM_H

#include <stdbool.h>
#include <zlib.h>

#include "data/sources.h"

typedef struct Stream {
    const DataFile *file;
    bool gzipped, ended;
    size_t position; // of the next byte to be read from the file
    z_stream inflater;
} Stream;

Status stream_open(const DataFile *file, Stream *out);
// Reads `wanted` bytes, or fewer when no more are there. Errors: damaged or cut off gzip data, and
// bytes after it.
Status stream_read(Stream *stream, void *buffer, size_t wanted, size_t *got);
void stream_close(Stream *stream);

#endif
