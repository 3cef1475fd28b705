// SPDX-License-Identifier: Apache-2.0
// Batch normalisation's passes over memory.
//
// Narrow rows are taken in groups, one vector of channels at a time, so that what belongs to a
// channel is loaded once for the group and several additions are in flight. Wide rows have enough
// vectors for that themselves, and are taken one by one: memory is read twice as fast when it is
// read from one end to the other.
#include "backend/cpu/kernels/map_kernels.h"

#include "backend/cpu/kernels/map_vector.h"

enum {
    PIVOT_ROWS = 8,
    SETS = 2,                   // sums of a channel in a group: its row r goes to set r % SETS
    NARROW_SUM_CHANNELS = 64,   // the most of a row that is narrow in sums
    SUM_GROUP = 4,              // rows of a group there
    NARROW_APPLY_CHANNELS = 32, // the same in the passes that write
    APPLY_GROUP = 4
};

// The sums of each channel, in sets. They live in memory between groups, in the first level cache.
typedef struct Sums {
    float *first[SETS], *second[SETS];
} Sums;

// Set 0 is the result's place; narrow rows have the others in `more`.
typedef float MoreSums[2][SETS - 1][NARROW_SUM_CHANNELS];

static Sums sums_begin(float *first, float *second, int channels, MoreSums more) {
    Sums sums = {.first = {first}, .second = {second}};
    memset(first, 0, (size_t)channels * sizeof *first);
    memset(second, 0, (size_t)channels * sizeof *second);
    for (int s = 1; s < SETS; s++) {
        sums.first[s] = more[0][s - 1];
        sums.second[s] = more[1][s - 1];
    }
    return sums;
}

static void sums_finish(const Sums *sums, int channels) {
    for (int s = 1; s < SETS && channels <= NARROW_SUM_CHANNELS; s++) {
        for (int c = 0; c < channels; c++) {
            sums->first[0][c] += sums->first[s][c];
            sums->second[0][c] += sums->second[s][c];
        }
    }
}

MAP_INLINE void pivot_lanes(const float *x, int rows, ptrdiff_t stride, float *pivot, int lanes) {
    Vec sum = load_lanes(x, lanes);
    for (int r = 1; r < rows; r++) {
        sum += load_lanes(x + r * stride, lanes);
    }
    store_lanes(pivot, sum / (float)rows, lanes);
}

static void pivot_rows(const float *x, int rows, int channels, float *pivot) {
    rows = rows < PIVOT_ROWS ? rows : PIVOT_ROWS;
    int c = 0;
    for (; c + LANES <= channels; c += LANES) {
        pivot_lanes(x + c, rows, channels, pivot + c, LANES);
    }
    if (c < channels) {
        pivot_lanes(x + c, rows, channels, pivot + c, channels - c);
    }
}

MAP_INLINE void moments_lanes(const float *x, ptrdiff_t stride, int rows, const float *pivot,
                              const Sums *sums, int c, int lanes) {
    Vec middle = load_lanes(pivot + c, lanes);
    Vec sum[SETS] = {0}, square[SETS] = {0};
    UNROLL for (int s = 0; s < SETS; s++) {
        if (s < rows) {
            sum[s] = load_lanes(sums->first[s] + c, lanes);
            square[s] = load_lanes(sums->second[s] + c, lanes);
        }
    }
    UNROLL for (int r = 0; r < SUM_GROUP; r++) {
        if (r < rows) {
            Vec distance = load_lanes(x + r * stride + c, lanes) - middle;
            sum[r % SETS] += distance;
            square[r % SETS] += distance * distance;
        }
    }
    UNROLL for (int s = 0; s < SETS; s++) {
        if (s < rows) {
            store_lanes(sums->first[s] + c, sum[s], lanes);
            store_lanes(sums->second[s] + c, square[s], lanes);
        }
    }
}

// Up to SUM_GROUP rows.
MAP_INLINE void moments_group(const float *x, int rows, int channels, const float *pivot,
                              const Sums *sums) {
    int c = 0;
    for (; c + LANES <= channels; c += LANES) {
        moments_lanes(x, channels, rows, pivot, sums, c, LANES);
    }
    if (c < channels) {
        moments_lanes(x, channels, rows, pivot, sums, c, channels - c);
    }
}

static void moments(const float *x, int rows, int channels, float *pivot, float *sum,
                    float *square) {
    MoreSums more = {0};
    Sums sums = sums_begin(sum, square, channels, more);
    pivot_rows(x, rows, channels, pivot);
    if (channels > NARROW_SUM_CHANNELS) {
        for (int r = 0; r < rows; r++) {
            moments_group(x + (ptrdiff_t)r * channels, 1, channels, pivot, &sums);
        }
    } else {
        int r = 0;
        for (; r + SUM_GROUP <= rows; r += SUM_GROUP) {
            moments_group(x + (ptrdiff_t)r * channels, SUM_GROUP, channels, pivot, &sums);
        }
        if (r < rows) {
            moments_group(x + (ptrdiff_t)r * channels, rows - r, channels, pivot, &sums);
        }
    }
    sums_finish(&sums, channels);
}

