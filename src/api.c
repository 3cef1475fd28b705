// SPDX-License-Identifier: Apache-2.0
// resnet.h by thin calls: handles around the floors below, arguments checked, nothing else.
#include "resnet.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "data/dataset.h"
#include "data/image.h"
#include "data/sample.h"
#include "formats/npy.h"
#include "graph/op.h"
#include "network/network.h"
#include "train/evaluate.h"
#include "train/model_file.h"
#include "train/trainer.h"

_Static_assert((int)RESNET_FAILED == (int)STATUS_FAILED && (int)RESNET_USAGE == (int)STATUS_USAGE &&
                   (int)RESNET_INTERRUPTED == (int)STATUS_INTERRUPTED,
               "public and internal status codes are the same");
_Static_assert(sizeof(resnet_train_options) == sizeof(TrainOptions) &&
                   offsetof(resnet_train_options, stop) == offsetof(TrainOptions, stop) &&
                   offsetof(resnet_train_options, lr) == offsetof(TrainOptions, lr),
               "resnet_train_options and TrainOptions have the same fields");
_Static_assert(sizeof(resnet_train_progress) == sizeof(TrainProgress) &&
                   offsetof(resnet_train_progress, note) == offsetof(TrainProgress, note),
               "resnet_train_progress and TrainProgress have the same fields");

// A pointer, a reason, and out of memory otherwise.
static resnet_status out_of_memory(const char *what) {
    return (resnet_status)status_fail(STATUS_FAILED, "cannot get memory for %s", what);
}

const char *resnet_version(void) { return RESNET_VERSION; }

const char *resnet_last_error(void) { return status_message(); }

int resnet_cpu_count(void) { return cpu_count(); }

const char *resnet_cpu_name(void) { return cpu_name(); }

const char *resnet_isa(void) {
    const Backend *backend = NULL;
    if (backend_cpu(&backend) != STATUS_OK) {
        return NULL;
    }
    return strchr(backend->name, ' ') + 1; // "cpu avx512"
}

// ---- Architectures ----

int resnet_architecture_count(void) {
    int count = 0;
    while (model_info(count) != NULL) {
        count++;
    }
    return count;
}

resnet_status resnet_architecture_get(int index, resnet_architecture *out) {
    const ModelInfo *info = index < 0 ? NULL : model_info(index);
    if (info == NULL) {
        return (resnet_status)status_fail(STATUS_USAGE, "there is no architecture number %d",
                                          index);
    }
    Graph *graph = NULL;
    Status status = model_build(info->name, NULL, &graph);
    if (status == STATUS_OK) {
        *out = (resnet_architecture){
            .name = info->name,
            .description = info->description,
            .channels = info->input.channels,
            .height = info->input.height,
            .width = info->input.width,
            .classes = info->classes,
            .parameters = (int64_t)graph_parameters(graph),
            .macs = (int64_t)graph_macs(graph),
        };
        graph_destroy(graph);
    }
    return (resnet_status)status;
}

// ---- Models ----

struct resnet_model {
    ModelFile *file;
    uint64_t seed;
    pthread_mutex_t mutex; // parameters of a fresh model are drawn when first needed
};

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
    if (options->shortcut != NULL && !shortcut_parse(options->shortcut, &build.shortcut)) {
        return (resnet_status)status_fail(STATUS_USAGE, "shortcut '%s' is none of A, B, C",
                                          options->shortcut);
    }
    if (options->stride_in != NULL && !stride_in_parse(options->stride_in, &build.stride_in)) {
        return (resnet_status)status_fail(STATUS_USAGE, "stride-in '%s' is neither 1x1 nor 3x3",
                                          options->stride_in);
    }
    ModelFile *file = NULL;
    Status status = model_file_create(name, &build, &file);
    return model_wrap(status, file, options->seed, out);
}

resnet_status resnet_model_load(const char *path, resnet_model **out) {
    *out = NULL;
    ModelFile *file = NULL;
    Status status = model_file_load(path, &file);
    return model_wrap(status, file, 0, out);
}

