// SPDX-License-Identifier: Apache-2.0
// One picture from a file: decoded by what its first bytes say, never by its name.
#ifndef RESNET_DATA_IMAGE_H
#define RESNET_DATA_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

typedef struct Image {
    int width, height, channels; // 1 (grey) or 3 (RGB)
    uint8_t *pixels;             // [height][width][channels]
} Image;

// A part of a picture.
typedef struct Window {
    int left, top, width, height;
} Window;

// Pillow's filters, whose support grows with the ratio when a picture shrinks (antialias).
typedef enum Interpolation { INTERPOLATION_BILINEAR, INTERPOLATION_BICUBIC } Interpolation;

// JPEG (libjpeg-turbo's default slow-integer DCT and fancy upsampling, as Pillow shows it), PNG,
// WebP (no animations), BMP (1 to 32 bits, RLE8), PPM and PGM (binary, 8 bits); also inside gzip.
// Transparency is dropped, as Pillow's convert("RGB") does; of 16 bits the upper 8 stay. Pictures
// above 100 million pixels and files above 256 MiB (unpacked) are refused. `channels` 1 or 3
// converts (grey by Pillow's ITU-R 601 weights: (19595*R + 38470*G + 7471*B + 32768) >> 16), 0
// keeps. exif: turned as the EXIF orientation says, which Pillow's open() does not. path "-" is
// standard input.
Status image_read(const char *path, int channels, bool exif, Image *out);
void image_free(Image *image);

// What image_read() calls `path` in sentences: "standard input" for "-".
const char *image_name(const char *path);

// 8-bit PNG of a grey or RGB picture, written through base/files.h.
Status image_write_png(const char *path, const Image *image);

// Resizes to width x height, bit for bit as Pillow's resize() up to version 12: along rows first.
Status image_resize(const Image *image, int width, int height, Interpolation interpolation,
                    Image *out);

#endif
