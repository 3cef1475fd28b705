// SPDX-License-Identifier: Apache-2.0
// What the tests of networks with auxiliary heads share. cmocka.h comes before.
#ifndef RESNET_TESTS_TRAIN_HEADS_H
#define RESNET_TESTS_TRAIN_HEADS_H

#include <stdio.h>
#include <string.h>

#include "train/checkpoint.h"

static inline void require(Status status) {
    if (status != STATUS_OK) {
        fail_msg("%s", status_message());
    }
}

// A model with training parameters, and the graph that these are laid out for.
typedef struct Subject {
    ModelFile *model;
    Graph *graph;
} Subject;

static inline Subject subject_create(const char *name, int side) {
    Subject subject;
    ModelOptions options = {.classes = 10, .input = {3, side, side}};
    require(model_file_create(name, &options, &subject.model));
    options.loss = true;
    require(model_build(name, &options, &subject.graph));
    require(parameters_create(subject.graph, sizeof(float), true, &subject.model->parameters));
    return subject;
}

static inline void subject_destroy(Subject *subject) {
    model_file_destroy(subject->model);
    graph_destroy(subject->graph);
}

static inline const RecipeField *some_fields(void) {
    static RecipeField fields[RECIPE_FIELDS];
    static char names[RECIPE_FIELDS][24];
    for (int i = 0; i < RECIPE_FIELDS; i++) {
        snprintf(names[i], sizeof names[i], "field%d", i);
        fields[i].name = names[i];
        snprintf(fields[i].text, sizeof fields[i].text, "%d", 3 * i);
    }
    return fields;
}

// Values as drawn, and a momentum that is none of them.
static inline void subject_fill(const Subject *subject, uint64_t seed) {
    Parameters *parameters = subject->model->parameters;
    parameters_init(parameters, subject->graph, seed);
    const float *values = parameters->values;
    float *momentum = parameters->momentum;
    for (size_t i = 0; i < subject->graph->trainable_elements; i++) {
        momentum[i] = values[i] / 3;
    }
}

// As a checkpoint.
static inline void subject_save(const Subject *subject, const char *path) {
    TrainState state = {.iteration = 5, .sums = {0.1, 2, 3}};
    require(checkpoint_save(path, subject->model, subject->graph, some_fields(), &state));
}

#endif