// What forward computes and backward computes again for its mask: the same expression in one place.
MAP_INLINE Vec normal(Vec x, Vec mean, Vec scale, Vec shift) { return (x - mean) * scale + shift; }

typedef struct Normalise {
    float *y;
    const float *x, *residual, *mean, *scale, *shift;
    int channels;
    bool relu, stream;
} Normalise;

MAP_INLINE void normalise_lanes(const Normalise *pass, ptrdiff_t row, int rows, bool residual,
                                int c, int lanes) {
    Vec mean = load_lanes(pass->mean + c, lanes);
    Vec scale = load_lanes(pass->scale + c, lanes);
    Vec shift = load_lanes(pass->shift + c, lanes);
    UNROLL for (int r = 0; r < APPLY_GROUP; r++) {
        if (r < rows) {
            ptrdiff_t at = (row + r) * pass->channels + c;
            Vec value = normal(load_lanes(pass->x + at, lanes), mean, scale, shift);
            if (residual) {
                value += load_lanes(pass->residual + at, lanes);
            }
            write_lanes(pass->y + at, pass->relu ? vec_relu(value) : value, pass->stream, lanes);
        }
    }
}

MAP_INLINE void normalise_group(const Normalise *pass, ptrdiff_t row, int rows, bool residual) {
    int c = 0;
    for (; c + LANES <= pass->channels; c += LANES) {
        normalise_lanes(pass, row, rows, residual, c, LANES);
    }
    if (c < pass->channels) {
        normalise_lanes(pass, row, rows, residual, c, pass->channels - c);
    }
}

MAP_INLINE void normalise_rows(const Normalise *pass, int rows, bool residual) {
    int r = 0;
    if (pass->channels <= NARROW_APPLY_CHANNELS) {
        for (; r + APPLY_GROUP <= rows; r += APPLY_GROUP) {
            normalise_group(pass, r, APPLY_GROUP, residual);
        }
    }
    for (; r < rows; r++) {
        normalise_group(pass, r, 1, residual);
    }
}

static void normalise(float *y, const float *x, const float *residual, const float *mean,
                      const float *scale, const float *shift, int rows, int channels, bool relu,
                      bool stream) {
    const Normalise pass = {y, x, residual, mean, scale, shift, channels, relu, stream};
    if (residual != NULL) {
        normalise_rows(&pass, rows, true);
    } else {
        normalise_rows(&pass, rows, false);
    }
    vec_stream_end();
}

// Where the ReLU's mask comes from; a literal wherever it is passed on.
typedef enum Mask { MASK_NONE, MASK_OUTPUT, MASK_AGAIN } Mask;

static Mask mask_of(const NormGradient *pass) {
    return !pass->relu ? MASK_NONE : pass->output != NULL ? MASK_OUTPUT : MASK_AGAIN;
}

typedef struct ChannelVectors {
    Vec mean, scale, shift;
} ChannelVectors;

MAP_INLINE ChannelVectors channel_vectors(const NormGradient *pass, Mask mask, int c, int lanes) {
    ChannelVectors vectors = {.mean = load_lanes(pass->mean + c, lanes)};
    if (mask == MASK_AGAIN) {
        vectors.scale = load_lanes(pass->scale + c, lanes);
        vectors.shift = load_lanes(pass->shift + c, lanes);
    }
    return vectors;
}

// g of the vector at `at`, whose input is x.
MAP_INLINE Vec masked_gradient(const NormGradient *pass, Mask mask, Vec x,
                               const ChannelVectors *vectors, ptrdiff_t at, int lanes) {
    Vec g = load_lanes(pass->output_gradient + at, lanes);
    if (mask == MASK_OUTPUT) {
        g = vec_keep_positive(g, load_lanes(pass->output + at, lanes));
    } else if (mask == MASK_AGAIN) {
        g = vec_keep_positive(g, normal(x, vectors->mean, vectors->scale, vectors->shift));
    }
    return g;
}

MAP_INLINE void gradient_sums_lanes(const NormGradient *pass, Mask mask, bool store, ptrdiff_t row,
                                    int rows, int channels, const Sums *sums, int c, int lanes) {
    ChannelVectors vectors = channel_vectors(pass, mask, c, lanes);
    Vec sum[SETS] = {0}, product[SETS] = {0};
    UNROLL for (int s = 0; s < SETS; s++) {
        if (s < rows) {
            sum[s] = load_lanes(sums->first[s] + c, lanes);
            product[s] = load_lanes(sums->second[s] + c, lanes);
        }
    }
    UNROLL for (int r = 0; r < SUM_GROUP; r++) {
        if (r < rows) {
            ptrdiff_t at = (row + r) * channels + c;
            Vec x = load_lanes(pass->x + at, lanes);
            Vec g = masked_gradient(pass, mask, x, &vectors, at, lanes);
            if (store) {
                write_lanes(pass->masked + at, g, pass->stream_masked, lanes);
            }
            sum[r % SETS] += g;
            product[r % SETS] += g * (x - vectors.mean);
        }
    }
    UNROLL for (int s = 0; s < SETS; s++) {
        if (s < rows) {
            store_lanes(sums->first[s] + c, sum[s], lanes);
            store_lanes(sums->second[s] + c, product[s], lanes);
        }
    }
}

