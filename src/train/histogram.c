// SPDX-License-Identifier: Apache-2.0
#include "train/histogram.h"

#include <float.h>
#include <math.h>
#include <string.h>

// ---- counting -----------------------------------------------------------------------------------

static void widen(Histogram *histogram) {
    for (int i = 0; i < HISTOGRAM_BINS / 2; i++) {
        histogram->bins[i] = histogram->bins[2 * i] + histogram->bins[2 * i + 1];
    }
    memset(histogram->bins + HISTOGRAM_BINS / 2, 0, HISTOGRAM_BINS / 2 * sizeof histogram->bins[0]);
    histogram->width *= 2;
}

// Widens the bins until the last one ends above `largest`.
static void fit(Histogram *histogram, float largest) {
    if (largest <= histogram->largest) {
        return;
    }
    histogram->largest = largest;
    if (histogram->width == 0) { // all that came before was 0, and stays in bin 0
        int exponent = 0;
        frexp(largest, &exponent); // largest < 2^exponent
        histogram->width = ldexp(1.0 / HISTOGRAM_BINS, exponent);
    }
    while (largest >= histogram->width * HISTOGRAM_BINS) {
        widen(histogram);
    }
}

void histogram_add(Histogram *histogram, const float *values, size_t count) {
    float largest = 0;
    for (size_t i = 0; i < count; i++) {
        float size = fabsf(values[i]);
        largest = size > largest && size <= FLT_MAX ? size : largest;
    }
    fit(histogram, largest);
    double bins_per_unit = histogram->width > 0 ? 1 / histogram->width : 0;
    for (size_t i = 0; i < count; i++) {
        float size = fabsf(values[i]);
        if (size <= FLT_MAX) {
            histogram->bins[(int)(size * bins_per_unit)]++;
        } else {
            histogram->nonfinite++;
        }
    }
    histogram->count += count;
}

// ---- errors -------------------------------------------------------------------------------------

// What a bin's values are taken for: bin 0 is nearly all zeros, which a ReLU makes.
static double middle(const Histogram *histogram, int bin) {
    return bin == 0 ? 0 : (bin + 0.5) * histogram->width;
}

static double mean(const Histogram *histogram, double sum) {
    uint64_t count = histogram->count - histogram->nonfinite;
    return count > 0 ? sum / (double)count : 0;
}

double histogram_error(const Histogram *histogram, double threshold, int levels) {
    double step = threshold / levels, sum = 0;
    for (int i = 1; i < HISTOGRAM_BINS; i++) {
        if (histogram->bins[i] > 0) {
            double size = middle(histogram, i);
            double level = nearbyint(size / step);
            double error = size - (level < levels ? level : levels) * step;
            sum += (double)histogram->bins[i] * (error * error);
        }
    }
    return mean(histogram, sum);
}

double histogram_power(const Histogram *histogram) {
    double sum = 0;
    for (int i = 1; i < HISTOGRAM_BINS; i++) {
        double size = middle(histogram, i);
        sum += (double)histogram->bins[i] * (size * size);
    }
    return mean(histogram, sum);
}

// ---- thresholds ---------------------------------------------------------------------------------

double histogram_max(const Histogram *histogram) {
    return histogram->largest > 0 ? histogram->largest : 1;
}

double histogram_percentile(const Histogram *histogram, double share) {
    double wanted = share * (double)(histogram->count - histogram->nonfinite), seen = 0;
    for (int i = 0; i < HISTOGRAM_BINS; i++) {
        seen += (double)histogram->bins[i];
        double end = (i + 1) * histogram->width;
        if (seen >= wanted && end > 0) {
            return end < histogram->largest ? end : histogram_max(histogram);
        }
    }
    return histogram_max(histogram);
}

double histogram_least_error(const Histogram *histogram, int levels) {
    // Thresholds below a sixteenth of the largest value clip more than any layer gains by.
    enum { CANDIDATES = 160, LEAST = CANDIDATES / 16 };
    double best = histogram_max(histogram), least = histogram_error(histogram, best, levels);
    for (int i = CANDIDATES - 1; i >= LEAST; i--) {
        double threshold = histogram_max(histogram) * i / CANDIDATES;
        double error = histogram_error(histogram, threshold, levels);
        if (error < least) {
            least = error;
            best = threshold;
        }
    }
    return best;
}
