// SPDX-License-Identifier: Apache-2.0
// Error bounds of the Winograd path, derived for each element.
//
// Every rounding of the path changes the result by at most 2^-24 of what the same
// formula gives when all its terms are taken by size,
//
//     m = |A'| [ sum over channels of (|G| |w| |G'|) . (|B'| |x| |B|) ] |A|
//
// and an output passes through at most 6 roundings of its input's transform, 5 of weights that are
// made from taps (of others 1), one for each channel, 8 of the output's transform, 3 at the end and
// 3 in what is folded. A
// gradient of weights passes through 6 of both transforms, one for each tile and chunk, and 1.
#ifndef RESNET_TESTS_OPS_WINOGRAD_BOUNDS_H
#define RESNET_TESTS_OPS_WINOGRAD_BOUNDS_H

#include "ops/conv_case.h"

enum { SIDE = 6, OUTPUTS = 4, POINTS = SIDE * SIDE, ROUNDINGS = 6 + 5 + 8 + 3 + 3 };

typedef struct Case {
    int batch, channels, height, width, out_channels;
    bool usual;     // a layer of the usual networks: its error is printed
    bool inference; // alone: for a form of the weights that training does not have
} Case;

// What is done: a training step's forward and backward to the input, or fused inference.
typedef struct Mode {
    bool fused, bias, accumulate;
} Mode;

typedef struct Data {
    const Case *c;
    Mode mode;
    Node nodes[2];
    ConvArrays a;
} Data;

// What is compared.
typedef enum What { WHAT_Y, WHAT_DX, WHAT_DW, WHATS } What;

static double *reals(size_t count, const float *from) {
    double *values = calloc(count, sizeof(double));
    assert_non_null(values);
    for (size_t i = 0; from != NULL && i < count; i++) {
        values[i] = from[i];
    }
    return values;
}

// The matrices by size, from their points.
static double size_a[OUTPUTS][SIDE], size_b[SIDE][SIDE], size_g[SIDE][3];

static void find_matrices(void) {
    const double points[SIDE - 1] = {0, 0.625, -0.625, 1.5, -1.5};
    for (int i = 0; i < SIDE; i++) { // row SIDE - 1: infinity
        double product[SIDE] = {1}, divisor = 1;
        int degree = 0;
        for (int j = 0; j < SIDE - 1; j++) {
            if (j == i) {
                continue;
            }
            degree++;
            for (int k = degree; k > 0; k--) {
                product[k] = product[k - 1] - points[j] * product[k];
            }
            product[0] *= -points[j];
            divisor *= i < SIDE - 1 ? points[i] - points[j] : 1;
        }
        for (int k = 0; k < SIDE; k++) {
            size_b[i][k] = fabs(product[k]);
        }
        for (int k = 0; k < 3; k++) {
            size_g[i][k] = i < SIDE - 1 ? fabs(pow(points[i], k) / divisor) : k == 2;
        }
        for (int k = 0; k < OUTPUTS; k++) {
            size_a[k][i] = i < SIDE - 1 ? fabs(pow(points[i], k)) : k == OUTPUTS - 1;
        }
    }
}

// m of a convolution from `depth` to `lanes` channels, of one image. size(n, c, tap): |w|.
typedef double WeightSize(const Data *d, int lane, int channel, int tap);

static double forward_size(const Data *d, int lane, int channel, int tap) {
    const double w = d->a.w[(lane * d->c->channels + channel) * 9 + tap];
    const double scale = d->a.norm[0][lane] / sqrt(d->a.norm[3][lane] + 1e-5);
    return fabs(d->mode.fused ? w * scale : w);
}

static double backward_size(const Data *d, int lane, int channel, int tap) {
    return fabs(d->a.w[(channel * d->c->channels + lane) * 9 + 8 - tap]);
}

// Where tile i begins along an axis. Those that make a map, not a gradient of weights, are cut into
// tiles of four and of three outputs.
static int begin_of(int i, int extent, bool even) {
    const int left = extent - 3 * ((extent + 3) / 4), fours = left > 0 ? left : 0;
    return even ? 3 * i + (i < fours ? i : fours) : 4 * i;
}

static int tiles_of(const Data *d) { return (d->c->width + 3) / 4 * ((d->c->height + 3) / 4); }

// |B'| |x| |B|, or |A| |x| |A'| of a gradient, of one image: [tile][channel][point].
static double *tile_sizes(const Data *d, const float *x, int depth, bool even, bool gradient) {
    const int height = d->c->height, width = d->c->width, tile_columns = (width + 3) / 4;
    const int side = gradient ? OUTPUTS : SIDE, pad = gradient ? 0 : 1;
    double *sizes = reals((size_t)(tiles_of(d) * depth * POINTS), NULL);
    for (int t = 0; t < tiles_of(d); t++) {
        for (int i = 0; i < side * side; i++) {
            const int y = begin_of(t / tile_columns, height, even) - pad + i / side,
                      xx = begin_of(t % tile_columns, width, even) - pad + i % side;
            if (y < 0 || y >= height || xx < 0 || xx >= width) {
                continue;
            }
            for (int c = 0; c < depth; c++) {
                const double value = fabs(x[(y * width + xx) * depth + c]);
                for (int p = 0; p < POINTS; p++) {
                    const double size =
                        gradient ? size_a[i / side][p / SIDE] * size_a[i % side][p % SIDE]
                                 : size_b[p / SIDE][i / side] * size_b[p % SIDE][i % side];
                    sizes[(t * depth + c) * POINTS + p] += size * value;
                }
            }
        }
    }
    return sizes;
}

