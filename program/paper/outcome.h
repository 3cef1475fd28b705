// SPDX-License-Identifier: Apache-2.0
// What came out of a network's trainings, with standard errors, so that a difference can be told
// from noise.
#ifndef PROGRAM_OUTCOME_H
#define PROGRAM_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

#include "paper/costs.h"
#include "paper/nets.h"
#include "paper/runs.h"
#include "paper/signals.h"

typedef struct Outcome {
    const Net *net;
    int seeds;
    int64_t iterations;   // of each training
    Measured train, test; // errors in percent
    double seconds;       // of all its trainings
    Cost cost;
    const Signals *signals; // of the first seed
} Outcome;

typedef struct Outcomes {
    const Outcome *list;
    int count;
} Outcomes;

// NULL: that network was left out.
const Outcome *outcomes_find(const Outcomes *outcomes, const char *key);

// Averages runs, the seeds of one network. `cost` and signals are the caller's to fill.
Outcome outcome_average(const Net *net, const Run *runs, int seeds);

// one - other, in points, and in standard errors of that difference.
typedef struct Contrast {
    double points, errors;
} Contrast;

Contrast measured_contrast(Measured one, Measured other);
// Two standard errors are taken for more than noise.
bool contrast_above(Contrast contrast);
bool contrast_below(Contrast contrast);

#endif
