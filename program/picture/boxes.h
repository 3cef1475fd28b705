// SPDX-License-Identifier: Apache-2.0
// A layer as a box: its words, and the marks of what goes with it.
#ifndef PROGRAM_BOXES_H
#define PROGRAM_BOXES_H

#include <stdbool.h>
#include <stddef.h>

#include "picture/canvas.h"
#include "picture/outline.h"

bool item_is(const Item *item, const char *op);

// "3×3 conv, 64, /2", as the paper's Fig. 3 writes it.
void item_text(const Item *item, char *text, size_t size);

// The width that words and marks need.
double box_width(const Canvas *canvas, const Item *item);
// The box, the middle of its top at (x, y).
void box_draw(const Canvas *canvas, const Item *item, double width, double x, double y);
// What a pointer over an element shows: name, layers, extents, parameters, multiply-adds.
void box_title(const Canvas *canvas, const Item *item);

#endif
