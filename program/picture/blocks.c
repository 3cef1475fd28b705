// SPDX-License-Identifier: Apache-2.0
// Four kinds of items have each its form:
//
//     box          the layer's words, marks of what goes with it
//     residual     a chain, and an arc at its right: solid for the identity, dotted where it
//     changes
//                  dimensions, W_s for a projection, "pad" for zero padding
//     gate         a chain of factors at the left, and a product (squeeze-excite)
//     parallel     branches side by side, and a box in which they meet (inception)
#include "picture/blocks.h"

#include <math.h>

#include "picture/boxes.h"

enum {

    ARC = 18,
    ASIDE = 22,
    BETWEEN = 14,
    FRAME = 7,
    BEGIN = 4,
    INPUT = 14,
    WORDS = 8
};

static Extent chain_extent(const Canvas *canvas, const Item *chain, double width);
static double chain_draw(const Canvas *canvas, const Item *chain, double width, double x, double y);

static bool is_gate(const Item *item) { return item_is(item, "gate") && item->branch_count == 2; }

// ---- Boxes in a line --------------------------------------------------------------------------

double chain_width(const Canvas *canvas, const Item *chain) {
    double width = 0;
    for (; chain != NULL; chain = chain->next) {
        const bool around = item_is_residual(chain) || is_gate(chain);
        width =
            fmax(width, around ? chain_width(canvas, chain->branch[0]) : box_width(canvas, chain));
    }
    return width;
}

static double box_with_line(const Canvas *canvas, const Item *item, double width, double x,
                            double y) {
    if (item_is(item, "input")) {
        char text[96];
        item_text(item, text, sizeof text);
        canvas_text(canvas, canvas->sizes.font, x, y + INPUT - 3, "middle", text);
        return y + INPUT;
    }
    const double top = y + canvas->sizes.gap, bottom = top + canvas->sizes.box;
    canvas_arrow(canvas, x, y, top);
    box_draw(canvas, item, width, x, top);
    if (canvas->words) {
        canvas_text(canvas, "soft", x + WORDS, top - 8, "start", marks_text(item->before));
        canvas_text(canvas, "soft", x + WORDS, bottom + 17, "start", marks_text(item->after));
    }
    return bottom;
}

// ---- Residual blocks ----------------------------------------------------------------------------

// From the middle line to the arc, and the width of what stands beside the arc.
static double arc_offset(const Canvas *canvas, const Item *item, double width, double *label) {
    const Item *shortcut = item->branch[1];
    const double right = fmax(width / 2, chain_extent(canvas, item->branch[0], width).right);
    if (canvas->words) {
        const double box = shortcut != NULL ? box_width(canvas, shortcut) : 0;
        *label = fmax(box / 2, WORDS + canvas_width(canvas, "identity"));
        return right + ASIDE + fmax(box / 2, WORDS);
    }
    *label = shortcut != NULL ? 6 + canvas_width(canvas, "pad") : 2;
    return right + ARC;
}

static Extent residual_extent(const Canvas *canvas, const Item *item, double width) {
    Extent extent = chain_extent(canvas, item->branch[0], width);
    double label;
    extent.right = arc_offset(canvas, item, width, &label);
    extent.right += label;
    const double beside =
        canvas->words ? 16 + canvas_width(canvas, "F(x) + Wx") : canvas_marks_width(item->after);
    const double residual_left = fmax(extent.left, width / 2);
    extent.left = fmax(residual_left, beside + canvas->sizes.radius + 4);
    if (canvas->words) {
        extent.left = fmax(extent.left, residual_left + 12 + canvas_width(canvas, "F(x)"));
    }
    extent.height += canvas->sizes.gap + 2 * canvas->sizes.radius;
    return extent;
}

static void shortcut_draw(const Canvas *canvas, const Item *item, double arc, double top,
                          double bottom) {
    const Item *shortcut = item->branch[1];
    Canvas plain = *canvas;
    plain.placed = NULL;
    const double middle = (top + bottom) / 2;
    if (shortcut == NULL) {
        if (canvas->words) {
            canvas_text(canvas, "math", arc + WORDS, middle - 3, "start", "x");
            canvas_text(canvas, "soft", arc + WORDS, middle + 15, "start", "identity");
        }
        return;
    }
    const bool projects = item_is(shortcut, "conv");
    if (canvas->words) {
        box_draw(&plain, shortcut, box_width(canvas, shortcut), arc,
                 middle - canvas->sizes.box / 2);
        if (projects) {
            canvas_projection(canvas, arc + WORDS, middle + canvas->sizes.box / 2 + 20, "start", "",
                              "x");
        }
    } else if (projects) {
        canvas_projection(canvas, arc + 5, middle + 4, "start", "", "");
    } else {
        canvas_text(canvas, canvas->sizes.font, arc + 5, middle + 4, "start", "pad");
    }
}

