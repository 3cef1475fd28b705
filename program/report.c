// SPDX-License-Identifier: Apache-2.0
// The order of the page is the order of a reader's questions: what came out, the curves, the
// figures, what the paper says, how to get the same again.
#include "report.h"

#include <stdlib.h>
#include <string.h>

#include "chart.h"
#include "failure.h"
#include "html.h"

static void error_cell(Table *table, int seeds, double error, double spread) {
    if (seeds > 1) {
        table_cell(table, "%.1f ± %.1f %%", error, spread);
    } else {
        table_cell(table, "%.1f %%", error);
    }
}

Table *report_table(const Finding *finding) {
    static const Column columns[] = {{"model", false},     {"layers", true},
                                     {"parameters", true}, {"training error", true},
                                     {"test error", true}, {"seconds", true}};
    Table *table = table_create(columns, 6);
    for (int m = 0; m < finding->models; m++) {
        const Outcome *outcome = &finding->outcomes[m];
        table_cell(table, "%s", model_title(outcome->model));
        table_cell(table, "%d", model_layers(outcome->model));
        table_cell(table, "%s", figure_whole(outcome->parameters));
        error_cell(table, outcome->seeds, outcome->train_error, outcome->train_spread);
        error_cell(table, outcome->seeds, outcome->test_error, outcome->test_spread);
        table_cell(table, "%s", figure_whole((int64_t)(outcome->seconds + 0.5)));
    }
    return table;
}

// ---- Curves ----

// Numbers of a curve for the chart, `store` taken forward.
static ChartSeries series_make(const Curve *curve, double **store) {
    double *x = *store, *y = *store + curve->count;
    *store += 2 * curve->count;
    for (int i = 0; i < curve->count; i++) {
        x[i] = (double)curve->points[i].iteration;
        y[i] = curve->points[i].error;
    }
    return (ChartSeries){.x = x, .y = y, .count = curve->count};
}

static void chart_runs(const Finding *finding, ChartSeries *series, double *store, FILE *file) {
    char labels[16][48];
    int count = 0;
    for (int r = 0; r < finding->run_count; r++) {
        const Run *run = &finding->runs[r];
        int model = r / finding->seeds;
        ChartSeries train = series_make(&run->train, &store);
        train.tone = model;
        train.strong = model % 2 == 1;
        if (r % finding->seeds == 0 && model < 16) {
            snprintf(labels[model], sizeof labels[model], "%s", model_title(run->model));
            train.label = labels[model];
        }
        ChartSeries test = series_make(&run->test, &store);
        test.tone = train.tone;
        test.strong = train.strong;
        test.dashed = true;
        series[count++] = train;
        series[count++] = test;
    }
    Chart chart = {.title = "Training and test error against iterations",
                   .x_title = "iterations",
                   .y_title = "error, %",
                   .series = series,
                   .series_count = count};
    chart_write(&chart, file);
}

static void legend_write(const Finding *finding, FILE *file) {
    fprintf(file, "<div class=\"legend\">");
    for (int m = 0; m < finding->models; m++) {
        fprintf(file, "<span>");
        chart_swatch(m, m % 2 == 1, false, file);
        html_escape(file, model_title(finding->outcomes[m].model));
        fprintf(file, "</span>\n");
    }
    fprintf(file, "<span>solid: training error</span>\n<span>");
    chart_swatch(-1, false, true, file);
    fprintf(file, "test error</span>\n</div>\n");
}

