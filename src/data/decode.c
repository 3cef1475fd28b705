// SPDX-License-Identifier: Apache-2.0
// A picture of any format, recognised by its first bytes: see decoders.h.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/decoders.h"
#include "data/input.h"

// A row without a decode function is JPEG's, whose decoder can do a part alone.
typedef struct Format {
    const char *signature;
    size_t length;
    const char *second; // another four bytes at 8, or NULL
    DecodeFunction *decode;
} Format;

static const Format formats[] = {
    {"\xff\xd8\xff", 3, NULL, NULL},  {"\x89PNG\r\n\x1a\n", 8, NULL, png_decode},
    {"RIFF", 4, "WEBP", webp_decode}, {"BM", 2, NULL, bmp_decode},
    {"P5", 2, NULL, pnm_decode},      {"P6", 2, NULL, pnm_decode},
};

static Status no_format(const char *name, const uint8_t *bytes, size_t size) {
    char found[16] = "nothing";
    for (size_t i = 0; i < size && i < 4; i++) {
        snprintf(found + 3 * i, sizeof found - 3 * i, "%02x ", bytes[i]);
    }
    size_t length = strlen(found);
    if (size > 0) {
        found[length - 1] = '\0';
    }
    return status_fail(STATUS_FAILED,
                       "%s: begins with %s, expected a JPEG, PNG, WebP, BMP, PPM or PGM picture",
                       name, found);
}

static Status to_rgb(const char *name, Image *image) {
    Image rgb = {0};
    TRY(image_allocate(name, (size_t)image->width, (size_t)image->height, 3, &rgb));
    size_t count = (size_t)image->width * (size_t)image->height;
    for (size_t i = 0; i < count; i++) {
        memset(rgb.pixels + 3 * i, image->pixels[i], 3);
    }
    free(image->pixels);
    *image = rgb;
    return STATUS_OK;
}

static void to_grey(Image *image) {
    size_t count = (size_t)image->width * (size_t)image->height;
    const uint8_t *rgb = image->pixels;
    for (size_t i = 0; i < count; i++, rgb += 3) {
        unsigned sum = 19595U * rgb[0] + 38470U * rgb[1] + 7471U * rgb[2];
        image->pixels[i] = (uint8_t)((sum + 32768U) >> 16);
    }
    image->channels = 1;
}

static const Format *find_format(const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        const Format *format = &formats[i];
        if (size >= format->length && memcmp(bytes, format->signature, format->length) == 0 &&
            (format->second == NULL || (size >= 12 && memcmp(bytes + 8, format->second, 4) == 0))) {
            return format;
        }
    }
    return NULL;
}

static Status decode_any(const char *name, const uint8_t *bytes, size_t size, bool exif, Wish wish,
                         Part *out) {
    const Format *format = find_format(bytes, size);
    if (format == NULL) {
        return no_format(name, bytes, size);
    }
    int orientation = exif ? exif_orientation(bytes, size) : 1;
    if (format->decode == NULL) {
        TRY(jpeg_decode(name, bytes, size, orientation == 1 ? wish : (Wish){0}, out));
    } else {
        TRY(format->decode(name, bytes, size, &out->image));
    }
    if (orientation != 1) {
        TRY(image_orient(name, orientation, &out->image));
    }
    if (format->decode != NULL || orientation != 1) {
        out->width = out->image.width;
        out->height = out->image.height;
    }
    return STATUS_OK;
}

static Status convert(const char *name, int channels, Image *image) {
    if (channels == 3 && image->channels == 1) {
        TRY(to_rgb(name, image));
    } else if (channels == 1 && image->channels == 3) {
        to_grey(image);
    }
    return STATUS_OK;
}

Status image_decode_part(const char *name, const uint8_t *bytes, size_t size, int channels,
                         bool exif, Wish wish, Part *out) {
    *out = (Part){0};
    if (channels != 0 && channels != 1 && channels != 3) {
        return status_fail(STATUS_USAGE, "%s: %d channels asked for, expected 0, 1 or 3", name,
                           channels);
    }
    Input inside = {0};
    Status status = STATUS_OK;
    if (input_is_gzipped(bytes, size)) {
        status = input_expand(name, bytes, size, &inside);
        bytes = inside.bytes;
        size = inside.size;
    }
    if (status == STATUS_OK) {
        status = decode_any(name, bytes, size, exif, wish, out);
    }
    input_close(&inside);
    if (status == STATUS_OK) {
        status = convert(name, channels, &out->image);
    }
    if (status != STATUS_OK) {
        image_free(&out->image);
    }
    return status;
}

Status image_decode(const char *name, const uint8_t *bytes, size_t size, int channels, bool exif,
                    Image *out) {
    Part part;
    Status status = image_decode_part(name, bytes, size, channels, exif, (Wish){0}, &part);
    *out = part.image;
    return status;
}

Status image_read_part(const char *path, int channels, bool exif, Wish wish, Part *out) {
    *out = (Part){0};
    Input input;
    TRY(input_open(path, &input));
    Status status =
        image_decode_part(image_name(path), input.bytes, input.size, channels, exif, wish, out);
    input_close(&input);
    return status;
}

Status image_read(const char *path, int channels, bool exif, Image *out) {
    Part part;
    Status status = image_read_part(path, channels, exif, (Wish){0}, &part);
    *out = part.image;
    return status;
}
