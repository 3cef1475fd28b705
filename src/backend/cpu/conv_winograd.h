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

#endif
