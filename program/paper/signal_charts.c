// SPDX-License-Identifier: Apache-2.0
// Signals by layer: norms of gradients and deviations of responses (section 4.1), and responses in
// order and sorted (Fig. 7).
#include <stdlib.h>
#include <string.h>

#include "paper/draft.h"
#include "paper/judges.h"

// Figures against 1, 2, 3 ... in memory of the keep.
static ChartSeries series_numbered(Keep *keep, const double *values, int count) {
    double *x = keep_take(keep, (size_t)count + 1, sizeof *x);
    double *y = keep_take(keep, (size_t)count + 1, sizeof *y);
    if (x == NULL || y == NULL) {
        return (ChartSeries){0};
    }
    for (int i = 0; i < count; i++) {
        x[i] = i + 1;
        y[i] = values[i];
    }
    return (ChartSeries){.x = x, .y = y, .count = count};
}

static int larger_first(const void *a, const void *b) {
    const double left = *(const double *)a, right = *(const double *)b;
    return (left < right) - (left > right);
}

typedef enum LayerFigure { LAYER_GRADIENT, LAYER_RESPONSE, LAYER_RESPONSE_SORTED } LayerFigure;

static ChartSeries series_layers(Keep *keep, const SignalLine *line, LayerFigure figure) {
    ChartSeries series = figure == LAYER_GRADIENT
                             ? series_numbered(keep, line->gradients, line->gradient_count)
                             : series_numbered(keep, line->responses, line->response_count);
    if (figure == LAYER_RESPONSE_SORTED && series.y != NULL) {
        qsort((double *)series.y, (size_t)series.count, sizeof(double), larger_first);
    }
    return series;
}

// One curve a network, of the last moment that was logged.
static void chart_layers(Draft *draft, const char *name, const Chart *chart, LayerFigure figure,
                         const char *caption) {
    ChartSeries *series = keep_take(draft->keep, (size_t)draft->count + 1, sizeof *series);
    int count = 0;
    for (int i = 0; i < draft->count && series != NULL; i++) {
        const SignalLine *line = signals_last(draft->outcomes[i]->signals);
        if (line != NULL) {
            series[count] = series_layers(draft->keep, line, figure);
            series[count].label = draft->outcomes[i]->net->title;
            series[count].tone = draft_tone(draft, i, &series[count].strong);
            count++;
        }
    }
    ReportChart out = {.name = name, .chart = *chart, .caption = caption};
    out.chart.series = series;
    out.chart.series_count = count;
    if (count > 0) {
        draft_chart(draft, out);
    }
}

// The least and the largest layer's norm against iterations.
static void chart_gradient_course(Draft *draft) {
    ChartSeries *series = keep_take(draft->keep, 2 * (size_t)draft->count + 1, sizeof *series);
    int count = 0;
    for (int i = 0; i < draft->count && series != NULL; i++) {
        const Signals *signals = draft->outcomes[i]->signals;
        double *x = keep_take(draft->keep, (size_t)signals->count + 1, sizeof *x);
        double *least = keep_take(draft->keep, (size_t)signals->count + 1, sizeof *least);
        double *most = keep_take(draft->keep, (size_t)signals->count + 1, sizeof *most);
        if (x == NULL || least == NULL || most == NULL) {
            return;
        }
        for (int l = 0; l < signals->count; l++) {
            const SignalLine *line = &signals->lines[l];
            const Extent extent = extent_of(line->gradients, line->gradient_count);
            x[l] = (double)line->iteration;
            least[l] = extent.least;
            most[l] = extent.most;
        }
        ChartSeries base = {.x = x, .count = signals->count};
        base.tone = draft_tone(draft, i, &base.strong);
        series[count] = base;
        series[count].label = draft->outcomes[i]->net->title;
        series[count++].y = most;
        series[count] = base;
        series[count].dashed = true;
        series[count++].y = least;
    }
    draft_chart(draft, (ReportChart){.name = "gradients-course",
                                     .chart = {.title = "Norms of gradients against iterations",
                                               .x_title = "iterations",
                                               .y_title = "norm of the gradient",
                                               .log_y = true,
                                               .solid = "largest layer",
                                               .dashed = "smallest layer",
                                               .series = series,
                                               .series_count = count},
                                     .caption = "The largest and the smallest norm of a layer's "
                                                "gradient through the training."});
}

void draft_gradient_charts(Draft *draft) {
    const Chart gradients = {.title = "Norms of gradients by layer",
                             .x_title = "layer, from the input",
                             .y_title = "norm of the gradient",
                             .log_y = true};
    const Chart responses = {.title = "Standard deviations of responses by layer",
                             .x_title = "layer, from the input",
                             .y_title = "standard deviation",
                             .log_y = true};
    chart_layers(draft, "gradients-layers", &gradients, LAYER_GRADIENT,
                 "Backward: the norm of each layer's gradient at the end of the training.");
    chart_gradient_course(draft);
    chart_layers(draft, "gradients-responses", &responses, LAYER_RESPONSE,
                 "Forward: the standard deviation of each layer's responses after batch "
                 "normalisation, at the end of the training.");
}

void draft_response_charts(Draft *draft) {
    const Chart in_order = {.title = "Standard deviations of responses in the order of layers",
                            .x_title = "layer, from the input",
                            .y_title = "standard deviation"};
    Chart sorted = in_order;
    sorted.title = "Standard deviations of responses, sorted";
    sorted.x_title = "layer, sorted by magnitude";
    chart_layers(draft, "responses-order", &in_order, LAYER_RESPONSE,
                 "The standard deviation of each layer's responses after batch normalisation, "
                 "before ReLU and addition, in the order of layers (Fig. 7, top).");
    chart_layers(draft, "responses-sorted", &sorted, LAYER_RESPONSE_SORTED,
                 "The same figures, from the largest to the smallest (Fig. 7, bottom).");
    draft_note(draft, "Deviations follow from batch normalisation's scale, shift and running "
                      "variance: the figure is that of the responses to the training data.");
}
