// SPDX-License-Identifier: Apache-2.0
// Batches are numbered from the last seek. Batch n is made in slot n mod (ahead + 1):
//
//     ... n-1 | n held by the caller | n+1 ... n+ahead: being made or ready | not yet allowed
//
// Workers take numbers in order, each with its list of samples, under the one mutex; so a single
// permutation serves, made by whoever takes the first batch of an epoch. A worker fills all of a
// batch, or with photographs one sample of the latest batch taken. A batch's content depends on its
// list alone, so it doesn't matter who makes it or when.
#include "data/loader.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/random.h"
#include "base/threads.h"

typedef struct Slot {
    float *pixels;
    int32_t *labels;
    uint32_t *index;
    // Photographs: [batch] NULL or a text in sentences[batch][SENTENCE_BYTES]; else NULL.
    const char **failures;
    char *sentences;
    int count;
    int given, filled; // samples that workers took, and made
    uint64_t epoch;
    bool ready;
} Slot;

enum { SENTENCE_BYTES = 1024 }; // the longest that status_fail() keeps

struct Loader {
    const Dataset *dataset;
    const Preprocess *preprocess;
    LoaderOptions options;
    int batches;          // in an epoch
    int batch_samples;    // in a full batch
    size_t picture_bytes; // of data in memory
    size_t sample_values; // all views
    int unit;             // samples that a worker takes at once

    pthread_mutex_t mutex; // guards everything below, except a slot's arrays while it is filled
    pthread_cond_t work;   // a slot came free, or the loader ends
    pthread_cond_t done;   // a batch is ready
    pthread_t *threads;
    int thread_count;
    bool seeking; // no batch may be taken (also before the first seek)
    bool stop;
    int filling;              // workers that are making samples
    Slot *open;               // the latest taken, while samples are left to give; or NULL
    uint64_t taken, returned; // batches since the last seek
    uint64_t epoch;           // of the next batch to take
    int batch;
    uint32_t *order;      // the permutation of order_epoch
    uint64_t order_epoch; // meaningful when order_made
    bool order_made;
    Slot *slots;
    int slot_count;
};

// ---- making batches ----------------------------------------------------------------------------

// The next batch's slot with its list of samples; the mutex is held.
static Slot *take(Loader *loader) {
    Slot *slot = &loader->slots[loader->taken++ % (uint64_t)loader->slot_count];
    uint32_t samples = loader->dataset->count;
    uint32_t first = (uint32_t)loader->batch * (uint32_t)loader->batch_samples;
    uint32_t left = samples - first;
    slot->count = left < (uint32_t)loader->batch_samples ? (int)left : loader->batch_samples;
    slot->epoch = loader->epoch;
    slot->given = slot->filled = 0;
    if (loader->options.shuffle) {
        if (!loader->order_made || loader->order_epoch != loader->epoch) {
            random_permutation(loader->order, samples, loader->options.seed, RANDOM_ORDER,
                               loader->epoch);
            loader->order_epoch = loader->epoch;
            loader->order_made = true;
        }
        memcpy(slot->index, loader->order + first, (size_t)slot->count * sizeof *slot->index);
    } else {
        for (int i = 0; i < slot->count; i++) {
            slot->index[i] = first + (uint32_t)i;
        }
    }
    if (++loader->batch == loader->batches) {
        loader->batch = 0;
        loader->epoch++;
    }
    return slot;
}

static void fill_photograph(const Loader *loader, Slot *slot, int i, float *pixels) {
    const char *path = loader->dataset->paths[slot->index[i]];
    const LoaderOptions *options = &loader->options;
    slot->failures[i] = NULL;
    if (sample_load(path, loader->preprocess, options->views, options->exif, pixels) != STATUS_OK) {
        char *sentence = slot->sentences + (size_t)i * SENTENCE_BYTES;
        snprintf(sentence, SENTENCE_BYTES, "%s", status_message());
        slot->failures[i] = sentence;
        memset(pixels, 0, loader->sample_values * sizeof *pixels);
    }
}

static void fill(const Loader *loader, Slot *slot, int begin, int count) {
    const Dataset *dataset = loader->dataset;
    for (int i = begin; i < begin + count; i++) {
        uint32_t sample = slot->index[i];
        float *pixels = slot->pixels + (size_t)i * loader->sample_values;
        slot->labels[i] = dataset->labels[sample];
        if (dataset->paths != NULL) {
            fill_photograph(loader, slot, i, pixels);
        } else {
            preprocess_sample(loader->preprocess, &loader->options.augment, loader->options.seed,
                              slot->epoch, sample, dataset->pixels + sample * loader->picture_bytes,
                              pixels);
        }
    }
}

static bool has_work(const Loader *loader) {
    return !loader->seeking && (loader->open != NULL ||
                                loader->taken < loader->returned + (uint64_t)loader->options.ahead);
}

