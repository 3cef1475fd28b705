// SPDX-License-Identifier: Apache-2.0
// Resizing of which only a window is made, from only the pixels that it depends on.
#ifndef RESNET_DATA_RESIZE_H
#define RESNET_DATA_RESIZE_H

#include "data/decoders.h"

// `window` of the picture that resizing a picture of source_width x source_height to width x height
// gives.
typedef struct Resize {
    int source_width, source_height;
    int width, height;
    Interpolation interpolation;
    Window window;
} Resize;

// The part of the source that the window depends on.
Window resize_source(const Resize *resize);

// Writes the window, tightly: [window.height][window.width][channels]. `part` holds at least
// resize_source().
Status resize_window(const Resize *resize, const Part *part, uint8_t *out);

#endif
