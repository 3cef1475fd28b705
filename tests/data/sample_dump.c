// SPDX-License-Identifier: Apache-2.0
// For compare_pillow.py: prints the bytes of pictures as a network's preprocessing cuts them out.
//
//     sample_dump PRESET CROP center|ten EXIF FILE...
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/sample.h"

static int fail(void) {
    fprintf(stderr, "sample_dump: %s\n", status_message());
    return 1;
}

int main(int argc, char **argv) {
    if (argc < 5) {
        fprintf(stderr, "usage: sample_dump PRESET CROP center|ten EXIF FILE...\n");
        return 2;
    }
    int crop = atoi(argv[2]);
    Views views = strcmp(argv[3], "ten") == 0 ? VIEWS_TEN_CROP : VIEWS_CENTER;
    bool exif = strcmp(argv[4], "1") == 0;
    Preprocess preprocess;
    if (crop < 1 || preprocess_preset(argv[1], 3, crop, crop, &preprocess) != STATUS_OK) {
        return fail();
    }
    preprocess.scale = 1; // bytes come out as they are
    for (int c = 0; c < 3; c++) {
        preprocess.mean[c] = 0;
        preprocess.deviation[c] = 1;
    }
    size_t count = (size_t)views_count(views) * (size_t)crop * (size_t)crop * 3;
    float *values = malloc(count * sizeof *values);
    if (values == NULL) {
        return 1;
    }
    int status = 0;
    for (int i = 5; i < argc && status == 0; i++) {
        if (sample_load(argv[i], &preprocess, views, exif, values) != STATUS_OK) {
            status = fail();
        }
        for (size_t k = 0; k < count && status == 0; k++) {
            putchar((int)values[k]);
        }
    }
    free(values);
    return status;
}
