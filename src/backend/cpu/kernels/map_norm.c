// SPDX-License-Identifier: Apache-2.0
// Batch normalisation's passes over memory. Rows are taken in groups, one vector of channels at a
// time, so that what belongs to a channel is loaded once for a group.
#include "backend/cpu/kernels/map_kernels.h"

#include "backend/cpu/kernels/map_vector.h"

enum {
    GROUP = 8,           // rows of a group in sums
    SETS = 2,            // sums of rows in flight: row r goes to set r % SETS
    BLOCK_CHANNELS = 256, // channels whose sums are kept on the stack at a time
    APPLY_GROUP = 4      // rows of a group in the passes that write
};

// The sums of a block of channels. They live in memory between groups, in the first level cache.
typedef struct Sums {
    float first[SETS][BLOCK_CHANNELS], second[SETS][BLOCK_CHANNELS];
} Sums;

static void sums_finish(const Sums *sums, int channels, float *first, float *second) {
    for (int c = 0; c < channels; c++) {
        first[c] = sums->first[0][c] + sums->first[1][c];
        second[c] = sums->second[0][c] + sums->second[1][c];
    }
}

MAP_INLINE int smaller(int a, int b) { return a < b ? a : b; }

static void pivot_rows(const float *x, int rows, int stride, int channels, float *pivot) {
    rows = smaller(rows, GROUP);
    for (int c = 0; c < channels; c++) {
        float sum = x[c];
        for (int r = 1; r < rows; r++) {
            sum += x[(ptrdiff_t)r * stride + c];
        }
        pivot[c] = sum / (float)rows;
    }
}

MAP_INLINE void moments_group(const float *x, ptrdiff_t stride, int rows, const float *pivot,
                              Sums *sums, int c, int lanes) {
    Vec middle = load_lanes(pivot + c, lanes);
    Vec sum[SETS], square[SETS];
    UNROLL for (int s = 0; s < SETS; s++) {
        sum[s] = vec_load(&sums->first[s][c]);
        square[s] = vec_load(&sums->second[s][c]);
    }
    UNROLL for (int r = 0; r < GROUP; r++) {
        if (r < rows) {
            Vec distance = load_lanes(x + r * stride + c, lanes) - middle;
            sum[r % SETS] += distance;
            square[r % SETS] += distance * distance;
        }
    }
    UNROLL for (int s = 0; s < SETS; s++) {
        vec_store(&sums->first[s][c], sum[s]);
        vec_store(&sums->second[s][c], square[s]);
    }
}

MAP_INLINE void moments_row(const float *x, ptrdiff_t stride, int rows, int channels,
                            const float *pivot, Sums *sums) {
    int c = 0;
    for (; c + LANES <= channels; c += LANES) {
        moments_group(x, stride, rows, pivot, sums, c, LANES);
    }
    if (c < channels) {
        moments_group(x, stride, rows, pivot, sums, c, channels - c);
    }
}

static void moments(const float *x, int rows, int channels, float *pivot, float *sum,
                    float *square) {
    for (int block = 0; block < channels; block += BLOCK_CHANNELS) {
        int width = smaller(channels - block, BLOCK_CHANNELS);
        const float *from = x + block;
        Sums sums = {0};
        pivot_rows(from, rows, channels, width, pivot + block);
        int r = 0;
        for (; r + GROUP <= rows; r += GROUP) {
            moments_row(from + (ptrdiff_t)r * channels, channels, GROUP, width, pivot + block,
                        &sums);
        }
        if (r < rows) {
            moments_row(from + (ptrdiff_t)r * channels, channels, rows - r, width, pivot + block,
                        &sums);
        }
        sums_finish(&sums, width, sum + block, square + block);
    }
}

// What forward computes and backward computes again for its mask: the same expression in one place.
MAP_INLINE Vec normal(Vec x, Vec mean, Vec scale, Vec shift) { return (x - mean) * scale + shift; }

MAP_INLINE void normalise_group(float *y, const float *x, const float *residual, const float *mean,
                                const float *scale, const float *shift, int rows, int channels,
                                bool relu, int c, int lanes) {
    Vec means = load_lanes(mean + c, lanes);
    Vec scales = load_lanes(scale + c, lanes);
    Vec shifts = load_lanes(shift + c, lanes);
    UNROLL for (int r = 0; r < APPLY_GROUP; r++) {
        if (r < rows) {
            ptrdiff_t at = (ptrdiff_t)r * channels + c;
            Vec value = normal(load_lanes(x + at, lanes), means, scales, shifts);
            if (residual != NULL) {
                value += load_lanes(residual + at, lanes);
            }
            store_lanes(y + at, relu ? vec_relu(value) : value, lanes);
        }
    }
}

MAP_INLINE void normalise_rows(float *y, const float *x, const float *residual, const float *mean,
                               const float *scale, const float *shift, int rows, int channels,
                               bool relu) {
    int c = 0;
    for (; c + LANES <= channels; c += LANES) {
        normalise_group(y, x, residual, mean, scale, shift, rows, channels, relu, c, LANES);
    }
    if (c < channels) {
        normalise_group(y, x, residual, mean, scale, shift, rows, channels, relu, c, channels - c);
    }
}

