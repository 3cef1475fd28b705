// SPDX-License-Identifier: Apache-2.0
// Fuzz target of the picture decoders: a picture comes out whole, or one sentence does.
//
//     clang -std=c17 -D_GNU_SOURCE -g -O1 -fsanitize=fuzzer,address,undefined -Isrc
//         tests/fuzz/fuzz_image.c src/data/*.c src/base/*.c -lpng -ljpeg -lz -lpthread -lm
//         -o fuzz_image && ./fuzz_image -max_len=65536
//
// (fuzz_idx.c and fuzz_cifar.c are built likewise.)
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "data/decoders.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    Image image;
    if (image_decode("FILE", bytes, size, 0, &image) != STATUS_OK) {
        assert(image.pixels == NULL);
        assert(strncmp(status_message(), "FILE: ", 6) == 0);
        assert(strchr(status_message(), '\n') == NULL);
        return 0;
    }
    assert(image.width > 0 && image.height > 0 && (image.channels == 1 || image.channels == 3));
    // Reads every pixel, so that a sanitizer sees one that is not there.
    Image small;
    if (image_resize(&image, 3, 2, &small) == STATUS_OK) {
        image_free(&small);
    }
    image_free(&image);
    return 0;
}
