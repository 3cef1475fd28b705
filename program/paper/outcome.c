// SPDX-License-Identifier: Apache-2.0
#include "paper/outcome.h"

#include <math.h>
#include <string.h>

static const double CERTAIN = 2; // standard errors

const Outcome *outcomes_find(const Outcomes *outcomes, const char *key) {
    for (int i = 0; i < outcomes->count; i++) {
        if (strcmp(outcomes->list[i].net->key, key) == 0) {
            return &outcomes->list[i];
        }
    }
    return NULL;
}

static Measured run_train_error(const Run *run) { return run->train_error; }
static Measured run_test_error(const Run *run) { return run->test_error; }

// Two or three seeds may agree by chance far better than each of them is known, so that the mean is
// never said to be surer than its runs are.
static Measured seeds_average(const Run *runs, int seeds, Measured (*figure)(const Run *run)) {
    double mean = 0, spread = 0, own = 0; // squares of the latter two
    for (int s = 0; s < seeds; s++) {
        mean += figure(&runs[s]).value / seeds;
    }
    for (int s = 0; s < seeds; s++) {
        const Measured one = figure(&runs[s]);
        spread += (one.value - mean) * (one.value - mean) / (seeds - 1);
        own += one.error * one.error / seeds;
    }
    return (Measured){mean, sqrt(fmax(spread, own) / seeds)};
}

Outcome outcome_average(const Net *net, const Run *runs, int seeds) {
    Outcome outcome = {.net = net, .seeds = seeds, .iterations = runs[0].settings.iterations};
    for (int s = 0; s < seeds; s++) {
        outcome.seconds += runs[s].seconds;
    }
    if (seeds == 1) {
        outcome.train = runs[0].train_error;
        outcome.test = runs[0].test_error;
    } else {
        outcome.train = seeds_average(runs, seeds, run_train_error);
        outcome.test = seeds_average(runs, seeds, run_test_error);
    }
    return outcome;
}

Contrast measured_contrast(Measured one, Measured other) {
    const double points = one.value - other.value;
    const double error = hypot(one.error, other.error);
    if (points == 0) {
        return (Contrast){0, 0};
    }
    return (Contrast){points, error > 0 ? points / error : copysign(INFINITY, points)};
}

bool contrast_above(Contrast contrast) { return contrast.errors >= CERTAIN; }
bool contrast_below(Contrast contrast) { return contrast.errors <= -CERTAIN; }