static void sizes_of_image(const Data *d, const float *x, int depth, int lanes, WeightSize *size,
                           double *m) {
    const int height = d->c->height, width = d->c->width;
    const int tile_columns = (width + 3) / 4, tiles = tiles_of(d);
    double *input = tile_sizes(d, x, depth, true, false);
    double *kernel = reals((size_t)(depth * POINTS), NULL);
    for (int n = 0; n < lanes; n++) {
        for (int i = 0; i < depth * POINTS; i++) {
            kernel[i] = 0;
            for (int tap = 0; tap < 9; tap++) {
                kernel[i] += size_g[i % POINTS / SIDE][tap / 3] * size_g[i % SIDE][tap % 3] *
                             size(d, n, i / POINTS, tap);
            }
        }
        for (int t = 0; t < tiles; t++) {
            double sums[POINTS] = {0};
            for (int c = 0; c < depth; c++) {
                for (int p = 0; p < POINTS; p++) {
                    sums[p] += kernel[c * POINTS + p] * input[(t * depth + c) * POINTS + p];
                }
            }
            const int row = t / tile_columns, column = t % tile_columns;
            const int y_end = begin_of(row + 1, height, true);
            const int x_end = begin_of(column + 1, width, true);
            for (int i = 0; i < OUTPUTS * OUTPUTS; i++) {
                const int y = begin_of(row, height, true) + i / 4;
                const int xx = begin_of(column, width, true) + i % 4;
                const bool inside = y < height && xx < width && y < y_end && xx < x_end;
                for (int p = 0; p < POINTS && inside; p++) {
                    m[(y * width + xx) * lanes + n] +=
                        size_a[i / 4][p / SIDE] * size_a[i % 4][p % SIDE] * sums[p];
                }
            }
        }
    }
    free(input);
    free(kernel);
}

static double *weight_bounds(const Data *d) {
    const Case *c = d->c;
    const int tiles = tiles_of(d), in = c->channels, out = c->out_channels;
    enum { CHUNKS_MOST = 16 };
    double *m = reals(d->a.weights, NULL), *sums = reals(d->a.weights / 9 * POINTS, NULL);
    for (int image = 0; image < c->batch; image++) {
        const int pixels = image * c->height * c->width;
        double *x = tile_sizes(d, d->a.x + (size_t)(pixels * in), in, false, false);
        double *dy = tile_sizes(d, d->a.dy + (size_t)(pixels * out), out, false, true);
        for (int i = 0; i < out * in; i++) {
            for (int t = 0; t < tiles; t++) {
                const double *a = x + (t * in + i % in) * POINTS;
                const double *b = dy + (t * out + i / in) * POINTS;
                for (int p = 0; p < POINTS; p++) {
                    sums[i * POINTS + p] += a[p] * b[p];
                }
            }
        }
        free(x);
        free(dy);
    }
    for (size_t i = 0; i < d->a.weights; i++) {
        for (int p = 0; p < POINTS; p++) {
            m[i] += size_g[p / SIDE][i % 9 / 3] * size_g[p % SIDE][i % 3] *
                    sums[i / 9 * POINTS + (size_t)p];
        }
        m[i] *= (tiles * c->batch + CHUNKS_MOST + 6 + 6 + 1) * 0x1p-24;
    }
    free(sums);
    return m;
}

// The bound of every element.
static double *bounds(const Data *d, What what) {
    const Case *c = d->c;
    if (what == WHAT_DW) {
        return weight_bounds(d);
    }
    const bool backward = what == WHAT_DX;
    const int depth = backward ? c->out_channels : c->channels;
    const int lanes = backward ? c->channels : c->out_channels;
    const size_t pixels = (size_t)(c->height * c->width);
    double *m = reals(backward ? d->a.in : d->a.out, NULL);
    for (int image = 0; image < c->batch; image++) {
        sizes_of_image(d, (backward ? d->a.dy : d->a.x) + (size_t)image * pixels * (size_t)depth,
                       depth, lanes, backward ? backward_size : forward_size,
                       m + (size_t)image * pixels * (size_t)lanes);
    }
    for (size_t i = 0; i < (backward ? d->a.in : d->a.out); i++) {
        const double ends =
            backward ? 1 : 2 + 1 + (d->mode.fused ? 4 : 0); // what is added, by size
        m[i] = (m[i] + ends) * (depth + ROUNDINGS) * 0x1p-24;
    }
    return m;
}

#endif
