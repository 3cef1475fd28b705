// SPDX-License-Identifier: Apache-2.0
// What PyTorch's pickles mean: which calls make tensors, and what each tensor is called.
#ifndef RESNET_FORMATS_TORCH_OBJECTS_H
#define RESNET_FORMATS_TORCH_OBJECTS_H

#include "formats/pickle.h"
#include "formats/torch_view.h"

// ('storage', class, key, location, number of elements, view), which a pickle has in place of data.
// A view is (key, offset, number of elements) of old files: a part of the storage.
typedef struct TorchReference {
    PickleText key, class_name;
    bool known;    // whether the class is one of PyTorch's
    bool readable; // whether `dtype` can say what the elements are
    Dtype dtype;
    size_t element_bytes;
    int64_t count;
    bool part;
    int64_t part_offset, part_count;
} TorchReference;

// *is_storage is false, and nothing else is set, for a reference to something else (a class).
Status torch_reference_read(const Pickle *pickle, PickleValue persistent, bool *is_storage,
                            TorchReference *out);
// The class alone, "torch.FloatStorage", for those who have it elsewhere.
void torch_storage_class(const Pickle *pickle, PickleValue global, TorchReference *out);

// Where the data of a file is.
typedef struct TorchSource {
    void *context;
    // The storage of a key, which must have so many bytes.
    Status (*storage)(void *context, PickleText key, size_t bytes, TorchStorage *out);
    // The tensor of an id, for files that have tensors in place of storages; NULL for others.
    Status (*tensor)(void *context, const Pickle *pickle, PickleValue id, bool *found,
                     TorchView *out);
} TorchSource;

// The tensor that _rebuild_tensor, …_v2 or …_v3 would give. *readable is false, and *out is not
// set, for tensors of a dtype that there is no Dtype for (complex, quantized), and for those that
// PyTorch negates when they are read; `*what` then says what it is.
Status torch_rebuild(const Pickle *pickle, const TorchSource *source, PickleValue function,
                     PickleValue arguments, bool *readable, PickleText *what, TorchView *out);
bool torch_is_rebuild(const Pickle *pickle, PickleValue function);

// Adds every tensor that can be reached from the pickle's root, by its path; and every number and
// text as metadata.
Status torch_objects_list(const Pickle *pickle, const TorchSource *source, TensorList *list);

#endif
