// SPDX-License-Identifier: Apache-2.0
// Antialiased resizing with the bits of Pillow's 8-bit fixed-point resampler, which published
// weights were trained and tested behind: first along rows, then along columns, rounded to bytes in
// between. (Pillow 13 turned the order round where the height shrinks by more than twice what the
// width does; published figures are older, and come from this one order.) With r = source / target
// size and s = max(r, 1), target pixel i is centred at c = (i + 1/2) r in the source and weighs
// source pixel j by
//
//     f((j + 1/2 - c) / s),   bilinear f(x) = max(0, 1 - |x|)
//                             bicubic  f(x) = Keys' piecewise cubic with a = -1/2, 0 from 2 on
//
// divided by the sum of weights, then rounded to a multiple of 2^-22. A target pixel is a function
// of its own weights alone, so that a window of the result needs a window of the source.
#include "data/resize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/resize_pass.h"

enum {
    GROUP = 4,          // taps that a vector holds
    SIDE_MAX = 1 << 20, // of the source: weights take some 16 bytes a source pixel of a side
};

static double bilinear(double x) {
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

static double bicubic(double x) {
    const double a = -0.5;
    x = fabs(x);
    if (x < 1) {
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    }
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

typedef double FilterFunction(double x);

static const struct {
    FilterFunction *at;
    double support;
} filters[] = {[INTERPOLATION_BILINEAR] = {bilinear, 1}, [INTERPOLATION_BICUBIC] = {bicubic, 2}};

// ---- weights -----------------------------------------------------------------------------------

// How one side is resized.
typedef struct Side {
    int source, target;
    double ratio, scale, support;
    FilterFunction *filter;
} Side;

static Side side_of(int source, int target, Interpolation interpolation) {
    double ratio = (double)(float)source / target; // through float, as Pillow's box is
    double scale = ratio < 1 ? 1 : ratio;
    return (Side){.source = source,
                  .target = target,
                  .ratio = ratio,
                  .scale = scale,
                  .support = filters[interpolation].support * scale,
                  .filter = filters[interpolation].at};
}

static int side_first(const Side *side, int i) {
    int first = (int)((i + 0.5) * side->ratio - side->support + 0.5);
    return first < 0 ? 0 : first;
}

static int side_end(const Side *side, int i) {
    int end = (int)((i + 0.5) * side->ratio + side->support + 0.5);
    return end > side->source ? side->source : end;
}

// Source pixels of targets begin ... begin + count - 1. A side that stays as it is has no weights.
static void side_reach(const Side *side, int begin, int count, int *from, int *length) {
    if (side->source == side->target) {
        *from = begin;
        *length = count;
        return;
    }
    *from = side_first(side, begin);
    *length = side_end(side, begin + count - 1) - *from;
}

static void axis_free(Axis *axis) {
    free(axis->first);
    free(axis->count);
    free(axis->weight);
    free(axis->pairs);
    *axis = (Axis){0};
}

static void weigh(const Side *side, int i, double *exact, int32_t *weight) {
    int first = side_first(side, i), count = side_end(side, i) - first;
    double centre = (i + 0.5) * side->ratio, inverse = 1 / side->scale, sum = 0;
    for (int j = 0; j < count; j++) {
        exact[j] = side->filter((j + first - centre + 0.5) * inverse);
        sum += exact[j];
    }
    for (int j = 0; j < count; j++) {
        double share = sum != 0 ? exact[j] / sum : exact[j];
        weight[j] = (int32_t)((share < 0 ? -0.5 : 0.5) + share * (1 << RESIZE_PRECISION));
    }
}

// Weights of targets begin ... begin + count - 1, with source pixels counted from `from`.
static Status axis_create(const Side *side, int begin, int count, int from, Axis *axis) {
    size_t taps = 2 * (size_t)ceil(side->support) + 1;
    taps = (taps + GROUP - 1) / GROUP * GROUP;
    size_t targets = (size_t)count;
    *axis = (Axis){.targets = count, .taps = (int)taps};
    axis->first = malloc(targets * sizeof *axis->first);
    axis->count = malloc(targets * sizeof *axis->count);
    axis->weight = calloc(targets * taps, sizeof *axis->weight);
    axis->pairs = malloc(targets * taps * sizeof *axis->pairs);
    double *exact = malloc(taps * sizeof *exact);
    if (axis->first == NULL || axis->count == NULL || axis->weight == NULL || axis->pairs == NULL ||
        exact == NULL) {
        free(exact);
        return status_fail(STATUS_FAILED, "cannot get memory to resize a picture from %d to %d",
                           side->source, side->target);
    }
    for (int i = 0; i < count; i++) {
        int32_t *weight = axis->weight + (size_t)i * taps;
        weigh(side, begin + i, exact, weight);
        axis->first[i] = side_first(side, begin + i) - from;
        axis->count[i] = side_end(side, begin + i) - from - axis->first[i];
        for (size_t k = 0; k < taps; k += GROUP) {
            resize_split_weights(weight + k, axis->pairs + (size_t)i * taps + k);
        }
    }
    free(exact);
    return STATUS_OK;
}

// ---- passes ------------------------------------------------------------------------------------

static Side across(const Resize *resize) {
    return side_of(resize->source_width, resize->width, resize->interpolation);
}

static Side down(const Resize *resize) {
    return side_of(resize->source_height, resize->height, resize->interpolation);
}

Window resize_source(const Resize *resize) {
    Window source, window = resize->window;
    Side width = across(resize), height = down(resize);
    side_reach(&width, window.left, window.width, &source.left, &source.width);
    side_reach(&height, window.top, window.height, &source.top, &source.height);
    return source;
}

// Rows of `source` into rows of the window's width, one below the other.
static Status resize_rows(const Resize *resize, const Part *part, Window source, uint8_t *out) {
    const Image *image = &part->image;
    size_t channels = (size_t)image->channels;
    size_t stride = (size_t)image->width * channels;
    const uint8_t *end = image->pixels + (size_t)image->height * stride;
    const uint8_t *from = image->pixels + (size_t)(source.top - part->top) * stride +
                          (size_t)(source.left - part->left) * channels;
    size_t row = (size_t)resize->window.width * channels;
    if (resize->source_width == resize->width) {
        for (int y = 0; y < source.height; y++) {
            memcpy(out + (size_t)y * row, from + (size_t)y * stride, row);
        }
        return STATUS_OK;
    }
    Side side = across(resize);
    Axis axis;
    Status status =
        axis_create(&side, resize->window.left, resize->window.width, source.left, &axis);
    if (status == STATUS_OK) {
        const ResizePasses *passes = resize_passes();
        for (int y = 0; y < source.height; y++) {
            passes->row(&axis, from + (size_t)y * stride, end, image->channels,
                        out + (size_t)y * row);
        }
    }
    axis_free(&axis);
    return status;
}

static Status resize_columns(const Resize *resize, int top, const uint8_t *rows, size_t row,
                             uint8_t *out) {
    Side side = down(resize);
    Axis axis;
    Status status = axis_create(&side, resize->window.top, resize->window.height, top, &axis);
    if (status == STATUS_OK) {
        const ResizePasses *passes = resize_passes();
        for (int y = 0; y < resize->window.height; y++) {
            passes->columns(&axis, y, rows + (size_t)axis.first[y] * row, row, row,
                            out + (size_t)y * row);
        }
    }
    axis_free(&axis);
    return status;
}

Status resize_window(const Resize *resize, const Part *part, uint8_t *out) {
    Window window = resize->window;
    if (resize->source_width > SIDE_MAX || resize->source_height > SIDE_MAX) {
        return status_fail(STATUS_FAILED,
                           "a picture of %dx%d was to be resized, expected sides of at most %d",
                           resize->source_width, resize->source_height, (int)SIDE_MAX);
    }
    Window source = resize_source(resize);
    if (resize->source_height == resize->height) {
        return resize_rows(resize, part, source, out);
    }
    Image narrow = {0};
    Status status = image_allocate("the resized picture", (size_t)window.width,
                                   (size_t)source.height, part->image.channels, &narrow);
    if (status == STATUS_OK) {
        status = resize_rows(resize, part, source, narrow.pixels);
    }
    if (status == STATUS_OK) {
        size_t row = (size_t)window.width * (size_t)narrow.channels;
        status = resize_columns(resize, source.top, narrow.pixels, row, out);
    }
    image_free(&narrow);
    return status;
}

Status image_resize(const Image *image, int width, int height, Interpolation interpolation,
                    Image *out) {
    *out = (Image){0};
    if (width < 1 || height < 1) {
        return status_fail(STATUS_USAGE,
                           "a picture was to be resized to %dx%d, expected at least 1x1", width,
                           height);
    }
    TRY(image_allocate("the resized picture", (size_t)width, (size_t)height, image->channels, out));
    Resize resize = {.source_width = image->width,
                     .source_height = image->height,
                     .width = width,
                     .height = height,
                     .interpolation = interpolation,
                     .window = {0, 0, width, height}};
    Part part = {.image = *image, .width = image->width, .height = image->height};
    Status status = resize_window(&resize, &part, out->pixels);
    if (status != STATUS_OK) {
        image_free(out);
    }
    return status;
}
