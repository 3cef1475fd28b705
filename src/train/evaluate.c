// SPDX-License-Identifier: Apache-2.0
#include "train/evaluate.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/elementary.h"

bool logits_rank_within(const float *logits, int classes, int32_t label, int k) {
    if (isnan(logits[label])) {
        return false;
    }
    int above = 0;
    for (int c = 0; c < classes; c++) {
        above += logits[c] > logits[label] || (logits[c] == logits[label] && c < label);
    }
    return above < k;
}

// The sum of e^(logit - largest), which cannot overflow.
static double exponentials(const float *logits, int classes, double *largest) {
    *largest = logits[0];
    for (int c = 1; c < classes; c++) {
        *largest = logits[c] > *largest ? logits[c] : *largest;
    }
    double sum = 0;
    for (int c = 0; c < classes; c++) {
        sum += exact_exp(logits[c] - *largest);
    }
    return sum;
}

double logits_cross_entropy(const float *logits, int classes, int32_t label) {
    double largest = 0;
    double sum = exponentials(logits, classes, &largest);
    return exact_log(sum) + largest - logits[label];
}

void logits_softmax(const float *logits, int classes, float *probabilities) {
    double largest = 0;
    double sum = exponentials(logits, classes, &largest);
    for (int c = 0; c < classes; c++) {
        probabilities[c] = (float)(exact_exp(logits[c] - largest) / sum);
    }
}

// ---- several views -----------------------------------------------------------------------------

Status view_scores_create(int classes, ViewScores *out) {
    *out = (ViewScores){.classes = classes};
    out->sum = malloc((size_t)classes * sizeof *out->sum);
    out->logits = malloc((size_t)classes * sizeof *out->logits);
    if (out->sum == NULL || out->logits == NULL) {
        view_scores_destroy(out);
        return status_fail(STATUS_FAILED, "cannot get memory for the scores of %d classes",
                           classes);
    }
    view_scores_clear(out);
    return STATUS_OK;
}

void view_scores_destroy(ViewScores *scores) {
    free(scores->sum);
    free(scores->logits);
    *scores = (ViewScores){0};
}

void view_scores_clear(ViewScores *scores) {
    scores->views = 0;
    for (int c = 0; c < scores->classes; c++) {
        scores->sum[c] = 0;
    }
}

void view_scores_add(ViewScores *scores, const float *logits) {
    double largest = 0;
    double sum = exponentials(logits, scores->classes, &largest);
    for (int c = 0; c < scores->classes; c++) {
        scores->sum[c] += exact_exp(logits[c] - largest) / sum;
    }
    scores->views++;
}

void view_scores_probabilities(const ViewScores *scores, float *probabilities) {
    for (int c = 0; c < scores->classes; c++) {
        probabilities[c] = (float)(scores->sum[c] / scores->views);
    }
}

void view_scores_average(ViewScores *scores) {
    for (int c = 0; c < scores->classes; c++) {
        double mean = scores->sum[c] / scores->views;
        scores->logits[c] = (float)exact_log(mean < DBL_MIN ? DBL_MIN : mean); // NaN stays
    }
}

// ---- a data set --------------------------------------------------------------------------------

void evaluation_add(Evaluation *evaluation, const float *logits, int classes, int32_t label) {
    evaluation->samples++;
    evaluation->correct += logits_rank_within(logits, classes, label, 1);
    evaluation->correct5 += logits_rank_within(logits, classes, label, 5);
    evaluation->loss += logits_cross_entropy(logits, classes, label);
}

void evaluation_finish(Evaluation *evaluation) {
    evaluation->loss = evaluation->samples > 0 ? evaluation->loss / (double)evaluation->samples : 0;
}

typedef struct Run {
    Network *network;
    const EvaluateOptions *options;
    Evaluation *out;
    int classes, views;
} Run;

// What came out for sample i of the batch; `seen` samples came before the batch.
static void count_sample(const Run *run, const Batch *batch, int i, int64_t seen,
                         const float *logits) {
    const EvaluateOptions *options = run->options;
    const char *failure = batch->failures != NULL ? batch->failures[i] : NULL;
    float *row = options->logits == NULL
                     ? NULL
                     : options->logits + (size_t)(seen + i) * (size_t)run->classes;
    if (failure != NULL) {
        run->out->failed++;
        if (options->failure != NULL) {
            options->failure(options->user, failure);
        }
        for (int c = 0; c < run->classes && row != NULL; c++) {
            row[c] = NAN;
        }
        return;
    }
    int32_t label = batch->labels[i];
    label = options->labels != NULL ? options->labels[label] : label;
    evaluation_add(run->out, logits, run->classes, label);
    if (row != NULL) {
        memcpy(row, logits, (size_t)run->classes * sizeof *row);
    }
}

// Image number `image` of the batch has these logits.
static void count_image(const Run *run, const Batch *batch, int image, int64_t seen,
                        const float *logits) {
    if (run->views == 1) {
        count_sample(run, batch, image, seen, logits);
        return;
    }
    ViewScores *scores = run->options->scores;
    if (image % run->views == 0) {
        view_scores_clear(scores);
    }
    view_scores_add(scores, logits);
    if (scores->views == run->views) {
        view_scores_average(scores);
        count_sample(run, batch, image / run->views, seen, scores->logits);
    }
}

static void run_batch(const Run *run, const Batch *batch, int64_t seen, size_t elements) {
    int images = batch->count * run->views;
    int most = run->options->batch > 0 ? run->options->batch : images;
    for (int begin = 0; begin < images; begin += most) {
        int count = images - begin < most ? images - begin : most;
        memcpy(network_input(run->network), batch->pixels + (size_t)begin * elements,
               (size_t)count * elements * sizeof(float));
        network_forward(run->network, &(PassOptions){.count = count});
        const float *result = network_output(run->network);
        for (int i = 0; i < count; i++) {
            count_image(run, batch, begin + i, seen, result + (size_t)i * (size_t)run->classes);
        }
    }
}

void evaluate_run(Network *network, Loader *loader, const EvaluateOptions *options,
                  Evaluation *out) {
    *out = (Evaluation){0};
    const EvaluateOptions none = {0};
    const Graph *graph = network_graph(network);
    Run run = {.network = network,
               .options = options != NULL ? options : &none,
               .out = out,
               .classes = graph_shape(graph, graph->output).channels};
    run.views = run.options->views > 1 ? run.options->views : 1;
    size_t elements = shape_elements(graph_shape(graph, graph->input));
    int64_t seen = 0;
    loader_seek(loader, 0, 0);
    for (int b = 0; b < loader_batches(loader); b++) {
        Batch batch;
        loader_next(loader, &batch);
        run_batch(&run, &batch, seen, elements);
        seen += batch.count;
        if (run.options->progress != NULL) {
            run.options->progress(run.options->user, out);
        }
    }
    evaluation_finish(out);
}
