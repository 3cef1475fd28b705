// SPDX-License-Identifier: Apache-2.0
#include "data/image.h"

#include <stdlib.h>
#include <string.h>

#include "data/decoders.h"

Status image_check(const char *name, size_t width, size_t height) {
    if (width == 0 || height == 0 || width > IMAGE_PIXELS_MAX ||
        height > IMAGE_PIXELS_MAX / width) {
        return status_fail(STATUS_FAILED, "%s: is %zux%zu, expected 1 to %d pixels in all", name,
                           width, height, (int)IMAGE_PIXELS_MAX);
    }
    return STATUS_OK;
}

Status image_allocate(const char *name, size_t width, size_t height, int channels, Image *out) {
    TRY(image_check(name, width, height));
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

const char *image_name(const char *path) {
    return strcmp(path, "-") == 0 ? "standard input" : path;
}
