// SPDX-License-Identifier: Apache-2.0
// Training on batches of the caller's own. The graph has the loss, and the auxiliary heads that
// some models have in training only, whose parameters come after the model's.
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/fused_layer.h"
#include "api/handles.h"
#include "base/cpu.h"
#include "train/memory.h"
#include "train/optimizer.h"

static const float NORM_MOMENTUM = 0.1f;

struct resnet_trainer {
    Graph *graph;
    Parameters *parameters;
    Threads *threads;
    Network *network;
    Optimizer *optimizer;
    int batch;
    uint64_t seed, iteration;
};

void resnet_trainer_options_default(resnet_trainer_options *options) {
    *options = (resnet_trainer_options){.batch = 128, .momentum = 0.9, .weight_decay = 1e-4};
}

// What the model has, and draws for what is for training alone.
static void fill_parameters(resnet_trainer *trainer, const ModelFile *model, uint64_t seed) {
    assert(graph_begins_with(trainer->graph, model->graph));
    if (trainer->graph->param_count > model->graph->param_count) {
        parameters_init(trainer->parameters, trainer->graph, seed);
    }
    for (ParamId p = 0; p < model->graph->param_count; p++) {
        const Param *param = &model->graph->params[p];
        memcpy(parameters_values(trainer->parameters, param),
               parameters_values(model->parameters, param), param->elements * sizeof(float));
    }
}

static Status trainer_fill(resnet_trainer *trainer, const resnet_model *model,
                           const resnet_trainer_options *options) {
    if (options->batch < 1) {
        return status_fail(STATUS_USAGE, "a batch of %d images is not possible", options->batch);
    }
    trainer->batch = options->batch;
    trainer->seed = model->seed;
    NetworkOptions network = {.batch = options->batch,
                              .phase = PHASE_TRAINING,
                              .fuse = true,
                              .recompute = options->recompute != 0};
    TRY(backend_cpu(&network.backend));
    TRY(threads_create(options->threads > 0 ? options->threads : cpu_count(), &trainer->threads));
    network.threads = trainer->threads;
    const TrainSize size = {options->batch, options->batch, network.recompute, trainer->threads};
    TRY(memory_check(model->file->name, &model->file->options, &size, memory_available()));
    ModelOptions with_loss = model->file->options;
    with_loss.loss = true;
    TRY(model_build(model->file->name, &with_loss, &trainer->graph));
    TRY(parameters_create(trainer->graph, sizeof(float), true, &trainer->parameters));
    TRY(model_ready(model));
    fill_parameters(trainer, model->file, model->seed);
    TRY(network_create(trainer->graph, trainer->parameters, &network, &trainer->network));
    const OptimizerOptions update = {.form = MOMENTUM_PYTORCH,
                                     .momentum = options->momentum,
                                     .weight_decay = options->weight_decay,
                                     .decay_norm_bias = true,
                                     .shift_rate = 1};
    return optimizer_create(trainer->graph, &update, &trainer->optimizer);
}

resnet_status resnet_trainer_create(const resnet_model *model,
                                    const resnet_trainer_options *options, resnet_trainer **out) {
    *out = NULL;
    resnet_trainer_options defaults;
    resnet_trainer_options_default(&defaults);
    resnet_trainer *trainer = calloc(1, sizeof *trainer);
    if (trainer == NULL) {
        return out_of_memory("a trainer");
    }
    Status status = trainer_fill(trainer, model, options != NULL ? options : &defaults);
    if (status != STATUS_OK) {
        resnet_trainer_free(trainer);
        return (resnet_status)status;
    }
    *out = trainer;
    return RESNET_OK;
}

void resnet_trainer_free(resnet_trainer *trainer) {
    if (trainer != NULL) {
        network_destroy(trainer->network);
        optimizer_destroy(trainer->optimizer);
        parameters_destroy(trainer->parameters);
        threads_destroy(trainer->threads);
        graph_destroy(trainer->graph);
        free(trainer);
    }
}

