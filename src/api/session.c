// SPDX-License-Identifier: Apache-2.0
// Sessions: a model ready to run.
#include <stdlib.h>
#include <string.h>

#include "api/handles.h"
#include "base/cpu.h"
#include "data/sample.h"
#include "formats/npy.h"
#include "train/evaluate.h"

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
    LoaderOptions options = {.batch = session->batch, .workers = 1, .ahead = LOADER_AHEAD};
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
