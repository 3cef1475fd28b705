// SPDX-License-Identifier: Apache-2.0
// A training on the scratch folder's data.
#ifndef TESTS_TRAIN_SCRATCH_TRAINING_H
#define TESTS_TRAIN_SCRATCH_TRAINING_H

#include "scratch.h"
#include "train/trainer.h"

// Defaults but for the model, the data, the folder `out` in the scratch folder, and two threads.
static inline TrainOptions scratch_training(const char *model, const char *out) {
    static char data[300];
    snprintf(data, sizeof data, "cifar10:%s", scratch_path("data"));
    TrainOptions options;
    train_options_default(&options);
    options.model = model;
    options.data = data;
    options.out = scratch_path(out);
    options.threads = 2;
    return options;
}

#endif
