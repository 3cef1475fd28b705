// SPDX-License-Identifier: Apache-2.0
// Silence about a missing normalisation costs users weeks: wrong numbers, no error. So it is told.
#include "weights.h"

#include "failure.h"
#include "output.h"

resnet_status weights_open(const char *path, const OptionChannels *mean, const OptionChannels *std,
                           resnet_model **out) {
    TRY(options_check_normalization(mean, std));
    TRY(resnet_model_load(path, out));
    if (mean->given) {
        resnet_model_set_normalization(*out, mean->value, std->value);
    } else if (!resnet_model_carries_normalization(*out)) {
        output_warning("%s carries no normalisation; taking ImageNet's, --mean 0.485,0.456,0.406 "
                       "--std 0.229,0.224,0.225",
                       path);
    }
    return RESNET_OK;
}
