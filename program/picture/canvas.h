// SPDX-License-Identifier: Apache-2.0
// Strokes and words of an architecture drawing, as SVG elements with classes, so that the page or
// the file that has them gives the colours.
#ifndef PROGRAM_CANVAS_H
#define PROGRAM_CANVAS_H

#include <stdbool.h>
#include <stdio.h>

// Sizes in pixels; a whole net is drawn smaller than a single block.
typedef struct CanvasSizes {
    double box, gap, radius; // height of a box, between two boxes, of a sum's circle
    double bus;              // below boxes whose line does not go on downwards
    double letter;           // width of a character, on average
    const char *font;        // class of texts in boxes
} CanvasSizes;

typedef struct Canvas {
    FILE *file;
    CanvasSizes sizes;
    bool words;        // marks are written out, as in the paper's Fig. 2
    int tone;          // of boxes that compute: class t0 … t5; -1: none
    int rows, columns; // height and width of values whose first place is sought
    double *placed;    // the middle of the highest box with such an output, lowered only; or NULL
} Canvas;

// The width that a text takes.
double canvas_width(const Canvas *canvas, const char *text);

// A text; `class_name` may be "" for none, `anchor` is "start", "middle" or "end".
void canvas_text(const Canvas *canvas, const char *class_name, double x, double y,
                 const char *anchor, const char *text);
// A W with an s below it, between two texts: the paper's projection.
void canvas_projection(const Canvas *canvas, double x, double y, const char *anchor,
                       const char *before, const char *after);
void canvas_title(const Canvas *canvas, const char *text);

void canvas_line(const Canvas *canvas, double x, double y, double x1, double y1);
// Downwards from y to y1, with a head at its end.
void canvas_arrow(const Canvas *canvas, double x, double y, double y1);
// From (x, y) sideways to x1, down, and back to (x, y1), where a head points to the middle.
void canvas_arc(const Canvas *canvas, bool dotted, double x, double y, double x1, double y1);
// From (x, y) down and sideways to the circle at (x1, y1).
void canvas_join(const Canvas *canvas, double x, double y, double x1, double y1);

// A circle with a plus (sum) or a cross (product) in it, y at its middle.
void canvas_sum(const Canvas *canvas, double x, double y, bool product);
// Dots for marks: norm a ring, relu a dot, sigmoid half a dot, dropout a dotted ring.
void canvas_mark(const Canvas *canvas, char mark, double x, double y);
// A row of them, the first at x.
void canvas_marks(const Canvas *canvas, const char *marks, double x, double y);
// The width of that row; 0 without marks.
double canvas_marks_width(const char *marks);

#endif
