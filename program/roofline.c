// SPDX-License-Identifier: Apache-2.0
// Both axes are logarithmic, so that the memory's roof is a straight line at 45 degrees of decades.
// The area of a dot is its layer's share of the time; the costliest layers have their names beside.
#include "roofline.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/failure.h"
#include "picture/axis.h"
#include "picture/html.h"
#include "picture/spots.h"

enum { WIDTH = 960, HEIGHT = 600, LEFT = 64, RIGHT = 24, TOP = 78, BOTTOM = 116 };
enum { PATHS = 6, MOST_LABELS = 6, MOST_TICKS = 20, LETTER = 7, LINE = 16 };

static const char style[] =
    ":root{color-scheme:light dark;--paper:#fff;--ink:#1b1f24;--soft:#59636e;--line:#e3e7eb;"
    "--roof:#1b1f24;--c0:#1e40af;--c1:#b7791f;--c2:#166534;--c3:#6b21a8;--c4:#b91c1c;--c5:#0e8bab}"
    "@media (prefers-color-scheme:dark){:root{--paper:#14171a;--ink:#e8ebee;--soft:#a0a9b2;"
    "--line:#2a2f35;--roof:#e8ebee;--c0:#8fb0ff;--c1:#e0a94f;--c2:#5fc27a;--c3:#c79bf0;"
    "--c4:#ff7b72;--c5:#4fc3de}}"
    "text{font:13px system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;fill:var(--ink)}"
    ".title{font-size:18px;font-weight:600}.soft{fill:var(--soft)}"
    ".name{paint-order:stroke;stroke:var(--paper);stroke-width:4px;stroke-linejoin:round}"
    ".paper{fill:var(--paper)}.grid{stroke:var(--line)}"
    ".roof{fill:none;stroke:var(--roof);stroke-width:2}"
    ".dot{fill-opacity:.45;stroke-width:1.5}"
    ".c0{fill:var(--c0);stroke:var(--c0)}.c1{fill:var(--c1);stroke:var(--c1)}"
    ".c2{fill:var(--c2);stroke:var(--c2)}.c3{fill:var(--c3);stroke:var(--c3)}"
    ".c4{fill:var(--c4);stroke:var(--c4)}.c5{fill:var(--c5);stroke:var(--c5)}";

typedef struct Dot {
    const LayerTiming *timing;
    double seconds, intensity, speed; // FLOP/byte, GFLOP/s
    double x, y, radius;
    int path; // index into the picture's list
} Dot;

typedef struct Picture {
    const Roofline *roofline;
    FILE *file;
    Dot *dots; // the costliest first
    int count;
    double seconds; // of all layers, also of those without a dot
    const char *paths[PATHS];
    int path_count;
    Axis x, y;
    Spots spots; // dots, the roof, and words
} Picture;

const char *layer_parts(const resnet_fused_layer *layer) {
    static char text[64];
    const char *rest = strchr(layer->parts, '+');
    snprintf(text, sizeof text, "%s", layer->parts);
    if (layer->kernel > 0) {
        snprintf(text, sizeof text, "%s %dx%d/%d%s", layer->op, layer->kernel, layer->kernel,
                 layer->stride, rest != NULL ? rest : "");
    }
    return text;
}

// ---- dots ---------------------------------------------------------------------------------------

// The place of a path's name in the legend. The last place takes all that are too many.
static int path_index(Picture *picture, const char *path) {
    path = path != NULL ? path : "other";
    for (int i = 0; i < picture->path_count; i++) {
        if (strcmp(picture->paths[i], path) == 0) {
            return i;
        }
    }
    if (picture->path_count == PATHS) {
        return PATHS - 1;
    }
    picture->paths[picture->path_count] = path;
    return picture->path_count++;
}

static int compare_dots(const void *a, const void *b) {
    const Dot *x = a, *y = b;
    return (x->seconds < y->seconds) - (x->seconds > y->seconds);
}

static void dots_collect(Picture *picture) {
    for (int i = 0; i < picture->roofline->layer_count; i++) {
        const LayerTiming *timing = &picture->roofline->layers[i];
        const double seconds = timing->forward + timing->backward;
        picture->seconds += seconds;
        if (timing->flops > 0 && seconds > 0) {
            picture->dots[picture->count++] =
                (Dot){.timing = timing,
                      .seconds = seconds,
                      .intensity = timing->flops / timing->bytes,
                      .speed = timing->flops / seconds * 1e-9,
                      .path = path_index(picture, timing->layer.path)};
        }
    }
    qsort(picture->dots, (size_t)picture->count, sizeof *picture->dots, compare_dots);
}

