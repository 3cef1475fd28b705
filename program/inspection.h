// SPDX-License-Identifier: Apache-2.0
// What a file of weights holds, as people and other programs read it.
#ifndef PROGRAM_INSPECTION_H
#define PROGRAM_INSPECTION_H

#include <jansson.h>

#include "resnet.h"

// A table of all tensors: name, what it is called here, dtype, shape.
resnet_status inspection_print_tensors(const resnet_inspection *inspection);
// A line a fact: format, layout, model, stride, classes, then metadata and notes.
void inspection_print_facts(const resnet_inspection *inspection);

// One object: file, format, layout, wrapper, model, shortcut, stride_in, classes, precision,
// refused, notes[], metadata{}, tensors[{name, parameter, dtype, shape[]}]. What is not known is
// null.
resnet_status inspection_print_json(const char *path, const resnet_inspection *inspection);
// The same keys for a file that could not even be opened.
resnet_status inspection_print_json_refusal(const char *path, const char *refused);

#endif
