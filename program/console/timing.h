// SPDX-License-Identifier: Apache-2.0
// The speed of a network on one synthetic batch: passes of a session, or steps of a trainer.
#ifndef PROGRAM_TIMING_H
#define PROGRAM_TIMING_H

#include <stdbool.h>
#include <stdint.h>

#include "console/measure.h"
#include "resnet.h"

typedef struct TimingOptions {
    int batch, threads;    // threads 0: the CPUs that are free to use
    const char *precision; // of a session: "fp32", "bf16", "int8"
    bool train;            // whole steps: forward, loss, backward, update
    bool layers;           // also by layer: each run is followed by one whose layers are timed
    double seconds;        // to measure for, after the warm-up
    int repeat;            // runs instead; 0: by time
} TimingOptions;

typedef struct LayerTiming {
    resnet_fused_layer layer;
    double forward, backward; // seconds, medians; backward 0 without training
    double flops;             // of one run
    double bytes;             // that one run reads and writes at least
} LayerTiming;

typedef struct Timing {
    double first; // seconds from nothing to the end of the first run
    int runs;
    double p50, p90, p99; // seconds of a run
    double images_per_second;
    double flops;     // of one run: twice the multiply-adds, and three times that in training
    int64_t resident; // bytes of the process after the warm-up; -1: not known
    LayerTiming *layers;
    int layer_count;
    // What is timed; one of them.
    resnet_session *session;
    resnet_trainer *trainer;
} Timing;

// Makes a session or trainer, warms it up and measures. The names of layers live as long as the
// timing.
resnet_status timing_run(const resnet_model *model, const TimingOptions *options, Timing *out);
void timing_free(Timing *timing);

#endif
