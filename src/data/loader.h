// SPDX-License-Identifier: Apache-2.0
// Batches ahead of need: worker threads fill a ring of batches while the network computes.
#ifndef RESNET_DATA_LOADER_H
#define RESNET_DATA_LOADER_H

#include "data/dataset.h"
#include "data/sample.h"

// Enough to hide a batch's preparation behind a step.
enum { LOADER_AHEAD = 2 };

typedef struct LoaderOptions {
    int batch;
    bool shuffle;    // a permutation by (seed, epoch); else data order
    bool drop_last;  // leave out an incomplete last batch
    Augment augment; // zeros: none
    uint64_t seed;
    int workers; // threads that prepare batches; 0: in loader_next() itself
    int ahead;   // batches prepared ahead, at least 1
    // Photographs only, which cannot be augmented otherwise.
    Views views; // of each picture
    bool exif;   // turn pictures as their EXIF orientation says
} LoaderOptions;

typedef struct Batch {
    const float *pixels;   // [count][views][height][width][channels]
    const int32_t *labels; // [count]
    const uint32_t *index; // [count] sample numbers in the dataset
    // [count] for photographs: NULL, or why that picture could not be read, one sentence (its
    // pixels are zeros then). The array itself is NULL for data in memory.
    const char *const *failures;
    int count;
} Batch;

typedef struct Loader Loader;

// dataset and preprocess must outlive the loader. Of data in memory a worker makes a batch at a
// time; of photographs a sample, so that several work at the batch that is needed next. A worker
// holds one decoded picture at most (data/decoders.h has the limit).
Status loader_create(const Dataset *dataset, const Preprocess *preprocess,
                     const LoaderOptions *options, Loader **out);
void loader_destroy(Loader *loader);

// Bytes of the ring of a loader with workers, for samples of that many elements.
size_t loader_bytes(int batch, int ahead, size_t elements);

// Batches in an epoch.
int loader_batches(const Loader *loader);

// Goes to batch `batch` of epoch `epoch` (both from 0); what was prepared is dropped. Needed before
// the first loader_next(), and after the last batch of a range.
void loader_seek(Loader *loader, uint64_t epoch, int batch);

// The next batch; after an epoch's last one comes the next epoch's first. It stays valid until the
// next call. The content is a function of (seed, epoch, batch) alone.
void loader_next(Loader *loader, Batch *out);

#endif
