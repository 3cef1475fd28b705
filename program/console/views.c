// SPDX-License-Identifier: Apache-2.0
#include "console/views.h"

#include "console/failure.h"

resnet_status views_choose(const ViewOptions *options, resnet_predict_options *out) {
    resnet_predict_options_default(out);
    if (options->ten_crop && options->multi_scale) {
        return failure_say(RESNET_USAGE, "--ten-crop and --multi-scale exclude each other");
    }
    out->exif = options->exif;
    if (options->ten_crop) {
        out->views = RESNET_VIEWS_TEN_CROP;
    } else if (options->multi_scale) {
        out->views = RESNET_VIEWS_MULTI_SCALE;
    }
    return RESNET_OK;
}
