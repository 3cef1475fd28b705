// SPDX-License-Identifier: Apache-2.0
// Scales are straight lines, x = left + (value - first) / (last - first) * width. Ticks stand at
// multiples of 1, 2 or 5 times a power of ten. Labels at curves' ends are moved apart so that none
// covers another.
#include "chart.h"

#include <math.h>
#include <stdint.h>

#include "html.h"
#include "output.h"

enum { MOST_LABELS = 16 };

typedef struct Axis {
    double first, last, step;
    double start, length; // in pixels; length < 0: upwards
} Axis;

typedef struct Label {
    const ChartSeries *series;
    double y;
} Label;

static double axis_place(const Axis *axis, double value) {
    return axis->start + (value - axis->first) / (axis->last - axis->first) * axis->length;
}

// A round step that gives at most about `most` ticks.
static double tick_step(double range, int most) {
    double raw = range / most;
    double power = pow(10, floor(log10(raw)));
    double share = raw / power;
    return power * (share <= 1 ? 1 : share <= 2 ? 2 : share <= 5 ? 5 : 10);
}

static Axis axis_fit(const Chart *chart, bool vertical, int most_ticks) {
    double least = INFINITY, most = -INFINITY;
    for (int s = 0; s < chart->series_count; s++) {
        for (int i = 0; i < chart->series[s].count; i++) {
            double value = vertical ? chart->series[s].y[i] : chart->series[s].x[i];
            least = fmin(least, value);
            most = fmax(most, value);
        }
    }
    if (!(least <= most)) {
        least = 0;
        most = 1;
    }
    Axis axis = {.first = vertical ? least : 0, .last = most};
    double range = axis.last - axis.first;
    axis.step = tick_step(range > 0 ? range : 1, most_ticks);
    if (vertical || !(axis.last > axis.first)) {
        axis.first = floor(axis.first / axis.step) * axis.step;
        axis.last = ceil(axis.last / axis.step) * axis.step;
        axis.last = axis.last > axis.first ? axis.last : axis.first + axis.step;
    }
    return axis;
}

static int axis_ticks(const Axis *axis) {
    return (int)floor((axis->last - axis->first) / axis->step + 1e-9);
}

static const char *tick_text(double value, double step) {
    static char text[32];
    if (step >= 1) {
        return figure_whole(llround(value));
    }
    snprintf(text, sizeof text, "%g", value);
    return text;
}

static void axes_write(const Chart *chart, const Axis *x, const Axis *y, FILE *file) {
    for (int i = 0; i <= axis_ticks(y); i++) {
        double value = y->first + i * y->step, place = axis_place(y, value);
        fprintf(file, "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>\n",
                x->start, x->start + x->length, place, place);
        fprintf(file, "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
                x->start - 8, place + 4.5, tick_text(value, y->step));
    }
    for (int i = 0; i <= axis_ticks(x); i++) {
        double value = x->first + i * x->step, place = axis_place(x, value);
        fprintf(file, "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>\n",
                place, place, y->start, y->start + 5);
        fprintf(file,
                "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n",
                place, y->start + 20, tick_text(value, x->step));
    }
    fprintf(file, "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">",
            x->start + x->length / 2, y->start + 40);
    html_escape(file, chart->x_title);
    fprintf(file, "</text>\n<text class=\"tick\" x=\"4\" y=\"14\">");
    html_escape(file, chart->y_title);
    fprintf(file, "</text>\n");
}

static void series_write(const ChartSeries *series, const Axis *x, const Axis *y, FILE *file) {
    if (series->count > 1) {
        fprintf(file, "<polyline class=\"curve s%d%s%s\" points=\"", series->tone,
                series->strong ? " strong" : "", series->dashed ? " dashed" : "");
        for (int i = 0; i < series->count; i++) {
            fprintf(file, "%s%.1f,%.1f", i > 0 ? " " : "", axis_place(x, series->x[i]),
                    axis_place(y, series->y[i]));
        }
        fprintf(file, "\"/>\n");
    }
    for (int i = 0; i < series->count && (series->dashed || series->count == 1); i++) {
        fprintf(file, "<circle class=\"dot s%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>\n",
                series->tone, axis_place(x, series->x[i]), axis_place(y, series->y[i]),
                series->strong ? 4.5 : 3.5);
    }
}

