// SPDX-License-Identifier: Apache-2.0
// Options of ModelOptions that families resolve alike.
#ifndef RESNET_MODELS_CHOICES_H
#define RESNET_MODELS_CHOICES_H

#include "models/models.h"

// For nets without residual blocks: shortcut becomes NONE, and whatever else is about blocks must
// be at its default.
Status choose_no_blocks(const ModelInfo *info, ModelOptions *options);

// Where a block has its stride: bottlenecks 3x3 by default; basic blocks have no 1x1 for it.
Status choose_stride_in(const ModelInfo *info, bool bottleneck, ModelOptions *options);

#endif
