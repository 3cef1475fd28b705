// SPDX-License-Identifier: Apache-2.0
// The process is this very program, so that what is measured is what is installed.
#include "startup.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "console/failure.h"
#include "console/measure.h"
#include "console/output.h"

enum { ROUNDS = 5, SIDE = 256 };

// No more rounds are begun after so many seconds: large weights take a while.
static const double ENOUGH_SECONDS = 3;

extern char **environ;

// A picture to be read from standard input; NULL when it cannot be written.
static FILE *noise_open(void) {
    FILE *file = tmpfile();
    if (file == NULL) {
        return NULL;
    }
    fprintf(file, "P6 %d %d 255\n", SIDE, SIDE);
    uint32_t state = 1;
    for (int i = 0; i < SIDE * SIDE * 3; i++) {
        fputc((int)(noise_next(&state) >> 24), file);
    }
    if (fflush(file) != 0 || ferror(file)) {
        fclose(file);
        return NULL;
    }
    return file;
}

// Starts this program with `input` as standard input, and waits. False: it did not succeed.
static bool process_run(char *const *arguments, int input) {
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    lseek(input, 0, SEEK_SET); // its place is shared with the process that read it before
    pid_t child;
    bool started = posix_spawn(&child, "/proc/self/exe", &files, NULL, arguments, environ) == 0;
    posix_spawn_file_actions_destroy(&files);
    int status = -1;
    while (started && waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return started && WIFEXITED(status) && WEXITSTATUS(status) == RESNET_OK;
}

// The median of the rounds; -1 when one of them fails.
static double rounds_run(char *const *arguments, int input) {
    Samples samples = {.columns = 1};
    const double first = measure_clock();
    bool done = process_run(arguments, input);
    while (done && samples.rows < ROUNDS &&
           (samples.rows == 0 || measure_clock() - first < ENOUGH_SECONDS)) {
        const double begin = measure_clock();
        double *row = samples_row(&samples);
        done = row != NULL && process_run(arguments, input);
        if (done) {
            *row = measure_clock() - begin;
        }
    }
    double median = done ? samples_percentile(&samples, 0, 0.5) : -1;
    samples_free(&samples);
    return median;
}

resnet_status startup_measure(const char *weights, const OperandOptions *options,
                              const char *picture, int threads, double *seconds) {
    char count[16];
    snprintf(count, sizeof count, "%d", threads);
    const char *arguments[12] = {"resnet", "predict", "--threads", count};
    int last = 4;
    if (options->model != NULL) {
        arguments[last++] = "--model";
        arguments[last++] = options->model;
    }
    if (options->stride_in != NULL) {
        arguments[last++] = "--stride-in";
        arguments[last++] = options->stride_in;
    }
    arguments[last++] = "--";
    arguments[last++] = weights;
    arguments[last] = "-";
    FILE *input = picture != NULL ? fopen(picture, "re") : noise_open();
    if (input == NULL) {
        return failure_say(RESNET_FAILED, "%s: cannot be opened (%s)",
                           picture != NULL ? picture : "a temporary file", strerror(errno));
    }
    *seconds = rounds_run((char *const *)arguments, fileno(input));
    fclose(input);
    if (*seconds < 0) {
        output_warning("`resnet predict %s` fails; no start-up is measured", weights);
    }
    return RESNET_OK;
}
