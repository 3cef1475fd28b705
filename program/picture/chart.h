// SPDX-License-Identifier: Apache-2.0
// A chart as SVG: axes with round ticks, a legend, and either curves with a label at each one's
// end, or points with a label beside each. Whatever is no number, or not above 0 on a logarithmic
// axis, is left out.
#ifndef PROGRAM_CHART_H
#define PROGRAM_CHART_H

#include <stdbool.h>
#include <stdio.h>

#include "resnet.h"

typedef struct ChartSeries {
    const char *label; // at the end of the curve, or beside its points; NULL: none
    int tone;          // colour; see chart_tone()
    bool strong;       // a thicker line
    bool dashed;       // dashed, with a ring at each point
    const double *x, *y;
    int count;
} ChartSeries;

typedef struct Chart {
    const char *title; // for readers who do not see it
    const char *x_title, *y_title;
    bool log_x, log_y;
    bool points;                // no lines between the points of a series
    const char *solid, *dashed; // what solid and dashed curves are, for the legend; NULL: nothing
    const ChartSeries *series;
    int series_count;
} Chart;

// Curves of one family have one hue, from light to dark.
typedef enum ChartFamily {
    CHART_WARM, // plain nets
    CHART_COOL, // residual nets
    CHART_OTHER // neighbours: each a hue of its own
} ChartFamily;

// The tone of the family's curve number `index`; they come again after the last.
int chart_tone(ChartFamily family, int index);

// Writes two drawings of the same chart, of which the page's style shows one: for screens and for
// phones, because text in one that shrinks could not be read. The page has chart_style in its
// style.
void chart_write(const Chart *chart, FILE *file);
// The wide one as a file that shows itself in light and dark.
resnet_status chart_save(const Chart *chart, const char *path);

// Rules for the classes, with their colours. They use the page's --paper, --ink, --soft and --line.
extern const char chart_style[];

#endif
