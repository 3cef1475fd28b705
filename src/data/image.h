// SPDX-License-Identifier: Apache-2.0
// One picture from a file: decoded by what its first bytes say, never by its name.
#ifndef RESNET_DATA_IMAGE_H
#define RESNET_DATA_IMAGE_H

#include <stdint.h>

#include "base/status.h"

typedef struct Image {
    int width, height, channels; // 1 (grey) or 3 (RGB)
    uint8_t *pixels;             // [height][width][channels]
} Image;

// PNG, JPEG (libjpeg-turbo's default slow-integer DCT and fancy upsampling, as Pillow shows it),
// PPM and PGM (binary, 8 bits). Pictures above 100 million pixels are refused. `channels` 1 or 3
// converts (grey by Pillow's ITU-R 601 weights: (19595*R + 38470*G + 7471*B + 32768) >> 16), 0
// keeps.
Status image_read(const char *path, int channels, Image *out);
void image_free(Image *image);

// 8-bit PNG of a grey or RGB picture, written through base/files.h.
Status image_write_png(const char *path, const Image *image);

// Resizes to width x height by antialiased bilinear filtering (triangle, support scaled by the
// ratio).
Status image_resize(const Image *image, int width, int height, Image *out);

#endif
