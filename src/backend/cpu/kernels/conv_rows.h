// SPDX-License-Identifier: Apache-2.0
// Which tiles each instruction set has: the most rows for each width, as literals for the tiles'
// loops and as lists for the tables.
#ifndef RESNET_BACKEND_CPU_KERNELS_CONV_ROWS_H
#define RESNET_BACKEND_CPU_KERNELS_CONV_ROWS_H

#include "backend/cpu/kernels/vector.h"

#define ROWS_2(X, u) X(1, u) X(2, u)
#define ROWS_3(X, u) ROWS_2(X, u) X(3, u)
#define ROWS_4(X, u) ROWS_3(X, u) X(4, u)
#define ROWS_6(X, u) ROWS_4(X, u) X(5, u) X(6, u)
#define ROWS_7(X, u) ROWS_6(X, u) X(7, u)
#define ROWS_8(X, u) ROWS_7(X, u) X(8, u)
#define ROWS_12(X, u) ROWS_8(X, u) X(9, u) X(10, u) X(11, u) X(12, u)
#define ROWS_14(X, u) ROWS_12(X, u) X(13, u) X(14, u)
#define ROWS_16(X, u) ROWS_14(X, u) X(15, u) X(16, u)
#define ROWS_22(X, u) ROWS_16(X, u) X(17, u) X(18, u) X(19, u) X(20, u) X(21, u) X(22, u)
#define ROWS_28(X, u) ROWS_22(X, u) X(23, u) X(24, u) X(25, u) X(26, u) X(27, u) X(28, u)

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

// The same on pairs of bf16: without the instruction for them, weights take two registers for each
// vector (bf16_vector.h), which leaves fewer for sums; and larger tiles would be much code for
// processors that gain nothing from bf16.
#if defined(__AVX512BF16__)
#define BF16_ROWS_1 ROWS_28
#define BF16_ROWS_2 ROWS_14
enum { BF16_MOST_1 = 28, BF16_MOST_2 = 14 };
#elif VECTOR_BYTES == 64
#define BF16_ROWS_1 ROWS_14
#define BF16_ROWS_2 ROWS_7
enum { BF16_MOST_1 = 14, BF16_MOST_2 = 7 };
#elif VECTOR_BYTES == 32 || defined(__aarch64__)
#define BF16_ROWS_1 ROWS_4
enum { BF16_MOST_1 = 4, BF16_MOST_2 = 0 };
#else
#define BF16_ROWS_1 ROWS_2
enum { BF16_MOST_1 = 2, BF16_MOST_2 = 0 };
#endif

#endif
