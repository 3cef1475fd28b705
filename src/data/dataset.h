// SPDX-License-Identifier: Apache-2.0
// Labelled images from a SPEC: of one size in memory, such as cifar10:DIR, or photographs in files,
// such as folder:DIR.
#ifndef RESNET_DATA_DATASET_H
#define RESNET_DATA_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef enum Split { SPLIT_TRAIN, SPLIT_TEST } Split;

typedef struct Dataset {
    const char *name; // "cifar10"
    // 3 or 1 channels; MNIST's 28x28 is padded to 32x32 with zeros. Photographs: all 0, as each has
    // its own.
    int channels, height, width;
    int classes;
    uint32_t count;
    uint8_t *pixels; // [count][height][width][channels]; NULL for photographs, which stay in files
    char **paths;    // [count] of photographs; NULL for data in memory
    int32_t *labels; // [count]
    char **class_names; // [classes]; NULL for lists, which name none
} Dataset;

// SPEC: cifar10:DIR, cifar100:DIR (fine labels), mnist:DIR, fashion-mnist:DIR. DIR may hold the
// files themselves or the folder they come in (cifar-10-batches-bin). Every file's length and every
// label is checked; the sentence names file, place, what was found and what was expected.
// folder:DIR (train/ and val/, which is SPLIT_TEST; a sub-folder a class) and list:FILE (lines
// "path label"; either split) name photographs: see photographs.h.
Status dataset_open(const char *spec, Split split, Dataset **out);
void dataset_close(Dataset *dataset);

// Keeps the samples listed, in that order (the 45k/5k split, a subset for a quick run). In memory
// only, as are the statistics below.
Status dataset_select(Dataset *dataset, const uint32_t *indices, uint32_t count);

// Mean and standard deviation of each channel over all pixels, in units of [0, 1].
void dataset_channel_statistics(const Dataset *dataset, float mean[3], float deviation[3]);
// Mean image [height][width][channels] in units of [0, 1] (the paper's per-pixel mean).
void dataset_pixel_mean(const Dataset *dataset, float *mean);

#endif
