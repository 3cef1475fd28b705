// SPDX-License-Identifier: Apache-2.0
// An experiment with its runs, and how it is presented.
#ifndef PROGRAM_TRIAL_H
#define PROGRAM_TRIAL_H

#include "experiments.h"
#include "output.h"
#include "report.h"
#include "runs.h"

// run_count = models x seeds, the seeds of a model side by side.
typedef struct Trial {
    const Experiment *experiment;
    Run *runs;
    Outcome *outcomes; // one a model
    int models, seeds, run_count;
    Verdict verdict;
} Trial;

// Model, layers, parameters, errors, seconds: one row a model. NULL when memory is short.
Table *trial_table(const Trial *trial);

// A finding, and the memory that it points into.
typedef struct Presentation {
    Finding finding;
    ReportChart chart;
    ReportTable table;
    Table *rows;
    ChartSeries *series;
    double *numbers;
    char (*labels)[48];
    ReportRun *runs;
    char **commands;
    char (*digests)[65];
    const char *sentences[VERDICT_SENTENCES];
    char caption[256];
    int run_count;
} Presentation;

// Presents a trial whose runs are finished. *out can be released in any case; the trial must live
// as long.
resnet_status trial_present(const Trial *trial, Presentation *out);
void presentation_release(Presentation *presentation);

#endif
