// SPDX-License-Identifier: Apache-2.0
// A finding while it is being filled, and what fills it.
#ifndef PROGRAM_DRAFT_H
#define PROGRAM_DRAFT_H

#include "paper/campaign.h"
#include "paper/keep.h"
#include "paper/report.h"

enum { MOST_CHARTS = 4, MOST_TABLES = 3, MOST_NOTES = 8 };

// A finding that is being filled; its memory is the keep's.
typedef struct Draft {
    const Campaign *campaign;
    const Experiment *experiment;
    Keep *keep;
    const Outcome *outcomes[MOST_ENTRIES]; // those that there are, in the order of entries
    double paper[MOST_ENTRIES];            // the paper's figures for them
    int count;
    Verdict *verdict;
    ReportChart charts[MOST_CHARTS];
    ReportTable tables[MOST_TABLES];
    const char *notes[MOST_NOTES];
    int chart_count, table_count, note_count;
} Draft;

void draft_chart(Draft *draft, ReportChart chart);
void draft_table(Draft *draft, ReportTable table);
void draft_note(Draft *draft, const char *note);
// Plain nets are one family of tones, residual nets another, neighbours a third.
int draft_tone(const Draft *draft, int index, bool *strong);
// Trainings of all its networks.
size_t draft_run_count(const Draft *draft);

// Parts; see findings.c for which experiment gets what.
void draft_error_curves(Draft *draft); // error_charts.c
void draft_error_costs(Draft *draft);
void draft_gradient_charts(Draft *draft); // signal_charts.c
void draft_response_charts(Draft *draft);
void draft_results(Draft *draft); // result_tables.c
resnet_status draft_neighbours(Draft *draft);

#endif
