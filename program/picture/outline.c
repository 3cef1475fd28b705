// SPDX-License-Identifier: Apache-2.0
// Layers come in topological order. The layer from which all branches of a join part is its
// immediate dominator: the last one that every way from the input goes through. Of a layer with one
// input that is the input; of a join, the meeting point of its inputs' chains of dominators.
#include "picture/outline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/failure.h"

enum { NONE = -1 };

// What is known of each layer while the outline is made.
typedef struct Place {
    int readers, reader; // how many layers read it, and the last of them
    int box;             // the layer in whose box it is
    bool ahead;          // it is a mark ahead of that box
    int dominator;       // of a box
} Place;

static char mark_of(const resnet_layer *layer) {
    static const struct {
        const char *op;
        char mark;
    } marks[] = {{"norm", 'n'}, {"relu", 'r'}, {"sigmoid", 's'}, {"dropout", 'd'}};
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        if (strcmp(layer->op, marks[i].op) == 0) {
            return marks[i].mark;
        }
    }
    return '\0';
}

const char *marks_text(const char *marks) {
    static char texts[4][64];
    static int next;
    char *text = texts[next = (next + 1) % 4];
    text[0] = '\0';
    for (int length = 0; *marks != '\0'; marks++) {
        length += snprintf(text + length, sizeof texts[0] - (size_t)length, "%s%s",
                           length > 0 ? ", " : "",
                           *marks == 'n'   ? "norm"
                           : *marks == 'r' ? "relu"
                           : *marks == 's' ? "sigmoid"
                                           : "dropout");
    }
    return text;
}

static void mark_add(char marks[OUTLINE_MARKS], char mark) {
    size_t length = strlen(marks);
    if (length + 1 < OUTLINE_MARKS) {
        marks[length] = mark;
        marks[length + 1] = '\0';
    }
}

// ---- From layers to boxes -----------------------------------------------------------------------

static void readers_count(const Outline *outline, Place *places) {
    for (int i = 0; i < outline->layer_count; i++) {
        for (int k = 0; k < OUTLINE_BRANCHES && outline->layers[i].inputs[k] != NONE; k++) {
            Place *place = &places[outline->layers[i].inputs[k]];
            place->readers++;
            place->reader = i;
        }
    }
}

// The box that nobody but a chain of marks from `index` on leads to; NONE: there is none.
static int box_ahead(const Outline *outline, const Place *places, int index) {
    while (mark_of(&outline->layers[index]) != '\0') {
        if (places[index].readers != 1) {
            return NONE;
        }
        index = places[index].reader;
    }
    return outline->layers[index].inputs[1] == NONE ? index : NONE;
}

// A mark goes behind the box that it alone reads, else ahead of the box that alone reads it. One
// between many and many gets a box of its own.
static void boxes_find(Outline *outline, Place *places) {
    for (int i = 0; i < outline->layer_count; i++) {
        const char mark = mark_of(&outline->layers[i]);
        const int input = outline->layers[i].inputs[0];
        places[i].box = i;
        if (mark == '\0') {
            continue;
        }
        if (places[input].readers == 1 && !places[input].ahead) {
            places[i].box = places[input].box;
            mark_add(outline->items[places[i].box].after, mark);
        } else if (box_ahead(outline, places, i) != NONE) {
            places[i].box = box_ahead(outline, places, i);
            places[i].ahead = true;
            mark_add(outline->items[places[i].box].before, mark);
        }
    }
}

// The box whose output arrives at input `k`, marks passed over.
static int box_read(const Outline *outline, const Place *places, int index, int k) {
    int from = outline->layers[index].inputs[k];
    while (places[from].ahead) {
        from = outline->layers[from].inputs[0];
    }
    return places[from].box;
}

static void dominators_find(const Outline *outline, Place *places) {
    for (int i = 0; i < outline->layer_count; i++) {
        places[i].dominator = NONE;
        if (places[i].box != i || outline->layers[i].inputs[0] == NONE) {
            continue;
        }
        int common = box_read(outline, places, i, 0);
        for (int k = 1; k < OUTLINE_BRANCHES && outline->layers[i].inputs[k] != NONE; k++) {
            int other = box_read(outline, places, i, k);
            while (common != other) {
                if (common > other) {
                    common = places[common].dominator;
                } else {
                    other = places[other].dominator;
                }
            }
        }
        places[i].dominator = common;
    }
}

