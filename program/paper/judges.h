// SPDX-License-Identifier: Apache-2.0
// How each experiment's runs are judged: what counts as agreement with the paper.
#ifndef PROGRAM_JUDGES_H
#define PROGRAM_JUDGES_H

#include "paper/verdict.h"

// Agreement is a deeper plain net with a training error above the shallower's, and a residual one
// of that depth below the plain one, both by more than noise.
void degradation_judge(const Outcomes *outcomes, Verdict *verdict);
// ... is that no layer of plain-56 has a gradient below a thousandth of the last layer's, where
// gradients come from, nor a response whose deviation is below a thousandth of the largest.
void gradients_judge(const Outcomes *outcomes, Verdict *verdict);
// ... is the same as degradation's, for 18 and 34 layers.
void depth_judge(const Outcomes *outcomes, Verdict *verdict);
// ... is that options A, B and C differ by less than the worst of them gains over the plain net, or
// by no more than noise.
void shortcuts_judge(const Outcomes *outcomes, Verdict *verdict);
// ... is a bottleneck net with a test error below that of the basic net of about its cost by more
// than noise.
void bottleneck_judge(const Outcomes *outcomes, Verdict *verdict);
// ... is that no neighbour without shortcuts has a test error below the better residual net's by
// more than noise.
void comparison_judge(const Outcomes *outcomes, Verdict *verdict);
// ... is that the residual net of 56 layers has smaller responses than the plain one, and than the
// residual net of 20, by one per cent at least.
void responses_judge(const Outcomes *outcomes, Verdict *verdict);

// The least and the largest of figures, and their mean.
typedef struct Extent {
    double least, most, mean;
} Extent;
Extent extent_of(const double *values, int count);

#endif
