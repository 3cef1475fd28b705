// SPDX-License-Identifier: Apache-2.0
// One training of an experiment, in a folder of its own: finished ones are read back, unfinished
// ones go on where they stopped. Results are read from the lines that the training wrote.
//
//     DIR/runs/plain20/run.json        settings, whether it is finished, by which machine, and the
//                                      SHA-256 of its weights
//                     /curve.jsonl     training loss and error within epochs (see curve.h)
//                     /metrics.jsonl, gradients.jsonl, checkpoint.safetensors, model.safetensors:
//                                      the trainer's
#ifndef PROGRAM_RUNS_H
#define PROGRAM_RUNS_H

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "paper/curve.h"
#include "paper/digest.h"
#include "resnet.h"

typedef struct RunSettings {
    const char *data; // SPEC
    int samples;      // of its training split
    int test_samples; // that tests look at
    int64_t iterations;
    int batch;
    const char *recipe; // of `resnet train`
    double lr;
    int threads; // does not change results
    uint64_t seed;
} RunSettings;

// A figure and its standard error. Of one seed that is, of a test error p among n samples,
// sqrt(p (1 - p) / n), and of a training error s / sqrt(n) over the windows that it averages; both
// leave out how differently another seed would fare. Over n seeds it is s / sqrt(n), with s the
// seeds' deviation or their own errors, whichever is larger.
typedef struct Measured {
    double value, error;
} Measured;

enum { RUN_MACHINE = 192 };

typedef struct Run {
    const char *model, *shortcut; // NULL shortcut: the model's own
    RunSettings settings;
    char folder[PATH_MAX];
    bool finished;
    char weights[DIGEST_TEXT]; // of a finished run
    char machine[RUN_MACHINE]; // that finished it
    int64_t begun;             // iterations that an earlier call did
    // Results, errors in percent. The training's is the average over the last fifth of the
    // iterations, as a single batch says little; the test's is the last evaluation's.
    Measured train_error, test_error;
    double train_loss, test_loss, seconds;
    Curve train, test;
} Run;

// Checks that what an earlier call left in the folder has the same settings, and whether it is
// finished.
resnet_status run_recall(Run *run);
// Trains what is left. Interrupted, it says so and how to go on.
resnet_status run_train(Run *run, resnet_train_callback *follow, void *user,
                        const volatile sig_atomic_t *stop);
// Fills the results from the files of a finished run.
resnet_status run_read(Run *run);
void run_release(Run *run);

// This machine and its threads; 0: as many as CPUs are free to use.
void run_machine(int threads, char out[RUN_MACHINE]);

#endif
