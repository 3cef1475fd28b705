// SPDX-License-Identifier: Apache-2.0
// What the public handles hold, and what several files of this folder need.
#ifndef RESNET_API_HANDLES_H
#define RESNET_API_HANDLES_H

#include "resnet.h"

#include <pthread.h>

#include "data/dataset.h"
#include "data/preprocess.h"
#include "weights/model_file.h"

struct resnet_model {
    ModelFile *file;
    uint64_t seed;
    pthread_mutex_t mutex; // parameters of a fresh model are drawn when first needed
};

struct resnet_data {
    Dataset *dataset;
};

// Fails with "cannot get memory for WHAT".
resnet_status out_of_memory(const char *what);

// Draws a fresh model's parameters if nobody did yet; safe from several threads.
Status model_ready(const resnet_model *model);
Shape model_input(const resnet_model *model);
// The preprocessing that the model carries, else its architecture's preset.
Preprocess model_preprocess(const resnet_model *model);

#endif
