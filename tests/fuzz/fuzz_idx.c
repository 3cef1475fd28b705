// SPDX-License-Identifier: Apache-2.0
// Fuzz target of the IDX reader and its gzip stream. The input is the images file's length (32
// bits, little-endian), that file, and the labels file. fuzz_image.c says how to build it.
#include <assert.h>
#include <string.h>

#include "base/arena.h"
#include "data/sources.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    if (size < 4) {
        return 0;
    }
    size_t length = bytes[0] | (size_t)bytes[1] << 8 | (size_t)bytes[2] << 16;
    size_t rest = size - 4;
    length = length < rest ? length : rest;
    const DataFile files[] = {
        {.path = "IMAGES", .content = {.bytes = bytes + 4, .size = length}},
        {.path = "LABELS", .content = {.bytes = bytes + 4 + length, .size = rest - length}},
    };
    const Source *source = source_find("mnist", strlen("mnist"));
    Dataset dataset = {0};
    if (source->decode(source, files, 2, &dataset) == STATUS_OK) {
        assert(dataset.count > 0);
        for (uint32_t i = 0; i < dataset.count; i++) {
            assert(dataset.labels[i] >= 0 && dataset.labels[i] < source->classes);
        }
        float mean[3], deviation[3];
        dataset_channel_statistics(&dataset, mean, deviation);
    } else {
        assert(strncmp(status_message(), "IMAGES: ", 8) == 0 ||
               strncmp(status_message(), "LABELS: ", 8) == 0);
    }
    block_free(dataset.pixels);
    block_free(dataset.labels);
    return 0;
}
