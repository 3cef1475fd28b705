// SPDX-License-Identifier: Apache-2.0
// Silence about a missing normalisation or a misplaced stride costs users weeks: wrong numbers, no
// error. So it is told.
#include "weights.h"

#include "failure.h"
#include "output.h"

bool model_has_stride_in(const char *name) {
    resnet_model_options options;
    resnet_model_options_default(&options);
    options.stride_in = "1x1"; // refused where there is no choice
    resnet_model *model = NULL;
    resnet_status status = resnet_model_create(name, &options, &model);
    resnet_model_free(model);
    return status == RESNET_OK;
}

static void normalization_choose(const char *path, const WeightsOptions *options,
                                 resnet_model *model) {
    static const float mean[3] = {0.485f, 0.456f, 0.406f}, std[3] = {0.229f, 0.224f, 0.225f};
    if (options->mean.given) {
        resnet_model_set_normalization(model, options->mean.value, options->std.value);
    } else if (options->preset == NULL && !resnet_model_carries_normalization(model)) {
        output_warning("%s carries no normalisation; taking ImageNet's, --mean 0.485,0.456,0.406 "
                       "--std 0.229,0.224,0.225",
                       path);
        resnet_model_set_normalization(model, mean, std);
    }
}

resnet_status weights_open(const char *path, const WeightsOptions *options, resnet_model **out) {
    TRY(options_check_normalization(&options->mean, &options->std));
    resnet_load_options load;
    resnet_load_options_default(&load);
    load.model = options->model;
    load.stride_in = options->stride_in;
    load.preset = options->preset;
    load.labels = options->labels;
    load.map = 1;
    TRY(resnet_model_load(path, &load, out));
    normalization_choose(path, options, *out);
    if (resnet_model_stride_in_assumed(*out)) {
        output_warning("%s does not say where its bottlenecks stride; taking --stride-in 3x3 "
                       "(v1.5), 1x1 is the paper's (v1)",
                       path);
    }
    return RESNET_OK;
}
