// SPDX-License-Identifier: Apache-2.0
// Picture formats: each decodes bytes in memory. `name` stands in sentences for the file.
#ifndef RESNET_DATA_DECODERS_H
#define RESNET_DATA_DECODERS_H

#include <stddef.h>

#include "data/image.h"

enum {
    IMAGE_PIXELS_MAX = 100 * 1000 * 1000,
    IMAGE_BYTES_MAX = 256 << 20 // of a file from standard input or inside gzip
};

// At least 1x1 and at most IMAGE_PIXELS_MAX pixels.
Status image_check(const char *name, size_t width, size_t height);
// Gives out->pixels for a size that image_check() takes. They are not cleared, so that a header's
// word alone costs no memory.
Status image_allocate(const char *name, size_t width, size_t height, int channels, Image *out);

// Which part of a picture is wanted, once its size is known; `want` NULL: all of it. A decoder may
// give more than that.
typedef struct Wish {
    Window (*want)(const void *context, int width, int height);
    const void *context;
} Wish;

// What of a picture is in memory: its pixels from (left, top) on.
typedef struct Part {
    Image image;
    int left, top;
    int width, height; // of the whole picture
} Part;

// Any of the formats, converted as image_read() does. out->image is NULLed on failure.
Status image_decode_part(const char *name, const uint8_t *bytes, size_t size, int channels,
                         bool exif, Wish wish, Part *out);
Status image_decode(const char *name, const uint8_t *bytes, size_t size, int channels, bool exif,
                    Image *out);
// The same from a file or standard input.
Status image_read_part(const char *path, int channels, bool exif, Wish wish, Part *out);

// Grey or RGB, as the picture is; *out is left for image_free() whatever the status. Bytes after
// the picture's end are ignored, as Pillow does.
typedef Status DecodeFunction(const char *name, const uint8_t *bytes, size_t size, Image *out);
DecodeFunction png_decode, pnm_decode, bmp_decode, webp_decode;
// The same of a part. Damage outside of the part is found, too.
Status jpeg_decode(const char *name, const uint8_t *bytes, size_t size, Wish wish, Part *out);

// The EXIF orientation (1 to 8) of a JPEG, PNG or WebP file; 1 where it says none.
int exif_orientation(const uint8_t *bytes, size_t size);
// Turns and mirrors so that a picture of that orientation stands upright.
Status image_orient(const char *name, int orientation, Image *image);

#endif
