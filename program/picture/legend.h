// SPDX-License-Identifier: Apache-2.0
// The legend of a drawing: the signs that occur in it, and no others.
#ifndef PROGRAM_LEGEND_H
#define PROGRAM_LEGEND_H

#include <stdbool.h>

#include "picture/canvas.h"
#include "picture/outline.h"

typedef struct Signs {
    bool marks[4]; // norm, relu, sigmoid, dropout
    bool solid, dotted, projection, padding;
} Signs;

// Adds the signs of a chain and of all that is in it.
void signs_collect(const Item *chain, Signs *signs);

double legend_height(const Signs *signs);
// Draws it below and right of (left, y).
void legend_draw(const Canvas *canvas, const Signs *signs, double left, double y);

#endif
