// SPDX-License-Identifier: Apache-2.0
// The paper's pictures of architectures, drawn from the networks themselves: Fig. 2 (a residual
// block), Fig. 5 (a bottleneck), shortcuts that change dimensions (section 3.3), Fig. 3 (whole
// nets).
#ifndef PROGRAM_FIGURES_H
#define PROGRAM_FIGURES_H

#include <stdbool.h>

#include "picture/html.h"
#include "resnet.h"

enum { FIGURE_COLUMNS = 3 };

typedef struct FigureColumn {
    const char *model, *shortcut; // NULL shortcut: the model's own
    const char *part;             // NULL: the whole net
    const char *title;            // NULL: the model's name, and the part's
} FigureColumn;

typedef struct Figure {
    const char *name; // of its file: "block"
    const char *title, *caption;
    FigureColumn columns[FIGURE_COLUMNS]; // up to one without a model
} Figure;

// NULL past the last.
const Figure *figure_get(int index);
// Blocks beside one another, or below where the page is narrow; whole nets in one drawing.
resnet_status figure_write(const Figure *figure, Page *page);
// A file of its own, all columns in one drawing.
resnet_status figure_save(const Figure *figure, const char *path);

#endif
