// SPDX-License-Identifier: Apache-2.0
// Errors against iterations (Fig. 6 and 4), and against cost.
#include <math.h>

#include "paper/draft.h"

// A curve's points in memory of the keep.
static void series_points(Keep *keep, const Curve *curve, ChartSeries *out) {
    double *x = keep_take(keep, (size_t)curve->count + 1, sizeof *x);
    double *y = keep_take(keep, (size_t)curve->count + 1, sizeof *y);
    if (x == NULL || y == NULL) {
        return;
    }
    for (int i = 0; i < curve->count; i++) {
        x[i] = (double)curve->points[i].iteration;
        y[i] = curve->points[i].error;
    }
    out->x = x;
    out->y = y;
    out->count = curve->count;
}

static const Job *outcome_job(const Draft *draft, int index) {
    return &draft->campaign->jobs[draft->outcomes[index] - draft->campaign->outcomes];
}

void draft_error_curves(Draft *draft) {
    ChartSeries *series = keep_take(draft->keep, 2 * draft_run_count(draft) + 1, sizeof *series);
    if (series == NULL || draft->count == 0) {
        return;
    }
    int count = 0;
    for (int i = 0; i < draft->count; i++) {
        const Job *job = outcome_job(draft, i);
        for (int s = 0; s < job->seeds; s++) {
            ChartSeries *train = &series[count++], *test = &series[count++];
            series_points(draft->keep, &job->runs[s].train, train);
            series_points(draft->keep, &job->runs[s].test, test);
            train->tone = test->tone = draft_tone(draft, i, &train->strong);
            test->strong = train->strong;
            train->label = s == 0 ? job->net->title : NULL;
            test->dashed = true;
        }
    }
    const int64_t window = curve_window(draft->outcomes[0]->iterations);
    draft_chart(draft,
                (ReportChart){
                    .name = keep_text(draft->keep, "%s-errors", draft->experiment->name),
                    .chart = {.title = "Training and test error against iterations",
                              .x_title = "iterations",
                              .y_title = "error, %",
                              .solid = "training error",
                              .dashed = "test error",
                              .series = series,
                              .series_count = count},
                    .caption = keep_text(draft->keep,
                                         "Training error (solid) is averaged over windows of %lld "
                                         "iteration%s, with augmentation; test error (rings) is "
                                         "measured on %s images.",
                                         (long long)window, window == 1 ? "" : "s",
                                         figure_whole(draft->campaign->test_samples))});
}

void draft_error_costs(Draft *draft) {
    ChartSeries *series = keep_take(draft->keep, (size_t)draft->count + 1, sizeof *series);
    double *points = keep_take(draft->keep, 2 * (size_t)draft->count + 1, sizeof *points);
    if (series == NULL || points == NULL) {
        return;
    }
    for (int i = 0; i < draft->count; i++) {
        points[2 * i] = (double)draft->outcomes[i]->cost.macs / 1e6;
        points[2 * i + 1] = draft->outcomes[i]->test.value;
        series[i] = (ChartSeries){.label = draft->outcomes[i]->net->title,
                                  .x = &points[2 * i],
                                  .y = &points[2 * i + 1],
                                  .count = 1};
        series[i].tone = draft_tone(draft, i, &series[i].strong);
    }
    draft_chart(draft,
                (ReportChart){.name = keep_text(draft->keep, "%s-costs", draft->experiment->name),
                              .chart = {.title = "Test error against multiply-adds of one image",
                                        .x_title = "million multiply-adds",
                                        .y_title = "test error, %",
                                        .points = true,
                                        .series = series,
                                        .series_count = draft->count},
                              .caption = "Each network's test error against what one image costs: "
                                         "lower and further left is better."});
}