static double residual_draw(const Canvas *canvas, const Item *item, double width, double x,
                            double y) {
    double label;
    const double arc = x + arc_offset(canvas, item, width, &label), begin = y + BEGIN;
    const double end = chain_draw(canvas, item->branch[0], width, x, y);
    const double sum = end + canvas->sizes.gap + canvas->sizes.radius;
    canvas_arrow(canvas, x, end, sum - canvas->sizes.radius);
    fprintf(canvas->file, "<g>");
    box_title(canvas, item);
    canvas_arc(canvas, item_changes_shape(item), x, begin, arc, sum);
    canvas_sum(canvas, x, sum, false);
    fprintf(canvas->file, "</g>\n");
    shortcut_draw(canvas, item, arc, begin, sum);
    const double left = x - canvas->sizes.radius;
    if (canvas->words) {
        const double side = fmax(width / 2, chain_extent(canvas, item->branch[0], width).left);
        canvas_text(canvas, "math", x - side - 10, (begin + end) / 2 + 10, "end", "F(x)");
        if (item->branch[1] != NULL && item_is(item->branch[1], "conv")) {
            canvas_projection(canvas, left - 6, sum + 5, "end", "F(x) + ", "x");
        } else {
            canvas_text(canvas, "math", left - 6, sum + 5, "end", "F(x) + x");
        }
        canvas_text(canvas, "soft", x + WORDS, sum + canvas->sizes.radius + 17, "start",
                    marks_text(item->after));
    } else {
        canvas_marks(canvas, item->after, left - canvas_marks_width(item->after), sum);
    }
    return sum + canvas->sizes.radius;
}

// ---- Gates --------------------------------------------------------------------------------------

// Of the middle line, to the left; `aside` gets the factors' own width.
static double gate_offset(const Canvas *canvas, const Item *item, double width, double *aside) {
    *aside = chain_width(canvas, item->branch[1]);
    const double left =
        item->branch[0] != NULL ? chain_extent(canvas, item->branch[0], width).left : 0;
    return left + ASIDE + chain_extent(canvas, item->branch[1], *aside).right;
}

static Extent gate_extent(const Canvas *canvas, const Item *item, double width) {
    double aside;
    const double offset = gate_offset(canvas, item, width, &aside);
    Extent extent = chain_extent(canvas, item->branch[0], width);
    const Extent factors = chain_extent(canvas, item->branch[1], aside);
    const double below = canvas->sizes.bus - canvas->sizes.radius;
    extent.left = fmax(extent.left, offset + factors.left);
    extent.right = fmax(extent.right, canvas->sizes.radius);
    extent.height = fmax(extent.height + canvas->sizes.gap, BEGIN + factors.height + below) +
                    2 * canvas->sizes.radius;
    return extent;
}

static double gate_draw(const Canvas *canvas, const Item *item, double width, double x, double y) {
    double aside;
    const double factors = x - gate_offset(canvas, item, width, &aside);
    Canvas plain = *canvas;
    plain.placed = NULL;
    plain.tone = -1;
    const double end = chain_draw(canvas, item->branch[0], width, x, y);
    canvas_line(canvas, x, y + BEGIN, factors, y + BEGIN);
    const double below = canvas->sizes.bus - canvas->sizes.radius;
    const double low = chain_draw(&plain, item->branch[1], aside, factors, y + BEGIN);
    const double product = fmax(end + canvas->sizes.gap, low + below) + canvas->sizes.radius;
    canvas_arrow(canvas, x, end, product - canvas->sizes.radius);
    canvas_join(canvas, factors, low, x, product);
    fprintf(canvas->file, "<g>");
    box_title(canvas, item);
    canvas_sum(canvas, x, product, true);
    fprintf(canvas->file, "</g>\n");
    return product + canvas->sizes.radius;
}

// ---- Branches side by side ----------------------------------------------------------------------

// Extents of the branches, each as wide as its own boxes; gives their width together.
static double branches_measure(const Canvas *canvas, const Item *item, Extent *extents,
                               double *widths) {
    double all = BETWEEN * (item->branch_count - 1);
    for (int k = 0; k < item->branch_count; k++) {
        widths[k] = chain_width(canvas, item->branch[k]);
        extents[k] = chain_extent(canvas, item->branch[k], widths[k]);
        all += extents[k].left + extents[k].right;
    }
    return all;
}

static double highest(const Extent *extents, int count) {
    double height = 0;
    for (int k = 0; k < count; k++) {
        height = fmax(height, extents[k].height);
    }
    return height;
}

