// SPDX-License-Identifier: Apache-2.0
#include "models/choices.h"

Status choose_no_blocks(const ModelInfo *info, ModelOptions *options) {
    if (options->shortcut == SHORTCUT_DEFAULT) {
        options->shortcut = SHORTCUT_NONE;
    }
    if (options->shortcut != SHORTCUT_NONE) {
        return status_fail(STATUS_USAGE, "%s has no residual blocks, so no shortcut %s", info->name,
                           shortcut_name(options->shortcut));
    }
    if (options->stride_in != STRIDE_IN_DEFAULT) {
        return status_fail(STATUS_USAGE, "%s has no residual blocks with a stride in a %s",
                           info->name, stride_in_name(options->stride_in));
    }
    if (options->zero_init_last_norm != 0) {
        return status_fail(STATUS_USAGE, "%s has no residual branches to begin at zero",
                           info->name);
    }
    return STATUS_OK;
}

Status choose_stride_in(const ModelInfo *info, bool bottleneck, ModelOptions *options) {
    // The only 3x3 convolution with a stride in a basic block is where 3x3 says.
    if (!bottleneck && options->stride_in == STRIDE_IN_1X1) {
        return status_fail(STATUS_USAGE,
                           "%s has basic blocks, whose stride cannot be in a 1x1 convolution",
                           info->name);
    }
    if (bottleneck && options->stride_in == STRIDE_IN_DEFAULT) {
        options->stride_in = STRIDE_IN_3X3;
    }
    return STATUS_OK;
}
