// SPDX-License-Identifier: Apache-2.0
// Inference as an application does it, driven from outside line by line: bench/peers/inference.py
// keeps one such process for each system and lets them run in turn, so that no start-up is timed.
//
//     bench_inference WEIGHTS IMAGES BATCH THREADS
//
// IMAGES holds BATCH normalised images, raw 32-bit floats [batch][height][width][channels]. WEIGHTS
// is whatever the library loads; a quantised file runs in int8. When all is ready it prints
// "ready {json}", then answers each line of standard input by one line, until the input ends:
//
//     run N          the times of N passes of the whole batch, in nanoseconds
//     logits FILE    "written": raw 32-bit floats [batch][classes] of one more pass
//
// Sees include/resnet.h only.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "resnet.h"

typedef struct Bench {
    resnet_model *model;
    resnet_session *session;
    int batch, classes;
    float *images, *logits;
} Bench;

static int fail(const char *sentence) {
    fprintf(stderr, "bench_inference: %s\n", sentence);
    return 1;
}

static int fail_file(const char *path, const char *reason) {
    fprintf(stderr, "bench_inference: %s: %s\n", path, reason);
    return 1;
}

// 0 when text is not a whole number from 1 to most.
static int parse_count(const char *text, int most) {
    char *end = NULL;
    errno = 0;
    long value = strtol(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && value >= 1 && value <= most ? (int)value
                                                                                    : 0;
}

static int read_images(Bench *bench, const char *path) {
    int channels, height, width;
    resnet_model_input(bench->model, &channels, &height, &width);
    size_t count = (size_t)bench->batch * (size_t)channels * (size_t)height * (size_t)width;
    bench->images = malloc(count * sizeof(float));
    if (bench->images == NULL) {
        return fail("out of memory for the images");
    }
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return fail_file(path, strerror(errno));
    }
    size_t read = fread(bench->images, sizeof(float), count, file);
    int more = fgetc(file) != EOF;
    fclose(file);
    if (read != count || more) {
        fprintf(stderr, "bench_inference: %s: %s than %d images of %dx%dx%d\n", path,
                more ? "more" : "fewer", bench->batch, height, width, channels);
        return 1;
    }
    return 0;
}

static int pass(Bench *bench) {
    return resnet_session_run(bench->session, bench->images, bench->batch, bench->logits) ==
                   RESNET_OK
               ? 0
               : fail(resnet_last_error());
}

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static int answer_run(Bench *bench, const char *argument) {
    int runs = parse_count(argument, 1000000);
    if (runs == 0) {
        return fail("run: expected a number of passes from 1 to 1000000");
    }
    for (int i = 0; i < runs; i++) {
        int64_t start = now();
        if (pass(bench) != 0) {
            return 1;
        }
        printf("%s%lld", i == 0 ? "" : " ", (long long)(now() - start));
    }
    printf("\n");
    return 0;
}

static int answer_logits(Bench *bench, const char *path) {
    if (pass(bench) != 0) {
        return 1;
    }
    size_t count = (size_t)bench->batch * (size_t)bench->classes;
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        return fail_file(path, strerror(errno));
    }
    size_t written = fwrite(bench->logits, sizeof(float), count, file);
    if (fclose(file) != 0 || written != count) {
        return fail_file(path, "cannot be written");
    }
    printf("written\n");
    return 0;
}

static int answer_lines(Bench *bench) {
    char line[4096];
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        int failed;
        if (strncmp(line, "run ", 4) == 0) {
            failed = answer_run(bench, line + 4);
        } else if (strncmp(line, "logits ", 7) == 0) {
            failed = answer_logits(bench, line + 7);
        } else {
            failed = fail("expected a line \"run N\" or \"logits FILE\"");
        }
        if (failed) {
            return 1;
        }
        fflush(stdout);
    }
    return 0;
}

static int bench_run(Bench *bench, const char *weights, const char *images, int threads) {
    resnet_session_options options;
    resnet_session_options_default(&options);
    options.batch = bench->batch;
    options.threads = threads;
    if (resnet_model_load(weights, NULL, &bench->model) != RESNET_OK ||
        resnet_session_create(bench->model, &options, &bench->session) != RESNET_OK) {
        return fail(resnet_last_error());
    }
    bench->classes = resnet_model_classes(bench->model);
    bench->logits = malloc((size_t)bench->batch * (size_t)bench->classes * sizeof(float));
    if (bench->logits == NULL) {
        return fail("out of memory for the logits");
    }
    if (read_images(bench, images) != 0) {
        return 1;
    }
    printf("ready {\"version\": \"%s\", \"isa\": \"%s\", \"settings\": \"session of batch %d, %d "
           "thread(s)\"}\n",
           resnet_version(), resnet_isa(), bench->batch, threads);
    fflush(stdout);
    return answer_lines(bench);
}

int main(int argc, char **argv) {
    Bench bench = {0};
    int threads = 0;
    if (argc == 5) {
        bench.batch = parse_count(argv[3], 65536);
        threads = parse_count(argv[4], 1024);
    }
    if (bench.batch == 0 || threads == 0) {
        fprintf(stderr, "usage: bench_inference WEIGHTS IMAGES BATCH THREADS\n");
        return 2;
    }
    int failed = bench_run(&bench, argv[1], argv[2], threads);
    resnet_session_free(bench.session);
    resnet_model_free(bench.model);
    free(bench.images);
    free(bench.logits);
    return failed;
}
