// SPDX-License-Identifier: Apache-2.0
// A model that classifies one picture after the other and prints its answers: lines for people, or
// one JSON object a picture.
#ifndef PROGRAM_PREDICTOR_H
#define PROGRAM_PREDICTOR_H

#include <stdbool.h>

#include "resnet.h"

typedef struct PredictorOptions {
    int top;               // labels to show; cut to the model's classes
    int threads;           // 0: as many as CPUs are free
    const char *precision; // "fp32", "bf16", "int8"; NULL: the model's own
    bool json;
    bool alone; // one picture only: its failure is the command's own, told by main.c
    resnet_predict_options views;
} PredictorOptions;

typedef struct Predictor {
    PredictorOptions options;
    const resnet_model *model;
    const resnet_data *data; // gives names where the weights carry none; NULL: none
    resnet_session *session;
    float *probability; // [classes]
    int *order;         // [classes] most probable first, ties by index
    int classes;
    int seen, failed; // pictures
} Predictor;

// The true class of a picture; name NULL: as the model calls it.
typedef struct Truth {
    int label;
    const char *name;
} Truth;

// The model must outlive the predictor. On failure nothing is left to destroy.
resnet_status predictor_create(const resnet_model *model, const PredictorOptions *options,
                               Predictor *out);
void predictor_destroy(Predictor *predictor);

// Classifies pictures. One that cannot be read is told on stderr and counted, so that the others go
// on.
resnet_status predictor_files(Predictor *predictor, const char *const *paths, int count);

// The same of one picture, called `shown` in what is printed, whose class may be known.
resnet_status predictor_file(Predictor *predictor, const char *path, const char *shown,
                             const Truth *truth);

// What the two do for a picture that failed already, with its reason in resnet_last_error().
resnet_status predictor_failure(Predictor *predictor, const char *shown);

// RESNET_FAILED with a sentence when there were pictures that could not be read.
resnet_status predictor_finish(const Predictor *predictor);

#endif
