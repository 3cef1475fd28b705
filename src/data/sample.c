// SPDX-License-Identifier: Apache-2.0
#include "data/sample.h"

#include <stdlib.h>
#include <string.h>

#include "data/image.h"

// Pixels from this size on, networks were trained on crops of a larger picture.
enum { CROP_FROM = 128 };

// torchvision's Resize(short side): the long side is rounded down.
static Status resize_short_side(const Image *image, int side, Image *out) {
    int width = side, height = side;
    if (image->width <= image->height) {
        height = (int)((int64_t)side * image->height / image->width);
    } else {
        width = (int)((int64_t)side * image->width / image->height);
    }
    return image_resize(image, width, height, out);
}

// The middle, as torchvision's CenterCrop rounds it (half to even).
static int crop_start(int length, int crop) {
    int margin = length - crop;
    return margin / 2 + (margin % 2 != 0 && (margin / 2) % 2 != 0);
}

static void crop_center(const Image *image, int height, int width, uint8_t *out) {
    int top = crop_start(image->height, height), left = crop_start(image->width, width);
    size_t row = (size_t)width * (size_t)image->channels;
    for (int y = 0; y < height; y++) {
        size_t from =
            ((size_t)(top + y) * (size_t)image->width + (size_t)left) * (size_t)image->channels;
        memcpy(out + (size_t)y * row, image->pixels + from, row);
    }
}

static Status fit(const char *path, const Preprocess *preprocess, uint8_t *out) {
    Image image;
    TRY(image_read(path, preprocess->channels, &image));
    Status status = STATUS_OK;
    if (image.width != preprocess->width || image.height != preprocess->height) {
        int side = preprocess->height > preprocess->width ? preprocess->height : preprocess->width;
        side = side >= CROP_FROM ? side * 256 / 224 : side;
        Image resized;
        status = resize_short_side(&image, side, &resized);
        if (status == STATUS_OK) {
            image_free(&image);
            image = resized;
        }
    }
    if (status == STATUS_OK) {
        crop_center(&image, preprocess->height, preprocess->width, out);
    }
    image_free(&image);
    return status;
}

Status sample_load(const char *path, const Preprocess *preprocess, float *out) {
    uint8_t *pixels = malloc((size_t)preprocess->height * (size_t)preprocess->width *
                             (size_t)preprocess->channels);
    if (pixels == NULL) {
        return status_fail(STATUS_FAILED, "%s: cannot get memory for its pixels", path);
    }
    Status status = fit(path, preprocess, pixels);
    if (status == STATUS_OK) {
        preprocess_sample(preprocess, NULL, 0, 0, 0, pixels, out);
    }
    free(pixels);
    return status;
}
