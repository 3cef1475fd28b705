// SPDX-License-Identifier: Apache-2.0
// What every reader of tensor files fills: tensors and metadata, found by name. It counts the
// memory that it takes, because a small file can name one tensor many times.
#ifndef RESNET_FORMATS_TENSOR_LIST_H
#define RESNET_FORMATS_TENSOR_LIST_H

#include "base/arena.h"
#include "formats/safetensors.h"

typedef struct TensorList {
    Arena *arena; // names, metadata, copies
    Tensor *tensors;
    const Tensor **by_name;
    MetaEntry *metadata;
    int count, capacity, metadata_count, metadata_capacity;
    size_t names_left;  // bytes that names and metadata may still take
    size_t copies_left; // bytes that copies of tensors may still take
} TensorList;

// Limits for a file of `size` bytes. Sentences of these functions name no file.
Status tensor_list_create(TensorList *list, size_t size);
void tensor_list_destroy(TensorList *list);

// Neither copies what it is given.
Status tensor_list_add(TensorList *list, Tensor tensor);
Status tensor_list_add_metadata(TensorList *list, MetaEntry entry);

// A zero-ended copy of a text, counted as a name.
Status tensor_list_text(TensorList *list, const char *text, size_t size, const char **out);
// Memory for the copy of a tensor that doesn't lie in C order in its file.
Status tensor_list_copy(TensorList *list, const char *name, size_t bytes, void **out);

// When all are there: orders the metadata by key; refuses a name that is there twice, and a key too
// unless `keys_repeat`, when one of its values is kept.
Status tensor_list_finish(TensorList *list, bool keys_repeat);

const Tensor *tensor_list_find(const TensorList *list, const char *name);
const char *tensor_list_metadata(const TensorList *list, const char *key);

// What a safetensors file holds, in the same form.
const TensorList *safetensors_list(const Safetensors *file);

#endif
