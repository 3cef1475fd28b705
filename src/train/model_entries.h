// SPDX-License-Identifier: Apache-2.0
// A model as entries of a file and back: what model files and checkpoints have in common.
#ifndef RESNET_TRAIN_MODEL_ENTRIES_H
#define RESNET_TRAIN_MODEL_ENTRIES_H

#include "train/entries.h"
#include "train/model_file.h"

#define MOMENTUM_PREFIX "momentum."

// Room for `entries_create` to hold a model's own entries.
int model_entries_tensors(const ModelFile *file);
enum { MODEL_ENTRIES_METADATA = 11 };

// Adds the description, the parameters and the preprocessing of a model with parameters.
Status model_entries_add(const ModelFile *file, Entries *entries);

// A model without parameters from the metadata of an open file, whose tensors were checked against
// it: parameters all there in their shapes, and no foreign ones.
Status model_entries_read(const Safetensors *open, const char *path, ModelFile **out);

#endif
