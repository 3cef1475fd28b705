// SPDX-License-Identifier: Apache-2.0
// Names of models that a mistyped one may have meant.
#ifndef RESNET_MODELS_NEAR_NAMES_H
#define RESNET_MODELS_NEAR_NAMES_H

#include <stddef.h>

// Writes up to three names of model_info()'s table, the nearest first, with ", " between them.
void near_names(const char *name, char *out, size_t size);

#endif
