// SPDX-License-Identifier: Apache-2.0
// What all Winograd convolutions share: tiles, their transforms and products, and what is fetched
// ahead.
#ifndef RESNET_BACKEND_CPU_CONV_WINOGRAD_TILES_H
#define RESNET_BACKEND_CPU_CONV_WINOGRAD_TILES_H

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
    const float *images; // or what becomes of them
    int pixel;           // floats from pixel to pixel
    int first, channels; // the channels to read
} WinogradSource;

// What is transformed is first copied, a few tiles of 16 channels at a time, to a strip in the
// first cache: it is read in the order of memory, padding is zeros there, and pixels lie a constant
// apart.
enum {
    WINOGRAD_STRIP_TILES = 8,
    WINOGRAD_STRIP_FLOATS =
        WINOGRAD_SIDE * (WINOGRAD_STRIP_TILES * WINOGRAD_OUTPUTS + 2) * CONV_BLOCK
};

// Transforms what tiles t0 … t1-1 see of an input, or for `gradient` their own pixels of an
// output's gradient, to [point][block][tile][16], `point` floats from point to point and `plane`
// from block to block. `strip`: room for WINOGRAD_STRIP_FLOATS.
void winograd_transform(const WinogradSource *source, bool gradient, int t0, int t1, float *strip,
                        ptrdiff_t point, ptrdiff_t plane, float *to);

// What some tiles will read (what their outputs see) or write (the outputs), fetched to cache piece
// by piece while other tiles are multiplied: transforms would otherwise wait for memory, as they
// touch it in no order that hardware guesses, and many requests at once hold up all others.
typedef struct WinogradAhead {
    const WinogradSource *source;
    bool write;
    int tile, end;     // the tiles
    int row, rate;     // of `tile`; rows for each step
    int rows, columns; // of `tile`, by its first row
    const float *from;
} WinogradAhead;

// Tiles t0 … t1-1, as far as there are so many, in about that many steps.
WinogradAhead winograd_ahead(const WinogradSource *source, bool write, int t0, int t1, int steps);
void winograd_ahead_step(WinogradAhead *ahead);

// Transformed tiles times transformed weights: each point is a matrix product of its own.
typedef struct WinogradProducts {
    const Kernels *kernels;
    int points, depth, lanes; // channels summed over and channels made
    const float *weights;     // [panel][point][channel][lane]
    // Floats from block to block and point to point of the tiles, and from point to point of sums.
    ptrdiff_t plane, input_point, sum_point;
} WinogradProducts;

// The sums [point][tile][lane] of one panel from tiles [point][block][tile][16]. `ahead` is stepped
// once for each point.
void winograd_multiply(const WinogradProducts *products, int panel, int tiles, const float *input,
                       float *sums, WinogradAhead ahead[], int aheads);

// What a convolution makes, and what it ends with.
typedef struct WinogradTarget {
    void (*output)(const WinogradOutput *tile); // the kernel that transforms sums back
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

#endif
