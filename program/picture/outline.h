// SPDX-License-Identifier: Apache-2.0
// A network as people draw it: a chain of items, some of which part into branches and join again.
//
//     conv norm relu conv norm add relu        a chain of layers, one of which reads two others
//     [conv nr] ( [conv n] | - ) + r           two items: a box, and a join of a box with a bare
//     line
//
// Norms, activations and dropout belong to the box beside them, as marks. The networks here are
// series and parallel: whatever parts at a layer comes together again before anything else does.
#ifndef PROGRAM_OUTLINE_H
#define PROGRAM_OUTLINE_H

#include <stdbool.h>

#include "resnet.h"

enum { OUTLINE_BRANCHES = 4, OUTLINE_MARKS = 8 };

typedef struct Item {
    const resnet_layer *layer; // what it shows: of a join, the layer at which branches meet
    const resnet_layer *fork;  // of a join: whose output its branches read
    // Layers without a box: n(orm), r(elu), s(igmoid), d(ropout), ahead of the box and behind it.
    char before[OUTLINE_MARKS], after[OUTLINE_MARKS];
    int branch_count;                      // 0: a box
    struct Item *branch[OUTLINE_BRANCHES]; // first items; NULL: a bare line
    int repeats;                           // of items alike in a row, this one stands for so many
    struct Item *next;
} Item;

typedef struct Outline {
    resnet_layer *layers;
    int layer_count;
    Item *items; // one a layer, of which those of boxes and joins are used
    Item *first;
} Outline;

// Fails when memory is short; *out can be destroyed in any case.
resnet_status outline_create(const resnet_model *model, Outline *out);
void outline_destroy(Outline *outline);

// Lets the first of items alike in a row stand for all of them where they have more than `most`
// boxes together.
void outline_fold(Outline *outline, int most);

// Leaves nothing but the items whose layers are PART or begin with "PART."; false: there are none,
// and the outline is as it was.
bool outline_cut(Outline *outline, const char *part);

// Whether its name is PART or begins with "PART.".
bool layer_is_of(const resnet_layer *layer, const char *part);

// A sum with a way around: branch[0] is the residual, branch[1] the shortcut, which is a bare line,
// zero padding (option A) or one 1x1 convolution (options B, C).
bool item_is_residual(const Item *item);
// Whether a join's output has other extents than what it forks from.
bool item_changes_shape(const Item *item);

// "norm, relu"; "" for no marks. A static buffer of four.
const char *marks_text(const char *marks);

#endif
