// SPDX-License-Identifier: Apache-2.0
// The paper's experiments: which networks each one looks at, what the paper says, how runs are
// judged, and what is shown. A new experiment is a row of the table and a function that judges.
#ifndef PROGRAM_EXPERIMENTS_H
#define PROGRAM_EXPERIMENTS_H

#include "paper/verdict.h"

enum { MOST_ENTRIES = 12 };

typedef enum ExperimentPart {
    PART_ERRORS = 1,     // curves of errors
    PART_GRADIENTS = 2,  // norms of gradients by layer and by iteration, deviations of responses
    PART_RESPONSES = 4,  // deviations of responses by layer, and sorted
    PART_COSTS = 8,      // columns of multiply-adds and latency, and errors against them
    PART_NEIGHBOURS = 16 // the ImageNet nets: exact sizes, latency, what the paper says of them
} ExperimentPart;

typedef struct Entry {
    const char *net; // its key
    double paper;    // the paper's figure for it; 0: there is none
} Entry;

typedef struct Experiment {
    const char *name; // as in --only
    const char *title;
    const char *claim, *source;  // the paper's words, and where they stand
    Entry entries[MOST_ENTRIES]; // up to one without a net
    const char *paper_column;    // what `paper` is; NULL: there are no figures
    const char *paper_note;      // how to read it beside ours
    unsigned parts;
    // Networks that a scale leaves out are not among the outcomes.
    void (*judge)(const Outcomes *outcomes, Verdict *verdict);
} Experiment;

// NULL past the table's end.
const Experiment *experiment_get(int index);

// Whether a list of names, "depth,shortcuts", has the experiment's; NULL has all.
bool experiment_wanted(const Experiment *experiment, const char *names);
// RESNET_USAGE with a sentence where the list has a name that is none.
resnet_status experiments_check(const char *names);

#endif
