// SPDX-License-Identifier: Apache-2.0
// Labelled images of one size in memory, from a SPEC such as cifar10:DIR or fashion-mnist:DIR.
#ifndef RESNET_DATA_DATASET_H
#define RESNET_DATA_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef enum Split { SPLIT_TRAIN, SPLIT_TEST } Split;

typedef struct Dataset {
    const char *name;            // "cifar10"
    int channels, height, width; // 3 or 1 channels; MNIST's 28x28 is padded to 32x32 with zeros
    int classes;
    uint32_t count;
    uint8_t *pixels;    // [count][height][width][channels]
    int32_t *labels;    // [count]
    char **class_names; // [classes]
} Dataset;

// SPEC: cifar10:DIR, cifar100:DIR (fine labels), mnist:DIR, fashion-mnist:DIR. DIR may hold the
// files themselves or the folder they come in (cifar-10-batches-bin). Every file's length and every
// label is checked; the sentence names file, place, what was found and what was expected.
Status dataset_open(const char *spec, Split split, Dataset **out);
void dataset_close(Dataset *dataset);

// Keeps the samples listed, in that order (the 45k/5k split, a subset for a quick run).
Status dataset_select(Dataset *dataset, const uint32_t *indices, uint32_t count);

// Mean and standard deviation of each channel over all pixels, in units of [0, 1].
void dataset_channel_statistics(const Dataset *dataset, float mean[3], float deviation[3]);
// Mean image [height][width][channels] in units of [0, 1] (the paper's per-pixel mean).
void dataset_pixel_mean(const Dataset *dataset, float *mean);

#endif
