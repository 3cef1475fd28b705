// SPDX-License-Identifier: Apache-2.0
// The weights that a training begins with: any file that model_file_load() reads.
#ifndef RESNET_TRAIN_INIT_FILE_H
#define RESNET_TRAIN_INIT_FILE_H

#include <stdbool.h>

#include "weights/model_io.h"

// Replaces the values of model->parameters, which are laid out for `graph` (the model's own with a
// loss), by the file's. All that the model itself has must be there in its shape. What `graph` has
// for training alone (auxiliary heads) is taken only where all of it is there: *heads says whether
// it was, and is true where `graph` has none.
Status init_file_read(const char *path, const ModelFile *model, const Graph *graph, bool *heads);

#endif
