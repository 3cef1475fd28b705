// SPDX-License-Identifier: Apache-2.0
// Each stage of a picture's way to the network, as files in a folder: 1-decoded, 2-resized, 3-crop,
// 4-input, as PNG and as .npy [height][width][channels] (bytes; floats for the input, whose PNG
// shows its least value as black and its largest as white).
#ifndef RESNET_API_EXPLAIN_H
#define RESNET_API_EXPLAIN_H

#include "data/sample.h"

typedef struct Explain {
    const char *folder;
    int views; // more than 1: the names of crops and inputs end in "-VIEW"
    int side;  // not 0: the names of all but the decoded picture end in "-SIDE"
} Explain;

// Makes the folder.
Status explain_open(const char *folder, int views, Explain *out);
// A sink that writes there; `explain` must outlive it.
StageSink explain_sink(Explain *explain);

#endif
