// SPDX-License-Identifier: Apache-2.0
// A training with all that it holds: made once, with every byte it will need, and then stepped.
#ifndef RESNET_TRAIN_TRAINING_H
#define RESNET_TRAIN_TRAINING_H

#include "data/loader.h"
#include "network/network.h"
#include "train/checkpoint.h"
#include "train/evaluate.h"
#include "train/optimizer.h"
#include "train/recipe.h"
#include "train/shards.h"
#include "train/train_data.h"
#include "train/trainer.h"
#include "weights/model_file.h"

typedef struct Training {
    const TrainOptions *options;
    Recipe recipe;
    RecipeField fields[RECIPE_FIELDS];
    TrainData data;
    Threads *threads;
    Graph *graph;     // the model's, with a loss and what else is for training alone (heads)
    Graph *cut_graph; // the same for cuts of images; NULL where none are seen
    ModelFile *model; // its parameters are those of `graph`, shared by all networks
    bool cuts;        // network and loader are for cuts
    Network *network; // trains a shard at a time
    Network *tester;  // evaluates
    Loader *loader, *test_loader;
    Loader *plain_loader; // training data in order, not augmented; NULL without bn_recompute
    Optimizer *optimizer;
    Shards *shards;
    char *checkpoint_path, *model_path;
    bool resumed;
    bool heads; // false: what is for training alone was not in options->init and was drawn
    TrainState state;
} Training;

// Everything up to the first step: options checked, data read, memory checked and taken, parameters
// drawn, or read from options->init or from the checkpoint. Writes nothing.
Status training_open(const TrainOptions *options, Training *out);
void training_close(Training *training);

// Makes the network and the loader anew, for cuts or whole images, as state.iteration wants them:
// done by training_open(), and needed once more at recipe.cut_iterations, before training_seek().
Status training_fit(Training *training);

// Tells the loader where to begin. Needed before the first step.
void training_seek(Training *training);
// One step at a rate: the batch's shards forward and backward, their gradients combined, the
// update. state.iteration and state.sums are those after it. Allocates nothing. A loss that is not
// finite ends it, before any update, with the iteration and the layer.
Status training_step(Training *training, double lr);
// Accuracy and loss on the test data.
void training_evaluate(Training *training, Evaluation *out);
// Replaces running statistics by the plain average of the batches' over the training data, as the
// paper's authors did. False when options->stop was set before the end, which leaves them useless.
bool training_average_norms(Training *training);

#endif
