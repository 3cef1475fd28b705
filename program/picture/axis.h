// SPDX-License-Identifier: Apache-2.0
// A chart's axis: from values to pixels, linear or logarithmic, with ticks at round values.
#ifndef PROGRAM_AXIS_H
#define PROGRAM_AXIS_H

#include <stdbool.h>

enum { AXIS_TICKS = 32 };

typedef struct Axis {
    bool log;             // values above 0; first and last are their logarithms (base 10)
    double first, last;   // at both ends
    double start, length; // in pixels; length < 0: upwards
    double ticks[AXIS_TICKS];
    int tick_count;
    double step; // of linear ticks; 0: they are 1, 2, 5 times powers of ten, or such powers alone
} Axis;

// From `least` to `most` (widened where they are equal), with at most about `most_ticks` ticks.
// `whole`: widened until it begins and ends with a tick. start and length are left to be set.
Axis axis_make(bool log, double least, double most, int most_ticks, bool whole);
double axis_place(const Axis *axis, double value);
// "64,000", "0.05", "20 M", "5 G"; a static buffer of four.
const char *axis_tick_text(const Axis *axis, int tick);

#endif
