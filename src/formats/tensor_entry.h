// SPDX-License-Identifier: Apache-2.0
// One entry of a safetensors header, {"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}, checked
// by itself: the shape without overflow, the bytes equal to shape x dtype and inside the buffer.
#ifndef RESNET_FORMATS_TENSOR_ENTRY_H
#define RESNET_FORMATS_TENSOR_ENTRY_H

#include "formats/json_walk.h"
#include "formats/safetensors.h"

// `name` must outlive *out. Sentences begin with the tensor's name.
Status tensor_entry_read(JsonSpan span, const char *name, const unsigned char *buffer,
                         size_t buffer_size, Tensor *out);

#endif
