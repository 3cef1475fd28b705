// SPDX-License-Identifier: Apache-2.0
#include "train/training.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/files.h"
#include "train/init_file.h"
#include "train/memory.h"

static Status copy_path(const char *directory, const char *name, char **out) {
    size_t bytes = strlen(directory) + strlen(name) + 2;
    *out = malloc(bytes);
    if (*out == NULL) {
        return status_fail(STATUS_FAILED, "cannot get memory for a path");
    }
    snprintf(*out, bytes, "%s/%s", directory, name);
    return STATUS_OK;
}

// What is there already decides before any work is done.
static Status check_out(Training *training) {
    const TrainOptions *options = training->options;
    TRY(copy_path(options->out, "checkpoint.safetensors", &training->checkpoint_path));
    TRY(copy_path(options->out, "model.safetensors", &training->model_path));
    bool there = file_exists(training->checkpoint_path);
    if (there && !options->resume) {
        return status_fail(STATUS_USAGE,
                           "%s: is the checkpoint of an earlier training; go on with it by "
                           "--resume, or train into another folder",
                           training->checkpoint_path);
    }
    training->resumed = there;
    return STATUS_OK;
}

// ---- the model ----------------------------------------------------------------------------------

static Status read_model_options(const Training *training, ModelOptions *out) {
    const TrainOptions *options = training->options;
    const Dataset *set = training->data.train;
    *out = (ModelOptions){.classes = set->classes,
                          .input = {set->channels, set->height, set->width},
                          .label_smoothing = (float)training->recipe.label_smoothing};
    TRY(shortcut_read(options->shortcut, &out->shortcut));
    return stride_in_read(options->stride_in, &out->stride_in);
}

static Status fill_parameters(Training *training) {
    const TrainOptions *options = training->options;
    const ModelFile *model = training->model;
    const Graph *graph = training->graph;
    training->heads = true;
    if (training->resumed) {
        TRY(checkpoint_load(training->checkpoint_path, model, graph, training->fields,
                            &training->state));
        int64_t iterations = training->recipe.schedule.iterations;
        return training->state.iteration <= iterations
                   ? STATUS_OK
                   : status_fail(STATUS_FAILED, "%s: is at iteration %lld of %lld",
                                 training->checkpoint_path, (long long)training->state.iteration,
                                 (long long)iterations);
    }
    // What is for training alone may not be in the file.
    if (options->init == NULL || graph->param_count > model->graph->param_count) {
        parameters_init(model->parameters, graph, options->seed);
    }
    return options->init == NULL ? STATUS_OK
                                 : init_file_read(options->init, model, graph, &training->heads);
}

static Status make_model(Training *training) {
    const TrainOptions *options = training->options;
    const Recipe *recipe = &training->recipe;
    ModelOptions model;
    TRY(read_model_options(training, &model));
    TRY(model_file_create(options->model, &model, &training->model));
    TRY(model_file_set_classes(training->model, training->data.train->class_names,
                               training->data.train->classes));
    TRY(model_file_set_preprocess(training->model, &training->data.preprocess));
    const TrainSize size = {recipe->batch, recipe->shard, options->recompute != 0,
                            training->threads};
    TRY(memory_check(options->model, &model, &size, memory_available()));
    model.loss = true;
    TRY(model_build(options->model, &model, &training->graph));
    if (recipe->cut_iterations > 0) {
        model.input = recipe->cut;
        TRY(model_build(options->model, &model, &training->cut_graph));
    }
    // What is for training alone comes last, so all networks run on the same blocks.
    assert(graph_begins_with(training->graph, training->model->graph));
    TRY(parameters_create(training->graph, sizeof(float), true, &training->model->parameters));
    return fill_parameters(training);
}

// ---- what runs ----------------------------------------------------------------------------------

