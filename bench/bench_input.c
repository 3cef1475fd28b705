// SPDX-License-Identifier: Apache-2.0
// What a picture costs before the network sees it: decoding, resizing, cropping 224, normalising,
// on one thread.
//
//     bench_input ROUNDS FILE...   prints one JSON object; seconds are the thread's own CPU time
//
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "data/sample.h"

enum { SIDE = 224 };

static double cpu_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int main(int argc, char **argv) {
    int rounds = argc > 2 ? atoi(argv[1]) : 0;
    if (rounds < 1) {
        fprintf(stderr, "usage: bench_input ROUNDS FILE...\n");
        return 2;
    }
    static float sample[SIDE * SIDE * 3];
    Preprocess preprocess;
    Status status = preprocess_preset("torchvision", 3, SIDE, SIDE, &preprocess);
    double start = 0;
    for (int round = -1; round < rounds; round++) { // the first one fills caches
        if (round == 0) {
            start = cpu_seconds();
        }
        for (int i = 2; i < argc && status == STATUS_OK; i++) {
            status = sample_load(argv[i], &preprocess, VIEWS_CENTER, false, sample);
        }
    }
    if (status != STATUS_OK) {
        fprintf(stderr, "bench_input: %s\n", status_message());
        return 1;
    }
    double seconds = cpu_seconds() - start;
    printf("{\"images\": %d, \"seconds\": %.3f, \"images_per_second\": %.1f}\n",
           (argc - 2) * rounds, seconds, (argc - 2) * rounds / seconds);
    return 0;
}
