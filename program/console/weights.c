// SPDX-License-Identifier: Apache-2.0
// Silence about a missing normalisation or a misplaced stride costs users weeks: wrong numbers, no
// error. So it is told.
#include "console/weights.h"

#include "console/failure.h"
#include "console/output.h"

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
    if (options->mean.given) {
        resnet_model_set_normalization(model, options->mean.value, options->std.value);
    } else if (options->preset == NULL && !resnet_model_carries_normalization(model)) {
        float mean[3], std[3];
        resnet_model_normalization(model, mean, std);
        output_warning("%s carries no normalisation; taking that of --preset %s, --mean %g,%g,%g "
                       "--std %g,%g,%g",
                       path, resnet_model_preset(model), (double)mean[0], (double)mean[1],
                       (double)mean[2], (double)std[0], (double)std[1], (double)std[2]);
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
