// SPDX-License-Identifier: Apache-2.0
// The paper's experiments: which networks each one trains, what the paper says, and how runs are
// judged. A new experiment is a row of the table and a function that judges.
#ifndef PROGRAM_EXPERIMENTS_H
#define PROGRAM_EXPERIMENTS_H

#include <stdbool.h>
#include <stdint.h>

// One network's results, averaged over seeds; errors in percent, spreads are standard deviations.
typedef struct Outcome {
    const char *model;
    int64_t parameters;
    int seeds;
    double train_error, train_spread, test_error, test_spread;
    double seconds; // of all its runs
} Outcome;

enum { VERDICT_SENTENCES = 4, SENTENCE_SIZE = 200 };

typedef struct Verdict {
    bool agrees; // with the paper
    const char *headline;
    char sentences[VERDICT_SENTENCES][SENTENCE_SIZE];
    int count;
} Verdict;

typedef struct Experiment {
    const char *name; // as in --only
    const char *title;
    const char *const *models;  // ends with NULL
    const char *claim, *source; // the paper's words, and where they stand
    // outcomes are in the order of `models`.
    Verdict (*judge)(const Outcome *outcomes);
} Experiment;

// NULL past the table's end.
const Experiment *experiment_get(int index);

// "plain20" as the paper writes it, "plain-20"; a static buffer of four.
const char *model_title(const char *model);
// Layers with weights, by the name's number.
int model_layers(const char *model);

#endif
