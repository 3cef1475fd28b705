// SPDX-License-Identifier: Apache-2.0
// What a training logged about its layers, by gradients.jsonl: norms of gradients, and standard
// deviations of responses after batch normalisation, through the training.
#ifndef PROGRAM_SIGNALS_H
#define PROGRAM_SIGNALS_H

#include <stdint.h>

#include "resnet.h"

// One moment. Layers in the order of the network.
typedef struct SignalLine {
    int64_t iteration;
    double *gradients; // of weights of convolutions and linear layers
    double *responses; // after norms, those in shortcuts apart
    int gradient_count, response_count;
} SignalLine;

typedef struct Signals {
    SignalLine *lines;
    int count, room;
} Signals; // zeros: nothing

resnet_status signals_read(const char *path, Signals *out);
void signals_release(Signals *signals);
// NULL: there is no line.
const SignalLine *signals_last(const Signals *signals);

#endif
