// SPDX-License-Identifier: Apache-2.0
// Progress on stderr: one line redrawn in place on a terminal, elsewhere a plain line every few
// seconds, so that logs stay short.
#ifndef PROGRAM_PROGRESS_H
#define PROGRAM_PROGRESS_H

#include <signal.h>
#include <stdbool.h>

#include "resnet.h"

typedef struct Progress {
    bool terminal, drawn; // drawn: the redrawn line stands there now
    double shown;         // when the last line was shown, seconds
} Progress;

Progress progress_begin(void);
// Shows how far a training is: "LABEL ###---  epoch 2.40/10  loss 1.32  error 47.1 % ...". Often
// called; shows only when it is time.
void progress_training(Progress *progress, const char *label, const resnet_train_progress *now);
// The same of an evaluation of `count` samples: "LABEL ###---  images 512/10,000  error 8.1 % ...".
void progress_evaluation(Progress *progress, const char *label, const resnet_evaluation *now,
                         int count);
// Shows how far other work is: "calibrating  12 of 100".
void progress_count(Progress *progress, const char *what, int done, int all);
// A line that stays.
void progress_note(Progress *progress, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// Takes the redrawn line away.
void progress_clear(Progress *progress);

// Begins to catch SIGINT and SIGTERM: the first sets the flag that this returns, so that work is
// saved; the second ends the program as usual.
const volatile sig_atomic_t *stop_flag_install(void);

#endif
