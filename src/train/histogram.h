// SPDX-License-Identifier: Apache-2.0
// How often a layer's values have each size, for choosing the scale of their bytes.
//
// The bins hold sizes |x| and are all of one width, a power of two, which doubles (two bins become
// one) when a value is too large. So bins nest, and the histogram of given values is the same
// whatever their order:
//
//     bin i counts  i * width <= |x| < (i + 1) * width,  width = the least 2^k that takes them all
//
// Signs are not kept: values after a ReLU have none, and others get a scale that is symmetric.
#ifndef RESNET_TRAIN_HISTOGRAM_H
#define RESNET_TRAIN_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { HISTOGRAM_BINS = 4096 };

typedef struct Histogram {
    uint64_t bins[HISTOGRAM_BINS];
    uint64_t count;     // of all values
    uint64_t nonfinite; // among them: in no bin
    double width;       // 0 while no value but 0 was seen
    float largest;      // of the sizes
} Histogram;

void histogram_add(Histogram *histogram, const float *values, size_t count);

// The three thresholds are sizes above 0; 1 where all values are 0. Larger values are clipped to
// the threshold, which has the largest of `levels` steps (255, or 127 beside the sign).
//
// Nothing is clipped.
double histogram_max(const Histogram *histogram);
// At least this share (0 … 1) of the values is not clipped.
double histogram_percentile(const Histogram *histogram, double share);
// The least mean squared error of clipping and rounding together.
double histogram_least_error(const Histogram *histogram, int levels);

// The mean squared error of bytes with that threshold, and the mean square of the values.
double histogram_error(const Histogram *histogram, double threshold, int levels);
double histogram_power(const Histogram *histogram);

#endif