static Extent parallel_extent(const Canvas *canvas, const Item *item) {
    Extent extents[OUTLINE_BRANCHES];
    double widths[OUTLINE_BRANCHES];
    const double half = branches_measure(canvas, item, extents, widths) / 2;
    return (Extent){half, half,
                    highest(extents, item->branch_count) + BEGIN + canvas->sizes.bus +
                        canvas->sizes.gap + canvas->sizes.box};
}

static double parallel_draw(const Canvas *canvas, const Item *item, double x, double y) {
    Extent extents[OUTLINE_BRANCHES];
    double widths[OUTLINE_BRANCHES];
    double at = x - branches_measure(canvas, item, extents, widths) / 2, first = x, last = x;
    const double top = y + BEGIN;
    const double bottom = top + highest(extents, item->branch_count) + canvas->sizes.bus;
    for (int k = 0; k < item->branch_count; k++) {
        const double middle = at + extents[k].left;
        const double end = chain_draw(canvas, item->branch[k], widths[k], middle, top);
        canvas_line(canvas, middle, end, middle, bottom);
        first = fmin(first, middle);
        last = fmax(last, middle);
        at = middle + extents[k].right + BETWEEN;
    }
    canvas_line(canvas, x, y, x, top);
    canvas_line(canvas, first, top, last, top);
    canvas_line(canvas, first, bottom, last, bottom);
    return box_with_line(canvas, item, box_width(canvas, item), x, bottom);
}

// ---- Any item -----------------------------------------------------------------------------------

static Extent once_extent(const Canvas *canvas, const Item *item, double width) {
    if (item_is_residual(item)) {
        return residual_extent(canvas, item, width);
    }
    if (is_gate(item)) {
        return gate_extent(canvas, item, width);
    }
    if (item->branch_count > 0) {
        return parallel_extent(canvas, item);
    }
    Extent extent = {width / 2, width / 2, canvas->sizes.gap + canvas->sizes.box};
    if (item_is(item, "input")) {
        extent.height = INPUT;
    }
    if (canvas->words) {
        const double words = fmax(canvas_width(canvas, marks_text(item->before)),
                                  canvas_width(canvas, marks_text(item->after)));
        extent.right = fmax(extent.right, WORDS + words);
    }
    return extent;
}

static double once_draw(const Canvas *canvas, const Item *item, double width, double x, double y) {
    return item_is_residual(item)   ? residual_draw(canvas, item, width, x, y)
           : is_gate(item)          ? gate_draw(canvas, item, width, x, y)
           : item->branch_count > 0 ? parallel_draw(canvas, item, x, y)
                                    : box_with_line(canvas, item, width, x, y);
}

static const char *repeats_text(const Item *item) {
    static char text[32];
    snprintf(text, sizeof text, "× %d", item->repeats);
    return text;
}

Extent item_extent(const Canvas *canvas, const Item *item, double width) {
    Extent extent = once_extent(canvas, item, width);
    if (item->repeats > 1) {
        extent.left += FRAME;
        extent.right += FRAME + 8 + canvas_width(canvas, repeats_text(item));
        extent.height += 2 * FRAME;
    }
    return extent;
}

double item_draw(const Canvas *canvas, const Item *item, double width, double x, double y) {
    if (item->repeats == 1) {
        return once_draw(canvas, item, width, x, y);
    }
    const Extent extent = once_extent(canvas, item, width);
    canvas_line(canvas, x, y, x, y + FRAME);
    fprintf(canvas->file,
            "<rect class=\"repeat\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
            "rx=\"8\"/>\n",
            x - extent.left - FRAME, y + FRAME - 2, extent.left + extent.right + 2 * FRAME,
            extent.height + FRAME);
    const double end = once_draw(canvas, item, width, x, y + FRAME);
    canvas_line(canvas, x, end, x, end + FRAME);
    canvas_text(canvas, "times", x + extent.right + FRAME + 6, (y + end + FRAME) / 2 + 5, "start",
                repeats_text(item));
    return end + FRAME;
}

static Extent chain_extent(const Canvas *canvas, const Item *chain, double width) {
    Extent all = {0};
    for (; chain != NULL; chain = chain->next) {
        const Extent extent = item_extent(canvas, chain, width);
        all.left = fmax(all.left, extent.left);
        all.right = fmax(all.right, extent.right);
        all.height += extent.height;
    }
    return all;
}

static double chain_draw(const Canvas *canvas, const Item *chain, double width, double x,
                         double y) {
    for (; chain != NULL; chain = chain->next) {
        y = item_draw(canvas, chain, width, x, y);
    }
    return y;
}
