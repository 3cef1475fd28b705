// SPDX-License-Identifier: Apache-2.0
// Which tiles each instruction set has: the most rows for each width, as literals for the tiles'
// loops and as lists for the tables.
#ifndef RESNET_BACKEND_CPU_KERNELS_CONV_ROWS_H
#define RESNET_BACKEND_CPU_KERNELS_CONV_ROWS_H

#include "backend/cpu/kernels/vector.h"

#define ROWS_2(X, units) X(1, units) X(2, units)
#define ROWS_6(X, units) ROWS_2(X, units) X(3, units) X(4, units) X(5, units) X(6, units)
#define ROWS_8(X, units) ROWS_6(X, units) X(7, units) X(8, units)
#define ROWS_14(X, units)                                                                          \
    ROWS_8(X, units)                                                                               \
    X(9, units) X(10, units) X(11, units) X(12, units) X(13, units) X(14, units)
#define ROWS_16(X, units) ROWS_14(X, units) X(15, units) X(16, units)
#define ROWS_28(X, units)                                                                          \
    ROWS_16(X, units)                                                                              \
    X(17, units)                                                                                   \
    X(18, units)                                                                                   \
    X(19, units) X(20, units) X(21, units) X(22, units) X(23, units) X(24, units) X(25, units)     \
        X(26, units) X(27, units) X(28, units)

#if VECTOR_BYTES == 64
#define TILE_UNITS 2
#define TILE_ROWS 28
#define TILE_ROWS_1 ROWS_28
#define TILE_ROWS_2 ROWS_14
#define WEIGHT_ROWS 16
#define WEIGHT_ROWS_1 ROWS_16
#define WEIGHT_ROWS_2 ROWS_8
enum { TILE_MOST_1 = 28, TILE_MOST_2 = 14, WEIGHT_MOST_1 = 16, WEIGHT_MOST_2 = 8 };
#elif VECTOR_BYTES == 32 || defined(__aarch64__)
#define TILE_UNITS 1
#define TILE_ROWS 6
#define TILE_ROWS_1 ROWS_6
#define WEIGHT_ROWS 6
#define WEIGHT_ROWS_1 ROWS_6
enum { TILE_MOST_1 = 6, TILE_MOST_2 = 0, WEIGHT_MOST_1 = 6, WEIGHT_MOST_2 = 0 };
#else
#define TILE_UNITS 1
#define TILE_ROWS 2
#define TILE_ROWS_1 ROWS_2
#define WEIGHT_ROWS 2
#define WEIGHT_ROWS_1 ROWS_2
enum { TILE_MOST_1 = 2, TILE_MOST_2 = 0, WEIGHT_MOST_1 = 2, WEIGHT_MOST_2 = 0 };
#endif

#endif
