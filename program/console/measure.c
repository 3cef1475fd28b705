// SPDX-License-Identifier: Apache-2.0
#include "console/measure.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

double measure_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

uint32_t noise_next(uint32_t *state) { return *state = *state * 1664525u + 1013904223u; }

int64_t measure_resident(void) {
    long long total = 0, resident = -1;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL) {
        return -1;
    }
    int read = fscanf(file, "%lld %lld", &total, &resident);
    fclose(file);
    return read == 2 ? resident * sysconf(_SC_PAGESIZE) : -1;
}

double *samples_row(Samples *samples) {
    if (samples->rows == samples->room) {
        int room = samples->room > 0 ? 2 * samples->room : 64;
        size_t bytes = (size_t)room * (size_t)samples->columns * sizeof(double);
        double *values = realloc(samples->values, bytes);
        if (values == NULL) {
            return NULL;
        }
        samples->values = values;
        samples->room = room;
    }
    double *row = samples->values + (size_t)samples->rows * (size_t)samples->columns;
    memset(row, 0, (size_t)samples->columns * sizeof(double));
    samples->rows++;
    return row;
}

void samples_free(Samples *samples) {
    free(samples->values);
    *samples = (Samples){.columns = samples->columns};
}

static double sample_at(const Samples *samples, int row, int column) {
    return samples->values[(size_t)row * (size_t)samples->columns + (size_t)column];
}

static int compare_figures(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double samples_percentile(const Samples *samples, int column, double share) {
    double *sorted = malloc((size_t)samples->rows * sizeof *sorted);
    if (sorted == NULL) {
        return NAN;
    }
    for (int i = 0; i < samples->rows; i++) {
        sorted[i] = sample_at(samples, i, column);
    }
    qsort(sorted, (size_t)samples->rows, sizeof *sorted, compare_figures);
    int rank = (int)ceil(share * samples->rows);
    double found = sorted[rank > 0 ? rank - 1 : 0];
    free(sorted);
    return found;
}

double samples_sum(const Samples *samples, int column) {
    double sum = 0;
    for (int i = 0; i < samples->rows; i++) {
        sum += sample_at(samples, i, column);
    }
    return sum;
}
