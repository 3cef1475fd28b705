// SPDX-License-Identifier: Apache-2.0
// Binary PGM and PPM (netpbm): "P5" or "P6", width, height and 255 as text with white space and
// comments between them, one white-space byte, then the pixels.
#include <stdbool.h>
#include <string.h>

#include "data/decoders.h"

typedef struct Header {
    const uint8_t *bytes;
    size_t size, position;
} Header;

static bool is_space(int byte) { return byte == ' ' || (byte >= '\t' && byte <= '\r'); }

// White space and comments, which run from '#' to the line's end.
static void skip_space(Header *header) {
    bool comment = false;
    for (; header->position < header->size; header->position++) {
        int byte = header->bytes[header->position];
        if (comment) {
            comment = byte != '\n' && byte != '\r';
        } else if (byte == '#') {
            comment = true;
        } else if (!is_space(byte)) {
            return;
        }
    }
}

static Status read_number(const char *name, Header *header, const char *what, size_t *number) {
    size_t before = header->position;
    skip_space(header);
    size_t start = header->position;
    size_t value = 0;
    while (header->position < header->size && value <= IMAGE_PIXELS_MAX) {
        int digit = header->bytes[header->position] - '0';
        if (digit < 0 || digit > 9) {
            break;
        }
        value = 10 * value + (size_t)digit;
        header->position++;
    }
    if (start == before || start == header->position) {
        return status_fail(STATUS_FAILED,
                           "%s: byte %zu of %zu is in the header, expected white space and then "
                           "its %s",
                           name, start, header->size, what);
    }
    *number = value;
    return STATUS_OK;
}

Status pnm_decode(const char *name, const uint8_t *bytes, size_t size, Image *out) {
    Header header = {.bytes = bytes, .size = size, .position = 2};
    size_t width, height, highest;
    TRY(read_number(name, &header, "width", &width));
    TRY(read_number(name, &header, "height", &height));
    TRY(read_number(name, &header, "highest value", &highest));
    if (highest != 255 || header.position == size || !is_space(bytes[header.position])) {
        return status_fail(STATUS_FAILED,
                           "%s: has highest value %zu, expected 255 and then white space", name,
                           highest);
    }
    header.position++;
    size_t channels = bytes[1] == '6' ? 3 : 1;
    size_t found = size - header.position;
    if (width == 0 || height == 0 || height > IMAGE_PIXELS_MAX / width ||
        found >= width * height * channels) {
        TRY(image_allocate(name, width, height, (int)channels, out)); // which knows the limits
        memcpy(out->pixels, bytes + header.position, width * height * channels);
        return STATUS_OK;
    }
    return status_fail(STATUS_FAILED, "%s: has %zu bytes of pixels, expected %zu (%zux%zux%zu)",
                       name, found, width * height * channels, width, height, channels);
}
