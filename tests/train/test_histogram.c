// SPDX-License-Identifier: Apache-2.0
// Histograms of values: the same in any order, and thresholds as plain sorting and plain rounding
// of the values themselves give them.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "train/histogram.h"

enum { COUNT = 20000 };

// As after a ReLU (half of them zeros) with a few outliers; or with signs.
static void fill(float *values, bool relu) {
    for (int i = 0; i < COUNT; i++) {
        float value = (float)random_normal(1, RANDOM_TEST, 1, (uint64_t)i);
        value *= i % 1000 == 0 ? 6.0F : 1.0F;
        values[i] = relu && value < 0 ? 0 : value;
    }
}

static int compare_sizes(const void *a, const void *b) {
    float left = fabsf(*(const float *)a), right = fabsf(*(const float *)b);
    return (left > right) - (left < right);
}

// Bytes made and unmade, as the network does it.
static double true_error(const float *values, double threshold, int levels) {
    double step = threshold / levels, sum = 0;
    for (int i = 0; i < COUNT; i++) {
        double level = nearbyint(values[i] / step);
        level = level > levels ? levels : level < -levels ? -levels : level;
        sum += (values[i] - level * step) * (values[i] - level * step);
    }
    return sum / COUNT;
}

static void test_order(void **state) {
    (void)state;
    static float values[COUNT], zeros[100];
    static Histogram forward, backward, pieces;
    fill(values, false);
    histogram_add(&forward, values, COUNT);
    for (int i = COUNT - 1; i >= 0; i--) {
        histogram_add(&backward, &values[i], 1);
    }
    assert_memory_equal(&forward, &backward, sizeof forward);
    qsort(values, COUNT, sizeof values[0], compare_sizes); // the bins widen all the time
    histogram_add(&pieces, zeros, 100);
    for (int i = 0; i < COUNT; i += 50) {
        histogram_add(&pieces, values + i, 50);
    }
    assert_int_equal(pieces.count, COUNT + 100);
    pieces.count -= 100;
    pieces.bins[0] -= 100;
    assert_memory_equal(&forward, &pieces, sizeof forward);
    uint64_t sum = 0;
    for (int i = 0; i < HISTOGRAM_BINS; i++) {
        sum += forward.bins[i];
    }
    assert_int_equal(sum, COUNT);
    assert_true(forward.largest < forward.width * HISTOGRAM_BINS);
    assert_true(forward.largest >= forward.width * HISTOGRAM_BINS / 2);
}

static void test_percentile(void **state) {
    (void)state;
    static float values[COUNT];
    static Histogram histogram;
    fill(values, true);
    histogram_add(&histogram, values, COUNT);
    qsort(values, COUNT, sizeof values[0], compare_sizes);
    static const double SHARES[] = {0.6, 0.9, 0.99, 0.999, 0.9999};
    for (size_t i = 0; i < sizeof SHARES / sizeof SHARES[0]; i++) {
        double exact = values[(int)ceil(SHARES[i] * COUNT) - 1];
        double found = histogram_percentile(&histogram, SHARES[i]);
        assert_true(found >= exact && found <= exact + histogram.width);
    }
    assert_true(histogram_percentile(&histogram, 1) == (double)values[COUNT - 1]);
    assert_true(histogram_max(&histogram) == (double)values[COUNT - 1]);
}

static void test_error(void **state) {
    (void)state;
    static float values[COUNT];
    for (int relu = 0; relu <= 1; relu++) {
        static Histogram histogram;
        memset(&histogram, 0, sizeof histogram);
        int levels = relu ? 255 : 127;
        fill(values, relu != 0);
        histogram_add(&histogram, values, COUNT);
        double power = 0;
        for (int i = 0; i < COUNT; i++) {
            power += (double)values[i] * (double)values[i] / COUNT;
        }
        assert_true(fabs(histogram_power(&histogram) - power) < 1e-4 * power);
        double largest = histogram_max(&histogram),
               best = histogram_least_error(&histogram, levels);
        double least = true_error(values, best, levels);
        for (int i = 1; i <= 100; i++) {
            double threshold = largest * i / 100, error = true_error(values, threshold, levels);
            assert_true(least < error * 1.02);
            double found = histogram_error(&histogram, threshold, levels);
            assert_true(fabs(found - error) < 0.02 * error);
        }
        // With few levels it pays to clip the outliers.
        assert_true(histogram_least_error(&histogram, 15) < 0.6 * largest);
    }
}

static void test_extremes(void **state) {
    (void)state;
    static Histogram histogram;
    assert_true(histogram_max(&histogram) == 1);
    assert_true(histogram_percentile(&histogram, 0.999) == 1);
    assert_true(histogram_least_error(&histogram, 255) == 1);
    float zeros[3] = {0, -0.0F, 0};
    histogram_add(&histogram, zeros, 3);
    assert_true(histogram_percentile(&histogram, 0.999) == 1);
    assert_true(histogram_power(&histogram) == 0);
    float odd[4] = {NAN, -INFINITY, 1e-42F, -3e38F};
    histogram_add(&histogram, &odd[2], 1);
    assert_true(histogram_max(&histogram) == (double)odd[2]);
    histogram_add(&histogram, odd, 4);
    assert_int_equal(histogram.count, 8);
    assert_int_equal(histogram.nonfinite, 2);
    assert_true(histogram_max(&histogram) == (double)3e38F);
    assert_true(histogram_percentile(&histogram, 1) == (double)3e38F);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_percentile),
        cmocka_unit_test(test_error),
        cmocka_unit_test(test_extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
