// SPDX-License-Identifier: Apache-2.0
// What networks cost: parameters, multiply-adds for one image, and the time that one image takes
// here. Kept in DIR/costs.jsonl, a line a network and measurement: {model, shortcut, input,
// classes, parameters, macs, latency_ms, threads}.
#ifndef PROGRAM_COSTS_H
#define PROGRAM_COSTS_H

#include <stdbool.h>
#include <stdint.h>

#include "resnet.h"

typedef struct Cost {
    int64_t parameters, macs;
    double latency; // milliseconds for a batch of one, the median; NaN: not measured
    int threads;    // that it was measured with
} Cost;

typedef struct CostSubject {
    const char *model, *shortcut;         // NULL shortcut: the model's own
    int channels, height, width, classes; // 0: the model's own
} CostSubject;

// Parameters and multiply-adds by the library, without a file.
resnet_status cost_count(const CostSubject *subject, Cost *out);
// The file's figures; those that are not there yet are measured and added. `timed`: with latency.
resnet_status cost_get(const char *path, const CostSubject *subject, int threads, bool timed,
                       Cost *out);

#endif
