// SPDX-License-Identifier: Apache-2.0
// Items of an outline on a canvas: how much room each takes, and its drawing. An item is as wide as
// the boxes of its chain, and begins with the line that leads to it.
#ifndef PROGRAM_BLOCKS_H
#define PROGRAM_BLOCKS_H

#include "picture/canvas.h"
#include "picture/outline.h"

typedef struct Extent {
    double left, right; // of the line through its middle
    double height;
} Extent;

// Width of a chain's boxes: the widest of its texts.
double chain_width(const Canvas *canvas, const Item *chain);

Extent item_extent(const Canvas *canvas, const Item *item, double width);
// Draws downwards from (x, y), and returns where it ends.
double item_draw(const Canvas *canvas, const Item *item, double width, double x, double y);

#endif