MAP_INLINE void normalise_all(float *y, const float *x, const float *residual, const float *mean,
                              const float *scale, const float *shift, int rows, int channels,
                              bool relu) {
    ptrdiff_t step = (ptrdiff_t)APPLY_GROUP * channels;
    for (; rows >= APPLY_GROUP; rows -= APPLY_GROUP) {
        normalise_rows(y, x, residual, mean, scale, shift, APPLY_GROUP, channels, relu);
        y += step;
        x += step;
        residual = residual == NULL ? NULL : residual + step;
    }
    if (rows > 0) {
        normalise_rows(y, x, residual, mean, scale, shift, rows, channels, relu);
    }
}

static void normalise(float *y, const float *x, const float *residual, const float *mean,
                      const float *scale, const float *shift, int rows, int channels, bool relu) {
    if (residual != NULL) {
        normalise_all(y, x, residual, mean, scale, shift, rows, channels, relu);
    } else {
        normalise_all(y, x, NULL, mean, scale, shift, rows, channels, relu);
    }
}

// Where the ReLU's mask comes from; a literal wherever it is passed on.
typedef enum Mask { MASK_NONE, MASK_OUTPUT, MASK_AGAIN } Mask;

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

MAP_INLINE void gradient_sums_group(const NormGradient *pass, Mask mask, ptrdiff_t row, int rows,
                                    int channels, int block, Sums *sums, int c, int lanes) {
    ChannelVectors vectors = channel_vectors(pass, mask, block + c, lanes);
    Vec sum[SETS], product[SETS];
    UNROLL for (int s = 0; s < SETS; s++) {
        sum[s] = vec_load(&sums->first[s][c]);
        product[s] = vec_load(&sums->second[s][c]);
    }
    UNROLL for (int r = 0; r < GROUP; r++) {
        if (r < rows) {
            ptrdiff_t at = (row + r) * channels + block + c;
            Vec x = load_lanes(pass->x + at, lanes);
            Vec g = masked_gradient(pass, mask, x, &vectors, at, lanes);
            if (pass->masked != NULL) {
                store_lanes(pass->masked + at, g, lanes);
            }
            sum[r % SETS] += g;
            product[r % SETS] += g * (x - vectors.mean);
        }
    }
    UNROLL for (int s = 0; s < SETS; s++) {
        vec_store(&sums->first[s][c], sum[s]);
        vec_store(&sums->second[s][c], product[s]);
    }
}

MAP_INLINE void gradient_sums_rows(const NormGradient *pass, Mask mask, ptrdiff_t row, int rows,
                                   int channels, int block, int width, Sums *sums) {
    int c = 0;
    for (; c + LANES <= width; c += LANES) {
        gradient_sums_group(pass, mask, row, rows, channels, block, sums, c, LANES);
    }
    if (c < width) {
        gradient_sums_group(pass, mask, row, rows, channels, block, sums, c, width - c);
    }
}

MAP_INLINE void gradient_sums_all(const NormGradient *pass, Mask mask, int rows, int channels,
                                  float *sum, float *product) {
    for (int block = 0; block < channels; block += BLOCK_CHANNELS) {
        int width = smaller(channels - block, BLOCK_CHANNELS);
        Sums sums = {0};
        int r = 0;
        for (; r + GROUP <= rows; r += GROUP) {
            gradient_sums_rows(pass, mask, r, GROUP, channels, block, width, &sums);
        }
        if (r < rows) {
            gradient_sums_rows(pass, mask, r, rows - r, channels, block, width, &sums);
        }
        sums_finish(&sums, width, sum + block, product + block);
    }
}

static void gradient_sums(const NormGradient *pass, int rows, int channels, float *sum,
                          float *product) {
    if (!pass->relu) {
        gradient_sums_all(pass, MASK_NONE, rows, channels, sum, product);
    } else if (pass->output != NULL) {
        gradient_sums_all(pass, MASK_OUTPUT, rows, channels, sum, product);
    } else {
        gradient_sums_all(pass, MASK_AGAIN, rows, channels, sum, product);
    }
}

MAP_INLINE void gradient_group(const NormGradient *pass, Mask mask, ptrdiff_t row, int rows,
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
            put_lanes(pass->input_gradient + at, dx, pass->accumulate, lanes);
        }
    }
}

MAP_INLINE void gradient_rows(const NormGradient *pass, Mask mask, ptrdiff_t row, int rows,
                              int channels) {
    int c = 0;
    for (; c + LANES <= channels; c += LANES) {
        gradient_group(pass, mask, row, rows, channels, c, LANES);
    }
    if (c < channels) {
        gradient_group(pass, mask, row, rows, channels, c, channels - c);
    }
}

MAP_INLINE void gradient_all(const NormGradient *pass, Mask mask, int rows, int channels) {
    int r = 0;
    for (; r + APPLY_GROUP <= rows; r += APPLY_GROUP) {
        gradient_rows(pass, mask, r, APPLY_GROUP, channels);
    }
    if (r < rows) {
        gradient_rows(pass, mask, r, rows - r, channels);
    }
}

static void gradient(const NormGradient *pass, int rows, int channels) {
    if (!pass->relu) {
        gradient_all(pass, MASK_NONE, rows, channels);
    } else if (pass->output != NULL) {
        gradient_all(pass, MASK_OUTPUT, rows, channels);
    } else {
        gradient_all(pass, MASK_AGAIN, rows, channels);
    }
}

extern const NormKernels KERNEL(norm_kernels);

const NormKernels KERNEL(norm_kernels) = {
    .moments = moments,
    .normalise = normalise,
    .gradient_sums = gradient_sums,
    .gradient = gradient,
};
