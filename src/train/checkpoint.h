// SPDX-License-Identifier: Apache-2.0
// A checkpoint: a model file with momentum and the state of the training added, so that a training
// goes on as if it had never stopped. It holds nothing that differs between equal runs (no times,
// paths or numbers of threads): equal trainings have equal bytes.
//
// Besides a model's own entries: tensors "training.PARAM" for the parameters that the network has
// in training alone (auxiliary heads), "momentum.PARAM" for all of them, metadata
// "train.iteration", "train.complete" (0, 1), "train.epoch.loss" (the bits of a double),
// "train.epoch.correct", "train.epoch.samples", and "train.option.NAME" for each field of the
// recipe.
#ifndef RESNET_TRAIN_CHECKPOINT_H
#define RESNET_TRAIN_CHECKPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "train/recipe.h"
#include "weights/model_file.h"

// Sums over the steps of an epoch so far.
typedef struct EpochSums {
    double loss; // in the order of samples
    int64_t correct, samples;
} EpochSums;

// What a training is at one moment, the parameters apart. The order of data and all draws are
// functions of the seed and the iteration.
typedef struct TrainState {
    int64_t iteration; // steps done
    bool complete;     // nothing is left to do: norms averaged, model saved
    EpochSums sums;
} TrainState;

// `model` has training parameters, laid out for `graph`: its own with a loss, which begins with it.
// Refuses to save what is not finite, with the parameter's name, so that the last good checkpoint
// stays.
Status checkpoint_save(const char *path, const ModelFile *model, const Graph *graph,
                       const RecipeField fields[RECIPE_FIELDS], const TrainState *state);

// Fills such parameters and the state. STATUS_USAGE with the option's name, its old and its new
// value when the fields are not the same.
Status checkpoint_load(const char *path, const ModelFile *model, const Graph *graph,
                       const RecipeField fields[RECIPE_FIELDS], TrainState *state);

#endif