static resnet_status figure_write(const Finding *finding, Page *page) {
    size_t points = 0;
    for (int r = 0; r < finding->run_count; r++) {
        points += (size_t)(finding->runs[r].train.count + finding->runs[r].test.count);
    }
    ChartSeries *series = calloc(2 * (size_t)finding->run_count, sizeof *series);
    double *store = calloc(2 * points + 1, sizeof *store);
    resnet_status status = RESNET_OK;
    if (series == NULL || store == NULL) {
        status = failure_say(RESNET_FAILED, "cannot get memory for a chart");
    } else {
        int64_t window = curve_window(finding->runs[0].settings.iterations);
        fprintf(page->file, "<figure>\n");
        legend_write(finding, page->file);
        chart_runs(finding, series, store, page->file);
        fprintf(page->file,
                "<figcaption>Training error (solid) is averaged over windows of %lld iteration%s; "
                "test error (rings) is measured on the whole test split.</figcaption>\n</figure>\n",
                (long long)window, window == 1 ? "" : "s");
    }
    free(series);
    free(store);
    return status;
}

// ---- The page ----

static resnet_status finding_write(const Finding *finding, Page *page) {
    const Experiment *experiment = finding->experiment;
    const Verdict *verdict = &finding->verdict;
    page_element(page, "h1", experiment->title);
    fprintf(page->file, "<div class=\"verdict%s\"><strong>", verdict->agrees ? " agrees" : "");
    html_escape(page->file, verdict->headline);
    fprintf(page->file, "</strong>\n<ul>\n");
    for (int i = 0; i < verdict->count; i++) {
        page_element(page, "li", verdict->sentences[i]);
    }
    fprintf(page->file, "</ul></div>\n");
    TRY(figure_write(finding, page));
    page_element(page, "h2", "Results");
    Table *table = report_table(finding);
    if (table == NULL) {
        return failure_say(RESNET_FAILED, "cannot get memory for a table");
    }
    page_table(page, table);
    table_destroy(table);
    fprintf(page->file, "<p class=\"soft\">Training error: average over the last fifth of the "
                        "iterations, with augmentation.</p>\n");
    page_element(page, "h2", "What the paper says");
    page_element(page, "blockquote", experiment->claim);
    fprintf(page->file, "<p class=\"soft\">");
    html_escape(page->file, experiment->source);
    fprintf(page->file,
            " (<a href=\"https://arxiv.org/abs/1512.03385\">arXiv 1512.03385</a>)</p>\n");
    return RESNET_OK;
}

static void facts_write(const ReportFacts *facts, Page *page) {
    const RunSettings *settings = &facts->settings;
    char text[256];
    page_element(page, "h2", "How to get the same again");
    fprintf(page->file, "<dl>\n<dt>command</dt><dd><code>");
    html_escape(page->file, facts->command);
    fprintf(page->file, "</code></dd>\n");
    page_pair(page, "data", settings->data);
    snprintf(
        text, sizeof text,
        "the paper's recipe, %s iterations of batch %d, learning rate %g, divided by 10 at one "
        "half and three quarters",
        figure_whole(settings->iterations), settings->batch, settings->lr);
    page_pair(page, "training", text);
    if (facts->seeds > 1) {
        snprintf(text, sizeof text, "1 to %d", facts->seeds);
    } else {
        snprintf(text, sizeof text, "%llu", (unsigned long long)settings->seed);
    }
    page_pair(page, facts->seeds > 1 ? "seeds" : "seed", text);
    int threads = settings->threads > 0 ? settings->threads : resnet_cpu_count();
    snprintf(text, sizeof text, "%s, %s, %d thread%s (any number gives the same bits)",
             resnet_cpu_name(), resnet_isa(), threads, threads == 1 ? "" : "s");
    page_pair(page, "machine", text);
    snprintf(text, sizeof text, "resnet %s", resnet_version());
    page_pair(page, "program", text);
    fprintf(page->file, "</dl>\n");
}

resnet_status report_write(const char *path, const Finding *findings, int count,
                           const ReportFacts *facts) {
    Page page;
    TRY(page_open(&page, path, "Deep residual learning: experiments"));
    resnet_status status = RESNET_OK;
    for (int i = 0; i < count && status == RESNET_OK; i++) {
        status = finding_write(&findings[i], &page);
    }
    facts_write(facts, &page);
    if (status != RESNET_OK) {
        page_abandon(&page);
        return status;
    }
    return page_close(&page);
}
