// SPDX-License-Identifier: Apache-2.0
#include "weights/shape_text.h"

#include <inttypes.h>
#include <stdio.h>

ShapeText shape_text(const int64_t *dims, int rank) {
    ShapeText shape = {"["};
    size_t at = 1;
    for (int i = 0; i < rank && at < sizeof shape.text; i++) {
        at += (size_t)snprintf(shape.text + at, sizeof shape.text - at, "%s%" PRId64,
                               i > 0 ? ", " : "", dims[i]);
    }
    if (at < sizeof shape.text) {
        snprintf(shape.text + at, sizeof shape.text - at, "]");
    }
    return shape;
}

ShapeText shape_text_param(const Param *param) {
    int64_t dims[4];
    for (int i = 0; i < param->rank; i++) {
        dims[i] = param->dims[i];
    }
    return shape_text(dims, param->rank);
}