// Takes samples and makes them; the mutex is held but in between.
static void work(Loader *loader) {
    Slot *slot = loader->open != NULL ? loader->open : take(loader);
    int begin = slot->given, left = slot->count - begin;
    int count = left < loader->unit ? left : loader->unit;
    slot->given += count;
    loader->open = slot->given < slot->count ? slot : NULL;
    loader->filling++;
    pthread_mutex_unlock(&loader->mutex);
    fill(loader, slot, begin, count);
    pthread_mutex_lock(&loader->mutex);
    slot->filled += count;
    slot->ready = slot->filled == slot->count;
    loader->filling--;
    if (slot->ready || loader->seeking) {
        pthread_cond_signal(&loader->done);
    }
}

static void *worker_main(void *argument) {
    Loader *loader = argument;
    pthread_mutex_lock(&loader->mutex);
    while (!loader->stop) {
        if (has_work(loader)) {
            work(loader);
        } else {
            pthread_cond_wait(&loader->work, &loader->mutex);
        }
    }
    pthread_mutex_unlock(&loader->mutex);
    return NULL;
}

// ---- the public functions ----------------------------------------------------------------------

static Status check_photographs(const Preprocess *preprocess, const LoaderOptions *options) {
    if (preprocess->channels != 1 && preprocess->channels != 3) {
        return status_fail(STATUS_FAILED,
                           "photographs have 1 or 3 channels, but %d are expected of them",
                           preprocess->channels);
    }
    if (options->augment.pad > 0 || options->augment.flip != FLIP_NONE ||
        options->augment.height > 0 || options->augment.width > 0) {
        return status_fail(STATUS_USAGE, "photographs are read as they are, without augmentation");
    }
    return STATUS_OK;
}

static Status check(const Dataset *dataset, const Preprocess *preprocess,
                    const LoaderOptions *options) {
    if (options->batch < 1) {
        return status_fail(STATUS_USAGE, "batch size is %d, expected at least 1", options->batch);
    }
    if (options->workers < 0 || options->workers > THREADS_MAX) {
        return status_fail(STATUS_USAGE, "%d loader threads asked for, expected 0 to %d",
                           options->workers, (int)THREADS_MAX);
    }
    if (options->ahead < 1 || options->ahead > 1024) {
        return status_fail(STATUS_USAGE, "%d batches ahead asked for, expected 1 to 1024",
                           options->ahead);
    }
    if (options->augment.pad < 0 || options->augment.pad > 1024) {
        return status_fail(STATUS_USAGE, "augmentation pads by %d pixels, expected 0 to 1024",
                           options->augment.pad);
    }
    if (options->augment.height < 0 || options->augment.height > preprocess->height ||
        options->augment.width < 0 || options->augment.width > preprocess->width) {
        return status_fail(STATUS_USAGE, "cuts of %dx%d asked for from images of %dx%d",
                           options->augment.height, options->augment.width, preprocess->height,
                           preprocess->width);
    }
    if (dataset->paths != NULL) {
        TRY(check_photographs(preprocess, options));
    } else if (preprocess->channels != dataset->channels || preprocess->height != dataset->height ||
               preprocess->width != dataset->width) {
        return status_fail(STATUS_FAILED, "%s has images of %dx%dx%d, expected %dx%dx%d",
                           dataset->name, dataset->channels, dataset->height, dataset->width,
                           preprocess->channels, preprocess->height, preprocess->width);
    }
    if (dataset->count == 0 || (options->drop_last && dataset->count < (uint32_t)options->batch)) {
        return status_fail(STATUS_FAILED, "%s has %u samples, expected at least %d for a batch",
                           dataset->name, dataset->count, options->drop_last ? options->batch : 1);
    }
    return STATUS_OK;
}

static Status allocate_slot(const Loader *loader, Slot *slot) {
    size_t samples = (size_t)loader->batch_samples;
    void *block;
    TRY(block_alloc(samples * loader->sample_values * sizeof(float), "a batch's pixels", &block));
    slot->pixels = block;
    TRY(block_alloc(samples * sizeof(int32_t), "a batch's labels", &block));
    slot->labels = block;
    TRY(block_alloc(samples * sizeof(uint32_t), "a batch's sample numbers", &block));
    slot->index = block;
    if (loader->dataset->paths != NULL) {
        TRY(block_alloc(samples * sizeof *slot->failures, "a batch's failures", &block));
        slot->failures = block;
        TRY(block_alloc(samples * SENTENCE_BYTES, "a batch's failures", &block));
        slot->sentences = block;
    }
    return STATUS_OK;
}

static Status allocate(Loader *loader) {
    const LoaderOptions *options = &loader->options;
    loader->slots = calloc((size_t)loader->slot_count, sizeof *loader->slots);
    loader->threads = calloc((size_t)options->workers + 1, sizeof *loader->threads);
    if (loader->slots == NULL || loader->threads == NULL) {
        return status_fail(STATUS_FAILED, "cannot get memory for a loader of %d batches",
                           loader->slot_count);
    }
    for (int i = 0; i < loader->slot_count; i++) {
        TRY(allocate_slot(loader, &loader->slots[i]));
    }
    if (options->shuffle) {
        void *block;
        TRY(block_alloc(loader->dataset->count * sizeof(uint32_t), "the order of the samples",
                        &block));
        loader->order = block;
    }
    return STATUS_OK;
}

