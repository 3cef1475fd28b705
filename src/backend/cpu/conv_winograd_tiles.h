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
    // The first so many rows and columns of tiles have four outputs; those after them have three,
    // which do without the last point of their row or column.
    int high, wide;
    int count; // of all
} WinogradTiles;

// A tile of outputs: where it begins, and how many of its rows and columns lie in the image.
typedef struct WinogradPlace {
    int image, row, column; // of tiles
    int y, x, height, width;
} WinogradPlace;

static inline int winograd_tiles_along(int extent) {
    return (extent + WINOGRAD_OUTPUTS - 1) / WINOGRAD_OUTPUTS;
}

// Tiles of four outputs; what is left is in the last ones.
static inline WinogradTiles winograd_tiles(int batch, int height, int width) {
    const int rows = winograd_tiles_along(height), columns = winograd_tiles_along(width);
    return (WinogradTiles){height, width, rows, columns, rows, columns, batch * rows * columns};
}

// As many tiles, of four and of three outputs: 14 are 4 + 4 + 3 + 3.
static inline WinogradTiles winograd_even_tiles(int batch, int height, int width) {
    WinogradTiles tiles = winograd_tiles(batch, height, width);
    const int high = height - (WINOGRAD_OUTPUTS - 1) * tiles.rows;
    const int wide = width - (WINOGRAD_OUTPUTS - 1) * tiles.columns;
    tiles.high = high > 0 ? high : 0;
    tiles.wide = wide > 0 ? wide : 0;
    return tiles;
}

// The first output of tile i along an axis whose first `fours` tiles have four.
static inline int winograd_begin(int i, int fours) {
    return (WINOGRAD_OUTPUTS - 1) * i + (i < fours ? i : fours);
}

static inline WinogradPlace winograd_place(const WinogradTiles *tiles, int tile) {
    const int in_image = tile % (tiles->rows * tiles->columns);
    WinogradPlace at = {.image = tile / (tiles->rows * tiles->columns),
                        .row = in_image / tiles->columns,
                        .column = in_image % tiles->columns};
    at.y = winograd_begin(at.row, tiles->high);
    at.x = winograd_begin(at.column, tiles->wide);
    at.height = winograd_begin(at.row + 1, tiles->high) - at.y;
    at.width = winograd_begin(at.column + 1, tiles->wide) - at.x;
    at.height = at.height < tiles->height - at.y ? at.height : tiles->height - at.y;
    at.width = at.width < tiles->width - at.x ? at.width : tiles->width - at.x;
    return at;
}

// Where tiles t0 … t1-1 lie in a block: so that those which have a point lie side by side, in
// slots. First those of four rows and three columns, then 4x4, 3x4 and 3x3.
enum { WINOGRAD_BLOCK_MAX = 28 };
typedef struct WinogradOrder {
    uint8_t slots[WINOGRAD_BLOCK_MAX];   // of each tile
    WinogradRange all, high, wide, full; // slots of any; of four rows; of four columns; of both
} WinogradOrder;

WinogradOrder winograd_order(const WinogradTiles *tiles, int t0, int t1);

// The slots whose tiles have a point.
static inline WinogradRange winograd_range(const WinogradOrder *order, int row, int column) {
    const bool low = row == WINOGRAD_SIDE - 1, right = column == WINOGRAD_SIDE - 1;
    return low ? (right ? order->full : order->high) : (right ? order->wide : order->all);
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
// output's gradient, to [point][block][slot][16], `point` floats from point to point and `plane`
// from block to block. `order`: NULL where tiles lie as they come. `strip`: room for
// WINOGRAD_STRIP_FLOATS.
void winograd_transform(const WinogradSource *source, bool gradient, int t0, int t1,
                        const WinogradOrder *order, float *strip, ptrdiff_t point, ptrdiff_t plane,
                        float *to);

// What tiles need of a map: to read the pixels that their outputs see, or the outputs' own (what is
// added to them), or to write those.
typedef enum WinogradUse { WINOGRAD_SEE, WINOGRAD_ADD, WINOGRAD_WRITE } WinogradUse;

// What some tiles will need, fetched to cache piece by piece while other tiles are multiplied:
// transforms would otherwise wait for memory, as they touch it in no order that hardware guesses,
// and many requests at once hold up all others.
typedef struct WinogradAhead {
    const WinogradSource *source;
    WinogradUse use;
    int tile, end;     // the tiles
    int row, rate;     // of `tile`; rows for each step
    int rows, columns; // of `tile`, by its first row
    const float *from;
} WinogradAhead;

// Tiles t0 … t1-1, as far as there are so many, in about that many steps.
WinogradAhead winograd_ahead(const WinogradSource *source, WinogradUse use, int t0, int t1,
                             int steps);
// Fetches the next rows, if any are left.
void winograd_ahead_rows(WinogradAhead *ahead);
static inline void winograd_ahead_step(WinogradAhead *ahead) {
    if (ahead->tile < ahead->end) {
        winograd_ahead_rows(ahead);
    }
}

// Transformed tiles times transformed weights: each point is a matrix product of its own.
typedef struct WinogradProducts {
    const Kernels *kernels;
    int points, depth, lanes; // channels summed over and channels made
    const float *weights;     // [panel][point][channel][lane]
    // Floats from block to block and point to point of the tiles, and from point to point of sums.
    ptrdiff_t plane, input_point, sum_point;
} WinogradProducts;

// The sums [point][slot][lane] of one panel from tiles [point][block][slot][16]: of all `tiles`
// slots, or where there is an `order` of those that have the point. `ahead` is stepped once for
// each point.
void winograd_multiply(const WinogradProducts *products, int panel, int tiles,
                       const WinogradOrder *order, const float *input, float *sums,
                       WinogradAhead ahead[], int aheads);

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
// as far as they exist: [point][slot][lane], `point` floats from point to point.
void winograd_transform_sums(const WinogradTarget *target, int first, int width, int t0, int t1,
                             const WinogradOrder *order, const float *sums, ptrdiff_t point);

#endif
