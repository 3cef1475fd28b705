// SPDX-License-Identifier: Apache-2.0
// A model as entries of a file and back: what model files and checkpoints have in common.
#ifndef RESNET_WEIGHTS_MODEL_ENTRIES_H
#define RESNET_WEIGHTS_MODEL_ENTRIES_H

#include "weights/entries.h"
#include "weights/model_file.h"

// What a checkpoint adds to a model, and a reader of models passes over: momentum, and parameters
// that the network has in training alone.
#define MOMENTUM_PREFIX "momentum."
#define TRAINING_PREFIX "training."

// Room for `entries_create` to hold a model's own entries.
int model_entries_tensors(const ModelFile *file);
enum { MODEL_ENTRIES_METADATA = 16 };

// Adds the description, the parameters and the preprocessing of a model with parameters.
Status model_entries_add(const ModelFile *file, Entries *entries);

// A damaged or hostile file must not make a network of absurd extents.
enum { MODEL_EXTENT_MAX = 1 << 14, MODEL_CLASSES_MAX = 1 << 20 };

// Whether the file says that this library wrote it, however damaged it is.
bool model_entries_are_own(const TensorFile *open);
// The name, which lies in the file, and the options that the metadata of an own file has. The
// sentences do not name the file.
Status model_entries_options(const TensorFile *open, const char **name, ModelOptions *options);

// A model without parameters from the metadata of an open file, whose tensors were checked against
// it: parameters all there in their shapes, and no foreign ones.
Status model_entries_read(const TensorFile *open, const char *path, ModelFile **out);

#endif
