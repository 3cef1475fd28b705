// SPDX-License-Identifier: Apache-2.0
// Fuzz target of the readers of tensor files, all formats: a file is refused with one sentence, or
// keeps every promise of the header's contract.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "formats/tensor_file.h"
#include "fuzz/sentence.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

// Reads every byte, so that a sanitizer sees an extent that leaves its storage.
static void check_tensor(const TensorFile *file, const Tensor *tensor) {
    assert(tensor_file_find(file, tensor->name) == tensor);
    size_t elements = 1;
    for (int i = 0; i < tensor->rank; i++) {
        assert(tensor->dims[i] >= 0);
        elements *= (size_t)tensor->dims[i];
    }
    assert(elements == tensor->elements);
    assert(tensor->bytes == tensor->elements * dtype_bytes(tensor->dtype));
    unsigned char sum = 0;
    for (size_t i = 0; i < tensor->bytes; i++) {
        sum ^= ((const unsigned char *)tensor->data)[i];
    }
    volatile unsigned char kept = sum;
    (void)kept;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    TensorFile *file;
    if (tensor_file_parse(bytes, size, "fuzz", &file) != STATUS_OK) {
        assert(file == NULL);
        check_sentence(status_message());
        return 0;
    }
    assert(strlen(tensor_format_name(tensor_file_format(file))) > 0);
    for (int i = 0; i < tensor_file_count(file); i++) {
        check_tensor(file, tensor_file_tensor(file, i));
    }
    for (int i = 0; i < tensor_file_metadata_count(file); i++) {
        MetaEntry entry = tensor_file_metadata_at(file, i);
        assert(tensor_file_metadata(file, entry.key) == entry.value);
    }
    tensor_file_close(file);
    return 0;
}
