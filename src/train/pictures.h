// SPDX-License-Identifier: Apache-2.0
// Some samples of a data set in memory, drawn by seed and made ready for a network: for work that
// goes over the same ones several times.
#ifndef RESNET_TRAIN_PICTURES_H
#define RESNET_TRAIN_PICTURES_H

#include "data/loader.h"

typedef struct Pictures {
    float *pixels;   // [count][height][width][channels], normalised
    int32_t *labels; // [count]
    size_t elements; // of one picture
    int count, failed;
} Pictures;

typedef struct PicturesOptions {
    int count; // wanted; fewer where the data set has no more that can be read
    int workers;
    uint64_t seed;
    void (*failure)(void *user, const char *sentence); // a picture that cannot be read; NULL: none
    void *user;
} PicturesOptions;

// The same samples in the same order for any number of workers. A data set without a picture that
// can be read is a failure.
Status pictures_load(const Dataset *set, const Preprocess *preprocess,
                     const PicturesOptions *options, Pictures *out);
void pictures_destroy(Pictures *pictures);

#endif
