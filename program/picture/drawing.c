// SPDX-License-Identifier: Apache-2.0
// A section is what has outputs of one size. It begins at the same height in all columns, below the
// longest of the section before; lines span what is left. Colours belong to sections.
#include "picture/drawing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "console/failure.h"
#include "console/output.h"
#include "picture/blocks.h"
#include "picture/html.h"
#include "picture/legend.h"

enum { MOST_SECTIONS = 32, TONES = 6, LONGEST_RUN = 20 };
enum {
    EDGE = 16,
    COLUMN_GAP = 40,
    HEADER = 64,
    SECTION_GAP = 8,
    INPUT_LINE = 20,
    LEAST_WIDTH = 336
};

const char drawing_style[] =
    ":root{--t0:#ece7fb;--t1:#dcebfb;--t2:#d9f2e3;--t3:#fbe3e6;--t4:#fdecd2;--t5:#d6f1f3;"
    "--e0:#7a5fc0;--e1:#2f6fb5;--e2:#2c8a55;--e3:#b8404f;--e4:#a8700f;--e5:#1c838c}\n"
    "@media (prefers-color-scheme:dark){:root{--t0:#2d2648;--t1:#1c3350;--t2:#173b29;--t3:#48222a;"
    "--t4:#423012;--t5:#123a3e;"
    "--e0:#a993e8;--e1:#7db1ec;--e2:#6cc693;--e3:#ef909c;--e4:#dfae5c;--e5:#66c3cb}}\n"
    ".net text{font-family:system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;"
    "fill:var(--ink);font-size:13px}\n"
    ".net .small{font-size:11.5px}.net .head-line{font-size:15px;font-weight:600}"
    ".net .soft,.net .note{fill:var(--soft)}.net .note{font-size:12px}\n"
    ".net .math{font-style:italic;font-family:Georgia,'DejaVu Serif',serif}"
    ".net .sub{font-size:.72em;font-style:italic}.net .times{font-size:15px;font-weight:600}\n"
    ".net .box,.net .sum{fill:var(--paper);stroke:var(--soft)}"
    ".net .way{fill:none;stroke:var(--ink)}.net .head{fill:var(--ink)}"
    ".net .shortcut{fill:none;stroke:var(--ink);stroke-width:1.5}"
    ".net .dotted{stroke-dasharray:2 3}"
    ".net .repeat{fill:none;stroke:var(--soft);stroke-dasharray:6 4}\n"
    ".net .mark{fill:none;stroke:var(--ink)}.net .full{fill:var(--ink)}"
    ".net .loose{stroke-dasharray:1.5 1.5}\n"
    ".net .t0{fill:var(--t0);stroke:var(--e0)}.net .t1{fill:var(--t1);stroke:var(--e1)}"
    ".net .t2{fill:var(--t2);stroke:var(--e2)}.net .t3{fill:var(--t3);stroke:var(--e3)}"
    ".net .t4{fill:var(--t4);stroke:var(--e4)}.net .t5{fill:var(--t5);stroke:var(--e5)}\n";

static const CanvasSizes NET = {20, 14, 7, 7, 6.9, "small"}, BLOCK = {30, 46, 9, 26, 7.8, ""};

typedef struct Section {
    int rows, columns; // of its outputs
    double top;        // where it begins
    double label;      // where its first such output is
} Section;

typedef struct NetColumn {
    const DrawingColumn *of;
    Outline outline;
    int64_t parameters, macs;
    double width, left, right; // of its boxes; of what it takes at both sides of the middle
    double middle;
} NetColumn;

typedef struct Plan {
    const Drawing *drawing;
    Canvas canvas;
    NetColumn columns[DRAWING_COLUMNS];
    Section sections[MOST_SECTIONS];
    int section_count;
    double top, bottom, width, height;
} Plan;

// ---- What there is to draw ----------------------------------------------------------------------

static bool plan_of_parts(const Plan *plan) { return plan->drawing->columns[0].part != NULL; }

static resnet_status column_read(NetColumn *column, bool unfold) {
    const DrawingColumn *of = column->of;
    TRY(outline_create(of->model, &column->outline));
    if (of->part != NULL && !outline_cut(&column->outline, of->part)) {
        return failure_say(RESNET_USAGE, "%s has no layers named \"%s\" or \"%s.…\"",
                           resnet_model_name(of->model), of->part, of->part);
    }
    for (int i = 0; i < column->outline.layer_count; i++) {
        const resnet_layer *layer = &column->outline.layers[i];
        if (of->part == NULL || layer_is_of(layer, of->part)) {
            column->parameters += layer->parameters;
            column->macs += layer->macs;
        }
    }
    if (!unfold) {
        outline_fold(&column->outline, LONGEST_RUN);
    }
    return RESNET_OK;
}