MAP_INLINE void gradient_sums_group(const NormGradient *pass, Mask mask, bool store, ptrdiff_t row,
                                    int rows, int channels, const Sums *sums) {
    int c = 0;
    for (; c + LANES <= channels; c += LANES) {
        gradient_sums_lanes(pass, mask, store, row, rows, channels, sums, c, LANES);
    }
    if (c < channels) {
        gradient_sums_lanes(pass, mask, store, row, rows, channels, sums, c, channels - c);
    }
}

MAP_INLINE void gradient_sums_rows(const NormGradient *pass, Mask mask, bool store, int rows,
                                   int channels, const Sums *sums) {
    if (channels > NARROW_SUM_CHANNELS) {
        for (int r = 0; r < rows; r++) {
            gradient_sums_group(pass, mask, store, r, 1, channels, sums);
        }
    } else {
        int r = 0;
        for (; r + SUM_GROUP <= rows; r += SUM_GROUP) {
            gradient_sums_group(pass, mask, store, r, SUM_GROUP, channels, sums);
        }
        if (r < rows) {
            gradient_sums_group(pass, mask, store, r, rows - r, channels, sums);
        }
    }
}

static void gradient_sums(const NormGradient *given, int rows, int channels, float *sum,
                          float *product) {
    const NormGradient pass = *given; // a copy of our own, which no store can be thought to change
    MoreSums more = {0};
    Sums sums = sums_begin(sum, product, channels, more);
    bool store = pass.masked != NULL;
    switch (mask_of(&pass)) {
    case MASK_NONE:
        gradient_sums_rows(&pass, MASK_NONE, store, rows, channels, &sums);
        break;
    case MASK_OUTPUT:
        gradient_sums_rows(&pass, MASK_OUTPUT, store, rows, channels, &sums);
        break;
    case MASK_AGAIN:
        gradient_sums_rows(&pass, MASK_AGAIN, store, rows, channels, &sums);
        break;
    }
    vec_stream_end();
    sums_finish(&sums, channels);
}

MAP_INLINE void gradient_lanes(const NormGradient *pass, Mask mask, ptrdiff_t row, int rows,
                               int channels, int c, int lanes) {
    ChannelVectors vectors = channel_vectors(pass, mask, c, lanes);
    Vec scale = load_lanes(pass->scale + c, lanes);
    Vec input_factor = load_lanes(pass->input_factor + c, lanes);
    Vec constant = load_lanes(pass->constant + c, lanes);
    UNROLL for (int r = 0; r < APPLY_GROUP; r++) {
        if (r < rows) {
            ptrdiff_t at = (row + r) * channels + c;
            Vec x = load_lanes(pass->x + at, lanes);
            Vec dx = constant;
            dx += masked_gradient(pass, mask, x, &vectors, at, lanes) * scale;
            dx += (x - vectors.mean) * input_factor;
            if (pass->accumulate) {
                put_lanes(pass->input_gradient + at, dx, true, lanes);
            } else {
                write_lanes(pass->input_gradient + at, dx, pass->stream_input_gradient, lanes);
            }
        }
    }
}

MAP_INLINE void gradient_group(const NormGradient *pass, Mask mask, ptrdiff_t row, int rows,
                               int channels) {
    int c = 0;
    for (; c + LANES <= channels; c += LANES) {
        gradient_lanes(pass, mask, row, rows, channels, c, LANES);
    }
    if (c < channels) {
        gradient_lanes(pass, mask, row, rows, channels, c, channels - c);
    }
}

MAP_INLINE void gradient_rows(const NormGradient *pass, Mask mask, int rows, int channels) {
    int r = 0;
    if (channels <= NARROW_APPLY_CHANNELS) {
        for (; r + APPLY_GROUP <= rows; r += APPLY_GROUP) {
            gradient_group(pass, mask, r, APPLY_GROUP, channels);
        }
    }
    for (; r < rows; r++) {
        gradient_group(pass, mask, r, 1, channels);
    }
}

static void gradient(const NormGradient *given, int rows, int channels) {
    const NormGradient pass = *given;
    switch (mask_of(&pass)) {
    case MASK_NONE:
        gradient_rows(&pass, MASK_NONE, rows, channels);
        break;
    case MASK_OUTPUT:
        gradient_rows(&pass, MASK_OUTPUT, rows, channels);
        break;
    case MASK_AGAIN:
        gradient_rows(&pass, MASK_AGAIN, rows, channels);
        break;
    }
    vec_stream_end();
}

extern const NormKernels KERNEL(norm_kernels);

const NormKernels KERNEL(norm_kernels) = {
    .moments = moments,
    .normalise = normalise,
    .gradient_sums = gradient_sums,
    .gradient = gradient,
};
