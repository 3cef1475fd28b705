// SPDX-License-Identifier: Apache-2.0
// PyTorch's files, in the three forms that torch.save() has written. Each reader fills a list,
// which is not yet finished; sentences name no file. The bytes must outlive the list.
#ifndef RESNET_FORMATS_TORCH_READERS_H
#define RESNET_FORMATS_TORCH_READERS_H

#include "formats/tensor_list.h"

Status torch_zip_read(const uint8_t *bytes, size_t size, TensorList *list);
Status torch_legacy_read(const uint8_t *bytes, size_t size, TensorList *list);
Status torch_tar_read(const uint8_t *bytes, size_t size, TensorList *list);

#endif