// Labels sorted by height, then moved down where they would touch, then up again from the bottom.
static int labels_place(const Chart *chart, const Axis *y, Label *labels) {
    const double gap = 17;
    int count = 0;
    for (int s = 0; s < chart->series_count && count < MOST_LABELS; s++) {
        const ChartSeries *series = &chart->series[s];
        if (series->label == NULL || series->count == 0) {
            continue;
        }
        Label label = {series, axis_place(y, series->y[series->count - 1])};
        int at = count++;
        for (; at > 0 && labels[at - 1].y > label.y; at--) {
            labels[at] = labels[at - 1];
        }
        labels[at] = label;
    }
    for (int i = 1; i < count; i++) {
        labels[i].y = fmax(labels[i].y, labels[i - 1].y + gap);
    }
    for (int i = count - 1; i >= 0; i--) {
        double lowest = i == count - 1 ? y->start : labels[i + 1].y - gap;
        labels[i].y = fmin(labels[i].y, lowest);
    }
    return count;
}

static void labels_write(const Chart *chart, const Axis *x, const Axis *y, FILE *file) {
    Label labels[MOST_LABELS];
    int count = labels_place(chart, y, labels);
    for (int i = 0; i < count; i++) {
        const ChartSeries *series = labels[i].series;
        double end_x = axis_place(x, series->x[series->count - 1]);
        double end_y = axis_place(y, series->y[series->count - 1]);
        double text_x = x->start + x->length + 20;
        fprintf(file,
                "<polyline class=\"curve s%d\" style=\"stroke-width:1\" points=\"%.1f,%.1f "
                "%.1f,%.1f\"/>\n<text x=\"%.1f\" y=\"%.1f\">",
                series->tone, end_x + 6, end_y, text_x - 4, labels[i].y, text_x, labels[i].y + 4.5);
        html_escape(file, series->label);
        fprintf(file, "</text>\n");
    }
}

static void chart_draw(const Chart *chart, const char *screen, double width, double height,
                       int most_ticks, FILE *file) {
    const double left = 44, right = 92, top = 30, bottom = 50;
    Axis x = axis_fit(chart, false, most_ticks), y = axis_fit(chart, true, 8);
    x.start = left;
    x.length = width - left - right;
    y.start = height - bottom;
    y.length = -(height - top - bottom);
    fprintf(file, "<svg class=\"chart %s\" viewBox=\"0 0 %.0f %.0f\" role=\"img\">\n<title>",
            screen, width, height);
    html_escape(file, chart->title);
    fprintf(file, "</title>\n");
    axes_write(chart, &x, &y, file);
    for (int s = 0; s < chart->series_count; s++) {
        series_write(&chart->series[s], &x, &y, file);
    }
    labels_write(chart, &x, &y, file);
    fprintf(file, "</svg>\n");
}

void chart_write(const Chart *chart, FILE *file) {
    chart_draw(chart, "wide", 900, 480, 8, file);
    chart_draw(chart, "narrow", 370, 400, 4, file);
}

void chart_swatch(int tone, bool strong, bool dashed, FILE *file) {
    const double x[] = {6, 28}, y[] = {8, 8};
    const Axis axis = {.first = 0, .last = 1, .start = 0, .length = 1};
    ChartSeries series = {
        .tone = tone, .strong = strong, .dashed = dashed, .x = x, .y = y, .count = 2};
    fprintf(file, "<svg width=\"34\" height=\"16\" aria-hidden=\"true\">");
    series_write(&series, &axis, &axis, file);
    fprintf(file, "</svg>");
}
