// SPDX-License-Identifier: Apache-2.0
// Extents as people write them, "[64, 3, 7, 7]", for sentences about tensors.
#ifndef RESNET_WEIGHTS_SHAPE_TEXT_H
#define RESNET_WEIGHTS_SHAPE_TEXT_H

#include <stdint.h>

#include "graph/graph.h"

typedef struct ShapeText {
    char text[192]; // fits TENSOR_RANK_MAX extents of 64 bits
} ShapeText;

ShapeText shape_text(const int64_t *dims, int rank);
ShapeText shape_text_param(const Param *param);

#endif