static Status load_batch(resnet_trainer *trainer, const float *images, const int32_t *labels,
                         int count) {
    const int classes = graph_shape(trainer->graph, trainer->graph->output).channels;
    if (count < 1 || count > trainer->batch) {
        return status_fail(STATUS_USAGE, "a step of %d images in a trainer for at most %d", count,
                           trainer->batch);
    }
    for (int i = 0; i < count; i++) {
        if (labels[i] < 0 || labels[i] >= classes) {
            return status_fail(STATUS_USAGE, "image %d of the batch has label %d, not 0 to %d", i,
                               (int)labels[i], classes - 1);
        }
    }
    size_t elements = shape_elements(graph_shape(trainer->graph, trainer->graph->input));
    memcpy(network_input(trainer->network), images, (size_t)count * elements * sizeof(float));
    memcpy(network_labels(trainer->network), labels, (size_t)count * sizeof(int32_t));
    return STATUS_OK;
}

static Status step(resnet_trainer *trainer, const float *images, const int32_t *labels, int count,
                   double lr, double *loss, double *forward_seconds, double *backward_seconds) {
    TRY(load_batch(trainer, images, labels, count));
    PassOptions pass = {
        .count = count,
        .norm_momentum = NORM_MOMENTUM,
        .loss_scale = 1.0f / (float)count,
        .seed = trainer->seed,
        .iteration = trainer->iteration,
        .seconds = forward_seconds,
    };
    network_forward(trainer->network, &pass);
    double sum = 0;
    for (int i = 0; i < count; i++) {
        sum += network_loss(trainer->network, i);
    }
    if (loss != NULL) {
        *loss = sum / count;
    }
    if (!isfinite(sum)) {
        return status_fail(STATUS_FAILED, "the loss is not finite; try a smaller rate than %g", lr);
    }
    pass.seconds = backward_seconds;
    network_backward(trainer->network, &pass);
    optimizer_step(trainer->optimizer, trainer->parameters, lr, trainer->threads);
    trainer->iteration++;
    return STATUS_OK;
}

resnet_status resnet_trainer_step(resnet_trainer *trainer, const float *images,
                                  const int32_t *labels, int count, double lr, double *loss) {
    return (resnet_status)step(trainer, images, labels, count, lr, loss, NULL, NULL);
}

resnet_status resnet_trainer_step_timed(resnet_trainer *trainer, const float *images,
                                        const int32_t *labels, int count, double lr, double *loss,
                                        double *forward_seconds, double *backward_seconds) {
    return (resnet_status)step(trainer, images, labels, count, lr, loss, forward_seconds,
                               backward_seconds);
}

int resnet_trainer_layers(const resnet_trainer *trainer) {
    return network_graph(trainer->network)->node_count;
}

resnet_status resnet_trainer_layer(const resnet_trainer *trainer, int index,
                                   resnet_fused_layer *out) {
    return (resnet_status)fused_layer(trainer->network, index, out);
}

// ---- giving back --------------------------------------------------------------------------------

// The trainer's parameter for one of the model; NULL when it has none, or one of other dimensions.
static const Param *param_for(const resnet_trainer *trainer, const Param *param) {
    ParamId id = graph_find_param(trainer->graph, param->name);
    const Param *own = id == PARAM_NONE ? NULL : &trainer->graph->params[id];
    return own != NULL && param_same_extents(own, param) ? own : NULL;
}

resnet_status resnet_trainer_store(const resnet_trainer *trainer, resnet_model *model) {
    const Graph *graph = model->file->graph;
    for (ParamId p = 0; p < graph->param_count; p++) {
        if (param_for(trainer, &graph->params[p]) == NULL) {
            return (resnet_status)status_fail(STATUS_USAGE,
                                              "the trained model has no parameter like %s's %s",
                                              model->file->name, graph->params[p].name);
        }
    }
    Status status = model_ready(model);
    for (ParamId p = 0; p < graph->param_count && status == STATUS_OK; p++) {
        const Param *param = &graph->params[p];
        memcpy(parameters_own(model->file->parameters, param),
               parameters_values(trainer->parameters, param_for(trainer, param)),
               param->elements * sizeof(float));
    }
    return (resnet_status)status;
}
