// SPDX-License-Identifier: Apache-2.0
#include "api/explain.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "formats/npy.h"

Status explain_open(const char *folder, int views, Explain *out) {
    *out = (Explain){.folder = folder, .views = views};
    return directory_create(folder);
}

static int stage_number(const char *name) {
    static const char *const names[] = {"decoded", "resized", "crop", "input"};
    int number = 0;
    while (strcmp(names[number], name) != 0) {
        number++;
    }
    return number + 1;
}

// "FOLDER/3-crop-SIDE-VIEW.EXTENSION", to be freed; NULL when memory is out.
static char *stage_path(const Explain *explain, const Stage *stage, const char *extension) {
    size_t size = strlen(explain->folder) + 64;
    char *path = malloc(size);
    if (path == NULL) {
        return NULL;
    }
    int number = stage_number(stage->name);
    char side[16] = "", view[16] = "";
    if (explain->side > 0 && number > 1) {
        snprintf(side, sizeof side, "-%d", explain->side);
    }
    if (explain->views > 1 && number > 2) {
        snprintf(view, sizeof view, "-%d", stage->view);
    }
    snprintf(path, size, "%s/%d-%s%s%s.%s", explain->folder, number, stage->name, side, view,
             extension);
    return path;
}

// Values from the least to the largest as 0 to 255.
static void show_values(const float *values, size_t count, uint8_t *bytes) {
    float least = values[0], largest = values[0];
    for (size_t i = 1; i < count; i++) {
        least = fminf(least, values[i]);
        largest = fmaxf(largest, values[i]);
    }
    float factor = largest > least ? 255 / (largest - least) : 0;
    for (size_t i = 0; i < count; i++) {
        bytes[i] = (uint8_t)((values[i] - least) * factor + 0.5F);
    }
}

static Status write_stage(const Stage *stage, const char *png, const char *npy) {
    size_t count = (size_t)stage->height * (size_t)stage->width * (size_t)stage->channels;
    const int64_t dims[3] = {stage->height, stage->width, stage->channels};
    Image image = {stage->width, stage->height, stage->channels, NULL};
    image.pixels = malloc(count);
    if (image.pixels == NULL) {
        return status_fail(STATUS_FAILED, "%s: cannot get memory to write it", png);
    }
    if (stage->values != NULL) {
        show_values(stage->values, count, image.pixels);
    } else {
        memcpy(image.pixels, stage->bytes, count);
    }
    Status status = image_write_png(png, &image);
    if (status == STATUS_OK) {
        status = stage->values != NULL ? npy_write(npy, stage->values, dims, 3)
                                       : npy_write_bytes(npy, stage->bytes, dims, 3);
    }
    image_free(&image);
    return status;
}

static Status put(void *user, const Stage *stage) {
    const Explain *explain = user;
    char *png = stage_path(explain, stage, "png"), *npy = stage_path(explain, stage, "npy");
    Status status = png == NULL || npy == NULL
                        ? status_fail(STATUS_FAILED, "%s: cannot get memory for the names in it",
                                      explain->folder)
                        : write_stage(stage, png, npy);
    free(png);
    free(npy);
    return status;
}

StageSink explain_sink(Explain *explain) { return (StageSink){.put = put, .user = explain}; }