static void axes_fit(Picture *picture) {
    const double peak = picture->roofline->peak, ridge = peak / picture->roofline->bandwidth;
    double x0 = ridge, x1 = ridge, y0 = peak, y1 = peak;
    for (int i = 0; i < picture->count; i++) {
        x0 = fmin(x0, picture->dots[i].intensity);
        x1 = fmax(x1, picture->dots[i].intensity);
        y0 = fmin(y0, picture->dots[i].speed);
        y1 = fmax(y1, picture->dots[i].speed);
    }
    picture->x = axis_make(true, x0 / 2, x1 * 2, MOST_TICKS, false);
    picture->x.start = LEFT;
    picture->x.length = WIDTH - LEFT - RIGHT;
    picture->y = axis_make(true, y0 / 1.6, y1 * 1.6, MOST_TICKS, false);
    picture->y.start = HEIGHT - BOTTOM;
    picture->y.length = TOP + BOTTOM - HEIGHT;
    for (int i = 0; i < picture->count; i++) {
        Dot *dot = &picture->dots[i];
        dot->x = axis_place(&picture->x, dot->intensity);
        dot->y = axis_place(&picture->y, dot->speed);
        dot->radius = 3 + 40 * sqrt(dot->seconds / picture->seconds / 3.14);
    }
}

// ---- drawing ------------------------------------------------------------------------------------

static void text_write(FILE *file, const char *class_name, double x, double y, const char *anchor,
                       const char *text) {
    fprintf(file, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", class_name, x, y,
            anchor);
    html_escape(file, text);
    fprintf(file, "</text>\n");
}

static void grid_write(const Picture *picture, bool vertical) {
    const Axis *axis = vertical ? &picture->y : &picture->x;
    for (int i = 0; i < axis->tick_count; i++) {
        const double place = axis_place(axis, axis->ticks[i]);
        if (vertical) {
            fprintf(picture->file,
                    "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>\n", LEFT,
                    WIDTH - RIGHT, place, place);
            text_write(picture->file, "soft", LEFT - 8, place + 4.5, "end",
                       axis_tick_text(axis, i));
        } else {
            fprintf(picture->file,
                    "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>\n", place,
                    place, TOP, HEIGHT - BOTTOM);
            text_write(picture->file, "soft", place, HEIGHT - BOTTOM + 20, "middle",
                       axis_tick_text(axis, i));
        }
    }
}

// The roof's height over a place of the x axis, in pixels.
static double roof_place(const Picture *picture, double x) {
    const Axis *axis = &picture->x;
    const double logarithm =
        axis->first + (x - axis->start) / axis->length * (axis->last - axis->first);
    const double slope = pow(10, logarithm) * picture->roofline->bandwidth;
    return axis_place(&picture->y, fmin(slope, picture->roofline->peak));
}

static void roofs_write(const Picture *picture) {
    const Roofline *roofline = picture->roofline;
    const double ridge = roofline->peak / roofline->bandwidth;
    const double first =
        fmax(pow(10, picture->x.first), pow(10, picture->y.first) / roofline->bandwidth);
    const double x0 = axis_place(&picture->x, first), x1 = axis_place(&picture->x, ridge);
    const double y0 = roof_place(picture, x0), y1 = roof_place(picture, x1);
    fprintf(picture->file, "<polyline class=\"roof\" points=\"%.1f,%.1f %.1f,%.1f %d,%.1f\"/>\n",
            x0, y0, x1, y1, WIDTH - RIGHT, y1);
    fprintf(picture->file,
            "<text class=\"name\" transform=\"translate(%.1f %.1f) rotate(%.1f)\" "
            "text-anchor=\"middle\">memory: %.1f GB/s</text>\n",
            (x0 + x1) / 2 - 6, (y0 + y1) / 2 - 6, atan2(y1 - y0, x1 - x0) * 180 / 3.14159265,
            roofline->bandwidth);
}

static void dot_write(const Picture *picture, const Dot *dot) {
    const resnet_fused_layer *layer = &dot->timing->layer;
    fprintf(picture->file, "<circle class=\"dot c%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"><title>",
            dot->path, dot->x, dot->y, dot->radius);
    html_escape(picture->file, layer->name);
    fprintf(picture->file,
            "\n%s, %dx%dx%d%s%s\n%.3f ms, %.1f %% of the time\n%.1f GFLOP/s, %.0f %% of the "
            "peak\n%.1f FLOP/byte</title></circle>\n",
            layer_parts(layer), layer->channels, layer->height, layer->width,
            layer->path != NULL ? ", " : "", layer->path != NULL ? layer->path : "",
            dot->seconds * 1e3, 100 * dot->seconds / picture->seconds, dot->speed,
            100 * dot->speed / picture->roofline->peak, dot->intensity);
}

