// SPDX-License-Identifier: Apache-2.0
// A roofline (Williams, Waterman, Patterson 2009) as an SVG picture: for each layer its speed over
// its arithmetic for each byte, under the roofs of the cores and of the memory.
//
//     GFLOP/s = least of (peak, bandwidth * FLOP/byte)
#ifndef PROGRAM_ROOFLINE_H
#define PROGRAM_ROOFLINE_H

#include "console/timing.h"
#include "resnet.h"

typedef struct Roofline {
    const char *title, *subtitle;
    double peak;      // GFLOP/s
    double bandwidth; // GB/s
    const LayerTiming *layers;
    int layer_count;
} Roofline;

// Layers without multiply-adds are not shown. Written beside its place and renamed.
resnet_status roofline_write(const Roofline *roofline, const char *path);

// "conv 3x3/1+norm+add+relu"; a static buffer.
const char *layer_parts(const resnet_fused_layer *layer);

#endif
