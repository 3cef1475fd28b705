// SPDX-License-Identifier: Apache-2.0
// How fast memory is: the roof of whatever does little arithmetic for each byte.
#ifndef RESNET_BASE_BANDWIDTH_H
#define RESNET_BASE_BANDWIDTH_H

#include "base/status.h"
#include "base/threads.h"

// Bytes a second that the pool's workers move together between the cores and a block that no cache
// holds: reading, or copying (a byte copied is one read and one written), whichever moves more.
// Takes some tenths of a second, and several hundred megabytes meanwhile.
Status bandwidth_measure(Threads *threads, double *bytes_per_second);

#endif