// One for whole images is made when cuts are done with, in place of the one for cuts.
static Status make_network(Training *training) {
    NetworkOptions options = {.threads = training->threads,
                              .batch = training->recipe.shard,
                              .phase = PHASE_TRAINING,
                              .fuse = true,
                              .recompute = training->options->recompute != 0};
    network_destroy(training->network);
    training->network = NULL;
    TRY(backend_cpu(&options.backend));
    return network_create(training->cuts ? training->cut_graph : training->graph,
                          training->model->parameters, &options, &training->network);
}

static Status make_loader(Training *training) {
    const Recipe *recipe = &training->recipe;
    const TrainData *data = &training->data;
    LoaderOptions options = {.batch = recipe->batch,
                             .shuffle = true,
                             .augment = {.pad = recipe->augment_crop ? 4 : 0,
                                         .border = recipe->border,
                                         .flip = recipe->flip},
                             .seed = training->options->seed,
                             .workers = 1,
                             .ahead = LOADER_AHEAD};
    if (training->cuts) {
        options.augment.pad = 0;
        options.augment.height = recipe->cut.height;
        options.augment.width = recipe->cut.width;
    }
    loader_destroy(training->loader);
    training->loader = NULL;
    return loader_create(data->train, &data->preprocess, &options, &training->loader);
}

Status training_fit(Training *training) {
    training->cuts = training->state.iteration < training->recipe.cut_iterations;
    TRY(make_network(training));
    return make_loader(training);
}

static Status make_tester(Training *training) {
    NetworkOptions options = {.threads = training->threads,
                              .batch = training->recipe.shard,
                              .phase = PHASE_INFERENCE,
                              .fuse = true};
    TRY(backend_cpu(&options.backend));
    return network_create(training->model->graph, training->model->parameters, &options,
                          &training->tester);
}

static Status make_plain_loaders(Training *training) {
    const Recipe *recipe = &training->recipe;
    const TrainData *data = &training->data;
    LoaderOptions plain = {.batch = recipe->shard, .workers = 1, .ahead = LOADER_AHEAD};
    TRY(loader_create(data->test, &data->preprocess, &plain, &training->test_loader));
    if (!training->options->bn_recompute) {
        return STATUS_OK;
    }
    // Batches of one size weigh the same in the average.
    plain.drop_last = data->train->count >= (uint32_t)recipe->shard;
    return loader_create(data->train, &data->preprocess, &plain, &training->plain_loader);
}

static Status open_all(Training *training) {
    const TrainOptions *options = training->options;
    Recipe *recipe = &training->recipe;
    TRY(recipe_begin(options, recipe));
    TRY(check_out(training));
    TRY(train_data_open(options, recipe->pixel_mean, &training->data));
    TRY(recipe_settle(options, &training->data, recipe));
    recipe_fields(options, &training->data, recipe, training->fields);
    TRY(threads_create(options->threads > 0 ? options->threads : cpu_count(), &training->threads));
    TRY(make_model(training));
    TRY(training_fit(training));
    TRY(make_tester(training));
    TRY(make_plain_loaders(training));
    const Graph *graph = training->graph;
    TRY(optimizer_create(graph, &recipe->optimizer, &training->optimizer));
    int shards = (recipe->batch + recipe->shard - 1) / recipe->shard;
    return shards_create(graph->trainable_elements, shards, training->threads, &training->shards);
}

Status training_open(const TrainOptions *options, Training *out) {
    *out = (Training){.options = options};
    Status status = open_all(out);
    if (status != STATUS_OK) {
        training_close(out);
    }
    return status;
}

void training_close(Training *training) {
    shards_destroy(training->shards);
    optimizer_destroy(training->optimizer);
    loader_destroy(training->plain_loader);
    loader_destroy(training->test_loader);
    loader_destroy(training->loader);
    network_destroy(training->tester);
    network_destroy(training->network);
    graph_destroy(training->cut_graph);
    graph_destroy(training->graph);
    model_file_destroy(training->model);
    threads_destroy(training->threads);
    train_data_close(&training->data);
    free(training->checkpoint_path);
    free(training->model_path);
    *training = (Training){0};
}
