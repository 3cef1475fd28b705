// SPDX-License-Identifier: Apache-2.0
// Labels at curves' ends are moved apart so that none covers another; labels of points go where
// there is room. The tones stay apart for eyes that see two colours only: families by hue (blue
// against orange), curves of a family by lightness.
#include "picture/chart.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "console/failure.h"
#include "picture/axis.h"
#include "picture/html.h"
#include "picture/spots.h"

enum {
    MOST_LABELS = 24,
    LINE = 17,
    ROW = 22,
    SWATCH = 38,
    LABEL_GAP = 22,
    POINT_GAP = 11,
    POINT_REACH = 6
};

static const double TEXT = 7.7; // width of a character, generously

const char chart_style[] =
    ":root{--s0:#d97a06;--s1:#9a2a0c;--s2:#1f9bd1;--s3:#1a3fa3;--s4:#3f9e78;--s5:#0a4a3c;"
    "--s6:#8b2be2;--s7:#241033;--s8:#b8500a;--s9:#541402;--s10:#1b6fc0;--s11:#0b1a50}\n"
    "@media (prefers-color-scheme:dark){:root{--s0:#ffb454;--s1:#e0603f;--s2:#7fd4ff;--s3:#4f7df0;"
    "--s4:#9be8c0;--s5:#2fa37a;--s6:#b06ab3;--s7:#f4f06a;--s8:#f28a52;--s9:#b0403a;--s10:#62a8f5;--"
    "s11:#6156d2}}\n"
    ".chart text{font:13px system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;"
    "fill:var(--ink)}\n"
    ".chart .tick{fill:var(--soft)}.chart .grid{stroke:var(--line)}\n"
    ".chart .curve{fill:none;stroke-width:1.75;stroke-linejoin:round;stroke-linecap:round}"
    ".chart .strong{stroke-width:3}.chart .dashed{stroke-dasharray:2 5}"
    ".chart .leader{fill:none;stroke-width:1}.chart .ring{stroke-width:2;fill:var(--paper)}\n"
    ".chart .name{paint-order:stroke;stroke:var(--paper);stroke-width:4px;stroke-linejoin:round}\n"
    ".s-1{stroke:var(--soft)}.s0{stroke:var(--s0)}.s1{stroke:var(--s1)}.s2{stroke:var(--s2)}"
    ".s3{stroke:var(--s3)}.s4{stroke:var(--s4)}.s5{stroke:var(--s5)}.s6{stroke:var(--s6)}"
    ".s7{stroke:var(--s7)}.s8{stroke:var(--s8)}.s9{stroke:var(--s9)}.s10{stroke:var(--s10)}"
    ".s11{stroke:var(--s11)}\n";

int chart_tone(ChartFamily family, int index) {
    static const int warm[] = {0, 8, 1, 9}, cool[] = {2, 10, 3, 11, 7}, other[] = {4, 6, 5, 7};
    return family == CHART_WARM   ? warm[index % 4]
           : family == CHART_COOL ? cool[index % 5]
                                  : other[index % 4];
}

typedef struct Frame {
    const Chart *chart;
    FILE *file;
    double width, height;
    Axis x, y;
    bool end_labels; // there is room for them
} Frame;

typedef struct Label {
    const ChartSeries *series;
    double x, y; // of the curve's end
    double at;   // height of the label
} Label;

static double text_width(const char *text) {
    int characters = 0;
    for (; *text != '\0'; text++) {
        characters += ((unsigned char)*text & 0xC0) != 0x80; // not the rest of a UTF-8 sequence
    }
    return TEXT * characters;
}

static void text_write(const Frame *frame, const char *class_name, double x, double y,
                       const char *anchor, const char *text) {
    fprintf(frame->file, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", class_name,
            x, y, anchor);
    html_escape(frame->file, text);
    fprintf(frame->file, "</text>\n");
}

// ---- Axes ---------------------------------------------------------------------------------------

static bool is_shown(const Chart *chart, const ChartSeries *series, int point) {
    const double x = series->x[point], y = series->y[point];
    return isfinite(x) && isfinite(y) && (!chart->log_x || x > 0) && (!chart->log_y || y > 0);
}

