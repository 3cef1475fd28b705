// SPDX-License-Identifier: Apache-2.0
// A recipe: every number that shapes a training. The table holds the named ones; options given by
// the user replace single numbers; the result is settled before the first step and goes into the
// checkpoint, so that a training cannot go on with another one.
#ifndef RESNET_TRAIN_RECIPE_H
#define RESNET_TRAIN_RECIPE_H

#include <stdbool.h>
#include <stdint.h>

#include "data/preprocess.h"
#include "train/optimizer.h"
#include "train/schedule.h"
#include "train/train_data.h"
#include "train/trainer.h"

typedef struct Recipe {
    const char *name;
    int batch, shard;
    int64_t steps_per_epoch; // the last one of an epoch may have fewer samples
    Schedule schedule;
    OptimizerOptions optimizer;
    double label_smoothing;
    bool augment_crop;
    Flip flip;
    Border border;
    int64_t cut_iterations; // the first ones, which see cuts of the images: whole epochs
    Shape cut;
    bool pixel_mean;
} Recipe;

// Checks all options that need no data and finds the recipe's row; Recipe.pixel_mean is known then.
// STATUS_USAGE with the option's name and value.
Status recipe_begin(const TrainOptions *options, Recipe *out);
// The rest, which depends on the data: iterations and with them the schedule; augmentation.
// STATUS_USAGE where cuts are asked for that the net cannot take.
Status recipe_settle(const TrainOptions *options, const TrainData *data, Recipe *recipe);

// One thing that shapes the result, as text: {"lr", "0.1"}. Names are those of the program's
// options.
typedef struct RecipeField {
    const char *name;
    char text[160];
} RecipeField;

enum { RECIPE_FIELDS = 28 };

// All of them, in a fixed order: two trainings with the same fields give the same bits.
void recipe_fields(const TrainOptions *options, const TrainData *data, const Recipe *recipe,
                   RecipeField fields[RECIPE_FIELDS]);

#endif
