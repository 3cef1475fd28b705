// SPDX-License-Identifier: Apache-2.0
// What is needed to measure: a clock, noise, samples with their percentiles, this process's memory.
#ifndef PROGRAM_MEASURE_H
#define PROGRAM_MEASURE_H

#include <stdint.h>

#include "resnet.h"

// Seconds on a clock that only goes forward.
double measure_clock(void);

// The next of a sequence that begins with *state: 32 bits of noise, by a generator of Numerical
// Recipes whose upper bits are the good ones.
uint32_t noise_next(uint32_t *state);

// Bytes of this process that lie in memory; -1 where the system does not tell.
int64_t measure_resident(void);

// Rows of figures that belong to one moment each.
typedef struct Samples {
    double *values; // [rows][columns]
    int columns, rows, room;
} Samples;

// A fresh row of zeros; NULL when memory is out.
double *samples_row(Samples *samples);
void samples_free(Samples *samples);
// The smallest figure of a column that at least the share `share` (0 … 1) of all do not exceed
// (nearest rank). There must be rows. NaN when memory is out.
double samples_percentile(const Samples *samples, int column, double share);
double samples_sum(const Samples *samples, int column);

#endif