static const char *column_title(const NetColumn *column) {
    static char text[128];
    const DrawingColumn *of = column->of;
    snprintf(text, sizeof text, "%s%s%s", resnet_model_name(of->model),
             of->part != NULL ? ", " : "", of->part != NULL ? of->part : "");
    return of->title != NULL ? of->title : text;
}

// Lines below a column's title.
static const char *column_note(const NetColumn *column, int line) {
    static char text[96];
    snprintf(text, sizeof text, "%s %s",
             line == 0 ? figure_whole(column->parameters) : figure_macs(column->macs),
             line == 0 ? "parameters" : "multiply-adds");
    return text;
}

// What the first items read: "64-d", as the paper's Fig. 5 has it.
static const char *column_input(const NetColumn *column) {
    static char text[48];
    const Item *item = column->outline.first;
    const resnet_layer *from =
        item->branch_count > 0 ? item->fork : &column->outline.layers[item->layer->inputs[0]];
    snprintf(text, sizeof text, "%d-d", from->channels);
    return text;
}

// ---- Where everything goes ----------------------------------------------------------------------

// The first section of the layer's size from `from` on; -1: none. Sizes may come again, as in a VGG
// whose last pooling widens small images.
static int section_find(const Plan *plan, const resnet_layer *layer, int from) {
    for (int i = from; i < plan->section_count; i++) {
        if (plan->sections[i].rows == layer->height && plan->sections[i].columns == layer->width) {
            return i;
        }
    }
    return -1;
}

// Which section an item belongs to; `previous`: that of the item before it in its column.
static int section_of(const Plan *plan, const Item *item, int previous) {
    const int section = plan_of_parts(plan) ? 0 : section_find(plan, item->layer, previous);
    return section >= 0 ? section : previous;
}

// Makes a section behind `previous`, and behind those that follow with larger outputs.
static int section_insert(Plan *plan, const resnet_layer *layer, int previous) {
    int at = previous + 1;
    while (at < plan->section_count &&
           plan->sections[at].rows * plan->sections[at].columns > layer->height * layer->width) {
        at++;
    }
    memmove(&plan->sections[at + 1], &plan->sections[at],
            (size_t)(plan->section_count - at) * sizeof *plan->sections);
    plan->sections[at] = (Section){.rows = layer->height, .columns = layer->width};
    plan->section_count++;
    return at;
}

// The sizes of all columns, each column's in its order; of parts there is but one section.
static void sections_find(Plan *plan) {
    for (int c = 0; c < plan->drawing->count; c++) {
        int previous = -1;
        const Item *item = plan->columns[c].outline.first;
        for (; item != NULL && plan->section_count < MOST_SECTIONS; item = item->next) {
            const int found = section_find(plan, item->layer, previous < 0 ? 0 : previous);
            if (found >= 0) {
                previous = found;
            } else if (!plan_of_parts(plan) || plan->section_count == 0) {
                previous = section_insert(plan, item->layer, previous);
            }
        }
    }
}

static void columns_measure(Plan *plan) {
    double x = EDGE + (plan_of_parts(plan) ? 0 : canvas_width(&plan->canvas, "output size: 224"));
    for (int c = 0; c < plan->drawing->count; c++) {
        NetColumn *column = &plan->columns[c];
        column->width = chain_width(&plan->canvas, column->outline.first);
        double half = fmax(8.6 * (double)strlen(column_title(column)),
                           6.9 * (double)strlen(column_note(column, 0))) /
                      2;
        column->left = column->right = half;
        for (const Item *item = column->outline.first; item != NULL; item = item->next) {
            const Extent extent = item_extent(&plan->canvas, item, column->width);
            column->left = fmax(column->left, extent.left);
            column->right = fmax(column->right, extent.right);
        }
        column->middle = x + column->left;
        x = column->middle + column->right + (c + 1 < plan->drawing->count ? COLUMN_GAP : EDGE);
    }
    plan->width = plan_of_parts(plan) ? x : fmax(x, LEAST_WIDTH);
}

static void sections_measure(Plan *plan) {
    double y = plan->top;
    for (int s = 0; s < plan->section_count; s++) {
        double most = 0;
        for (int c = 0; c < plan->drawing->count; c++) {
            double height = 0;
            int section = 0;
            const NetColumn *column = &plan->columns[c];
            for (const Item *item = column->outline.first; item != NULL; item = item->next) {
                section = section_of(plan, item, section);
                if (section == s) {
                    height += item_extent(&plan->canvas, item, column->width).height;
                }
            }
            most = fmax(most, height);
        }
        plan->sections[s].top = y;
        plan->sections[s].label = INFINITY;
        y += most + SECTION_GAP;
    }
    plan->bottom = y;
}

// ---- Drawing ------------------------------------------------------------------------------------

