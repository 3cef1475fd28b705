// SPDX-License-Identifier: Apache-2.0
// The learning rate as a pure function of the iteration.
//
//     warm-up     lr * (i+1)/warmup for i < warmup, then with t = (i-warmup)/(iterations-warmup):
//     step        lr, divided by 10 at 1/2 and again at 3/4 of the iterations (paper §4.2: 32k and
//                 48k of 64k)
//     cosine      lr * (1 + cos(pi*t)) / 2
//     one-cycle   lr * (1 - t): up in the warm-up, down to almost 0 in the rest
//     constant    lr
//
// Very deep nets are begun carefully (paper §4.2, for 110 layers): lr / 10 for the first `careful`
// iterations, where the paper waited for a training error below 80 %, "about 400 iterations".
#ifndef RESNET_TRAIN_SCHEDULE_H
#define RESNET_TRAIN_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ScheduleKind {
    SCHEDULE_STEP,
    SCHEDULE_COSINE,
    SCHEDULE_ONE_CYCLE,
    SCHEDULE_CONSTANT
} ScheduleKind;

typedef struct Schedule {
    ScheduleKind kind;
    double lr; // the largest
    int64_t iterations;
    int64_t warmup, careful; // 0: none
} Schedule;

// "step", "cosine", "one-cycle", "constant" and back. False: unknown.
bool schedule_parse(const char *text, ScheduleKind *out);
const char *schedule_name(ScheduleKind kind);

// For the step after `iteration` steps, 0 … iterations-1.
double schedule_lr(const Schedule *schedule, int64_t iteration);

// Whether another regime begins with that step, and a sentence about it:
// "lr 0.1 -> 0.01 at iteration 32000".
bool schedule_note(const Schedule *schedule, int64_t iteration, char *text, size_t size);

#endif
