// SPDX-License-Identifier: Apache-2.0
#include "data/input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/decoders.h"
#include "data/stream.h"

enum { FIRST_BYTES = 64 << 10 };

// Reads up to `wanted` bytes; fewer at the end.
typedef Status ReadFunction(void *from, const char *name, uint8_t *to, size_t wanted, size_t *got);

static Status read_descriptor(void *from, const char *name, uint8_t *to, size_t wanted,
                              size_t *got) {
    *got = 0;
    while (*got < wanted) {
        ssize_t count = read(*(const int *)from, to + *got, wanted - *got);
        if (count < 0 && errno != EINTR) {
            return status_fail(STATUS_FAILED, "%s: cannot be read (%s)", name, strerror(errno));
        }
        if (count == 0) {
            break;
        }
        *got += count > 0 ? (size_t)count : 0;
    }
    return STATUS_OK;
}

static Status read_stream(void *from, const char *name, uint8_t *to, size_t wanted, size_t *got) {
    (void)name; // which the stream knows
    return stream_read(from, to, wanted, got);
}

// Everything that comes, into a block that doubles.
static Status read_all(ReadFunction *read_some, void *from, const char *name, Input *out) {
    size_t room = 0, got = 0;
    while (got == room) {
        if (room > IMAGE_BYTES_MAX) {
            return status_fail(STATUS_FAILED,
                               "%s: holds more than %d bytes, the most for a picture", name,
                               (int)IMAGE_BYTES_MAX);
        }
        room = room == 0 ? FIRST_BYTES : 2 * room;
        room = room < IMAGE_BYTES_MAX ? room : (size_t)IMAGE_BYTES_MAX + 1;
        uint8_t *larger = realloc(out->owned, room);
        if (larger == NULL) {
            return status_fail(STATUS_FAILED, "%s: cannot get memory for %zu bytes", name, room);
        }
        out->owned = larger;
        size_t now;
        TRY(read_some(from, name, out->owned + got, room - got, &now));
        got += now;
    }
    out->bytes = out->owned;
    out->size = got;
    return STATUS_OK;
}

Status input_open(const char *path, Input *out) {
    *out = (Input){0};
    Status status;
    if (strcmp(path, "-") == 0) {
        int descriptor = STDIN_FILENO;
        status = read_all(read_descriptor, &descriptor, image_name(path), out);
    } else {
        status = file_map(path, &out->mapped);
        out->bytes = out->mapped.bytes;
        out->size = out->mapped.size;
    }
    if (status != STATUS_OK) {
        input_close(out);
    }
    return status;
}

void input_close(Input *input) {
    file_unmap(&input->mapped);
    free(input->owned);
    *input = (Input){0};
}

bool input_is_gzipped(const uint8_t *bytes, size_t size) {
    return size >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
}

Status input_expand(const char *name, const uint8_t *bytes, size_t size, Input *out) {
    *out = (Input){0};
    const DataFile file = {.path = name, .content = {.bytes = bytes, .size = size}};
    Stream stream;
    TRY(stream_open(&file, &stream));
    Status status = read_all(read_stream, &stream, name, out);
    stream_close(&stream);
    if (status != STATUS_OK) {
        input_close(out);
    }
    return status;
}