static void column_draw(Plan *plan, const NetColumn *column) {
    Canvas *canvas = &plan->canvas;
    const double middle = column->middle;
    canvas_text(canvas, "head-line", middle, EDGE + 14, "middle", column_title(column));
    for (int line = 0; line < 2; line++) {
        canvas_text(canvas, "note", middle, EDGE + 32 + 16 * line, "middle",
                    column_note(column, line));
    }
    double y = plan->top;
    if (plan_of_parts(plan)) {
        canvas_text(canvas, "", middle, y - 6, "middle", column_input(column));
    }
    int index = 0;
    for (const Item *item = column->outline.first; item != NULL; item = item->next) {
        index = section_of(plan, item, index);
        Section *section = &plan->sections[index];
        if (y < section->top) {
            canvas_line(canvas, middle, y, middle, section->top);
            y = section->top;
        }
        canvas->tone = index % TONES;
        canvas->rows = section->rows;
        canvas->columns = section->columns;
        canvas->placed = &section->label;
        y = item_draw(canvas, item, column->width, middle, y);
    }
    if (plan_of_parts(plan)) {
        canvas_arrow(canvas, middle, y, y + canvas->sizes.gap);
    }
}

static void labels_draw(const Plan *plan) {
    for (int s = 0; s < plan->section_count; s++) {
        const Section *section = &plan->sections[s];
        char text[48];
        if (section->rows == section->columns) {
            snprintf(text, sizeof text, "output size: %d", section->rows);
        } else {
            snprintf(text, sizeof text, "output: %d×%d", section->rows, section->columns);
        }
        if (isfinite(section->label)) {
            canvas_text(&plan->canvas, "note", EDGE, section->label + 4, "start", text);
        }
    }
}

// ---- The whole ----------------------------------------------------------------------------------

static resnet_status plan_make(const Drawing *drawing, FILE *file, Plan *plan, Signs *signs) {
    *plan = (Plan){.drawing = drawing};
    plan->canvas = (Canvas){
        .file = file, .sizes = plan_of_parts(plan) ? BLOCK : NET, .words = plan_of_parts(plan)};
    for (int c = 0; c < drawing->count; c++) {
        plan->columns[c].of = &drawing->columns[c];
        TRY(column_read(&plan->columns[c], drawing->unfold));
        signs_collect(plan->columns[c].outline.first, signs);
    }
    plan->top = EDGE + HEADER + (plan->canvas.words ? INPUT_LINE : 0);
    sections_find(plan);
    columns_measure(plan);
    sections_measure(plan);
    plan->height =
        EDGE + plan->bottom + (plan->canvas.words ? plan->canvas.sizes.gap : legend_height(signs));
    return RESNET_OK;
}

static void plan_draw(Plan *plan, const Signs *signs, bool alone) {
    FILE *file = plan->canvas.file;
    fprintf(file,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"net\" viewBox=\"0 0 %.0f %.0f\" "
            "width=\"%.0f\" height=\"%.0f\" role=\"img\">\n",
            plan->width, plan->height, plan->width, plan->height);
    canvas_title(&plan->canvas, plan->drawing->title);
    if (alone) {
        fprintf(file,
                "\n<style>\n%s%s</style>\n<rect class=\"paper\" width=\"%.0f\" height=\"%.0f\"/>",
                page_colours, drawing_style, plan->width, plan->height);
    }
    fprintf(file, "\n");
    for (int c = 0; c < plan->drawing->count; c++) {
        column_draw(plan, &plan->columns[c]);
    }
    if (!plan->canvas.words) {
        labels_draw(plan);
        legend_draw(&plan->canvas, signs, EDGE, plan->bottom);
    }
    fprintf(file, "</svg>\n");
}

static resnet_status svg_write(const Drawing *drawing, bool alone, FILE *file) {
    Plan *plan = calloc(1, sizeof *plan);
    if (plan == NULL) {
        return failure_say(RESNET_FAILED, "cannot get memory for a drawing");
    }
    Signs signs = {0};
    resnet_status status = plan_make(drawing, file, plan, &signs);
    if (status == RESNET_OK) {
        plan_draw(plan, &signs, alone);
    }
    for (int c = 0; c < drawing->count; c++) {
        outline_destroy(&plan->columns[c].outline);
    }
    free(plan);
    return status;
}

resnet_status drawing_write(const Drawing *drawing, FILE *file) {
    return svg_write(drawing, false, file);
}

resnet_status drawing_save(const Drawing *drawing, const char *path) {
    Page page;
    TRY(page_open_bare(&page, path));
    resnet_status status = svg_write(drawing, true, page.file);
    if (status != RESNET_OK) {
        page_abandon(&page);
        return status;
    }
    return page_close_bare(&page);
}
