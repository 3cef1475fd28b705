// SPDX-License-Identifier: Apache-2.0
// The transforms of Winograd's convolution F(4x4, 3x3): stride 1, in tiles of 4 x 4 outputs.
//
//     y = A' [ sum over channels of (G w G') . (B' x B) ] A
//
// x is a tile of 6 x 6 pixels, "." goes element by element, and each of the 36 elements, a *point*,
// is a matrix product of its own over all tiles (ConvTiles do it): 36 multiplications for what
// takes 144 directly. The gradient of the weights is the same product, seen from w:
//
//     dw = G' [ sum over tiles of (B' x B) . (A dy A') ] G
//
// The matrices evaluate polynomials at 0, +-p, +-q and infinity:
//
//     rows of B'   t4 - (p2+q2) t2 + p2 q2;  t (t +- p)(t2 - q2);  t (t +- q)(t2 - p2);  t row 0
//     rows of G    1, 0, 0;  1, +-p, p2;  1, +-q, q2;  0, 0, 1; the first five over the product of
//                  the differences to the other points
//     rows of A    1, 0, 0, 0;  1, +-p, p2, +-p3;  1, +-q, q2, +-q3;  0, 0, 0, 1
//
// (pn is p to the n, t the place of a coefficient.) With p = 5/8 and q = 3/2 all numbers in A and B
// are exact in float, and errors are a quarter of those with the usual 1 and 2: about twice those
// of a direct sum. Smaller tiles, F(2x2), are more exact and measured slower on every shape; F(6x6)
// gains where images are larger than 100 pixels alone, with 8 times the error.
//
// The last point, infinity, is in the last row of A alone: tiles of three outputs do without it,
// and take 30 or 25 multiplications. An image of 14x14 in tiles of 4 + 4 + 3 + 3 has 484 for each
// pair of channels, 576 in 16 whole tiles.
//
// Of many channels the weights, 36 for 9, are read from memory more slowly than they are used. Such
// layers keep w in memory and make G w G' where they multiply, without the divisors,
//
//     1, 0, 0;  1, +-p, p2;  1, +-q, q2;  0, 0, 1
//
// which A then has.
//
// The stem, 7x7 and stride 2, is the sum of four convolutions of stride 1, one for the even and odd
// rows and columns of its kernel and image, with 4 taps or 3 (and a zero) along each axis. They are
// channels of one F(4x4, 4x4), so that the sum over channels adds them: 49 multiplications for 16
// outputs and each of 4 image channels' phases, for what takes 2352/12 of them directly. Its points
// are 0, +-1/2, +-1, +-2, its errors about twice those of a direct sum.
#ifndef RESNET_BACKEND_CPU_KERNELS_WINOGRAD_KERNELS_H
#define RESNET_BACKEND_CPU_KERNELS_WINOGRAD_KERNELS_H

#include <stdbool.h>
#include <stddef.h>

enum {
    WINOGRAD_OUTPUTS = 4, // of a tile, along each axis
    WINOGRAD_SIDE = 6,    // pixels that they see
    WINOGRAD_POINTS = WINOGRAD_SIDE * WINOGRAD_SIDE,
    WINOGRAD_TAPS = 9,
    WINOGRAD_QUAD = 4, // tiles that are multiplied together, from taps
    STEM_SIDE = 7,
    STEM_POINTS = STEM_SIDE * STEM_SIDE
};

// G' m G of sums over tiles: in double, rounded once.
typedef struct WinogradWeightSums {
    const float *from;    // [point][element]
    ptrdiff_t point, tap; // floats from point to point, from tap to tap
    float *to;            // [tap][element]
    int count;            // of elements, a multiple of 16
} WinogradWeightSums;

// A' s A of one tile's sums, and what a convolution ends with.
typedef struct WinogradOutput {
    const float *from;     // [point][lane]; whole blocks of lanes
    ptrdiff_t point;       // floats from point to point
    int lanes;             // output channels to write
    int rows, columns;     // 1 … 4, of the tile's outputs that lie in the image
    const float *start;    // added, whole blocks of lanes; NULL for none
    const float *residual; // added, laid out as output; NULL for none
    float *output;
    ptrdiff_t row, column; // floats from row to row and column to column of the output
    bool relu;
    bool scaled; // sums lack the divisors of G
} WinogradOutput;

// G w G' for up to 16 channels and 16 lanes: in double, rounded once.
typedef struct WinogradWeights {
    const float *from;       // the nine taps of lane 0 of channel 0
    ptrdiff_t lane, channel; // floats from lane to lane, from channel to channel
    int lanes, channels;     // that exist; the other lanes become zeros
    bool turned;             // by half a turn: backward to the input
    const double *factor;    // [lane], for all taps; NULL for ones
    float *to;               // [point][channel][16]
    ptrdiff_t point, width;  // floats from point to point, from channel to channel
} WinogradWeights;

// B' x B of one of a stem's tiles: 7 x 7 pixels of one block, 16 floats from pixel to pixel.
typedef struct StemInput {
    const float *from;
    ptrdiff_t row; // floats from row to row
    float *to;
    ptrdiff_t point; // floats from point to point
} StemInput;

// Tiles begin … end-1.
typedef struct WinogradRange {
    int begin, end;
} WinogradRange;

// What channels add to the sums of a row of six points and 16 lanes, from taps. Room for tiles is
// in whole quads, and some beyond the range may be multiplied with them.
typedef struct WinogradTapsRow {
    const float *taps, *input; // [channel][9][16]; [block][6][tile][16], at the row
    int row, channels;         // of points
    WinogradRange tiles, last; // that have the row's points but for the last, and the last
    ptrdiff_t plane, point;    // floats from block to block of input, and from point to point
    float *sums;               // [6][tile][16], `point` floats from point to point
    bool resume;               // add to what sums hold
    const float *fetch;        // as many lines as a sixth of the taps, to the second cache
} WinogradTapsRow;

// p and q, exact in float.
#define WINOGRAD_P 0.625f
#define WINOGRAD_Q 1.5f

struct WinogradKernels {
    // B' x B of tiles side by side, for 16 channels. A strip holds the pixels that they see:
    // [row][column][16], `row` floats from row to row; the next tile begins `step` floats further.
    // `to`: point 0 of the first tile, the next one 16 floats further; `point` floats lie between
    // points.
    void (*input)(const float *strip, ptrdiff_t row, ptrdiff_t step, int tiles, float *to,
                  ptrdiff_t point);
    // A dy A' of tiles side by side of an output's gradient, which backward to the weights
    // multiplies B' x B with. The strip holds their own pixels.
    void (*gradient)(const float *strip, ptrdiff_t row, ptrdiff_t step, int tiles, float *to,
                     ptrdiff_t point);
    void (*output)(const WinogradOutput *tile);
    void (*weights)(const WinogradWeights *weights);
    void (*taps_row)(const WinogradTapsRow *row);
    void (*weight_sums)(const WinogradWeightSums *sums);
    void (*stem_input)(const StemInput *tile);
    void (*stem_output)(const WinogradOutput *tile);
};

typedef struct WinogradKernels WinogradKernels;

#endif
