// SPDX-License-Identifier: Apache-2.0
// The linear layer: a 1x1 convolution over a row of `batch` pixels, each with all features of a
// sample as its channels. conv_geometry() knows where the features' weights lie, whose order is
// (channel, y, x) while activations are (y, x, channel).
#include "backend/cpu/conv.h"

const CpuOp cpu_linear = {
    .prepared_size = conv_prepared_size,
    .workspace_size = conv_workspace_size,
    .prepare = conv_prepare,
    .forward = conv_forward,
    .backward = conv_backward,
    .path = conv_path_name,
};
