// SPDX-License-Identifier: Apache-2.0
// Sessions: a model ready to run.
#include "api/session.h"

#include <stdlib.h>
#include <string.h>

#include "api/fused_layer.h"
#include "base/cpu.h"

void resnet_session_options_default(resnet_session_options *options) {
    *options = (resnet_session_options){.threads = 0, .batch = 1};
}

// The quantisation that the session runs with, NULL: none; and whether layers are in bf16.
static Status choose_precision(const resnet_model *model, const char *precision,
                               const Quantization **out, bool *bf16) {
    *bf16 = false;
    *out = model->file->quantization;
    if (precision == NULL) {
        return STATUS_OK;
    }
    *bf16 = strcmp(precision, "bf16") == 0;
    if (*bf16 || strcmp(precision, "fp32") == 0) {
        *out = NULL;
        return STATUS_OK;
    }
    if (strcmp(precision, "int8") != 0) {
        return status_fail(STATUS_USAGE, "precision '%.40s' is none of fp32, bf16 and int8",
                           precision);
    }
    return *out != NULL ? STATUS_OK
                        : status_fail(STATUS_USAGE,
                                      "these weights of %s are in float; `resnet quantize` makes "
                                      "a file that runs in int8",
                                      model->file->name);
}

static Status session_fill(resnet_session *session, const resnet_session_options *options) {
    const resnet_model *model = session->model;
    const Backend *backend = NULL;
    if (options->batch < 1) {
        return status_fail(STATUS_USAGE, "a batch of %d images is not possible", options->batch);
    }
    bool bf16 = false;
    TRY(choose_precision(model, options->precision, &session->quantization, &bf16));
    TRY(backend_cpu(&backend));
    TRY(threads_create(options->threads > 0 ? options->threads : cpu_count(), &session->threads));
    TRY(model_ready(model));
    session->batch = options->batch;
    NetworkOptions network = {.backend = backend,
                              .threads = session->threads,
                              .batch = options->batch,
                              .phase = PHASE_INFERENCE,
                              .fuse = true,
                              .quantization = session->quantization,
                              .bf16 = bf16};
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
        scales_destroy(session->scales);
        network_destroy(session->network);
        threads_destroy(session->threads);
        free(session);
    }
}

Status session_scales(resnet_session *session) {
    return session->scales != NULL ? STATUS_OK
                                   : scales_create(session->model, session->quantization,
                                                   session->threads, &session->scales);
}

static void run_pass(resnet_session *session, const float *images, float *logits,
                     const PassOptions *pass) {
    size_t elements = shape_elements(model_input(session->model));
    size_t classes = (size_t)resnet_model_classes(session->model);
    size_t count = (size_t)pass->count;
    memcpy(network_input(session->network), images, count * elements * sizeof(float));
    network_forward(session->network, pass);
    memcpy(logits, network_output(session->network), count * classes * sizeof(float));
}

resnet_status resnet_session_run(resnet_session *session, const float *images, int count,
                                 float *logits) {
    size_t elements = shape_elements(model_input(session->model));
    size_t classes = (size_t)resnet_model_classes(session->model);
    for (int done = 0; done < count;) {
        int now = count - done < session->batch ? count - done : session->batch;
        run_pass(session, images + (size_t)done * elements, logits + (size_t)done * classes,
                 &(PassOptions){.count = now});
        done += now;
    }
    return RESNET_OK;
}

resnet_status resnet_session_run_timed(resnet_session *session, const float *images, int count,
                                       float *logits, double *seconds) {
    if (count < 1 || count > session->batch) {
        return (resnet_status)status_fail(STATUS_USAGE,
                                          "a timed pass of %d images in a session for at most %d",
                                          count, session->batch);
    }
    run_pass(session, images, logits, &(PassOptions){.count = count, .seconds = seconds});
    return RESNET_OK;
}

int resnet_session_layers(const resnet_session *session) {
    return network_graph(session->network)->node_count;
}

resnet_status resnet_session_layer(const resnet_session *session, int index,
                                   resnet_fused_layer *out) {
    return (resnet_status)fused_layer(session->network, index, out);
}
