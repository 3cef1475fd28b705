// SPDX-License-Identifier: Apache-2.0
// Accuracy and loss of a network on a data set: used by the trainer and by `resnet eval`.
#ifndef RESNET_TRAIN_EVALUATE_H
#define RESNET_TRAIN_EVALUATE_H

#include <stdbool.h>
#include <stdint.h>

#include "data/loader.h"
#include "network/network.h"

typedef struct Evaluation {
    int64_t samples, correct, correct5; // correct5: label among the five largest logits
    int64_t failed; // photographs that could not be read; they are not among the samples
    double loss;    // mean cross-entropy, summed in data order in double
} Evaluation;

// Scores of several views of one picture (paper §3.4). What is averaged is the softmax
// probabilities; their logarithms stand for the logits, and have the averages as softmax.
typedef struct ViewScores {
    double *sum;   // [classes]
    float *logits; // [classes]
    int classes, views;
} ViewScores;

Status view_scores_create(int classes, ViewScores *out);
void view_scores_destroy(ViewScores *scores);
void view_scores_clear(ViewScores *scores);
void view_scores_add(ViewScores *scores, const float *logits);
// The averages themselves.
void view_scores_probabilities(const ViewScores *scores, float *probabilities);
// Fills scores->logits.
void view_scores_average(ViewScores *scores);

typedef struct EvaluateOptions {
    float *logits;         // NULL, or [samples][classes] in data order; NaN for what failed
    const int32_t *labels; // NULL, or the network's class for each label of the data
    int views;             // of each sample, as the loader makes them; 0 reads as 1
    int batch;             // images that the network takes at once; 0: all of the loader's batch
    ViewScores *scores;    // for more than one view
    void (*failure)(void *user, const char *sentence); // for each picture that failed; NULL: none
    void (*progress)(void *user, const Evaluation *so_far); // after each batch; NULL: none
    void *user;
} EvaluateOptions;

// Whether `label`'s logit is among the k largest; ties go to the lower index, and a logit that is
// not a number is never among them.
bool logits_rank_within(const float *logits, int classes, int32_t label, int k);
// -log softmax(logits)[label], in double.
double logits_cross_entropy(const float *logits, int classes, int32_t label);
// Probabilities from logits, in double inside.
void logits_softmax(const float *logits, int classes, float *probabilities);

// One sample's row of logits into the sums (out->loss is the sum until evaluation_finish()).
void evaluation_add(Evaluation *evaluation, const float *logits, int classes, int32_t label);
void evaluation_finish(Evaluation *evaluation);

// Runs one epoch of `loader` (which neither shuffles nor augments) from its first batch through an
// inference network on the cpu backend. options NULL: none. Allocates nothing.
void evaluate_run(Network *network, Loader *loader, const EvaluateOptions *options,
                  Evaluation *out);

#endif
