// SPDX-License-Identifier: Apache-2.0
#include "picture/legend.h"

#include <string.h>

enum { LINE = 20, TEXT = 46 };

static const char MARKS[] = "nrsd";

void signs_collect(const Item *chain, Signs *signs) {
    for (; chain != NULL; chain = chain->next) {
        for (int m = 0; MARKS[m] != '\0'; m++) {
            signs->marks[m] |=
                strchr(chain->before, MARKS[m]) != NULL || strchr(chain->after, MARKS[m]) != NULL;
        }
        if (item_is_residual(chain)) {
            *(item_changes_shape(chain) ? &signs->dotted : &signs->solid) = true;
            const Item *shortcut = chain->branch[1];
            if (shortcut != NULL) {
                *(strcmp(shortcut->layer->op, "conv") == 0 ? &signs->projection : &signs->padding) =
                    true;
            }
        }
        for (int k = 0; k < chain->branch_count; k++) {
            signs_collect(chain->branch[k], signs);
        }
    }
}

static bool has_marks(const Signs *signs) {
    return signs->marks[0] || signs->marks[1] || signs->marks[2] || signs->marks[3];
}

double legend_height(const Signs *signs) {
    return LINE *
           (has_marks(signs) + signs->solid + signs->dotted + signs->projection + signs->padding);
}

static void marks_draw(const Canvas *canvas, const Signs *signs, double x, double y) {
    for (int m = 0; MARKS[m] != '\0'; m++) {
        if (signs->marks[m]) {
            const char *name = marks_text((char[]){MARKS[m], '\0'});
            canvas_mark(canvas, MARKS[m], x, y - 4);
            canvas_text(canvas, "note", x + 9, y, "start", name);
            x += 26 + canvas_width(canvas, name);
        }
    }
}

static void way_draw(const Canvas *canvas, const char *class_name, double left, double y,
                     const char *text) {
    fprintf(canvas->file, "<path class=\"%s\" d=\"M%.1f %.1fh36\"/>\n", class_name, left, y - 4);
    canvas_text(canvas, "note", left + TEXT, y, "start", text);
}

void legend_draw(const Canvas *canvas, const Signs *signs, double left, double y) {
    if (has_marks(signs)) {
        marks_draw(canvas, signs, left + 4, y += LINE);
    }
    if (signs->solid) {
        way_draw(canvas, "shortcut", left, y += LINE, "shortcut: identity");
    }
    if (signs->dotted) {
        way_draw(canvas, "shortcut dotted", left, y += LINE, "shortcut that changes dimensions");
    }
    if (signs->projection) {
        canvas_projection(canvas, left, y += LINE, "start", "", "");
        canvas_text(canvas, "note", left + TEXT, y, "start", "by a projection (1×1 conv)");
    }
    if (signs->padding) {
        canvas_text(canvas, "small", left, y += LINE, "start", "pad");
        canvas_text(canvas, "note", left + TEXT, y, "start", "by zeros for new channels");
    }
}
