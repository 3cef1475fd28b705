// SPDX-License-Identifier: Apache-2.0
// Pooling, one pixel at a time, all of its channels. Backward gathers: each input pixel looks at
// the windows that it lies in, so that pixels are independent and the order of a sum is fixed.
#include "backend/cpu/kernels/map_kernels.h"

#include "backend/cpu/kernels/map_vector.h"

typedef uint8_t ByteVec __attribute__((vector_size(LANES)));

MAP_INLINE IntVec load_indices(const uint8_t *from, int lanes) {
    ByteVec bytes = {0};
    // lanes never exceeds LANES, which not every compiler sees.
    memcpy(&bytes, from, (size_t)(lanes < LANES ? lanes : LANES));
    return __builtin_convertvector(bytes, IntVec);
}

MAP_INLINE void largest_lanes(float *y, const float *x, ptrdiff_t step, int count, int lanes) {
    Vec best = load_lanes(x, lanes);
    for (int k = 1; k < count; k++) {
        best = vec_max(best, load_lanes(x + k * step, lanes));
    }
    store_lanes(y, best, lanes);
}

MAP_INLINE void largest_of(float *y, const float *x, ptrdiff_t step, int count, size_t elements) {
    size_t i = 0;
    for (; i + LANES <= elements; i += LANES) {
        largest_lanes(y + i, x + i, step, count, LANES);
    }
    if (i < elements) {
        largest_lanes(y + i, x + i, step, count, (int)(elements - i));
    }
}

// The counts of usual windows as literals.
static void largest(float *y, const float *x, ptrdiff_t step, int count, size_t elements) {
    if (count == 3) {
        largest_of(y, x, step, 3, elements);
    } else if (count == 2) {
        largest_of(y, x, step, 2, elements);
    } else {
        largest_of(y, x, step, count, elements);
    }
}

MAP_INLINE void max_lanes(float *y, uint8_t *index, const PoolWindow *window, int place, int kernel,
                          int c, int lanes) {
    Vec best = load_lanes(window->first + c, lanes);
    IntVec found = (IntVec){0} + place;
    for (int row = 0; row < window->rows; row++) {
        const float *from = window->first + row * window->step + c;
        for (int column = 0; column < window->columns; column++) {
            Vec value = load_lanes(from + (ptrdiff_t)column * window->channels, lanes);
            IntVec better = (value > best) | (value != value);
            best = (Vec)(((IntVec)value & better) | ((IntVec)best & ~better));
            IntVec here = (IntVec){0} + (place + row * kernel + column);
            found = (here & better) | (found & ~better);
        }
    }
    store_lanes(y + c, best, lanes);
    ByteVec bytes = __builtin_convertvector(found, ByteVec);
    memcpy(index + c, &bytes, (size_t)lanes);
}

static void max(float *y, uint8_t *index, const PoolWindow *window, int place, int kernel) {
    int c = 0;
    for (; c + LANES <= window->channels; c += LANES) {
        max_lanes(y, index, window, place, kernel, c, LANES);
    }
    if (c < window->channels) {
        max_lanes(y, index, window, place, kernel, c, window->channels - c);
    }
}

MAP_INLINE void max_gradient_lanes(float *dx, const uint8_t *index, const PoolWindow *window,
                                   int place, int place_row, int place_column, bool accumulate,
                                   int c, int lanes) {
    Vec sum = {0};
    for (int row = 0; row < window->rows; row++) {
        for (int column = 0; column < window->columns; column++) {
            ptrdiff_t at = row * window->step + (ptrdiff_t)column * window->channels + c;
            IntVec here = (IntVec){0} + (place - row * place_row - column * place_column);
            IntVec taken = load_indices(index + at, lanes) == here;
            sum += (Vec)((IntVec)load_lanes(window->first + at, lanes) & taken);
        }
    }
    put_lanes(dx + c, sum, accumulate, lanes);
}

static void max_gradient(float *dx, const uint8_t *index, const PoolWindow *window, int place,
                         int place_row, int place_column, bool accumulate) {
    int c = 0;
    for (; c + LANES <= window->channels; c += LANES) {
        max_gradient_lanes(dx, index, window, place, place_row, place_column, accumulate, c, LANES);
    }
    if (c < window->channels) {
        max_gradient_lanes(dx, index, window, place, place_row, place_column, accumulate, c,
                           window->channels - c);
    }
}

MAP_INLINE void average_lanes(float *y, const PoolWindow *window, float divisor, int c, int lanes) {
    Vec sum = {0};
    for (int row = 0; row < window->rows; row++) {
        const float *from = window->first + row * window->step + c;
        for (int column = 0; column < window->columns; column++) {
            sum += load_lanes(from + (ptrdiff_t)column * window->channels, lanes);
        }
    }
    store_lanes(y + c, sum / divisor, lanes);
}

static void average(float *y, const PoolWindow *window, float divisor) {
    int c = 0;
    for (; c + LANES <= window->channels; c += LANES) {
        average_lanes(y, window, divisor, c, LANES);
    }
    if (c < window->channels) {
        average_lanes(y, window, divisor, c, window->channels - c);
    }
}

MAP_INLINE void average_gradient_lanes(float *dx, const PoolWindow *window, const float *divisor,
                                       ptrdiff_t divisor_step, bool accumulate, int c, int lanes) {
    Vec sum = {0};
    for (int row = 0; row < window->rows; row++) {
        const float *from = window->first + row * window->step + c;
        for (int column = 0; column < window->columns; column++) {
            sum += load_lanes(from + (ptrdiff_t)column * window->channels, lanes) /
                   divisor[row * divisor_step + column];
        }
    }
    put_lanes(dx + c, sum, accumulate, lanes);
}

static void average_gradient(float *dx, const PoolWindow *window, const float *divisor,
                             ptrdiff_t divisor_step, bool accumulate) {
    int c = 0;
    for (; c + LANES <= window->channels; c += LANES) {
        average_gradient_lanes(dx, window, divisor, divisor_step, accumulate, c, LANES);
    }
    if (c < window->channels) {
        average_gradient_lanes(dx, window, divisor, divisor_step, accumulate, c,
                               window->channels - c);
    }
}

extern const PoolKernels KERNEL(pool_kernels);

const PoolKernels KERNEL(pool_kernels) = {
    .largest = largest,
    .max = max,
    .max_gradient = max_gradient,
    .average = average,
    .average_gradient = average_gradient,
};
