// SPDX-License-Identifier: Apache-2.0
// Models: create, load, save, describe.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/fused_layer.h"
#include "api/handles.h"
#include "base/cpu.h"
#include "data/loader.h"
#include "graph/op.h"
#include "train/trainer.h"
#include "weights/model_io.h"

void resnet_model_options_default(resnet_model_options *options) {
    *options = (resnet_model_options){.seed = 1};
}

static resnet_status model_wrap(Status status, ModelFile *file, uint64_t seed, resnet_model **out) {
    if (status != STATUS_OK) {
        return (resnet_status)status;
    }
    resnet_model *model = calloc(1, sizeof *model);
    if (model == NULL) {
        model_file_destroy(file);
        return out_of_memory("a model");
    }
    model->file = file;
    model->seed = seed;
    pthread_mutex_init(&model->mutex, NULL);
    *out = model;
    return RESNET_OK;
}

resnet_status resnet_model_create(const char *name, const resnet_model_options *options,
                                  resnet_model **out) {
    *out = NULL;
    resnet_model_options defaults;
    resnet_model_options_default(&defaults);
    options = options != NULL ? options : &defaults;
    ModelOptions build = {
        .classes = options->classes,
        .input = {options->channels, options->height, options->width},
    };
    ModelFile *file = NULL;
    Status status = shortcut_read(options->shortcut, &build.shortcut);
    if (status == STATUS_OK) {
        status = stride_in_read(options->stride_in, &build.stride_in);
    }
    if (status == STATUS_OK) {
        status = model_file_create(name, &build, &file);
    }
    return model_wrap(status, file, options->seed, out);
}

void resnet_load_options_default(resnet_load_options *options) {
    *options = (resnet_load_options){.model = NULL};
}

resnet_status resnet_model_load(const char *path, const resnet_load_options *options,
                                resnet_model **out) {
    *out = NULL;
    resnet_load_options defaults;
    resnet_load_options_default(&defaults);
    options = options != NULL ? options : &defaults;
    LoadOptions load = {.model = options->model,
                        .preset = options->preset,
                        .labels = options->labels,
                        .map = options->map != 0};
    ModelFile *file = NULL;
    Status status = stride_in_read(options->stride_in, &load.stride_in);
    if (status == STATUS_OK) {
        status = model_file_load(path, &load, &file);
    }
    return model_wrap(status, file, 0, out);
}

Status model_ready(const resnet_model *model) {
    pthread_mutex_t *mutex = (pthread_mutex_t *)&model->mutex;
    pthread_mutex_lock(mutex);
    Status status = model_file_initialise(model->file, model->seed);
    pthread_mutex_unlock(mutex);
    return status;
}

resnet_status resnet_model_save(const resnet_model *model, const char *path) {
    Status status = model_ready(model);
    return (resnet_status)(status != STATUS_OK ? status : model_file_save(model->file, path));
}

void resnet_model_free(resnet_model *model) {
    if (model != NULL) {
        model_file_destroy(model->file);
        pthread_mutex_destroy(&model->mutex);
        free(model);
    }
}

const char *resnet_model_name(const resnet_model *model) { return model->file->name; }

const char *resnet_model_shortcut(const resnet_model *model) {
    return shortcut_name(model->file->options.shortcut);
}

int resnet_model_classes(const resnet_model *model) {
    const Graph *graph = model->file->graph;
    return graph_shape(graph, graph->output).channels;
}

const char *resnet_model_class_name(const resnet_model *model, int index) {
    if (model->file->class_names == NULL || index < 0 || index >= resnet_model_classes(model)) {
        return NULL;
    }
    return model->file->class_names[index];
}

Shape model_input(const resnet_model *model) {
    return graph_shape(model->file->graph, model->file->graph->input);
}

void resnet_model_input(const resnet_model *model, int *channels, int *height, int *width) {
    Shape shape = model_input(model);
    *channels = shape.channels;
    *height = shape.height;
    *width = shape.width;
}

const char *resnet_model_preset(const resnet_model *model) {
    return model_info_named(model->file->name)->preset;
}

Preprocess model_preprocess(const resnet_model *model) {
    if (model->file->has_preprocess) {
        return model->file->preprocess;
    }
    Shape shape = model_input(model);
    Preprocess preprocess;
    Status known = preprocess_preset(resnet_model_preset(model), shape.channels, shape.height,
                                     shape.width, &preprocess);
    assert(known == STATUS_OK);
    (void)known;
    return preprocess;
}

