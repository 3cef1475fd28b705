// SPDX-License-Identifier: Apache-2.0
// Axes, and charts as a reader sees them: labels that do not cover one another, nothing outside the
// frame, nothing that is no number.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <math.h>

#include "console/failure.h"
#include "picture/axis.h"
#include "picture/chart.h"
#include "picture/spots.h"

// ---- Axes ---------------------------------------------------------------------------------------

static void expect_ticks(const Axis *axis, const char *expected) {
    char text[512] = "";
    for (int i = 0; i < axis->tick_count; i++) {
        size_t length = strlen(text);
        snprintf(text + length, sizeof text - length, "%s%s", i > 0 ? " " : "",
                 axis_tick_text(axis, i));
    }
    assert_string_equal(text, expected);
}

static void linear_axes(void **state) {
    (void)state;
    Axis axis = axis_make(false, 0, 64000, 8, false);
    expect_ticks(&axis, "0 10,000 20,000 30,000 40,000 50,000 60,000");
    axis.start = 10;
    axis.length = 640;
    assert_float_equal(axis_place(&axis, 0), 10, 1e-9);
    assert_float_equal(axis_place(&axis, 32000), 330, 1e-9);
    axis = axis_make(false, 6.97, 13.2, 8, true);
    expect_ticks(&axis, "6 7 8 9 10 11 12 13 14");
    axis = axis_make(false, -0.11, 0.22, 8, true);
    expect_ticks(&axis, "-0.15 -0.1 -0.05 0 0.05 0.1 0.15 0.2 0.25");
    axis = axis_make(false, 5, 5, 8, true);
    assert_true(axis.last > axis.first);
}

static void logarithmic_axes(void **state) {
    (void)state;
    Axis axis = axis_make(true, 0.03, 40, 8, false);
    expect_ticks(&axis, "0.05 0.1 0.2 0.5 1 2 5 10 20");
    axis = axis_make(true, 1e-6, 1e3, 8, true);
    expect_ticks(&axis, "1e-06 0.0001 0.01 1 100");
    axis = axis_make(true, 0.976, 6.9, 8, true);
    expect_ticks(&axis, "0.5 1 2 5 10");
    axis = axis_make(true, 0.2, 50, 8, true);
    expect_ticks(&axis, "0.2 0.5 1 2 5 10 20 50");
    axis = axis_make(true, 0.01, 1, 8, true);
    expect_ticks(&axis, "0.01 0.02 0.05 0.1 0.2 0.5 1");
    axis = axis_make(true, 3, 4.5, 8, false); // no power of ten is near
    expect_ticks(&axis, "3 3.2 3.4 3.6 3.8 4 4.2 4.4");
    axis.start = 100;
    axis.length = -80;
    assert_float_equal(axis_place(&axis, sqrt(3 * 4.5)), 60, 1e-9);
    axis = axis_make(true, 7, 7, 8, false);
    assert_true(axis.last > axis.first);
}

// ---- Room for words -----------------------------------------------------------------------------

static void spots_are_apart(void **state) {
    (void)state;
    Spots spots;
    spots_begin(&spots, (Box){0, 0, 200, 100});
    Box found[16];
    int count = 0;
    while (count < 16 && spots_find(&spots, 100, 50, 5, 6, 40, 16, &found[count])) {
        for (int i = 0; i < count; i++) {
            const Box *a = &found[i], *b = &found[count];
            assert_true(a->right <= b->left || b->right <= a->left || a->bottom <= b->top ||
                        b->bottom <= a->top);
        }
        assert_true(found[count].left >= 0 && found[count].right <= 200);
        count++;
    }
    assert_in_range(count, 4, 15); // then all places are taken
    Box box;
    assert_true(spots_find(&spots, 20, 92, 5, 6, 30, 8, &box));
    assert_false(spots_find(&spots, 300, 300, 5, 6, 40, 16, &box)); // outside of the frame
}

// ---- Charts -------------------------------------------------------------------------------------

static char *chart_text(const Chart *chart) {
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    chart_write(chart, file);
    fclose(file);
    return text;
}

static int count_of(const char *text, const char *part) {
    int count = 0;
    for (; (text = strstr(text, part)) != NULL; text += strlen(part)) {
        count++;
    }
    return count;
}

// The place of the text in the drawing, wide or narrow.
static void place_of(const char *text, const char *label, double *x, double *y) {
    char part[160];
    snprintf(part, sizeof part, ">%s</text>", label);
    const char *at = strstr(text, part);
    assert_non_null(at);
    while (strncmp(at, "<text", 5) != 0) {
        at--;
    }
    assert_int_equal(sscanf(strstr(at, " x="), " x=\"%lf\" y=\"%lf\"", x, y), 2);
}

static void labels_are_apart(void **state) {
    (void)state;
    enum { CURVES = 9 };
    static const double x[] = {0, 1000}, y[] = {90, 10};
    char names[CURVES][16];
    ChartSeries series[CURVES];
    for (int i = 0; i < CURVES; i++) {
        snprintf(names[i], sizeof names[i], "end-%d", i);
        series[i] = (ChartSeries){.label = names[i], .tone = i % 8, .x = x, .y = y, .count = 2};
    }
    const Chart chart = {
        .title = "t", .x_title = "x", .y_title = "y", .series = series, .series_count = CURVES};
    char *text = chart_text(&chart);
    const char *at = text;
    for (int d = 0; d < 2; d++) {
        const double width = d == 0 ? 900 : 370;
        const char *plot = strstr(at, "class=\"leader"); // ahead of it is the legend
        assert_non_null(plot);
        double before = -INFINITY;
        for (int i = 0; i < CURVES; i++) {
            double at_x, at_y;
            place_of(plot, names[i], &at_x, &at_y);
            assert_true(at_x + 7 * 5 <= width);
            assert_true(fabs(at_y - before) >= 14);
            before = at_y;
        }
        at = strstr(plot, "</svg>");
    }
    free(text);
}

