// SPDX-License-Identifier: Apache-2.0
// A line chart as inline SVG: axes with round ticks, curves, points, and a label at each curve's
// end.
#ifndef PROGRAM_CHART_H
#define PROGRAM_CHART_H

#include <stdbool.h>
#include <stdio.h>

typedef struct ChartSeries {
    const char *label; // at the end of the curve; NULL: none
    int tone;          // class s0 … s7 of the page's style
    bool strong;       // a thicker line
    bool dashed;       // dashed, with a dot at each point
    const double *x, *y;
    int count;
} ChartSeries;

typedef struct Chart {
    const char *title; // for readers who do not see it
    const char *x_title, *y_title;
    const ChartSeries *series;
    int series_count;
} Chart;

// Writes two drawings of the same chart, of which the page's style shows one: for screens and for
// phones, because text in one that shrinks could not be read.
void chart_write(const Chart *chart, FILE *file);

// A short piece of a curve for a legend; tone -1: in the colour of the text.
void chart_swatch(int tone, bool strong, bool dashed, FILE *file);

#endif
