// SPDX-License-Identifier: Apache-2.0
// Fuzz target of the reader of lists of pictures: labels in their range and paths that begin with
// the list's folder or a slash, or one sentence. fuzz_image.c says how to build it.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "data/photographs.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    Dataset dataset = {0};
    if (list_decode("lists/LIST", (const char *)bytes, size, &dataset) == STATUS_OK) {
        assert(dataset.count > 0 && dataset.classes > 0);
        size_t length = 0;
        for (uint32_t i = 0; i < dataset.count; i++) {
            const char *path = dataset.paths[i];
            assert(path[0] == '/' || strncmp(path, "lists/", 6) == 0);
            assert(strpbrk(path, " \t\r\n") == NULL);
            assert(dataset.labels[i] >= 0 && dataset.labels[i] < dataset.classes);
            length += strlen(path) - (path[0] == '/' ? 0 : 6);
        }
        assert(length < size);
    } else {
        assert(strncmp(status_message(), "lists/LIST: ", 12) == 0);
    }
    block_free(dataset.labels);
    free(dataset.paths);
    return 0;
}
