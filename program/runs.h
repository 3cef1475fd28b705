// SPDX-License-Identifier: Apache-2.0
// One training of an experiment, in a folder of its own: finished ones are read back, unfinished
// ones go on where they stopped.
//
//     DIR/runs/plain20/run.json      settings; and the results once it is finished
//                     /curve.jsonl   training loss and error within epochs (see curve.h)
//                     /metrics.jsonl, checkpoint.safetensors, model.safetensors: the trainer's
#ifndef PROGRAM_RUNS_H
#define PROGRAM_RUNS_H

#include <limits.h>
#include <signal.h>
#include <stdint.h>

#include "curve.h"
#include "resnet.h"

typedef struct RunSettings {
    const char *data; // SPEC
    int samples;      // of its training split
    int64_t iterations;
    int batch;
    double lr;
    int threads; // does not change results
    uint64_t seed;
} RunSettings;

typedef struct Run {
    const char *model;
    RunSettings settings;
    char folder[PATH_MAX];
    int64_t parameters;
    // Results. Training figures are averages over the last fifth of the iterations, as a single
    // batch says little; test figures are those of the last evaluation.
    double train_loss, train_top1, test_loss, test_top1, seconds;
    Curve train, test;
} Run;

// Trains (or reads back) and fills the results. `label` goes before the progress line.
resnet_status run_complete(Run *run, const char *label, const volatile sig_atomic_t *stop);
void run_release(Run *run);

#endif
