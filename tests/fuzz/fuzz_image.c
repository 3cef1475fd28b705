// SPDX-License-Identifier: Apache-2.0
// Fuzz target of the picture decoders: a picture comes out whole, or one sentence does; and a part
// of it has the same bytes, or the same failure.
//
//     clang -std=c17 -D_GNU_SOURCE -g -O1 -fsanitize=fuzzer,address,undefined -Isrc
//         tests/fuzz/fuzz_image.c src/data/*.c src/base/*.c -lpng -ljpeg -lwebp -lz -lpthread -lm
//         -o fuzz_image && ./fuzz_image -max_len=65536
//
// (The other targets of src/data are built likewise.)
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "data/decoders.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static Window fuzz_middle(const void *context, int width, int height) {
    (void)context;
    return (Window){width / 3, height / 3, (width + 2) / 3, (height + 2) / 3};
}

static void fuzz_part(const uint8_t *bytes, size_t size, bool whole_failed, const Image *whole) {
    Part part;
    Status status =
        image_decode_part("FILE", bytes, size, 0, false, (Wish){.want = fuzz_middle}, &part);
    assert((status != STATUS_OK) == whole_failed);
    if (status != STATUS_OK) {
        assert(part.image.pixels == NULL);
        return;
    }
    Window window = fuzz_middle(NULL, whole->width, whole->height);
    size_t channels = (size_t)whole->channels;
    for (int y = window.top; y < window.top + window.height; y++) {
        size_t in_whole = (size_t)y * (size_t)whole->width + (size_t)window.left;
        size_t in_part =
            (size_t)(y - part.top) * (size_t)part.image.width + (size_t)(window.left - part.left);
        assert(memcmp(whole->pixels + in_whole * channels, part.image.pixels + in_part * channels,
                      (size_t)window.width * channels) == 0);
    }
    image_free(&part.image);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    Image image;
    if (image_decode("FILE", bytes, size, 0, false, &image) != STATUS_OK) {
        assert(image.pixels == NULL);
        assert(strncmp(status_message(), "FILE: ", 6) == 0);
        assert(strchr(status_message(), '\n') == NULL);
        fuzz_part(bytes, size, true, &image);
        return 0;
    }
    assert(image.width > 0 && image.height > 0 && (image.channels == 1 || image.channels == 3));
    fuzz_part(bytes, size, false, &image);
    int orientation = exif_orientation(bytes, size);
    assert(orientation >= 1 && orientation <= 8);
    if (image_orient("FILE", orientation, &image) != STATUS_OK) {
        image_free(&image);
        return 0;
    }
    // Reads every pixel, so that a sanitizer sees one that is not there.
    Image small;
    if (image_resize(&image, 3, 2, INTERPOLATION_BICUBIC, &small) == STATUS_OK) {
        image_free(&small);
    }
    image_free(&image);
    return 0;
}