// The last point that is shown; -1: none.
static int last_shown(const Chart *chart, const ChartSeries *series) {
    int last = series->count - 1;
    while (last >= 0 && !is_shown(chart, series, last)) {
        last--;
    }
    return last;
}

static Axis axis_fit(const Chart *chart, bool vertical, int most_ticks) {
    double least = INFINITY, most = -INFINITY;
    for (int s = 0; s < chart->series_count; s++) {
        for (int i = 0; i < chart->series[s].count; i++) {
            if (is_shown(chart, &chart->series[s], i)) {
                const double value = vertical ? chart->series[s].y[i] : chart->series[s].x[i];
                least = fmin(least, value);
                most = fmax(most, value);
            }
        }
    }
    const bool log = vertical ? chart->log_y : chart->log_x;
    if (!(least <= most)) {
        least = log ? 1 : 0;
        most = log ? 10 : 1;
    }
    if (!log && least > 0 && least < most / 4) {
        least = 0;
    }
    if (!vertical && chart->points) {
        const double pad = log ? pow(most / least, 0.06) : 0.06 * (most - least);
        least = log ? least / pad : least - pad;
        most = log ? most * pad : most + pad;
    }
    return axis_make(log, least, most, most_ticks, vertical);
}

static void axes_write(const Frame *frame) {
    const Axis *x = &frame->x, *y = &frame->y;
    for (int i = 0; i < y->tick_count; i++) {
        const double place = axis_place(y, y->ticks[i]);
        fprintf(frame->file,
                "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>\n",
                x->start, x->start + x->length, place, place);
        text_write(frame, "tick", x->start - 8, place + 4.5, "end", axis_tick_text(y, i));
    }
    double free = 0; // where the next figure has room
    for (int i = 0; i < x->tick_count; i++) {
        const double place = axis_place(x, x->ticks[i]);
        fprintf(frame->file,
                "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>\n", place,
                place, y->start, y->start + 5);
        const char *figure = axis_tick_text(x, i);
        const double half = text_width(figure) / 2;
        if (place - half >= free) {
            text_write(frame, "tick", place, y->start + 20, "middle", figure);
            free = place + half + TEXT;
        }
    }
    text_write(frame, "tick", x->start + x->length / 2, y->start + 42, "middle",
               frame->chart->x_title);
    text_write(frame, "tick", 4, y->start + y->length - 16, "start", frame->chart->y_title);
}

// ---- Curves -------------------------------------------------------------------------------------

static void curve_write(const Frame *frame, const ChartSeries *series) {
    fprintf(frame->file, "<polyline class=\"curve s%d%s%s\" points=\"", series->tone,
            series->strong ? " strong" : "", series->dashed ? " dashed" : "");
    const char *between = "";
    for (int i = 0; i < series->count; i++) {
        if (is_shown(frame->chart, series, i)) {
            fprintf(frame->file, "%s%.1f,%.1f", between, axis_place(&frame->x, series->x[i]),
                    axis_place(&frame->y, series->y[i]));
            between = " ";
        }
    }
    fprintf(frame->file, "\"/>\n");
}

static void series_write(const Frame *frame, const ChartSeries *series) {
    const bool curve = series->count > 1 && !frame->chart->points;
    if (curve) {
        curve_write(frame, series);
    }
    for (int i = 0; i < series->count && (series->dashed || !curve); i++) {
        if (is_shown(frame->chart, series, i)) {
            fprintf(frame->file,
                    "<circle class=\"ring s%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>\n",
                    series->tone, axis_place(&frame->x, series->x[i]),
                    axis_place(&frame->y, series->y[i]), series->strong ? 4.5 : 3.5);
        }
    }
}

// ---- Labels at curves' ends ---------------------------------------------------------------------

static int compare_labels(const void *a, const void *b) {
    const Label *x = a, *y = b;
    return (x->at > y->at) - (x->at < y->at);
}

