// SPDX-License-Identifier: Apache-2.0
#include "data/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "data/decoders.h"

typedef struct Format {
    const char *signature;
    size_t length;
    DecodeFunction *decode;
} Format;

static const Format formats[] = {
    {"\x89PNG\r\n\x1a\n", 8, png_decode},
    {"\xff\xd8\xff", 3, jpeg_decode},
    {"P5", 2, pnm_decode},
    {"P6", 2, pnm_decode},
};

Status image_allocate(const char *name, size_t width, size_t height, int channels, Image *out) {
    if (width == 0 || height == 0 || width > IMAGE_PIXELS_MAX ||
        height > IMAGE_PIXELS_MAX / width) {
        return status_fail(STATUS_FAILED, "%s: is %zux%zu, expected 1 to %d pixels in all", name,
                           width, height, (int)IMAGE_PIXELS_MAX);
    }
    *out = (Image){.width = (int)width, .height = (int)height, .channels = channels};
    out->pixels = malloc(width * height * (size_t)channels);
    if (out->pixels == NULL) {
        return status_fail(STATUS_FAILED, "%s: cannot get memory for %zux%zu pixels", name, width,
                           height);
    }
    return STATUS_OK;
}

void image_free(Image *image) {
    free(image->pixels);
    *image = (Image){0};
}

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
                       "%s: begins with %s, expected a PNG, JPEG, PPM or PGM picture", name, found);
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

Status image_decode(const char *name, const uint8_t *bytes, size_t size, int channels, Image *out) {
    *out = (Image){0};
    if (channels != 0 && channels != 1 && channels != 3) {
        return status_fail(STATUS_USAGE, "%s: %d channels asked for, expected 0, 1 or 3", name,
                           channels);
    }
    DecodeFunction *decode = NULL;
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        const Format *format = &formats[i];
        if (size >= format->length && memcmp(bytes, format->signature, format->length) == 0) {
            decode = format->decode;
        }
    }
    if (decode == NULL) {
        return no_format(name, bytes, size);
    }
    Status status = decode(name, bytes, size, out);
    if (status == STATUS_OK && channels == 3 && out->channels == 1) {
        status = to_rgb(name, out);
    } else if (status == STATUS_OK && channels == 1 && out->channels == 3) {
        to_grey(out);
    }
    if (status != STATUS_OK) {
        image_free(out);
    }
    return status;
}

Status image_read(const char *path, int channels, Image *out) {
    *out = (Image){0};
    FileBytes file;
    TRY(file_map(path, &file));
    Status status = image_decode(path, file.bytes, file.size, channels, out);
    file_unmap(&file);
    return status;
}
