// SPDX-License-Identifier: Apache-2.0
#include "api/scales.h"

#include <stdlib.h>

enum {
    SCALES = 5,
    // Of a picture at one scale: activations of a network take some hundred bytes a pixel.
    SCALE_PIXELS_MAX = 4 << 20
};

static const int sides[SCALES] = {224, 256, 384, 480, 640};

typedef struct Scale {
    Graph *graph;
    Network *network; // NULL at first
    int height, width;
} Scale;

struct Scales {
    const resnet_model *model;
    const Quantization *quantization; // NULL: float
    Threads *threads;
    Scale scale[SCALES];
};

static void scale_clear(Scale *scale) {
    network_destroy(scale->network);
    graph_destroy(scale->graph);
    *scale = (Scale){0};
}

// The model's graph for pictures of another size.
static Status build(const ModelFile *file, int height, int width, Graph **out) {
    ModelOptions options = file->options;
    options.input.height = height;
    options.input.width = width;
    return model_build(file->name, &options, out);
}

// Whether some linear layer reads a map of pixels, not the mean over all of them: AlexNet's and
// VGG's first one, which sees each of 6x6 or 7x7 places on its own, whatever the pooling before
// made them of.
static bool reads_places(const Graph *graph) {
    bool found = false;
    for (NodeId i = 0; i < graph->node_count && !found; i++) {
        if (graph->nodes[i].op == OP_LINEAR) {
            Shape input = graph_shape(graph, graph->nodes[i].input[0]);
            found = input.height > 1 || input.width > 1;
        }
    }
    return found;
}

static Status check(const resnet_model *model) {
    const ModelFile *file = model->file;
    if (file->has_preprocess && file->preprocess.pixel_mean != NULL) {
        return status_fail(STATUS_USAGE,
                           "%s carries a mean for each pixel, so it cannot be tested at several "
                           "scales",
                           file->name);
    }
    if (reads_places(file->graph)) {
        Shape input = model_input(model);
        return status_fail(STATUS_USAGE,
                           "%s takes pictures of %dx%d only (it has no global pooling), so it "
                           "cannot be tested at several scales",
                           file->name, input.height, input.width);
    }
    return STATUS_OK;
}

Status scales_create(const resnet_model *model, const Quantization *quantization, Threads *threads,
                     Scales **out) {
    *out = NULL;
    TRY(check(model));
    Scales *scales = calloc(1, sizeof *scales);
    if (scales == NULL) {
        return status_fail(STATUS_FAILED, "cannot get memory for several scales");
    }
    scales->model = model;
    scales->quantization = quantization;
    scales->threads = threads;
    *out = scales;
    return STATUS_OK;
}

void scales_destroy(Scales *scales) {
    for (int i = 0; scales != NULL && i < SCALES; i++) {
        scale_clear(&scales->scale[i]);
    }
    free(scales);
}

// Makes the scale's network for pictures of that size, if it is not the one that is there.
static Status fit(const Scales *scales, Scale *scale, int height, int width) {
    if (scale->network != NULL && scale->height == height && scale->width == width) {
        return STATUS_OK;
    }
    scale_clear(scale);
    const ModelFile *file = scales->model->file;
    NetworkOptions options = {.threads = scales->threads,
                              .batch = 1,
                              .phase = PHASE_INFERENCE,
                              .fuse = true,
                              .quantization = scales->quantization};
    TRY(backend_cpu(&options.backend));
    TRY(build(file, height, width, &scale->graph));
    TRY(network_create(scale->graph, file->parameters, &options, &scale->network));
    scale->height = height;
    scale->width = width;
    return STATUS_OK;
}

Status scales_run(Scales *scales, const char *name, const Image *picture,
                  const Preprocess *preprocess, Explain *explain, ViewScores *scores) {
    for (int i = 0; i < SCALES; i++) {
        Scale *scale = &scales->scale[i];
        int height = 0, width = 0;
        TRY(sample_whole_size(name, picture, sides[i], &height, &width));
        if ((int64_t)height * width > SCALE_PIXELS_MAX) {
            return status_fail(STATUS_FAILED,
                               "%s: is %dx%d with a short side of %d, expected at most %d pixels",
                               name, width, height, sides[i], (int)SCALE_PIXELS_MAX);
        }
        TRY(fit(scales, scale, height, width));
        StageSink sink = {0};
        if (explain != NULL) {
            explain->side = sides[i];
            sink = explain_sink(explain);
        }
        TRY(sample_whole(name, picture, preprocess, sides[i], explain != NULL ? &sink : NULL,
                         network_input(scale->network)));
        network_forward(scale->network, &(PassOptions){.count = 1});
        view_scores_add(scores, network_output(scale->network));
    }
    return STATUS_OK;
}
