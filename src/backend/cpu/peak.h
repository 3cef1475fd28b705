// SPDX-License-Identifier: Apache-2.0
// What cores can do at most: the roof that convolutions are compared with.
#ifndef RESNET_BACKEND_CPU_PEAK_H
#define RESNET_BACKEND_CPU_PEAK_H

#include "backend/cpu/kernels/kernels.h"
#include "base/threads.h"

// Floating point operations a second of all workers together, fused multiply-adds in registers
// alone; for `bytes` those of products of bytes, two for each product. Each worker counts the time
// that it had a core, so that other load on the machine does not lower the roof; the best of
// several rounds.
double peak_measure(const Kernels *kernels, bool bytes, Threads *threads);

#endif
