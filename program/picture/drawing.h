// SPDX-License-Identifier: Apache-2.0
// Drawings of architectures, made from their layers: whole nets side by side, aligned where their
// outputs have the same size (paper, Fig. 3), or single blocks (Figs. 2 and 5).
#ifndef PROGRAM_DRAWING_H
#define PROGRAM_DRAWING_H

#include <stdbool.h>
#include <stdio.h>

#include "resnet.h"

enum { DRAWING_COLUMNS = 8 };

typedef struct DrawingColumn {
    const resnet_model *model;
    const char *title; // NULL: the model's name
    const char *part;  // draw only the layers whose names begin so, "layer1.0"; NULL: all
} DrawingColumn;

typedef struct Drawing {
    DrawingColumn columns[DRAWING_COLUMNS]; // either all have a part or none has
    int count;
    const char *title; // for readers who do not see it
    bool unfold;       // blocks that repeat one another often are drawn one by one
} Drawing;

// An <svg> for a page that has drawing_style() in its style. RESNET_USAGE where a model has no such
// part.
resnet_status drawing_write(const Drawing *drawing, FILE *file);
// A file that shows itself in light and dark.
resnet_status drawing_save(const Drawing *drawing, const char *path);

// Rules for the classes, with their colours. They use the page's --paper, --ink, --soft and --line.
extern const char drawing_style[];

#endif