// Where the network has red, green or blue.
static int network_channel(const Preprocess *preprocess, int colour) {
    return preprocess->bgr ? 2 - colour : colour;
}

void resnet_model_normalization(const resnet_model *model, float mean[3], float std[3]) {
    Preprocess preprocess = model_preprocess(model);
    float white = preprocess.scale > 0 ? 255 * preprocess.scale : 1;
    for (int c = 0; c < 3; c++) {
        int from = network_channel(&preprocess, c);
        mean[c] = preprocess.mean[from] / white;
        std[c] = preprocess.deviation[from] / white;
    }
}

void resnet_model_set_normalization(resnet_model *model, const float mean[3], const float std[3]) {
    Preprocess preprocess = model_preprocess(model);
    preprocess.pixel_mean = NULL;
    preprocess.scale = 0; // byte / 255
    for (int c = 0; c < 3; c++) {
        int to = network_channel(&preprocess, c);
        preprocess.mean[to] = mean[c];
        preprocess.deviation[to] = std[c];
    }
    model->file->preprocess = preprocess;
    model->file->has_preprocess = true;
}

int resnet_model_stride_in_assumed(const resnet_model *model) {
    return model->file->stride_in_assumed;
}

int resnet_model_carries_normalization(const resnet_model *model) {
    return model->file->has_preprocess;
}

const char *resnet_model_precision(const resnet_model *model) {
    return model->file->quantization != NULL ? "int8" : "fp32";
}

// Bytes of a network's blocks for running, on the backend of this machine.
static Status session_bytes(const ModelFile *file, int batch, Threads *threads, size_t *bytes) {
    const Backend *backend = NULL;
    TRY(backend_cpu(&backend));
    NetworkOptions options = {.backend = backend,
                              .threads = threads,
                              .batch = batch,
                              .phase = PHASE_INFERENCE,
                              .fuse = true,
                              .quantization = file->quantization};
    return network_bytes(file->graph, &options, bytes);
}

resnet_status resnet_model_summary(const resnet_model *model, int batch, int threads,
                                   resnet_summary *out) {
    const Graph *graph = model->file->graph;
    if (batch < 1) {
        return (resnet_status)status_fail(STATUS_USAGE, "a batch of %d images is not possible",
                                          batch);
    }
    Threads *pool = NULL;
    Status status = threads_create(threads > 0 ? threads : cpu_count(), &pool);
    const ModelOptions *options = &model->file->options;
    size_t inference = 0, training = 0, recomputing = 0;
    if (status == STATUS_OK) {
        status = session_bytes(model->file, batch, pool, &inference);
    }
    if (status == STATUS_OK) {
        status = train_bytes(model->file->name, options, batch, false, pool, &training);
    }
    if (status == STATUS_OK) {
        status = train_bytes(model->file->name, options, batch, true, pool, &recomputing);
    }
    threads_destroy(pool);
    size_t reading = loader_bytes(batch, LOADER_AHEAD, shape_elements(model_input(model)));
    size_t weights = (graph->trainable_elements + graph->running_elements) * sizeof(float);
    *out = (resnet_summary){
        .parameters = (int64_t)graph_parameters(graph),
        .macs = (int64_t)graph_macs(graph),
        .weight_bytes = (int64_t)weights,
        .inference_bytes = (int64_t)(weights + inference + reading),
        .training_bytes = (int64_t)training,
        .recomputing_bytes = (int64_t)recomputing,
        .layers = graph->node_count,
    };
    return (resnet_status)status;
}

resnet_status resnet_model_layer(const resnet_model *model, int index, resnet_layer *out) {
    const Graph *graph = model->file->graph;
    if (index < 0 || index >= graph->node_count) {
        return (resnet_status)status_fail(STATUS_USAGE, "there is no layer number %d", index);
    }
    const Node *node = &graph->nodes[index];
    *out = (resnet_layer){
        .name = node->name,
        .op = op_row(node->op)->name,
        .channels = node->shape.channels,
        .height = node->shape.height,
        .width = node->shape.width,
        .macs = (int64_t)op_macs(graph, index),
    };
    for (int p = 0; p < NODE_PARAMS; p++) {
        if (node->param[p] != PARAM_NONE && !param_is_running(graph->params[node->param[p]].role)) {
            out->parameters += (int64_t)graph->params[node->param[p]].elements;
        }
    }
    layer_window(node, &out->kernel, &out->stride);
    if (node->op == OP_CONV) {
        out->groups = node->conv.groups > 1 ? node->conv.groups : 1;
    }
    memcpy(out->inputs, node->input, sizeof out->inputs);
    return RESNET_OK;
}
