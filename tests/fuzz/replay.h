// SPDX-License-Identifier: Apache-2.0
// Replaying files that are named as arguments, which is how a finding of the fuzzer is looked at.
#ifndef TESTS_FUZZ_REPLAY_H
#define TESTS_FUZZ_REPLAY_H

#include <stdio.h>

#include "base/files.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

// The program's exit code: 1 when a file cannot be read.
static inline int replay_files(int count, char **paths) {
    for (int i = 0; i < count; i++) {
        FileBytes file;
        if (file_map(paths[i], &file) != STATUS_OK) {
            fprintf(stderr, "%s\n", status_message());
            return 1;
        }
        LLVMFuzzerTestOneInput(file.bytes, file.size);
        file_unmap(&file);
    }
    return 0;
}

#endif
