// SPDX-License-Identifier: Apache-2.0
// Names of classes from a text file: one a line, in order of the class's number.
#ifndef RESNET_WEIGHTS_LABELS_H
#define RESNET_WEIGHTS_LABELS_H

#include "base/arena.h"

// Lines may end as on Windows, a byte order mark is skipped, and so are empty lines at the end;
// other empty lines are refused, as is what is not UTF-8: a model file could not hold it. Exactly
// `count` names are expected. Array and names live in `arena`.
Status labels_read(Arena *arena, const char *path, int count, char ***out);

#endif
