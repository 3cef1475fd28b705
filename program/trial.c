// SPDX-License-Identifier: Apache-2.0
#include "trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "failure.h"

static void error_cell(Table *table, int seeds, double error, double spread) {
    if (seeds > 1) {
        table_cell(table, "%.1f ± %.1f %%", error, spread);
    } else {
        table_cell(table, "%.1f %%", error);
    }
}

Table *trial_table(const Trial *trial) {
    static const Column columns[] = {{"model", false},     {"layers", true},
                                     {"parameters", true}, {"training error", true},
                                     {"test error", true}, {"seconds", true}};
    Table *table = table_create(columns, 6);
    for (int m = 0; m < trial->models; m++) {
        const Outcome *outcome = &trial->outcomes[m];
        table_cell(table, "%s", model_title(outcome->model));
        table_cell(table, "%d", model_layers(outcome->model));
        table_cell(table, "%s", figure_whole(outcome->parameters));
        error_cell(table, outcome->seeds, outcome->train_error, outcome->train_spread);
        error_cell(table, outcome->seeds, outcome->test_error, outcome->test_spread);
        table_cell(table, "%s", figure_whole((int64_t)(outcome->seconds + 0.5)));
    }
    return table;
}

// ---- Curves -------------------------------------------------------------------------------------

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

static void chart_fill(const Trial *trial, Presentation *out) {
    double *store = out->numbers;
    for (int r = 0; r < trial->run_count; r++) {
        const Run *run = &trial->runs[r];
        ChartSeries *train = &out->series[2 * r], *test = train + 1;
        *train = series_make(&run->train, &store);
        *test = series_make(&run->test, &store);
        train->tone = test->tone = r / trial->seeds;
        train->strong = test->strong = train->tone % 2 == 1;
        test->dashed = true;
        if (r % trial->seeds == 0) {
            snprintf(out->labels[r], sizeof out->labels[r], "%s", model_title(run->model));
            train->label = out->labels[r];
        }
    }
    const int64_t window = curve_window(trial->runs[0].settings.iterations);
    snprintf(out->caption, sizeof out->caption,
             "Training error (solid) is averaged over windows of %lld iteration%s; test error "
             "(rings) is measured on the whole test split.",
             (long long)window, window == 1 ? "" : "s");
    out->chart = (ReportChart){.name = trial->experiment->name,
                               .chart = {.title = "Training and test error against iterations",
                                         .x_title = "iterations",
                                         .y_title = "error, %",
                                         .solid = "training error",
                                         .dashed = "test error",
                                         .series = out->series,
                                         .series_count = 2 * trial->run_count},
                               .caption = out->caption};
}

// ---- Runs ---------------------------------------------------------------------------------------

// The training alone. How often it tests changes no weights.
static char *run_command(const Run *run) {
    const RunSettings *settings = &run->settings;
    const char *format = "resnet train --model %s --data %s --recipe paper --iterations %lld "
                         "--batch %d --lr %g --seed %llu --out DIR";
    char *text = NULL;
    int length =
        asprintf(&text, format, run->model, settings->data, (long long)settings->iterations,
                 settings->batch, settings->lr, (unsigned long long)settings->seed);
    return length < 0 ? NULL : text;
}

static resnet_status runs_fill(const Trial *trial, Presentation *out) {
    for (int r = 0; r < trial->run_count; r++) {
        const Run *run = &trial->runs[r];
        char path[PATH_MAX + 32];
        snprintf(path, sizeof path, "%s/model.safetensors", run->folder);
        TRY(digest_file(path, out->digests[r]));
        out->commands[r] = run_command(run);
        if (out->commands[r] == NULL) {
            return failure_say(RESNET_FAILED, "cannot get memory for a command");
        }
        out->runs[r] = (ReportRun){.name = out->labels[r - r % trial->seeds],
                                   .command = out->commands[r],
                                   .folder = run->folder,
                                   .seed = run->settings.seed,
                                   .seconds = run->seconds,
                                   .weights = out->digests[r]};
    }
    return RESNET_OK;
}

static resnet_status presentation_begin(const Trial *trial, Presentation *out) {
    size_t points = 0, runs = (size_t)trial->run_count;
    for (int r = 0; r < trial->run_count; r++) {
        points += (size_t)(trial->runs[r].train.count + trial->runs[r].test.count);
    }
    *out = (Presentation){.run_count = trial->run_count, .rows = trial_table(trial)};
    out->series = calloc(2 * runs, sizeof *out->series);
    out->numbers = calloc(2 * points + 1, sizeof *out->numbers);
    out->labels = calloc(runs, sizeof *out->labels);
    out->runs = calloc(runs, sizeof *out->runs);
    out->commands = calloc(runs, sizeof *out->commands);
    out->digests = calloc(runs, sizeof *out->digests);
    if (out->rows == NULL || out->series == NULL || out->numbers == NULL || out->labels == NULL ||
        out->runs == NULL || out->commands == NULL || out->digests == NULL) {
        return failure_say(RESNET_FAILED, "cannot get memory for a report");
    }
    return RESNET_OK;
}

resnet_status trial_present(const Trial *trial, Presentation *out) {
    TRY(presentation_begin(trial, out));
    chart_fill(trial, out);
    TRY(runs_fill(trial, out));
    out->table = (ReportTable){.table = out->rows,
                               .note = "Training error: average over the last fifth of the "
                                       "iterations, with augmentation."};
    for (int i = 0; i < trial->verdict.count; i++) {
        out->sentences[i] = trial->verdict.sentences[i];
    }
    const Experiment *experiment = trial->experiment;
    out->finding = (Finding){.name = experiment->name,
                             .title = experiment->title,
                             .claim = experiment->claim,
                             .source = experiment->source,
                             .agrees = trial->verdict.agrees,
                             .headline = trial->verdict.headline,
                             .sentences = out->sentences,
                             .sentence_count = trial->verdict.count,
                             .charts = &out->chart,
                             .chart_count = 1,
                             .tables = &out->table,
                             .table_count = 1,
                             .runs = out->runs,
                             .run_count = out->run_count};
    return RESNET_OK;
}

void presentation_release(Presentation *presentation) {
    for (int r = 0; r < presentation->run_count && presentation->commands != NULL; r++) {
        free(presentation->commands[r]);
    }
    table_destroy(presentation->rows);
    free(presentation->series);
    free(presentation->numbers);
    free(presentation->labels);
    free(presentation->runs);
    free(presentation->commands);
    free(presentation->digests);
    *presentation = (Presentation){0};
}
