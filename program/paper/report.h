// SPDX-License-Identifier: Apache-2.0
// What experiments found, in a form that knows no experiment: words, verdicts, charts, tables,
// runs. It is written as one page (report.html) and as text (report.md, whose pictures lie beside
// it in figures/).
#ifndef PROGRAM_REPORT_H
#define PROGRAM_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "console/output.h"
#include "picture/chart.h"
#include "resnet.h"

typedef struct ReportChart {
    const char *name; // of its file in figures/: "degradation-errors"
    Chart chart;
    const char *caption;
} ReportChart;

typedef struct ReportTable {
    const char *title; // NULL: none
    const Table *table;
    const char *note; // below it; NULL: none
} ReportTable;

// A training. Its numbers trace to files in its folder.
typedef struct ReportRun {
    const char *name;    // "plain-20"
    const char *command; // that does the same training again
    const char *folder;
    uint64_t seed;
    double seconds;
    const char *weights; // SHA-256 of the weights, in hexadecimal
} ReportRun;

typedef struct Finding {
    const char *name, *title;   // "degradation"; a heading
    const char *claim, *source; // the paper's words, and where they stand
    bool agrees;                // with the paper
    const char *headline;       // the verdict in one line
    const char *const *sentences;
    int sentence_count;
    const ReportChart *charts;
    int chart_count;
    const ReportTable *tables;
    int table_count;
    const char *const *notes; // what a reader must know to judge
    int note_count;
    const ReportRun *runs;
    int run_count;
} Finding;

typedef struct ReportFact {
    const char *term, *text; // "data", "cifar10:cifar-10-batches-bin"
} ReportFact;

typedef struct Report {
    const char *command; // as it was typed
    const char *machine; // that the runs ran on, "AMD EPYC 9R14, avx512, 2 threads"; NULL: untold
    const Finding *findings;
    int finding_count;
    const ReportFact *facts; // what else holds for all runs: data, training, program
    int fact_count;
} Report;

// "4 runs, 12 min 30 s in all, on AMD EPYC 9R14, avx512, 2 threads". A static buffer.
const char *report_runs_text(const Report *report, const Finding *finding);

// Writes folder/report.html.
resnet_status report_write(const Report *report, const char *folder);
// Writes folder/report.md and folder/figures/*.svg.
resnet_status report_write_markdown(const Report *report, const char *folder);

#endif
