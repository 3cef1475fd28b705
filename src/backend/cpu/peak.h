// SPDX-License-Identifier: Apache-2.0
// What cores can do at most: the roof that convolutions are compared with.
#ifndef RESNET_BACKEND_CPU_PEAK_H
#define RESNET_BACKEND_CPU_PEAK_H

#include "backend/backend.h"
#include "backend/cpu/kernels/kernels.h"

// Operations a second of all workers together, multiply-adds in registers alone, two for each
// product. Each worker counts the time
// that it had a core, so that other load on the machine does not lower the roof; the best of
// several rounds.
double peak_measure(const Kernels *kernels, Arithmetic of, Threads *threads);

#endif