// Moved down where they would touch, then up again from the bottom; closer where there are many.
static void labels_spread(const Frame *frame, Label *labels, int count) {
    const double bottom = frame->y.start, top = bottom + frame->y.length;
    const double gap = fmin(LINE, (bottom - top) / fmax(count - 1, 1));
    qsort(labels, (size_t)count, sizeof *labels, compare_labels);
    for (int i = 0; i < count; i++) {
        labels[i].at = fmax(labels[i].at, i > 0 ? labels[i - 1].at + gap : top);
    }
    for (int i = count - 1; i >= 0; i--) {
        labels[i].at = fmin(labels[i].at, i == count - 1 ? bottom : labels[i + 1].at - gap);
    }
}

static void end_labels_write(const Frame *frame) {
    const Chart *chart = frame->chart;
    Label labels[MOST_LABELS];
    int count = 0;
    for (int s = 0; s < chart->series_count && count < MOST_LABELS; s++) {
        const ChartSeries *series = &chart->series[s];
        const int last = last_shown(chart, series);
        if (series->label != NULL && last >= 0) {
            const double y = axis_place(&frame->y, series->y[last]);
            labels[count++] = (Label){series, axis_place(&frame->x, series->x[last]), y, y};
        }
    }
    labels_spread(frame, labels, count);
    for (int i = 0; i < count; i++) {
        const double x = frame->x.start + frame->x.length + LABEL_GAP;
        fprintf(frame->file, "<path class=\"leader s%d\" d=\"M%.1f %.1fH%.1fL%.1f %.1f\"/>\n",
                labels[i].series->tone, labels[i].x + 5, labels[i].y, x - LABEL_GAP + 5, x - 4,
                labels[i].at);
        text_write(frame, "", x, labels[i].at + 4.5, "start", labels[i].series->label);
    }
}

// ---- Labels of points ---------------------------------------------------------------------------

// A line from a point to the nearest place of its label, where that is not beside it.
static void point_leader_write(const Frame *frame, const ChartSeries *series, double x, double y,
                               const Box *box) {
    const double to_x = fmin(fmax(x, box->left), box->right);
    const double to_y = fmin(fmax(y, box->top + 3), box->bottom - 3);
    if (hypot(to_x - x, to_y - y) > 1.5 * POINT_GAP) {
        fprintf(frame->file, "<path class=\"leader s%d\" d=\"M%.1f %.1fL%.1f %.1f\"/>\n",
                series->tone, x, y, to_x, to_y);
    }
}

static void point_labels_write(const Frame *frame) {
    const Chart *chart = frame->chart;
    Spots spots;
    spots_begin(&spots, (Box){frame->x.start, frame->y.start + frame->y.length,
                              frame->x.start + frame->x.length, frame->y.start});
    for (int s = 0; s < chart->series_count; s++) {
        for (int i = 0; i < chart->series[s].count; i++) {
            if (is_shown(chart, &chart->series[s], i)) {
                const double x = axis_place(&frame->x, chart->series[s].x[i]);
                const double y = axis_place(&frame->y, chart->series[s].y[i]);
                spots_take(&spots, (Box){x - 5, y - 5, x + 5, y + 5});
            }
        }
    }
    for (int s = 0; s < chart->series_count; s++) {
        const ChartSeries *series = &chart->series[s];
        const int last = last_shown(chart, series);
        if (series->label == NULL || last < 0) {
            continue;
        }
        const double x = axis_place(&frame->x, series->x[last]);
        const double y = axis_place(&frame->y, series->y[last]);
        Box box;
        if (spots_find(&spots, x, y, POINT_GAP, POINT_REACH, text_width(series->label), LINE,
                       &box)) {
            point_leader_write(frame, series, x, y, &box);
            text_write(frame, "name", (box.left + box.right) / 2, box.bottom - 4, "middle",
                       series->label);
        }
    }
}

// ---- Legend -------------------------------------------------------------------------------------

