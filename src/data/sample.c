// SPDX-License-Identifier: Apache-2.0
#include "data/sample.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "data/resize.h"

enum { TEN = 10 };

// A crop of the resized picture: `window` of it lies at (top, left) of the crop; the rest is black.
typedef struct Crop {
    Window window;
    int top, left;
} Crop;

int views_count(Views views) { return views == VIEWS_TEN_CROP ? TEN : 1; }

// torchvision's Resize(side).
static Status resized_size(const char *name, int width, int height, int side, int *to_width,
                           int *to_height) {
    int shorter = width < height ? width : height, longer = width < height ? height : width;
    int64_t length = (int64_t)side * longer / shorter;
    if (length > INT_MAX) {
        return status_fail(STATUS_FAILED,
                           "%s: is %dx%d, too long to be resized to a short side of %d", name,
                           width, height, side);
    }
    *to_width = width <= height ? side : (int)length;
    *to_height = width <= height ? (int)length : side;
    return STATUS_OK;
}

// The first byte of a crop, or of the picture in the crop where that is larger.
static void center(int length, int crop, int *start, int *seen, int *before) {
    int margin = length - crop;
    *start = margin > 0 ? margin / 2 + (margin % 2 != 0 && (margin / 2) % 2 != 0) : 0;
    *seen = margin > 0 ? crop : length;
    *before = margin > 0 ? 0 : -margin / 2;
}

static Crop center_crop(const Resize *resize, const Preprocess *preprocess) {
    Crop crop;
    center(resize->width, preprocess->width, &crop.window.left, &crop.window.width, &crop.left);
    center(resize->height, preprocess->height, &crop.window.top, &crop.window.height, &crop.top);
    return crop;
}

static Status plan(const char *name, const Preprocess *preprocess, int width, int height,
                   Resize *out) {
    int side = preprocess->resize;
    if (side == 0) {
        side = preprocess->width < preprocess->height ? preprocess->width : preprocess->height;
    }
    *out = (Resize){
        .source_width = width, .source_height = height, .interpolation = preprocess->interpolation};
    return resized_size(name, width, height, side, &out->width, &out->height);
}

// ---- stages ------------------------------------------------------------------------------------

static Status put_bytes(const StageSink *sink, const char *name, int view, int height, int width,
                        int channels, const uint8_t *bytes) {
    const Stage stage = {.name = name,
                         .view = view,
                         .height = height,
                         .width = width,
                         .channels = channels,
                         .bytes = bytes};
    return sink == NULL ? STATUS_OK : sink->put(sink->user, &stage);
}

static Status put_image(const StageSink *sink, const char *name, const Image *image) {
    return put_bytes(sink, name, 0, image->height, image->width, image->channels, image->pixels);
}

// Normalises one crop, whose bytes and values are both told.
static Status finish(const Preprocess *preprocess, const StageSink *sink, int view,
                     const uint8_t *bytes, float *out) {
    int height = preprocess->height, width = preprocess->width, channels = preprocess->channels;
    TRY(put_bytes(sink, "crop", view, height, width, channels, bytes));
    preprocess_sample(preprocess, NULL, 0, 0, 0, bytes, out);
    const Stage stage = {.name = "input",
                         .view = view,
                         .height = height,
                         .width = width,
                         .channels = channels,
                         .values = out};
    return sink == NULL ? STATUS_OK : sink->put(sink->user, &stage);
}

// ---- one view ----------------------------------------------------------------------------------

// Moves the window, which lies tightly at the front of `bytes`, to its place in the crop.
static void place_in_crop(const Crop *crop, const Preprocess *preprocess, uint8_t *bytes) {
    size_t channels = (size_t)preprocess->channels;
    size_t row = (size_t)preprocess->width * channels;
    size_t seen = (size_t)crop->window.width * channels, left = (size_t)crop->left * channels;
    for (int y = preprocess->height - 1; y >= 0; y--) {
        int from = y - crop->top;
        uint8_t *to = bytes + (size_t)y * row;
        if (from < 0 || from >= crop->window.height) {
            memset(to, 0, row);
            continue;
        }
        memmove(to + left, bytes + (size_t)from * seen, seen);
        memset(to, 0, left);
        memset(to + left + seen, 0, row - left - seen);
    }
}

static Status center_view(const char *name, const Part *part, const Preprocess *preprocess,
                          uint8_t *bytes) {
    Resize resize;
    TRY(plan(name, preprocess, part->width, part->height, &resize));
    Crop crop = center_crop(&resize, preprocess);
    resize.window = crop.window;
    Status status = resize_window(&resize, part, bytes);
    if (status != STATUS_OK) {
        return status_context(status, "%s", name);
    }
    if (crop.window.width != preprocess->width || crop.window.height != preprocess->height) {
        place_in_crop(&crop, preprocess, bytes);
    }
    return STATUS_OK;
}

typedef struct Seen {
    const char *name;
    const Preprocess *preprocess;
} Seen;

// What the centre crop shows of a picture; all of it where that will be refused.
static Window seen_window(const void *context, int width, int height) {
    const Seen *seen = context;
    Resize resize;
    if (plan(seen->name, seen->preprocess, width, height, &resize) != STATUS_OK) {
        return (Window){0, 0, width, height};
    }
    resize.window = center_crop(&resize, seen->preprocess).window;
    return resize_source(&resize);
}

// ---- several views -----------------------------------------------------------------------------

static Status resize_whole(const char *name, const Image *image, int side,
                           Interpolation interpolation, Image *out) {
    int width = 0, height = 0;
    TRY(resized_size(name, image->width, image->height, side, &width, &height));
    Status status = image_resize(image, width, height, interpolation, out);
    return status == STATUS_OK ? STATUS_OK : status_context(status, "%s", name);
}

