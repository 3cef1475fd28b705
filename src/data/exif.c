// SPDX-License-Identifier: Apache-2.0
// How a camera was held, from a picture's EXIF block, which is a small TIFF file:
//
//     "II*\0" or "MM\0*" | offset of the first directory | ... | count | count x 12 bytes:
//                                                         tag | type | count | value
//
// It lies in a JPEG's first segment APP1 that begins with "Exif\0\0", in a PNG's chunk eXIf, in a
// WebP's chunk EXIF. A block that makes no sense says nothing: the picture stays as it is.
#include <string.h>

#include "data/decoders.h"

enum { TAG_ORIENTATION = 0x0112, TYPE_SHORT = 3 };

typedef struct Block {
    const uint8_t *bytes;
    size_t size;
} Block;

static uint32_t number(const uint8_t *bytes, int count, bool big) {
    uint32_t value = 0;
    for (int i = 0; i < count; i++) {
        value |= (uint32_t)bytes[i] << 8 * (big ? count - 1 - i : i);
    }
    return value;
}

static int tiff_orientation(Block tiff) {
    bool big = tiff.size >= 8 && memcmp(tiff.bytes, "MM\0*", 4) == 0;
    if (!big && (tiff.size < 8 || memcmp(tiff.bytes, "II*\0", 4) != 0)) {
        return 1;
    }
    size_t at = number(tiff.bytes + 4, 4, big);
    if (at > tiff.size || tiff.size - at < 2) {
        return 1;
    }
    size_t entries = number(tiff.bytes + at, 2, big);
    at += 2;
    for (size_t i = 0; i < entries && tiff.size - at >= 12; i++, at += 12) {
        const uint8_t *entry = tiff.bytes + at;
        if (number(entry, 2, big) == TAG_ORIENTATION && number(entry + 2, 2, big) == TYPE_SHORT) {
            int orientation = (int)number(entry + 8, 2, big);
            return orientation >= 1 && orientation <= 8 ? orientation : 1;
        }
    }
    return 1;
}

static Block without_prefix(Block block) {
    if (block.size >= 6 && memcmp(block.bytes, "Exif\0\0", 6) == 0) {
        return (Block){block.bytes + 6, block.size - 6};
    }
    return block;
}

// Segments are FF, marker, length (which counts itself); the picture's data follow SOS (DA).
static Block jpeg_block(const uint8_t *bytes, size_t size) {
    size_t at = 2;
    while (size - at >= 4 && bytes[at] == 0xff) {
        uint8_t marker = bytes[at + 1];
        if (marker == 0xff) { // filling
            at++;
            continue;
        }
        size_t length = number(bytes + at + 2, 2, true);
        if (marker == 0xda || length < 2 || length > size - at - 2) {
            break;
        }
        if (marker == 0xe1 && length >= 8 && memcmp(bytes + at + 4, "Exif\0\0", 6) == 0) {
            return (Block){bytes + at + 4, length - 2};
        }
        at += 2 + length;
    }
    return (Block){0};
}

// Chunks from `at` on: PNG's are length, name, data, checksum; RIFF's name, length, data, filled to
// an even length.
static Block chunk_block(const uint8_t *bytes, size_t size, size_t at, bool png) {
    while (size - at >= 8) {
        const uint8_t *name = bytes + at + (png ? 4 : 0);
        size_t length = number(bytes + at + (png ? 0 : 4), 4, png);
        if (length > size - at - 8) {
            break;
        }
        if (memcmp(name, png ? "eXIf" : "EXIF", 4) == 0) {
            return (Block){bytes + at + 8, length};
        }
        size_t after = png ? 4 : length % 2;
        if (after > size - at - 8 - length) {
            break;
        }
        at += 8 + length + after;
    }
    return (Block){0};
}

int exif_orientation(const uint8_t *bytes, size_t size) {
    Block block = {0};
    if (size >= 2 && memcmp(bytes, "\xff\xd8", 2) == 0) {
        block = jpeg_block(bytes, size);
    } else if (size >= 8 && memcmp(bytes, "\x89PNG", 4) == 0) {
        block = chunk_block(bytes, size, 8, true);
    } else if (size >= 12 && memcmp(bytes, "RIFF", 4) == 0) {
        block = chunk_block(bytes, size, 12, false);
    }
    return block.bytes == NULL ? 1 : tiff_orientation(without_prefix(block));
}

// Orientations 5 to 8 exchange rows and columns; the upright picture's pixel (y, x) is the stored
// one's (x, y) or (y, x), counted from the other end where mirrored.
Status image_orient(const char *name, int orientation, Image *image) {
    static const struct {
        bool turned, bottom_up, right_left;
    } ways[] = {
        {false, false, false}, {false, false, true}, {false, true, true}, {false, true, false},
        {true, false, false},  {true, true, false},  {true, true, true},  {true, false, true},
    };
    bool turned = ways[orientation - 1].turned;
    bool bottom_up = ways[orientation - 1].bottom_up;
    bool right_left = ways[orientation - 1].right_left;
    size_t width = (size_t)image->width, height = (size_t)image->height;
    size_t channels = (size_t)image->channels;
    Image upright = {0};
    TRY(image_allocate(name, turned ? height : width, turned ? width : height, image->channels,
                       &upright));
    uint8_t *to = upright.pixels;
    for (size_t y = 0; y < (size_t)upright.height; y++) {
        for (size_t x = 0; x < (size_t)upright.width; x++, to += channels) {
            size_t row = turned ? x : y, column = turned ? y : x;
            row = bottom_up ? height - 1 - row : row;
            column = right_left ? width - 1 - column : column;
            memcpy(to, image->pixels + (row * width + column) * channels, channels);
        }
    }
    image_free(image);
    *image = upright;
    return STATUS_OK;
}
