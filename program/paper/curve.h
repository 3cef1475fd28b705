// SPDX-License-Identifier: Apache-2.0
// The curve of a training within its epochs: averages over windows of iterations, in a file of one
// JSON object a line: {iteration, steps, train_loss, train_error}.
#ifndef PROGRAM_CURVE_H
#define PROGRAM_CURVE_H

#include <limits.h>
#include <stdint.h>

#include "resnet.h"

typedef struct CurvePoint {
    int64_t iteration;  // the last one of its window
    int64_t steps;      // iterations averaged
    double loss, error; // error in percent
} CurvePoint;

typedef struct Curve {
    CurvePoint *points;
    int count, room;
} Curve;

void curve_release(Curve *curve);
// The file that a recorder wrote, or a trainer's metrics.jsonl (evaluations: test_loss, test_top1).
// Appends; a file that is not there has no points.
resnet_status curve_read_training(const char *path, Curve *curve);
// The latter also gives the seconds that its last line tells (0: it has none).
resnet_status curve_read_tests(const char *path, Curve *curve, double *seconds);

// Iterations of one window: 25 windows for a short training, 100 for a long one.
int64_t curve_window(int64_t iterations);

typedef struct CurveRecorder {
    char path[PATH_MAX];
    int64_t window, epoch_length;
    double loss_sum, error_sum; // of the running epoch, over iterations
    Curve closed;               // full windows
    CurvePoint open;            // the window that is being filled: sums, not averages
    resnet_status status;       // the first failure; later calls do nothing
} CurveRecorder;

// Follows a training by its events; the file is whole after each window, each epoch and the end.
void curve_recorder_begin(CurveRecorder *recorder, const char *path, int64_t iterations);
void curve_recorder_follow(CurveRecorder *recorder, const resnet_train_progress *now);
// Writes what the last window has so far, frees, and returns the first failure.
resnet_status curve_recorder_end(CurveRecorder *recorder);

#endif
