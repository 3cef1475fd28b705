// SPDX-License-Identifier: Apache-2.0
// Names of models that a mistyped one may have meant.
#ifndef RESNET_MODELS_NEAR_NAMES_H
#define RESNET_MODELS_NEAR_NAMES_H

#include <stddef.h>

enum { NEAR_NAMES = 3 };

typedef struct NearName {
    const char *name;
    size_t distance, common;
} NearName;

// The nearest of the names that were offered, best first; begins with all zero.
typedef struct NearNames {
    NearName nearest[NEAR_NAMES];
} NearNames;

// Looks how near `name`, which must stay alive, is to the mistyped one.
void near_names_offer(NearNames *names, const char *mistyped, const char *name);
// Writes them with ", " between them.
void near_names_text(const NearNames *names, char *out, size_t size);

#endif
