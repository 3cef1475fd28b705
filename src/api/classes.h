// SPDX-License-Identifier: Apache-2.0
// The classes of a data set as a model's own.
#ifndef RESNET_API_CLASSES_H
#define RESNET_API_CLASSES_H

#include "api/handles.h"

// The model's class for each class of a folder, by their names, where the model has all of these;
// else *out stays NULL: the classes are the model's as they are. To be freed.
Status classes_match(const resnet_model *model, const Dataset *set, int32_t **out);

// Whether the data fit the weights. A list names no classes: its labels may be the first of more.
Status classes_check(const resnet_model *model, const Dataset *set, const int32_t *labels);

#endif