static Status model_ready(const resnet_model *model) {
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

static Shape model_input(const resnet_model *model) {
    return graph_shape(model->file->graph, model->file->graph->input);
}

void resnet_model_input(const resnet_model *model, int *channels, int *height, int *width) {
    Shape shape = model_input(model);
    *channels = shape.channels;
    *height = shape.height;
    *width = shape.width;
}

// Used where the weights say nothing: ImageNet's statistics, as most published weights want them.
static Preprocess model_preprocess(const resnet_model *model) {
    if (model->file->has_preprocess) {
        return model->file->preprocess;
    }
    Shape shape = model_input(model);
    return (Preprocess){
        .channels = shape.channels,
        .height = shape.height,
        .width = shape.width,
        .mean = {0.485f, 0.456f, 0.406f},
        .deviation = {0.229f, 0.224f, 0.225f},
    };
}

void resnet_model_set_normalization(resnet_model *model, const float mean[3], const float std[3]) {
    Preprocess preprocess = model_preprocess(model);
    preprocess.pixel_mean = NULL;
    memcpy(preprocess.mean, mean, sizeof preprocess.mean);
    memcpy(preprocess.deviation, std, sizeof preprocess.deviation);
    model->file->preprocess = preprocess;
    model->file->has_preprocess = true;
}

int resnet_model_carries_normalization(const resnet_model *model) {
    return model->file->has_preprocess;
}

// Bytes of a network's blocks for one phase, on the backend of this machine.
static Status phase_bytes(const Graph *graph, int batch, Threads *threads, Phase phase,
                          size_t *bytes) {
    const Backend *backend = NULL;
    TRY(backend_cpu(&backend));
    NetworkOptions options = {
        .backend = backend, .threads = threads, .batch = batch, .phase = phase, .fuse = true};
    return network_bytes(graph, &options, bytes);
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
    size_t inference = 0, training = 0;
    if (status == STATUS_OK) {
        status = phase_bytes(graph, batch, pool, PHASE_INFERENCE, &inference);
    }
    if (status == STATUS_OK) {
        status = train_bytes(model->file->name, &model->file->options, batch, pool, &training);
    }
    threads_destroy(pool);
    size_t weights = (graph->trainable_elements + graph->running_elements) * sizeof(float);
    *out = (resnet_summary){
        .parameters = (int64_t)graph_parameters(graph),
        .macs = (int64_t)graph_macs(graph),
        .weight_bytes = (int64_t)weights,
        .inference_bytes = (int64_t)(weights + inference),
        .training_bytes = (int64_t)training,
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
    if (node->op == OP_CONV) {
        out->kernel = node->conv.kernel_height;
        out->stride = node->conv.stride;
    } else if (node->op == OP_MAX_POOL || node->op == OP_AVG_POOL) {
        out->kernel = node->pool.kernel;
        out->stride = node->pool.stride;
    }
    memcpy(out->inputs, node->input, sizeof out->inputs);
    return RESNET_OK;
}

// ---- Data ----

struct resnet_data {
    Dataset *dataset;
};

resnet_status resnet_data_open(const char *spec, const char *split, resnet_data **out) {
    *out = NULL;
    bool train = strcmp(split, "train") == 0;
    if (!train && strcmp(split, "test") != 0) {
        return (resnet_status)status_fail(STATUS_USAGE, "split '%s' is neither train nor test",
                                          split);
    }
    Dataset *dataset = NULL;
    Status status = dataset_open(spec, train ? SPLIT_TRAIN : SPLIT_TEST, &dataset);
    if (status != STATUS_OK) {
        return (resnet_status)status;
    }
    resnet_data *data = malloc(sizeof *data);
    if (data == NULL) {
        dataset_close(dataset);
        return out_of_memory("a data set");
    }
    data->dataset = dataset;
    *out = data;
    return RESNET_OK;
}

void resnet_data_free(resnet_data *data) {
    if (data != NULL) {
        dataset_close(data->dataset);
        free(data);
    }
}

int resnet_data_count(const resnet_data *data) { return (int)data->dataset->count; }

int resnet_data_classes(const resnet_data *data) { return data->dataset->classes; }

const char *resnet_data_class_name(const resnet_data *data, int index) {
    return index >= 0 && index < data->dataset->classes ? data->dataset->class_names[index] : NULL;
}

int resnet_data_label(const resnet_data *data, int sample) {
    return sample >= 0 && sample < (int)data->dataset->count ? data->dataset->labels[sample] : -1;
}

void resnet_data_shape(const resnet_data *data, int *channels, int *height, int *width) {
    *channels = data->dataset->channels;
    *height = data->dataset->height;
    *width = data->dataset->width;
}

resnet_status resnet_data_write_png(const resnet_data *data, int sample, const char *path) {
    const Dataset *set = data->dataset;
    if (sample < 0 || sample >= (int)set->count) {
        return (resnet_status)status_fail(
            STATUS_USAGE, "there is no sample %d: the data set has %u", sample, set->count);
    }
    size_t bytes = (size_t)set->channels * (size_t)set->height * (size_t)set->width;
    Image image = {set->width, set->height, set->channels, set->pixels + (size_t)sample * bytes};
    return (resnet_status)image_write_png(path, &image);
}

// ---- Sessions ----

struct resnet_session {
    const resnet_model *model;
    Threads *threads;
    Network *network;
    int batch;
};

void resnet_session_options_default(resnet_session_options *options) {
    *options = (resnet_session_options){.threads = 0, .batch = 1};
}

static Status session_fill(resnet_session *session, const resnet_session_options *options) {
    const resnet_model *model = session->model;
    const Backend *backend = NULL;
    if (options->batch < 1) {
        return status_fail(STATUS_USAGE, "a batch of %d images is not possible", options->batch);
    }
    TRY(backend_cpu(&backend));
    TRY(threads_create(options->threads > 0 ? options->threads : cpu_count(), &session->threads));
    TRY(model_ready(model));
    session->batch = options->batch;
    NetworkOptions network = {.backend = backend,
                              .threads = session->threads,
                              .batch = options->batch,
                              .phase = PHASE_INFERENCE,
                              .fuse = true};
    return network_create(model->file->graph, model->file->parameters, &network, &session->network);
}

resnet_status resnet_session_create(const resnet_model *model,
                                    const resnet_session_options *options, resnet_session **out) {
    *out = NULL;
    resnet_session_options defaults;
    resnet_session_options_default(&defaults);
    resnet_session *session = calloc(1, sizeof *session);
    if (session == NULL) {
        return out_of_memory("a session");
    }
    session->model = model;
    Status status = session_fill(session, options != NULL ? options : &defaults);
    if (status != STATUS_OK) {
        resnet_session_free(session);
        return (resnet_status)status;
    }
    *out = session;
    return RESNET_OK;
}

void resnet_session_free(resnet_session *session) {
    if (session != NULL) {
        network_destroy(session->network);
        threads_destroy(session->threads);
        free(session);
    }
}

resnet_status resnet_session_run(resnet_session *session, const float *images, int count,
                                 float *logits) {
    size_t elements = shape_elements(model_input(session->model));
    size_t classes = (size_t)resnet_model_classes(session->model);
    for (int done = 0; done < count;) {
        int now = count - done < session->batch ? count - done : session->batch;
        memcpy(network_input(session->network), images + (size_t)done * elements,
               (size_t)now * elements * sizeof(float));
        network_forward(session->network, &(PassOptions){.count = now});
        memcpy(logits + (size_t)done * classes, network_output(session->network),
               (size_t)now * classes * sizeof(float));
        done += now;
    }
    return RESNET_OK;
}

resnet_status resnet_session_predict_file(resnet_session *session, const char *path,
                                          float *probabilities) {
    Preprocess preprocess = model_preprocess(session->model);
    Status status = sample_load(path, &preprocess, network_input(session->network));
    if (status != STATUS_OK) {
        return (resnet_status)status;
    }
    network_forward(session->network, &(PassOptions){.count = 1});
    logits_softmax(network_output(session->network), resnet_model_classes(session->model),
                   probabilities);
    return RESNET_OK;
}

static Status session_evaluate(resnet_session *session, const Dataset *set, const char *logits_path,
                               float *logits, resnet_evaluation *out) {
    Preprocess preprocess = model_preprocess(session->model);
    LoaderOptions options = {.batch = session->batch, .workers = 1, .ahead = 2};
    Loader *loader = NULL;
    TRY(loader_create(set, &preprocess, &options, &loader));
    double start = clock_seconds();
    Evaluation evaluation;
    evaluate_run(session->network, loader, logits, &evaluation);
    double seconds = clock_seconds() - start;
    loader_destroy(loader);
    double samples = evaluation.samples > 0 ? (double)evaluation.samples : 1;
    *out = (resnet_evaluation){
        .samples = (int)evaluation.samples,
        .correct = (int)evaluation.correct,
        .correct5 = (int)evaluation.correct5,
        .top1 = 100 * (double)evaluation.correct / samples,
        .top5 = 100 * (double)evaluation.correct5 / samples,
        .loss = evaluation.loss,
        .seconds = seconds,
        .images_per_second = seconds > 0 ? samples / seconds : 0,
    };
    if (logits_path == NULL) {
        return STATUS_OK;
    }
    int64_t dims[2] = {evaluation.samples, resnet_model_classes(session->model)};
    return npy_write(logits_path, logits, dims, 2);
}

resnet_status resnet_session_evaluate(resnet_session *session, const resnet_data *data,
                                      const char *logits_path, resnet_evaluation *out) {
    const Dataset *set = data->dataset;
    int classes = resnet_model_classes(session->model);
    Shape input = model_input(session->model);
    if (set->channels != input.channels || set->height != input.height ||
        set->width != input.width || set->classes != classes) {
        return (resnet_status)status_fail(
            STATUS_FAILED,
            "the weights are for %d classes of %dx%dx%d images, but %s has %d classes of %dx%dx%d",
            classes, input.channels, input.height, input.width, set->name, set->classes,
            set->channels, set->height, set->width);
    }
    float *logits = NULL;
    if (logits_path != NULL) {
        logits = malloc((size_t)set->count * (size_t)classes * sizeof(float) + 1);
        if (logits == NULL) {
            return out_of_memory("the logits");
        }
    }
    Status status = session_evaluate(session, set, logits_path, logits, out);
    free(logits);
    return (resnet_status)status;
}

// ---- Training ----

void resnet_train_options_default(resnet_train_options *options) {
    train_options_default((TrainOptions *)options);
}

typedef struct CallbackBridge {
    resnet_train_callback *callback;
    void *user;
} CallbackBridge;

static void bridge_progress(void *user, const TrainProgress *progress) {
    const CallbackBridge *bridge = user;
    resnet_train_progress public_progress;
    memcpy(&public_progress, progress, sizeof public_progress);
    bridge->callback(bridge->user, &public_progress);
}

resnet_status resnet_train(const resnet_train_options *options, resnet_train_callback *callback,
                           void *user) {
    TrainOptions inner;
    memcpy(&inner, options, sizeof inner);
    CallbackBridge bridge = {callback, user};
    return (resnet_status)train_run(&inner, callback != NULL ? bridge_progress : NULL, &bridge);
}
