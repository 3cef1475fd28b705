// SPDX-License-Identifier: Apache-2.0
// Fuzz target of the safetensors reader: a file is refused with one sentence, or keeps every
// promise of the header's contract.
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "formats/safetensors.h"
#include "fuzz/sentence.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

// Reads every byte, so that a sanitizer sees an extent that leaves the buffer.
static void check_tensor(const Safetensors *file, const Tensor *tensor) {
    assert(safetensors_find(file, tensor->name) == tensor);
    size_t elements = 1;
    for (int i = 0; i < tensor->rank; i++) {
        assert(tensor->dims[i] >= 0);
        elements *= (size_t)tensor->dims[i];
    }
    assert(elements == tensor->elements);
    assert(tensor->bytes == elements * dtype_bytes(tensor->dtype));
    float *values = malloc(elements * sizeof *values + 1);
    assert(values != NULL);
    bool floating = tensor->dtype == DTYPE_F16 || tensor->dtype == DTYPE_BF16 ||
                    tensor->dtype == DTYPE_F32 || tensor->dtype == DTYPE_F64;
    assert((tensor_to_float(tensor, values) == STATUS_OK) == floating);
    free(values);
    unsigned char sum = 0;
    for (size_t i = 0; i < tensor->bytes; i++) {
        sum ^= ((const unsigned char *)tensor->data)[i];
    }
    volatile unsigned char kept = sum;
    (void)kept;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    Safetensors *file;
    if (safetensors_parse(bytes, size, "fuzz", &file) != STATUS_OK) {
        assert(file == NULL);
        check_sentence(status_message());
        return 0;
    }
    size_t total = 0;
    for (int i = 0; i < safetensors_count(file); i++) {
        const Tensor *tensor = safetensors_tensor(file, i);
        assert(i == 0 || (const unsigned char *)tensor->data ==
                             (const unsigned char *)tensor[-1].data + tensor[-1].bytes);
        check_tensor(file, tensor);
        total += tensor->bytes;
    }
    assert(total <= size);
    for (int i = 0; i < safetensors_metadata_count(file); i++) {
        MetaEntry entry = safetensors_metadata_at(file, i);
        assert(safetensors_metadata(file, entry.key) == entry.value);
    }
    safetensors_close(file);
    return 0;
}
