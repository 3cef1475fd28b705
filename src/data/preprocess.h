// SPDX-License-Identifier: Apache-2.0
// From bytes to the numbers that a network sees: normalisation and training's augmentation.
#ifndef RESNET_DATA_PREPROCESS_H
#define RESNET_DATA_PREPROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

// value = (byte / 255 - mean) / deviation; travels with the weights.
typedef struct Preprocess {
    int channels, height, width;
    float mean[3], deviation[3]; // in units of [0, 1]; deviation 1 with a per-pixel mean
    float *pixel_mean;           // [height][width][channels], or NULL: mean[] holds for every pixel
} Preprocess;

// Pad by `pad` zero pixels (after normalisation zero: the mean), random crop back, random flip.
typedef struct Augment {
    int pad;   // 4 (paper §4.2); 0: none
    bool flip; // left-right, probability 1/2
} Augment;

// Writes one sample [height][width][channels]. `augment` NULL: as it is. Draws are functions of
// (seed, epoch, sample) alone.
void preprocess_sample(const Preprocess *preprocess, const Augment *augment, uint64_t seed,
                       uint64_t epoch, uint64_t sample, const uint8_t *pixels, float *out);

#endif
