// SPDX-License-Identifier: Apache-2.0
// PyTorch's tensors: a view is a storage (an array of elements) seen through offset, sizes and
// strides. Element [i, j, …] stands at offset + i stride[0] + j stride[1] + ….
#ifndef RESNET_FORMATS_TORCH_VIEW_H
#define RESNET_FORMATS_TORCH_VIEW_H

#include "formats/tensor_list.h"

typedef struct TorchStorage {
    const uint8_t *bytes;
    size_t size; // in bytes
} TorchStorage;

typedef struct TorchView {
    Dtype dtype;
    TorchStorage storage;
    int64_t offset; // this and the strides in elements
    int rank;
    int64_t sizes[TENSOR_RANK_MAX], strides[TENSOR_RANK_MAX];
} TorchView;

// Checks that every element lies in the storage, then adds the tensor: where it lies when it is in
// C order, else as a copy. `name` must outlive the list. Sentences name the tensor.
Status torch_view_add(TensorList *list, const char *name, const TorchView *view);

#endif
