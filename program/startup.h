// SPDX-License-Identifier: Apache-2.0
// How long a fresh process takes to classify one picture.
#ifndef PROGRAM_STARTUP_H
#define PROGRAM_STARTUP_H

#include "console/operand.h"

// Seconds from the start of a process `resnet predict WEIGHTS PICTURE --threads N` to its end: the
// median of several, after one that brings the files to the system's page cache. picture NULL:
// noise of 256 x 256 pixels, not compressed. -1, and a warning, when that process fails.
resnet_status startup_measure(const char *weights, const OperandOptions *options,
                              const char *picture, int threads, double *seconds);

#endif
