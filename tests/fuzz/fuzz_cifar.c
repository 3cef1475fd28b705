// SPDX-License-Identifier: Apache-2.0
// Fuzz target of the CIFAR reader. The input's first bit says CIFAR-10 or CIFAR-100; the rest is
// the file. fuzz_image.c says how to build it.
#include <assert.h>
#include <string.h>

#include "base/arena.h"
#include "data/sources.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    if (size < 1) {
        return 0;
    }
    const char *name = (bytes[0] & 1) == 0 ? "cifar10" : "cifar100";
    const Source *source = source_find(name, strlen(name));
    const DataFile file = {.path = "FILE", .content = {.bytes = bytes + 1, .size = size - 1}};
    Dataset dataset = {0};
    if (source->decode(source, &file, 1, &dataset) == STATUS_OK) {
        assert(dataset.count > 0);
        for (uint32_t i = 0; i < dataset.count; i++) {
            assert(dataset.labels[i] >= 0 && dataset.labels[i] < source->classes);
        }
        float mean[3], deviation[3];
        dataset_channel_statistics(&dataset, mean, deviation);
    } else {
        assert(strncmp(status_message(), "FILE: ", 6) == 0);
    }
    block_free(dataset.pixels);
    block_free(dataset.labels);
    return 0;
}
