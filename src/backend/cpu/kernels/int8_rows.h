// SPDX-License-Identifier: Apache-2.0
// Which tiles on bytes each instruction set has, as conv_rows.h has it for floats.
#ifndef RESNET_BACKEND_CPU_KERNELS_INT8_ROWS_H
#define RESNET_BACKEND_CPU_KERNELS_INT8_ROWS_H

#include "backend/cpu/kernels/conv_rows.h"

// Most rows. Where a register of sums holds half a vector's lanes, a tile has half as many.
#if defined(__AVX512VNNI__)
#define INT8_ROWS 14
#define INT8_ROWS_1 ROWS_14
#define INT8_ROWS_2 ROWS_14
enum { INT8_MOST_1 = 14, INT8_MOST_2 = 14 };
#elif defined(__AVX512F__)
#define INT8_ROWS 14
#define INT8_ROWS_1 ROWS_14
#define INT8_ROWS_2 ROWS_7
enum { INT8_MOST_1 = 14, INT8_MOST_2 = 7 };
#elif defined(__AVX2__)
#define INT8_ROWS 2
#define INT8_ROWS_1 ROWS_2
enum { INT8_MOST_1 = 2, INT8_MOST_2 = 0 };
#else
#define INT8_ROWS 2
#define INT8_ROWS_1 ROWS_2
enum { INT8_MOST_1 = 2, INT8_MOST_2 = 0 };
#endif

// The same for the tiles of Winograd's sums.
#if VECTOR_BYTES == 64
#define WORD_ROWS 14
#define WORD_ROWS_1 ROWS_14
#define WORD_ROWS_2 ROWS_14
enum { WORD_MOST_1 = 14, WORD_MOST_2 = 14 };
#elif VECTOR_BYTES == 32
#define WORD_ROWS 6
#define WORD_ROWS_1 ROWS_6
enum { WORD_MOST_1 = 6, WORD_MOST_2 = 0 };
#else
#define WORD_ROWS 2
#define WORD_ROWS_1 ROWS_2
enum { WORD_MOST_1 = 2, WORD_MOST_2 = 0 };
#endif

#endif
