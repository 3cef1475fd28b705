// SPDX-License-Identifier: Apache-2.0
// What experiments found, as a table for the terminal and as one HTML page.
#ifndef PROGRAM_REPORT_H
#define PROGRAM_REPORT_H

#include "experiments.h"
#include "output.h"
#include "runs.h"

// An experiment with its runs: run_count = models x seeds, the seeds of a model side by side.
typedef struct Finding {
    const Experiment *experiment;
    Run *runs;
    Outcome *outcomes; // one a model
    int models, seeds, run_count;
    Verdict verdict;
} Finding;

typedef struct ReportFacts {
    const char *command; // as it was typed
    RunSettings settings;
    int seeds;
} ReportFacts;

// Model, layers, parameters, errors, seconds: one row a model. NULL when memory is short.
Table *report_table(const Finding *finding);

resnet_status report_write(const char *path, const Finding *findings, int count,
                           const ReportFacts *facts);

#endif