static void what_is_no_number_is_left_out(void **state) {
    (void)state;
    static const double x[] = {0, 1, 2, 3, 4}, y[] = {NAN, 5, 0, INFINITY, 7};
    const ChartSeries series = {
        .label = "norm", .tone = 2, .dashed = true, .x = x, .y = y, .count = 5};
    const Chart chart = {.title = "t",
                         .x_title = "x",
                         .y_title = "y",
                         .log_y = true,
                         .dashed = "a & b",
                         .series = &series,
                         .series_count = 1};
    char *text = chart_text(&chart);
    assert_int_equal(count_of(text, "nan"), 0);
    assert_int_equal(count_of(text, "inf"), 0);
    // Two points and two samples in each of two legends, in two drawings.
    assert_int_equal(count_of(text, "<circle"), 2 * (2 + 2 + 2));
    assert_int_equal(count_of(text, "a &amp; b"), 2);
    free(text);

    const ChartSeries empty = {.label = "none", .x = x, .y = y, .count = 1};
    const Chart nothing = {
        .title = "t", .x_title = "x", .y_title = "y", .series = &empty, .series_count = 1};
    text = chart_text(&nothing);
    assert_int_equal(count_of(text, "nan"), 0);
    free(text);
}

// Names that would leave a narrow chart no room for its curves stand in the legend alone.
static void long_labels(void **state) {
    (void)state;
    static const double x[] = {1, 2}, y[] = {3, 4};
    const ChartSeries series = {.label = "a rather long name", .x = x, .y = y, .count = 2};
    const Chart chart = {
        .title = "t", .x_title = "x", .y_title = "y", .series = &series, .series_count = 1};
    char *text = chart_text(&chart);
    assert_int_equal(count_of(text, ">a rather long name<"), 2 + 1);
    assert_int_equal(count_of(text, "leader"), 1);
    free(text);
}

static void points_have_labels(void **state) {
    (void)state;
    static const double x[] = {1.8e9, 3.6e9, 4.1e9}, y[] = {27.9, 25.0, 22.9};
    static const char *const names[] = {"ResNet-18", "ResNet-34", "ResNet-50"};
    ChartSeries series[3];
    for (int i = 0; i < 3; i++) {
        series[i] = (ChartSeries){.label = names[i], .tone = i, .x = &x[i], .y = &y[i], .count = 1};
    }
    const Chart chart = {.title = "t",
                         .x_title = "x",
                         .y_title = "y",
                         .log_x = true,
                         .points = true,
                         .series = series,
                         .series_count = 3};
    char *text = chart_text(&chart);
    assert_int_equal(count_of(text, "<polyline"), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(count_of(text, names[i]), 2); // wide and narrow; no legend
    }
    free(text);
}

// Each tone has its colour in both schemes, and its class.
static void tones(void **state) {
    (void)state;
    for (int family = CHART_WARM; family <= CHART_OTHER; family++) {
        for (int i = 0; i < 4; i++) {
            char colour[16], class_name[48];
            const int tone = chart_tone(family, i);
            snprintf(colour, sizeof colour, "--s%d:#", tone);
            snprintf(class_name, sizeof class_name, ".s%d{stroke:var(--s%d)}", tone, tone);
            assert_int_equal(count_of(chart_style, colour), 2);
            assert_int_equal(count_of(chart_style, class_name), 1);
            assert_true(i == 0 || tone != chart_tone(family, i - 1));
        }
    }
}

static void files(void **state) {
    (void)state;
    static const double x[] = {1, 2}, y[] = {3, 4};
    const ChartSeries series = {.label = "a", .x = x, .y = y, .count = 2};
    const Chart chart = {
        .title = "t", .x_title = "x", .y_title = "y", .series = &series, .series_count = 1};
    char folder[] = "/tmp/chart-XXXXXX", path[64], text[8192] = "";
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a.svg", folder);
    assert_int_equal(chart_save(&chart, path), RESNET_OK);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    fclose(file);
    assert_int_equal(strncmp(text, "<svg xmlns=\"http://www.w3.org/2000/svg\"", 39), 0);
    assert_non_null(strstr(text, "prefers-color-scheme"));
    unlink(path);
    rmdir(folder);
    assert_int_equal(chart_save(&chart, path), RESNET_FAILED);
    assert_non_null(strstr(failure_sentence(), "cannot write: No such file or directory"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_axes),
        cmocka_unit_test(logarithmic_axes),
        cmocka_unit_test(spots_are_apart),
        cmocka_unit_test(labels_are_apart),
        cmocka_unit_test(what_is_no_number_is_left_out),
        cmocka_unit_test(long_labels),
        cmocka_unit_test(points_have_labels),
        cmocka_unit_test(tones),
        cmocka_unit_test(files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
