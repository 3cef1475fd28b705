// SPDX-License-Identifier: Apache-2.0
#include "train/pictures.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH = 16 };

static void take_batch(Pictures *pictures, const Batch *batch, const PicturesOptions *options,
                       int most) {
    for (int i = 0; i < batch->count && pictures->count < most; i++) {
        const char *failure = batch->failures != NULL ? batch->failures[i] : NULL;
        if (failure != NULL) {
            pictures->failed++;
            if (options->failure != NULL) {
                options->failure(options->user, failure);
            }
            continue;
        }
        memcpy(pictures->pixels + (size_t)pictures->count * pictures->elements,
               batch->pixels + (size_t)i * pictures->elements, pictures->elements * sizeof(float));
        pictures->labels[pictures->count++] = batch->labels[i];
    }
}

static Status allocate(Pictures *pictures, const Preprocess *preprocess, int count) {
    pictures->elements =
        (size_t)preprocess->height * (size_t)preprocess->width * (size_t)preprocess->channels;
    pictures->pixels = malloc((size_t)count * pictures->elements * sizeof *pictures->pixels + 1);
    pictures->labels = malloc((size_t)count * sizeof *pictures->labels + 1);
    return pictures->pixels != NULL && pictures->labels != NULL
               ? STATUS_OK
               : status_fail(STATUS_FAILED, "cannot get memory for %d pictures", count);
}

Status pictures_load(const Dataset *set, const Preprocess *preprocess,
                     const PicturesOptions *options, Pictures *out) {
    *out = (Pictures){0};
    int most = options->count < (int)set->count ? options->count : (int)set->count;
    LoaderOptions load = {.batch = BATCH,
                          .shuffle = true,
                          .seed = options->seed,
                          .workers = options->workers,
                          .ahead = LOADER_AHEAD};
    Loader *loader = NULL;
    Status status = allocate(out, preprocess, most);
    if (status == STATUS_OK) {
        status = loader_create(set, preprocess, &load, &loader);
    }
    if (status == STATUS_OK) {
        loader_seek(loader, 0, 0);
        for (int b = 0; b < loader_batches(loader) && out->count < most; b++) {
            Batch batch;
            loader_next(loader, &batch);
            take_batch(out, &batch, options, most);
        }
        if (out->count == 0) {
            status = status_fail(STATUS_FAILED, "%s has no picture that can be read", set->name);
        }
    }
    loader_destroy(loader);
    if (status != STATUS_OK) {
        pictures_destroy(out);
    }
    return status;
}

void pictures_destroy(Pictures *pictures) {
    free(pictures->pixels);
    free(pictures->labels);
    *pictures = (Pictures){0};
}