// The chain of items behind the box `from` (NONE: from the input on) up to the box `to`.
static Item *chain_make(Outline *outline, const Place *places, int from, int to) {
    Item *first = NULL;
    for (; to != from; to = places[to].dominator) {
        Item *item = &outline->items[to];
        const resnet_layer *layer = &outline->layers[to];
        item->layer = layer;
        item->repeats = 1;
        item->next = first;
        first = item;
        if (layer->inputs[0] == NONE || layer->inputs[1] == NONE) {
            continue;
        }
        item->fork = &outline->layers[places[to].dominator];
        for (int k = 0; k < OUTLINE_BRANCHES && layer->inputs[k] != NONE; k++) {
            item->branch[k] =
                chain_make(outline, places, places[to].dominator, box_read(outline, places, to, k));
            item->branch_count++;
        }
    }
    return first;
}

static resnet_status layers_read(const resnet_model *model, Outline *out) {
    resnet_summary summary;
    TRY(resnet_model_summary(model, 1, 1, &summary));
    out->layers = calloc((size_t)summary.layers, sizeof *out->layers);
    out->items = calloc((size_t)summary.layers, sizeof *out->items);
    if (out->layers == NULL || out->items == NULL) {
        return failure_say(RESNET_FAILED, "cannot get memory for a drawing");
    }
    out->layer_count = summary.layers;
    for (int i = 0; i < summary.layers; i++) {
        TRY(resnet_model_layer(model, i, &out->layers[i]));
    }
    return RESNET_OK;
}

resnet_status outline_create(const resnet_model *model, Outline *out) {
    *out = (Outline){0};
    TRY(layers_read(model, out));
    Place *places = calloc((size_t)out->layer_count, sizeof *places);
    if (places == NULL) {
        return failure_say(RESNET_FAILED, "cannot get memory for a drawing");
    }
    readers_count(out, places);
    boxes_find(out, places);
    dominators_find(out, places);
    out->first = chain_make(out, places, NONE, places[out->layer_count - 1].box);
    free(places);
    return RESNET_OK;
}

void outline_destroy(Outline *outline) {
    free(outline->layers);
    free(outline->items);
    *outline = (Outline){0};
}

// ---- What is done with an outline ---------------------------------------------------------------

static bool chains_equal(const Item *a, const Item *b);

static bool items_equal(const Item *a, const Item *b) {
    const resnet_layer *x = a->layer, *y = b->layer;
    bool equal = strcmp(x->op, y->op) == 0 && x->channels == y->channels &&
                 x->height == y->height && x->width == y->width && x->kernel == y->kernel &&
                 x->stride == y->stride && x->groups == y->groups &&
                 x->parameters == y->parameters && strcmp(a->before, b->before) == 0 &&
                 strcmp(a->after, b->after) == 0 && a->branch_count == b->branch_count;
    for (int k = 0; k < a->branch_count && equal; k++) {
        equal = chains_equal(a->branch[k], b->branch[k]);
    }
    return equal;
}

static bool chains_equal(const Item *a, const Item *b) {
    for (; a != NULL && b != NULL; a = a->next, b = b->next) {
        if (!items_equal(a, b)) {
            return false;
        }
    }
    return a == NULL && b == NULL;
}

static int boxes_count(const Item *item) {
    int count = 1;
    for (int k = 0; k < item->branch_count; k++) {
        for (const Item *inner = item->branch[k]; inner != NULL; inner = inner->next) {
            count += boxes_count(inner);
        }
    }
    return count;
}

void outline_fold(Outline *outline, int most) {
    for (Item *item = outline->first; item != NULL; item = item->next) {
        int count = 1;
        Item *next = item->next;
        for (; next != NULL && items_equal(item, next); next = next->next) {
            count++;
        }
        if (count > 1 && count * boxes_count(item) > most) {
            item->repeats = count;
            item->next = next;
        }
    }
}

bool layer_is_of(const resnet_layer *layer, const char *part) {
    size_t length = strlen(part);
    return strncmp(layer->name, part, length) == 0 &&
           (layer->name[length] == '\0' || layer->name[length] == '.');
}

bool outline_cut(Outline *outline, const char *part) {
    Item *first = outline->first;
    while (first != NULL && !layer_is_of(first->layer, part)) {
        first = first->next;
    }
    if (first == NULL) {
        return false;
    }
    outline->first = first;
    while (first->next != NULL && layer_is_of(first->next->layer, part)) {
        first = first->next;
    }
    first->next = NULL;
    return true;
}

bool item_is_residual(const Item *item) {
    if (strcmp(item->layer->op, "add") != 0 || item->branch_count != 2) {
        return false;
    }
    const Item *shortcut = item->branch[1];
    return shortcut == NULL ||
           (shortcut->next == NULL && shortcut->branch_count == 0 &&
            (strcmp(shortcut->layer->op, "pad_shortcut") == 0 ||
             (strcmp(shortcut->layer->op, "conv") == 0 && shortcut->layer->kernel == 1)));
}

bool item_changes_shape(const Item *item) {
    const resnet_layer *from = item->fork, *to = item->layer;
    return from->channels != to->channels || from->height != to->height || from->width != to->width;
}
