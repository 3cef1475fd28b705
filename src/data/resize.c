// SPDX-License-Identifier: Apache-2.0
// Antialiased bilinear resizing with the bits of Pillow's 8-bit fixed-point resampler, which
// published weights were trained and tested behind: first along rows, then along columns, rounded
// to bytes in between. (Pillow 13 turned the order round where the height shrinks by more than
// twice what the width does; published figures are older, and come from this one order.) With r =
// source / target size and s = max(r, 1), target pixel i is centred at c = (i + 1/2) r in the
// source and weighs source pixel j by
//
//     triangle((j + 1/2 - c) / s),   triangle(x) = max(0, 1 - |x|)
//
// divided by the sum of weights, then rounded to a multiple of 2^-22.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "data/decoders.h"

enum { PRECISION = 32 - 8 - 2 }; // 8 bits of the pixel, and 2 for sums beyond [0, 1]

// Weights of one axis.
typedef struct Axis {
    int taps;    // room for each target pixel's weights
    int *first;  // [target] first source pixel
    int *count;  // [target] source pixels
    int *weight; // [target][taps]
} Axis;

static void axis_free(Axis *axis) {
    free(axis->first);
    free(axis->count);
    free(axis->weight);
}

static Status axis_create(int source, int target, Axis *axis) {
    double ratio = (double)(float)source / target; // through float, as Pillow's box is
    double scale = ratio < 1 ? 1 : ratio;
    size_t taps = 2 * (size_t)ceil(scale) + 1;
    *axis = (Axis){.taps = (int)taps};
    axis->first = malloc((size_t)target * sizeof *axis->first);
    axis->count = malloc((size_t)target * sizeof *axis->count);
    axis->weight = calloc((size_t)target * taps, sizeof *axis->weight);
    double *exact = malloc(taps * sizeof *exact);
    if (axis->first == NULL || axis->count == NULL || axis->weight == NULL || exact == NULL) {
        free(exact);
        return status_fail(STATUS_FAILED, "cannot get memory to resize a picture from %d to %d",
                           source, target);
    }
    double inverse = 1 / scale;
    for (int i = 0; i < target; i++) {
        double centre = (i + 0.5) * ratio;
        int first = (int)(centre - scale + 0.5);
        int end = (int)(centre + scale + 0.5);
        first = first < 0 ? 0 : first;
        end = end > source ? source : end;
        double sum = 0;
        for (int j = first; j < end; j++) {
            double x = fabs((j - centre + 0.5) * inverse);
            exact[j - first] = x < 1 ? 1 - x : 0;
            sum += exact[j - first];
        }
        for (int j = 0; j < end - first; j++) {
            double share = sum != 0 ? exact[j] / sum : exact[j];
            axis->weight[(size_t)i * taps + (size_t)j] = (int)(0.5 + share * (1 << PRECISION));
        }
        axis->first[i] = first;
        axis->count[i] = end - first;
    }
    free(exact);
    return STATUS_OK;
}

static inline uint8_t round_sum(int sum) {
    int value = sum >> PRECISION;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

// Inlined with a literal number of channels.
static inline void resize_row(const Axis *axis, const uint8_t *from, int width, int channels,
                              uint8_t *to) {
    for (int i = 0; i < width; i++) {
        const int *weight = axis->weight + (size_t)i * (size_t)axis->taps;
        const uint8_t *pixel = from + (size_t)axis->first[i] * (size_t)channels;
        int sum[3] = {1 << (PRECISION - 1), 1 << (PRECISION - 1), 1 << (PRECISION - 1)};
        for (int j = 0; j < axis->count[i]; j++) {
            for (int c = 0; c < channels; c++) {
                sum[c] += *pixel++ * weight[j];
            }
        }
        for (int c = 0; c < channels; c++) {
            *to++ = round_sum(sum[c]);
        }
    }
}

static void resize_rows(const Axis *axis, const Image *image, Image *out) {
    size_t from_bytes = (size_t)image->width * (size_t)image->channels;
    size_t to_bytes = (size_t)out->width * (size_t)out->channels;
    for (int y = 0; y < out->height; y++) {
        const uint8_t *from = image->pixels + (size_t)y * from_bytes;
        uint8_t *to = out->pixels + (size_t)y * to_bytes;
        if (out->channels == 3) {
            resize_row(axis, from, out->width, 3, to);
        } else {
            resize_row(axis, from, out->width, 1, to);
        }
    }
}

static void resize_columns(const Axis *axis, const Image *image, Image *out) {
    enum { STRIP = 256 }; // bytes of a row summed together: the sums stay in the cache
    size_t row = (size_t)image->width * (size_t)image->channels;
    for (int y = 0; y < out->height; y++) {
        const int *weight = axis->weight + (size_t)y * (size_t)axis->taps;
        const uint8_t *top = image->pixels + (size_t)axis->first[y] * row;
        for (size_t begin = 0; begin < row; begin += STRIP) {
            size_t length = row - begin < STRIP ? row - begin : STRIP;
            int sum[STRIP];
            for (size_t x = 0; x < length; x++) {
                sum[x] = 1 << (PRECISION - 1);
            }
            for (int j = 0; j < axis->count[y]; j++) {
                const uint8_t *from = top + (size_t)j * row + begin;
                for (size_t x = 0; x < length; x++) {
                    sum[x] += from[x] * weight[j];
                }
            }
            uint8_t *to = out->pixels + (size_t)y * row + begin;
            for (size_t x = 0; x < length; x++) {
                to[x] = round_sum(sum[x]);
            }
        }
    }
}

typedef void ResizePass(const Axis *axis, const Image *image, Image *out);

// One pass into a new picture; `source` and `target` are the sizes along the axis that changes.
static Status resize_pass(ResizePass *pass, int source, int target, const Image *image, int width,
                          int height, Image *out) {
    TRY(image_allocate("the resized picture", (size_t)width, (size_t)height, image->channels, out));
    Axis axis;
    Status status = axis_create(source, target, &axis);
    if (status == STATUS_OK) {
        pass(&axis, image, out);
    }
    axis_free(&axis);
    return status;
}

Status image_resize(const Image *image, int width, int height, Image *out) {
    *out = (Image){0};
    if (width < 1 || height < 1) {
        return status_fail(STATUS_USAGE,
                           "a picture was to be resized to %dx%d, expected at least "
                           "1x1",
                           width, height);
    }
    Image narrowed = {0};
    const Image *from = image;
    Status status = STATUS_OK;
    if (width != image->width) {
        status =
            resize_pass(resize_rows, image->width, width, image, width, image->height, &narrowed);
        from = &narrowed;
    }
    if (status == STATUS_OK && height != image->height) {
        status = resize_pass(resize_columns, image->height, height, from, width, height, out);
    } else if (status == STATUS_OK && from == image) {
        status = image_allocate("the resized picture", (size_t)width, (size_t)height,
                                image->channels, out);
        if (status == STATUS_OK) {
            memcpy(out->pixels, image->pixels,
                   (size_t)width * (size_t)height * (size_t)image->channels);
        }
    } else if (status == STATUS_OK) {
        *out = narrowed;
        narrowed.pixels = NULL;
    }
    image_free(&narrowed);
    if (status != STATUS_OK) {
        image_free(out);
    }
    return status;
}
