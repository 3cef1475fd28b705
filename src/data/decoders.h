// SPDX-License-Identifier: Apache-2.0
// Picture formats: each decodes bytes in memory. `name` stands in sentences for the file.
#ifndef RESNET_DATA_DECODERS_H
#define RESNET_DATA_DECODERS_H

#include <stddef.h>

#include "data/image.h"

enum { IMAGE_PIXELS_MAX = 100 * 1000 * 1000 };

// Gives out->pixels for a checked size: at least 1x1 and at most IMAGE_PIXELS_MAX pixels. The
// pixels are not cleared, so that a header's word alone costs no memory.
Status image_allocate(const char *name, size_t width, size_t height, int channels, Image *out);

// Any of the formats, converted as image_read() does.
Status image_decode(const char *name, const uint8_t *bytes, size_t size, int channels, Image *out);

// Grey or RGB, as the picture is; *out is left for image_free() whatever the status. Bytes after
// the picture's end are ignored, as Pillow does.
typedef Status DecodeFunction(const char *name, const uint8_t *bytes, size_t size, Image *out);
DecodeFunction png_decode, jpeg_decode, pnm_decode;

#endif
