// SPDX-License-Identifier: Apache-2.0
// Any file of named tensors: safetensors, PyTorch's zip (since 1.6: .pth, .pt, .bin) and PyTorch's
// older form (.th, .pth, and the tar of the very first releases). The first bytes say which, never
// the name. Nothing in a file is executed: of a pickle, values are read and unknown objects become
// opaque ones.
#ifndef RESNET_FORMATS_TENSOR_FILE_H
#define RESNET_FORMATS_TENSOR_FILE_H

#include "formats/safetensors.h"

typedef enum TensorFormat {
    FORMAT_SAFETENSORS,
    FORMAT_TORCH_ZIP,
    FORMAT_TORCH_LEGACY,
    FORMAT_TORCH_TAR
} TensorFormat;

const char *tensor_format_name(TensorFormat format); // "safetensors", "PyTorch zip", ...

typedef struct TensorFile TensorFile;

// Opens and checks everything that the format says. A tensor's name is its path through the
// dictionaries of the file, joined by dots: "state_dict.module.conv1.weight". Tensors that are
// views (transposed, sliced, shared storage) come as C-order copies; all memory taken is at most
// the file's size times a small constant plus 1 MB, so views that together would be larger (a
// stride of 0, many names for one storage) are refused. Sentences name file, offset (or tensor) and
// reason.
Status tensor_file_open(const char *path, TensorFile **out);
// The same for a file in memory, which must outlive *out; `name` begins the sentences.
Status tensor_file_parse(const void *bytes, size_t size, const char *name, TensorFile **out);
void tensor_file_close(TensorFile *file);

TensorFormat tensor_file_format(const TensorFile *file);
int tensor_file_count(const TensorFile *file);
const Tensor *tensor_file_tensor(const TensorFile *file, int index); // in the file's order
const Tensor *tensor_file_find(const TensorFile *file, const char *name);
// Text that the file carries: safetensors metadata, or a pickle's numbers and strings by their path
// ("epoch" "90", "arch" "resnet50"), lists of more than 32768 elements left out. Entries in order
// of key.
int tensor_file_metadata_count(const TensorFile *file);
MetaEntry tensor_file_metadata_at(const TensorFile *file, int index);
const char *tensor_file_metadata(const TensorFile *file, const char *key); // NULL: none

#endif
