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
    double loss;                        // mean cross-entropy, summed in data order in double
} Evaluation;

// Whether `label`'s logit is among the k largest; ties go to the lower index, and a logit that is
// not a number is never among them.
bool logits_rank_within(const float *logits, int classes, int32_t label, int k);
// -log softmax(logits)[label], in double.
double logits_cross_entropy(const float *logits, int classes, int32_t label);
// Probabilities from logits, in double inside.
void logits_softmax(const float *logits, int classes, float *probabilities);

// Runs one epoch of `loader` (which neither shuffles nor augments) from its first batch through an
// inference network on the cpu backend. `logits` NULL, or [samples][classes] in data order.
// Allocates nothing.
void evaluate_run(Network *network, Loader *loader, float *logits, Evaluation *out);

#endif