// Dots, and the roof in short pieces.
static void spots_collect(Picture *picture) {
    const double piece = 12;
    spots_begin(&picture->spots, (Box){LEFT, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM});
    for (double x = LEFT; x < WIDTH - RIGHT; x += piece) {
        spots_take(&picture->spots, (Box){x, roof_place(picture, x + piece) - 2, x + piece,
                                          roof_place(picture, x) + 2});
    }
    for (int i = 0; i < picture->count; i++) {
        const Dot *dot = &picture->dots[i];
        spots_take(&picture->spots, (Box){dot->x - dot->radius, dot->y - dot->radius,
                                          dot->x + dot->radius, dot->y + dot->radius});
    }
}

static void box_text(const Picture *picture, const Box *box, const char *text) {
    text_write(picture->file, "name", (box->left + box->right) / 2, box->bottom - 4, "middle",
               text);
}

// The peak's figure: above or below its line, at the right, else further left, off all dots.
static void peak_label_write(Picture *picture) {
    char text[64];
    snprintf(text, sizeof text, "cores: %.0f GFLOP/s", picture->roofline->peak);
    const double width = LETTER * (double)strlen(text), step = 20;
    const double roof = axis_place(&picture->y, picture->roofline->peak);
    Box box = {0};
    bool free = false;
    for (double right = WIDTH - RIGHT - 4; right > LEFT + width && !free; right -= step) {
        for (int below = 0; below < 2 && !free; below++) {
            const double top = below ? roof + 4 : roof - LINE - 4;
            box = (Box){right - width, top, right, top + LINE};
            free = spots_free(&picture->spots, &box);
        }
    }
    spots_take(&picture->spots, box);
    box_text(picture, &box, text);
}

static void labels_write(Picture *picture) {
    peak_label_write(picture);
    int count = 0;
    for (int i = 0; i < picture->count && i < 2 * MOST_LABELS && count < MOST_LABELS; i++) {
        const Dot *dot = &picture->dots[i];
        const char *name = dot->timing->layer.name;
        Box box;
        if (spots_find(&picture->spots, dot->x, dot->y, dot->radius + 5, 1,
                       LETTER * (double)strlen(name), LINE, &box)) {
            box_text(picture, &box, name);
            count++;
        }
    }
}

static void legend_write(const Picture *picture) {
    double x = LEFT;
    for (int i = 0; i < picture->path_count; i++) {
        fprintf(picture->file, "<circle class=\"dot c%d\" cx=\"%.1f\" cy=\"%d\" r=\"6\"/>\n", i,
                x + 6, HEIGHT - BOTTOM + 64);
        text_write(picture->file, "", x + 18, HEIGHT - BOTTOM + 68.5, "start", picture->paths[i]);
        x += 42 + LETTER * (double)strlen(picture->paths[i]);
    }
}

static void picture_write(Picture *picture) {
    FILE *file = picture->file;
    const Roofline *roofline = picture->roofline;
    fprintf(file,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
            "height=\"%d\" role=\"img\">\n<title>",
            WIDTH, HEIGHT, WIDTH, HEIGHT);
    html_escape(file, roofline->title);
    fprintf(file,
            "</title>\n<style>%s</style>\n<rect class=\"paper\" width=\"%d\" height=\"%d\"/>\n",
            style, WIDTH, HEIGHT);
    text_write(file, "title", 16, 26, "start", roofline->title);
    text_write(file, "soft", 16, 46, "start", roofline->subtitle);
    grid_write(picture, false);
    grid_write(picture, true);
    text_write(file, "soft", 16, TOP - 8, "start", "GFLOP/s");
    text_write(file, "soft", (LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - BOTTOM + 40, "middle",
               "FLOP/byte");
    roofs_write(picture);
    for (int i = 0; i < picture->count; i++) {
        dot_write(picture, &picture->dots[i]);
    }
    spots_collect(picture);
    labels_write(picture);
    legend_write(picture);
    text_write(
        file, "soft", LEFT, HEIGHT - 28, "start",
        "Area: share of the time. FLOP: twice the multiply-adds of the direct sum. Bytes: inputs, "
        "output and parameters, once each.");
    text_write(file, "soft", LEFT, HEIGHT - 10, "start",
               "Above the slope a layer works in caches; above the peak it multiplies less than "
               "the direct sum does.");
    fprintf(file, "</svg>\n");
}

resnet_status roofline_write(const Roofline *roofline, const char *path) {
    Page page;
    Picture picture = {.roofline = roofline};
    picture.dots = calloc((size_t)roofline->layer_count + 1, sizeof *picture.dots);
    if (picture.dots == NULL) {
        return failure_say(RESNET_FAILED, "%s: cannot get memory for the picture", path);
    }
    resnet_status status = page_open_bare(&page, path);
    if (status == RESNET_OK) {
        picture.file = page.file;
        dots_collect(&picture);
        axes_fit(&picture);
        picture_write(&picture);
        status = page_close_bare(&page);
    }
    free(picture.dots);
    return status;
}
