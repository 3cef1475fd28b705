// SPDX-License-Identifier: Apache-2.0
// Elementwise loops, and what goes along the rows of a map.
#include "backend/cpu/kernels/map_kernels.h"

#include "backend/cpu/kernels/map_vector.h"

static void relu(float *y, const float *x, size_t count) {
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        vec_store(y + i, vec_relu(vec_load(x + i)));
    }
    int rest = (int)(count - i);
    vec_store_partial(y + i, vec_relu(vec_load_partial(x + i, rest)), rest);
}

MAP_INLINE void add_lanes(float *y, const float *a, const float *b, bool positive, int lanes) {
    Vec sum = load_lanes(a, lanes) + load_lanes(b, lanes);
    store_lanes(y, positive ? vec_relu(sum) : sum, lanes);
}

static void add(float *y, const float *a, const float *b, bool positive, size_t count) {
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        add_lanes(y + i, a + i, b + i, positive, LANES);
    }
    add_lanes(y + i, a + i, b + i, positive, (int)(count - i));
}

MAP_INLINE void pass_lanes(float *y, const float *x, const float *mask, bool accumulate,
                           int lanes) {
    Vec value = load_lanes(x, lanes);
    if (mask != NULL) {
        value = vec_keep_positive(value, load_lanes(mask, lanes));
    }
    put_lanes(y, value, accumulate, lanes);
}

static void pass(float *y, const float *x, const float *mask, bool accumulate, size_t count) {
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        pass_lanes(y + i, x + i, mask == NULL ? NULL : mask + i, accumulate, LANES);
    }
    pass_lanes(y + i, x + i, mask == NULL ? NULL : mask + i, accumulate, (int)(count - i));
}

MAP_INLINE void scale_lanes(float *y, const float *x, const float *factors, bool accumulate,
                            int lanes) {
    put_lanes(y, load_lanes(x, lanes) * load_lanes(factors, lanes), accumulate, lanes);
}

static void scale_rows(float *y, const float *x, const float *factors, bool accumulate, int rows,
                       int channels) {
    for (int r = 0; r < rows; r++, y += channels, x += channels) {
        int c = 0;
        for (; c + LANES <= channels; c += LANES) {
            scale_lanes(y + c, x + c, factors + c, accumulate, LANES);
        }
        if (c < channels) {
            scale_lanes(y + c, x + c, factors + c, accumulate, channels - c);
        }
    }
}

static void fill_rows(float *y, const float *value, bool accumulate, int rows, int channels) {
    for (int r = 0; r < rows; r++, y += channels) {
        int c = 0;
        for (; c + LANES <= channels; c += LANES) {
            put_lanes(y + c, vec_load(value + c), accumulate, LANES);
        }
        if (c < channels) {
            put_lanes(y + c, vec_load_partial(value + c, channels - c), accumulate, channels - c);
        }
    }
}

enum {
    SETS = 4,       // sums in flight: row r goes to set r % SETS
    BLOCK_ROWS = 64 // rows whose sums are taken before they join the total, to stay accurate
};

MAP_INLINE void sum_lanes(float *sum, const float *x, const float *y, float divisor,
                          bool accumulate, int rows, ptrdiff_t channels, int lanes) {
    Vec total = {0};
    for (int block = 0; block < rows; block += BLOCK_ROWS) {
        int end = rows - block < BLOCK_ROWS ? rows : block + BLOCK_ROWS;
        Vec sets[SETS] = {0};
        for (int r = block; r < end; r += SETS) {
            UNROLL for (int s = 0; s < SETS; s++) {
                if (r + s < end) {
                    Vec value = load_lanes(x + (r + s) * channels, lanes);
                    if (y != NULL) {
                        sets[s] += value * load_lanes(y + (r + s) * channels, lanes);
                    } else {
                        sets[s] += value;
                    }
                }
            }
        }
        total += (sets[0] + sets[1]) + (sets[2] + sets[3]);
    }
    put_lanes(sum, total / divisor, accumulate, lanes);
}

static void sum_rows(float *sum, const float *x, const float *y, float divisor, bool accumulate,
                     int rows, int channels) {
    int c = 0;
    for (; c + LANES <= channels; c += LANES) {
        sum_lanes(sum + c, x + c, y == NULL ? NULL : y + c, divisor, accumulate, rows, channels,
                  LANES);
    }
    if (c < channels) {
        sum_lanes(sum + c, x + c, y == NULL ? NULL : y + c, divisor, accumulate, rows, channels,
                  channels - c);
    }
}

extern const ElementKernels KERNEL(element_kernels);

const ElementKernels KERNEL(element_kernels) = {
    .relu = relu,
    .add = add,
    .pass = pass,
    .scale_rows = scale_rows,
    .fill_rows = fill_rows,
    .sum_rows = sum_rows,
};
