// SPDX-License-Identifier: Apache-2.0
// Heads of arrows are small triangles of their own: markers would need ids, of which a page with
// several drawings must have no two alike.
#include "picture/canvas.h"

#include <math.h>
#include <string.h>

#include "picture/html.h"

enum { MARK = 8, CORNER = 9 };

double canvas_width(const Canvas *canvas, const char *text) {
    int characters = 0;
    for (; *text != '\0'; text++) {
        characters += ((unsigned char)*text & 0xC0) != 0x80; // not the rest of a UTF-8 sequence
    }
    return canvas->sizes.letter * characters;
}

static void text_open(const Canvas *canvas, const char *class_name, double x, double y,
                      const char *anchor) {
    fprintf(canvas->file, "<text");
    if (class_name[0] != '\0') {
        fprintf(canvas->file, " class=\"%s\"", class_name);
    }
    fprintf(canvas->file, " x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
}

void canvas_text(const Canvas *canvas, const char *class_name, double x, double y,
                 const char *anchor, const char *text) {
    text_open(canvas, class_name, x, y, anchor);
    html_escape(canvas->file, text);
    fprintf(canvas->file, "</text>\n");
}

void canvas_projection(const Canvas *canvas, double x, double y, const char *anchor,
                       const char *before, const char *after) {
    text_open(canvas, "math", x, y, anchor);
    html_escape(canvas->file, before);
    fprintf(canvas->file, "W<tspan class=\"sub\" dy=\"3\">s</tspan>");
    if (after[0] != '\0') {
        fprintf(canvas->file, "<tspan dy=\"-3\">");
        html_escape(canvas->file, after);
        fprintf(canvas->file, "</tspan>");
    }
    fprintf(canvas->file, "</text>\n");
}

void canvas_title(const Canvas *canvas, const char *text) {
    fprintf(canvas->file, "<title>");
    html_escape(canvas->file, text);
    fprintf(canvas->file, "</title>");
}

void canvas_line(const Canvas *canvas, double x, double y, double x1, double y1) {
    fprintf(canvas->file, "<path class=\"way\" d=\"M%.1f %.1fL%.1f %.1f\"/>\n", x, y, x1, y1);
}

void canvas_arrow(const Canvas *canvas, double x, double y, double y1) {
    fprintf(canvas->file,
            "<path class=\"way\" d=\"M%.1f %.1fV%.1f\"/><path class=\"head\" "
            "d=\"M%.1f %.1fl-3 -6h6z\"/>\n",
            x, y, y1 - 4, x, y1);
}

void canvas_arc(const Canvas *canvas, bool dotted, double x, double y, double x1, double y1) {
    const double side = x1 > x ? 1 : -1, corner = fmin(CORNER, (y1 - y) / 2);
    fprintf(canvas->file,
            "<path class=\"shortcut%s\" d=\"M%.1f %.1fH%.1fq%.1f 0 %.1f %.1fV%.1fq0 %.1f %.1f "
            "%.1fH%.1f\"/><path class=\"head\" d=\"M%.1f %.1fl%.1f -3v6z\"/>\n",
            dotted ? " dotted" : "", x, y, x1 - side * corner, side * corner, side * corner, corner,
            y1 - corner, corner, -side * corner, corner, x + side * (canvas->sizes.radius + 4),
            x + side * canvas->sizes.radius, y1, side * 6);
}

void canvas_join(const Canvas *canvas, double x, double y, double x1, double y1) {
    const double side = x1 > x ? 1 : -1, end = x1 - side * canvas->sizes.radius;
    const double corner = fmin(CORNER, y1 - y);
    fprintf(canvas->file,
            "<path class=\"way\" d=\"M%.1f %.1fV%.1fq0 %.1f %.1f %.1fH%.1f\"/><path class=\"head\" "
            "d=\"M%.1f %.1fl%.1f -3v6z\"/>\n",
            x, y, y1 - corner, corner, side * corner, corner, end - side * 4, end, y1, side * -6);
}

void canvas_sum(const Canvas *canvas, double x, double y, bool product) {
    const double r = canvas->sizes.radius, arm = product ? 0.7071 * r : r;
    fprintf(canvas->file, "<circle class=\"sum\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>", x, y, r);
    if (product) {
        fprintf(canvas->file, "<path class=\"way\" d=\"M%.1f %.1fl%.1f %.1fm0 %.1fl%.1f %.1f\"/>\n",
                x - arm, y - arm, 2 * arm, 2 * arm, -2 * arm, -2 * arm, 2 * arm);
    } else {
        fprintf(canvas->file, "<path class=\"way\" d=\"M%.1f %.1fv%.1fM%.1f %.1fh%.1f\"/>\n", x,
                y - arm, 2 * arm, x - arm, y, 2 * arm);
    }
}

void canvas_mark(const Canvas *canvas, char mark, double x, double y) {
    const char *class_name = mark == 'r' ? "mark full" : mark == 'd' ? "mark loose" : "mark";
    fprintf(canvas->file, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.6\"/>", class_name, x,
            y);
    if (mark == 's') {
        fprintf(canvas->file, "<path class=\"mark full\" d=\"M%.1f %.1fa2.6 2.6 0 0 1 0 5.2z\"/>",
                x, y - 2.6);
    }
}

void canvas_marks(const Canvas *canvas, const char *marks, double x, double y) {
    for (int i = 0; marks[i] != '\0'; i++) {
        canvas_mark(canvas, marks[i], x + MARK * i, y);
    }
}

double canvas_marks_width(const char *marks) { return MARK * (double)strlen(marks); }
