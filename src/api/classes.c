// SPDX-License-Identifier: Apache-2.0
#include "api/classes.h"

#include <stdlib.h>
#include <string.h>

static int find_name(const resnet_model *model, const char *name) {
    for (int i = 0; i < resnet_model_classes(model); i++) {
        if (strcmp(model->file->class_names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

Status classes_match(const resnet_model *model, const Dataset *set, int32_t **out) {
    if (set->paths == NULL || set->class_names == NULL || model->file->class_names == NULL) {
        return STATUS_OK;
    }
    int32_t *labels = malloc((size_t)set->classes * sizeof *labels);
    if (labels == NULL) {
        return status_fail(STATUS_FAILED, "cannot get memory for %d classes", set->classes);
    }
    bool all = true;
    for (int i = 0; i < set->classes && all; i++) {
        labels[i] = find_name(model, set->class_names[i]);
        all = labels[i] >= 0;
    }
    if (all) {
        *out = labels;
    } else {
        free(labels);
    }
    return STATUS_OK;
}

Status classes_check(const resnet_model *model, const Dataset *set, const int32_t *labels) {
    int classes = resnet_model_classes(model);
    Shape input = model_input(model);
    if (set->paths != NULL) {
        bool fits = set->class_names == NULL ? set->classes <= classes : set->classes == classes;
        return fits || labels != NULL
                   ? STATUS_OK
                   : status_fail(STATUS_FAILED, "the weights are for %d classes, but the %s has %d",
                                 classes, set->name, set->classes);
    }
    if (set->channels != input.channels || set->height != input.height ||
        set->width != input.width || set->classes != classes) {
        return status_fail(
            STATUS_FAILED,
            "the weights are for %d classes of %dx%dx%d images, but %s has %d classes of %dx%dx%d",
            classes, input.channels, input.height, input.width, set->name, set->classes,
            set->channels, set->height, set->width);
    }
    return STATUS_OK;
}