// One sample and its words at (*x, *y), in the next row where there is no room; `draws` not set: it
// takes its place only.
static void legend_entry(const Frame *frame, const ChartSeries *like, const char *text, bool draws,
                         double *x, double *y) {
    const double width = SWATCH + text_width(text) + 16;
    if (*x + width > frame->width && *x > 0) {
        *x = 0;
        *y += ROW;
    }
    if (draws) {
        const Chart sample = {.points = frame->chart->points};
        const double at[] = {*x + 4, *x + 26}, level[] = {*y, *y};
        const Axis pixels = {.last = 1, .length = 1};
        const Frame plain = {.chart = &sample, .file = frame->file, .x = pixels, .y = pixels};
        ChartSeries series = *like;
        series.x = sample.points ? &at[1] : at;
        series.y = level;
        series.count = sample.points ? 1 : 2;
        series_write(&plain, &series);
        text_write(frame, "", *x + SWATCH, *y + 4.5, "start", text);
    }
    *x += width;
}

// Labelled series, then what solid and dashed lines are. Returns the height that it takes.
static double legend_write(const Frame *frame, bool draws) {
    const Chart *chart = frame->chart;
    double x = 0, y = 12;
    for (int s = 0; s < chart->series_count; s++) {
        if (chart->series[s].label != NULL && !chart->points) {
            legend_entry(frame, &chart->series[s], chart->series[s].label, draws, &x, &y);
        }
    }
    const ChartSeries solid = {.tone = -1}, dashed = {.tone = -1, .dashed = true};
    if (chart->solid != NULL) {
        legend_entry(frame, &solid, chart->solid, draws, &x, &y);
    }
    if (chart->dashed != NULL) {
        legend_entry(frame, &dashed, chart->dashed, draws, &x, &y);
    }
    return x > 0 ? y + ROW : 0;
}

// ---- The whole ----------------------------------------------------------------------------------

// Room for labels at the right of curves, for the ticks' figures at the left.
static void frame_measure(Frame *frame, int most_ticks, double plot) {
    const Chart *chart = frame->chart;
    frame->x = axis_fit(chart, false, most_ticks);
    frame->y = axis_fit(chart, true, 8);
    double left = 0, right = 0;
    for (int i = 0; i < frame->y.tick_count; i++) {
        left = fmax(left, text_width(axis_tick_text(&frame->y, i)));
    }
    for (int s = 0; s < chart->series_count && !chart->points; s++) {
        const char *label = chart->series[s].label;
        right = fmax(right, label != NULL ? LABEL_GAP + text_width(label) : 0);
    }
    frame->end_labels = right > 0 && right < 0.3 * frame->width; // else the legend alone names them
    right = frame->end_labels ? right : 0;
    const double top = legend_write(frame, false) + 26;
    frame->x.start = left + 16;
    frame->x.length = frame->width - frame->x.start - fmax(right, 16) - 4;
    frame->y.start = top + plot;
    frame->y.length = -plot;
    frame->height = top + plot + 50;
}

static void chart_draw(const Chart *chart, const char *screen, double width, double plot,
                       int most_ticks, FILE *file) {
    Frame frame = {.chart = chart, .file = file, .width = width};
    frame_measure(&frame, most_ticks, plot);
    fprintf(file,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart %s\" viewBox=\"0 0 %.0f "
            "%.0f\" role=\"img\">\n<title>",
            screen, frame.width, frame.height);
    html_escape(file, chart->title);
    fprintf(file, "</title>\n");
    if (strcmp(screen, "alone") == 0) {
        fprintf(file,
                "<style>\n%s%s</style>\n<rect class=\"paper\" width=\"%.0f\" height=\"%.0f\"/>\n",
                page_colours, chart_style, frame.width, frame.height);
    }
    legend_write(&frame, true);
    axes_write(&frame);
    for (int s = 0; s < chart->series_count; s++) {
        series_write(&frame, &chart->series[s]);
    }
    if (chart->points) {
        point_labels_write(&frame);
    } else if (frame.end_labels) {
        end_labels_write(&frame);
    }
    fprintf(file, "</svg>\n");
}

void chart_write(const Chart *chart, FILE *file) {
    chart_draw(chart, "wide", 900, 400, 8, file);
    chart_draw(chart, "narrow", 370, 300, 4, file);
}

resnet_status chart_save(const Chart *chart, const char *path) {
    Page page;
    TRY(page_open_bare(&page, path));
    chart_draw(chart, "alone", 900, 400, 8, page.file);
    return page_close_bare(&page);
}
