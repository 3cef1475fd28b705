// SPDX-License-Identifier: Apache-2.0
#include "picture/boxes.h"

#include <math.h>
#include <string.h>

#include "console/output.h"

enum { MARGIN = 12 };

bool item_is(const Item *item, const char *op) { return strcmp(item->layer->op, op) == 0; }

void item_text(const Item *item, char *text, size_t size) {
    const resnet_layer *layer = item->layer;
    char stride[16] = "", groups[32] = "";
    if (layer->stride > 1) {
        snprintf(stride, sizeof stride, ", /%d", layer->stride);
    }
    if (layer->groups > 1) {
        snprintf(groups, sizeof groups, ", %d groups", layer->groups);
    }
    if (item_is(item, "conv")) {
        snprintf(text, size, "%d×%d conv, %d%s%s", layer->kernel, layer->kernel, layer->channels,
                 stride, groups);
    } else if (item_is(item, "linear")) {
        snprintf(text, size, "fc %d", layer->channels);
    } else if (item_is(item, "max_pool")) {
        if (layer->stride > 1) {
            snprintf(text, size, "pool%s", stride);
        } else {
            snprintf(text, size, "%d×%d pool", layer->kernel, layer->kernel);
        }
    } else if (item_is(item, "avg_pool") || item_is(item, "global_pool")) {
        snprintf(text, size, "avg pool%s", stride);
    } else if (item_is(item, "lrn")) {
        snprintf(text, size, "response norm");
    } else if (item_is(item, "concat")) {
        snprintf(text, size, "concat, %d", layer->channels);
    } else if (item_is(item, "input")) {
        snprintf(text, size, "image, %d×%d×%d", layer->channels, layer->height, layer->width);
    } else if (item_is(item, "pad_shortcut")) {
        snprintf(text, size, "zero padding, %d%s", layer->channels, stride);
    } else {
        snprintf(text, size, "%s", layer->op);
    }
}

double box_width(const Canvas *canvas, const Item *item) {
    char text[96];
    item_text(item, text, sizeof text);
    const double marks =
        canvas->words ? 0 : fmax(canvas_marks_width(item->before), canvas_marks_width(item->after));
    return canvas_width(canvas, text) + MARGIN + 2 * marks;
}

void box_title(const Canvas *canvas, const Item *item) {
    const resnet_layer *layer = item->layer;
    char text[96], title[384];
    item_text(item, text, sizeof text);
    const char *before = marks_text(item->before), *after = marks_text(item->after);
    int length = snprintf(title, sizeof title, "%s: %s%s%s%s%s\noutput %d×%d×%d", layer->name,
                          before, before[0] != '\0' ? ", " : "", text, after[0] != '\0' ? ", " : "",
                          after, layer->channels, layer->height, layer->width);
    if (layer->parameters > 0) {
        snprintf(title + length, sizeof title - (size_t)length, "\n%s parameters, %s multiply-adds",
                 figure_whole(layer->parameters), figure_macs(layer->macs));
    }
    canvas_title(canvas, title);
}

static void placed_note(const Canvas *canvas, const Item *item, double y) {
    if (canvas->placed != NULL && item->layer->height == canvas->rows &&
        item->layer->width == canvas->columns) {
        *canvas->placed = fmin(*canvas->placed, y);
    }
}

void box_draw(const Canvas *canvas, const Item *item, double width, double x, double y) {
    char text[96];
    item_text(item, text, sizeof text);
    const double middle = y + canvas->sizes.box / 2;
    fprintf(canvas->file, "<g>");
    box_title(canvas, item);
    fprintf(canvas->file, "<rect class=\"box");
    if (canvas->tone >= 0 && item_is(item, "conv")) {
        fprintf(canvas->file, " t%d", canvas->tone);
    }
    fprintf(canvas->file, "\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"4\"/>",
            x - width / 2, y, width, canvas->sizes.box);
    canvas_text(canvas, canvas->sizes.font, x, middle + 4, "middle", text);
    if (!canvas->words) {
        canvas_marks(canvas, item->before, x - width / 2 + 7, middle);
        canvas_marks(canvas, item->after, x + width / 2 + 1 - canvas_marks_width(item->after),
                     middle);
    }
    fprintf(canvas->file, "</g>\n");
    placed_note(canvas, item, middle);
}