// Copies the crop at (top, left), counted in the picture or in its mirror image.
static void copy_crop(const Image *image, const Preprocess *preprocess, int top, int left,
                      bool mirrored, uint8_t *to) {
    size_t channels = (size_t)image->channels, width = (size_t)image->width;
    for (int y = 0; y < preprocess->height; y++) {
        const uint8_t *row = image->pixels + (size_t)(top + y) * width * channels;
        for (int x = 0; x < preprocess->width; x++, to += channels) {
            size_t column = (size_t)(left + x);
            memcpy(to, row + (mirrored ? width - 1 - column : column) * channels, channels);
        }
    }
}

static Status ten_views(const char *name, const Image *resized, const Preprocess *preprocess,
                        const StageSink *sink, uint8_t *bytes, float *out) {
    int bottom = resized->height - preprocess->height, right = resized->width - preprocess->width;
    if (bottom < 0 || right < 0) {
        return status_fail(STATUS_FAILED,
                           "%s: is %dx%d after resizing, too small for ten crops of %dx%d", name,
                           resized->width, resized->height, preprocess->width, preprocess->height);
    }
    Crop middle =
        center_crop(&(Resize){.width = resized->width, .height = resized->height}, preprocess);
    const int places[TEN / 2][2] = {
        {0, 0}, {0, right}, {bottom, 0}, {bottom, right}, {middle.window.top, middle.window.left}};
    size_t values =
        (size_t)preprocess->height * (size_t)preprocess->width * (size_t)preprocess->channels;
    for (int view = 0; view < TEN; view++) {
        const int *place = places[view % (TEN / 2)];
        copy_crop(resized, preprocess, place[0], place[1], view >= TEN / 2, bytes);
        TRY(finish(preprocess, sink, view, bytes, out + (size_t)view * values));
    }
    return STATUS_OK;
}

static Status views_of_resized(const char *name, const Image *resized, const Preprocess *preprocess,
                               Views views, const StageSink *sink, uint8_t *bytes, float *out) {
    if (views == VIEWS_TEN_CROP) {
        return ten_views(name, resized, preprocess, sink, bytes, out);
    }
    Crop crop =
        center_crop(&(Resize){.width = resized->width, .height = resized->height}, preprocess);
    size_t channels = (size_t)resized->channels, row = (size_t)crop.window.width * channels;
    for (int y = 0; y < crop.window.height; y++) {
        size_t from =
            ((size_t)(crop.window.top + y) * (size_t)resized->width + (size_t)crop.window.left) *
            channels;
        memcpy(bytes + (size_t)y * row, resized->pixels + from, row);
    }
    place_in_crop(&crop, preprocess, bytes);
    return finish(preprocess, sink, 0, bytes, out);
}

// ---- the public functions ----------------------------------------------------------------------

static Status crop_memory(const char *name, const Preprocess *preprocess, uint8_t **out) {
    *out = malloc((size_t)preprocess->height * (size_t)preprocess->width *
                  (size_t)preprocess->channels);
    return *out != NULL ? STATUS_OK
                        : status_fail(STATUS_FAILED, "%s: cannot get memory for its pixels", name);
}

Status sample_from_image(const char *name, const Image *image, const Preprocess *preprocess,
                         Views views, const StageSink *sink, float *out) {
    Resize resize;
    TRY(put_image(sink, "decoded", image));
    TRY(plan(name, preprocess, image->width, image->height, &resize));
    int side = resize.width < resize.height ? resize.width : resize.height;
    Image resized;
    TRY(resize_whole(name, image, side, preprocess->interpolation, &resized));
    uint8_t *bytes = NULL;
    Status status = put_image(sink, "resized", &resized);
    if (status == STATUS_OK) {
        status = crop_memory(name, preprocess, &bytes);
    }
    if (status == STATUS_OK) {
        status = views_of_resized(name, &resized, preprocess, views, sink, bytes, out);
    }
    free(bytes);
    image_free(&resized);
    return status;
}

Status sample_load(const char *path, const Preprocess *preprocess, Views views, bool exif,
                   float *out) {
    const char *name = image_name(path);
    const Seen seen = {name, preprocess};
    Wish wish = {0};
    if (views == VIEWS_CENTER) {
        wish = (Wish){.want = seen_window, .context = &seen};
    }
    Part part;
    TRY(image_read_part(path, preprocess->channels, exif, wish, &part));
    Status status;
    if (views == VIEWS_CENTER) {
        uint8_t *bytes;
        status = crop_memory(name, preprocess, &bytes);
        if (status == STATUS_OK) {
            status = center_view(name, &part, preprocess, bytes);
        }
        if (status == STATUS_OK) {
            status = finish(preprocess, NULL, 0, bytes, out);
        }
        free(bytes);
    } else {
        status = sample_from_image(name, &part.image, preprocess, views, NULL, out);
    }
    image_free(&part.image);
    return status;
}

Status sample_whole_size(const char *name, const Image *image, int side, int *height, int *width) {
    return resized_size(name, image->width, image->height, side, width, height);
}

Status sample_whole(const char *name, const Image *image, const Preprocess *preprocess, int side,
                    const StageSink *sink, float *out) {
    assert(preprocess->pixel_mean == NULL);
    TRY(put_image(sink, "decoded", image));
    Image resized;
    TRY(resize_whole(name, image, side, preprocess->interpolation, &resized));
    Preprocess whole = *preprocess;
    whole.height = resized.height;
    whole.width = resized.width;
    Status status = put_image(sink, "resized", &resized);
    if (status == STATUS_OK) {
        status = finish(&whole, sink, 0, resized.pixels, out);
    }
    image_free(&resized);
    return status;
}
