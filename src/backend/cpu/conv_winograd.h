// SPDX-License-Identifier: Apache-2.0
// What forward and backward of the Winograd path share: tiles and their transform.
#ifndef RESNET_BACKEND_CPU_CONV_WINOGRAD_H
#define RESNET_BACKEND_CPU_CONV_WINOGRAD_H

#include "backend/cpu/conv.h"
#include "backend/cpu/kernels/winograd_kernels.h"

// The tiles of outputs of all images, one after the other.
typedef struct WinogradTiles {
    int height, width; // of an image
    int rows, columns; // of tiles in an image
    int count;         // of all
} WinogradTiles;

// Where a tile of outputs begins.
typedef struct WinogradPlace {
    int image, y, x;
} WinogradPlace;

static inline int winograd_tiles_along(int extent) {
    return (extent + WINOGRAD_OUTPUTS - 1) / WINOGRAD_OUTPUTS;
}

static inline WinogradTiles winograd_tiles(int batch, int height, int width) {
    const int rows = winograd_tiles_along(height), columns = winograd_tiles_along(width);
    return (WinogradTiles){height, width, rows, columns, batch * rows * columns};
}

static inline WinogradPlace winograd_place(const WinogradTiles *tiles, int tile) {
    const int in_image = tile % (tiles->rows * tiles->columns);
    return (WinogradPlace){tile / (tiles->rows * tiles->columns),
                           in_image / tiles->columns * WINOGRAD_OUTPUTS,
                           in_image % tiles->columns * WINOGRAD_OUTPUTS};
}

// Distances that are an odd number of lines do not fall in the same sets of a cache.
static inline ptrdiff_t winograd_odd_lines(ptrdiff_t floats) {
    return (floats / CONV_BLOCK | 1) * CONV_BLOCK;
}

// Some channels of all images.
typedef struct WinogradSource {
    const Kernels *kernels;
    const WinogradTiles *tiles;
    const float *images;
    int pixel;           // floats from pixel to pixel
    int first, channels; // the channels to read
} WinogradSource;

// Transforms the input of tiles t0 … t1-1 to [point][block][tile][16], `point` floats from point to
// point and `plane` from block to block. `zeros`: as many as channels.
void winograd_transform_input(const WinogradSource *source, int t0, int t1, const float *zeros,
                              ptrdiff_t point, ptrdiff_t plane, float *to);

// What a convolution makes, and what it ends with.
typedef struct WinogradTarget {
    const Kernels *kernels;
    const WinogradTiles *tiles;
    int lanes;                     // channels of all
    const float *start, *residual; // or NULL
    float *out;
    bool relu;
    bool scaled; // see WinogradOutput
} WinogradTarget;

// Transforms the sums of tiles t0 … t1-1 back and writes the lanes first … first+width-1 of them,
// as far as they exist: [point][tile][lane], `point` floats from point to point.
void winograd_transform_sums(const WinogradTarget *target, int first, int width, int t0, int t1,
                             const float *sums, ptrdiff_t point);

// ---------------------------------------------------------------- conv_winograd_few.c

// Whether weights are halved (winograd_kernels.h) at inference: many of them for few tiles. They
// stay so where a pass has one image; else they are expanded when they are packed.
bool winograd_few(const ConvGeometry *g, Phase phase);
// Halved weights, in floats, and bytes of workspace for each worker.
size_t winograd_few_floats(const ConvGeometry *g);
size_t winograd_few_bytes(const ConvGeometry *g);
// `factor`: of each output channel, or NULL.
void winograd_few_prepare(const ConvGeometry *g, const Call *call, const double *factor, float *to,
                          const Kernels *kernels);
// Of one image.
void winograd_few_run(const ConvGeometry *g, const Call *call, const float *weights,
                      const float *start, const Kernels *kernels);

#endif