static Status start_workers(Loader *loader) {
    for (int i = 0; i < loader->options.workers; i++) {
        if (pthread_create(&loader->threads[i], NULL, worker_main, loader) != 0) {
            return status_fail(STATUS_FAILED, "cannot start loader thread %d of %d", i + 1,
                               loader->options.workers);
        }
        loader->thread_count++;
    }
    return STATUS_OK;
}

size_t loader_bytes(int batch, int ahead, size_t elements) {
    return (size_t)(ahead + 1) * (size_t)batch *
           (elements * sizeof(float) + sizeof(int32_t) + sizeof(uint32_t));
}

Status loader_create(const Dataset *dataset, const Preprocess *preprocess,
                     const LoaderOptions *options, Loader **out) {
    *out = NULL;
    TRY(check(dataset, preprocess, options));
    Loader *loader = calloc(1, sizeof *loader);
    if (loader == NULL) {
        return status_fail(STATUS_FAILED, "cannot get memory for a loader");
    }
    uint32_t batch = (uint32_t)options->batch;
    loader->dataset = dataset;
    loader->preprocess = preprocess;
    loader->options = *options;
    loader->batch_samples = (int)(batch < dataset->count ? batch : dataset->count);
    loader->batches = (int)(dataset->count / batch);
    if (!options->drop_last && dataset->count % batch != 0) {
        loader->batches++;
    }
    const int height = options->augment.height > 0 ? options->augment.height : preprocess->height;
    const int width = options->augment.width > 0 ? options->augment.width : preprocess->width;
    const size_t channels = (size_t)preprocess->channels;
    loader->picture_bytes = (size_t)preprocess->height * (size_t)preprocess->width * channels;
    loader->sample_values = (size_t)height * (size_t)width * channels;
    loader->unit = loader->batch_samples;
    if (dataset->paths != NULL) {
        loader->sample_values *= (size_t)views_count(options->views);
        loader->unit = 1;
    }
    loader->slot_count = options->workers == 0 ? 1 : options->ahead + 1;
    loader->seeking = true;
    pthread_mutex_init(&loader->mutex, NULL);
    pthread_cond_init(&loader->work, NULL);
    pthread_cond_init(&loader->done, NULL);
    Status status = allocate(loader);
    if (status == STATUS_OK) {
        status = start_workers(loader);
    }
    if (status != STATUS_OK) {
        loader_destroy(loader);
        return status;
    }
    *out = loader;
    return STATUS_OK;
}

void loader_destroy(Loader *loader) {
    if (loader == NULL) {
        return;
    }
    pthread_mutex_lock(&loader->mutex);
    loader->stop = true;
    pthread_cond_broadcast(&loader->work);
    pthread_mutex_unlock(&loader->mutex);
    for (int i = 0; i < loader->thread_count; i++) {
        pthread_join(loader->threads[i], NULL);
    }
    for (int i = 0; loader->slots != NULL && i < loader->slot_count; i++) {
        block_free(loader->slots[i].pixels);
        block_free(loader->slots[i].labels);
        block_free(loader->slots[i].index);
        block_free(loader->slots[i].failures);
        block_free(loader->slots[i].sentences);
    }
    block_free(loader->order);
    free(loader->slots);
    free(loader->threads);
    pthread_cond_destroy(&loader->done);
    pthread_cond_destroy(&loader->work);
    pthread_mutex_destroy(&loader->mutex);
    free(loader);
}

int loader_batches(const Loader *loader) { return loader->batches; }

void loader_seek(Loader *loader, uint64_t epoch, int batch) {
    assert(batch >= 0 && batch < loader->batches);
    pthread_mutex_lock(&loader->mutex);
    loader->seeking = true;
    while (loader->filling > 0) { // their slots are about to get other batches
        pthread_cond_wait(&loader->done, &loader->mutex);
    }
    for (int i = 0; i < loader->slot_count; i++) {
        loader->slots[i].ready = false;
    }
    loader->open = NULL;
    loader->taken = loader->returned = 0;
    loader->epoch = epoch;
    loader->batch = batch;
    loader->seeking = false;
    pthread_cond_broadcast(&loader->work);
    pthread_mutex_unlock(&loader->mutex);
}

void loader_next(Loader *loader, Batch *out) {
    pthread_mutex_lock(&loader->mutex);
    assert(!loader->seeking); // loader_seek() was called before
    Slot *slot = &loader->slots[loader->returned++ % (uint64_t)loader->slot_count];
    if (loader->options.workers == 0) {
        take(loader);
        fill(loader, slot, 0, slot->count);
    } else {
        pthread_cond_broadcast(&loader->work); // the batch that the caller held is free
        while (!slot->ready) {
            pthread_cond_wait(&loader->done, &loader->mutex);
        }
        slot->ready = false;
    }
    pthread_mutex_unlock(&loader->mutex);
    *out = (Batch){
        .pixels = slot->pixels,
        .labels = slot->labels,
        .index = slot->index,
        .failures = slot->failures,
        .count = slot->count,
    };
}
