// SPDX-License-Identifier: Apache-2.0
// NumPy's .npy, version 1.0: one C-order array of little-endian floats or of bytes.
#ifndef RESNET_FORMATS_NPY_H
#define RESNET_FORMATS_NPY_H

#include <stdint.h>

#include "base/status.h"

enum { NPY_RANK_MAX = 8 };

// Writes a float array of the given extents (rank 0 … NPY_RANK_MAX) beside, flushes, renames. Data
// begins at a multiple of 64.
Status npy_write(const char *path, const float *values, const int64_t *dims, int rank);
Status npy_write_bytes(const char *path, const uint8_t *values, const int64_t *dims, int rank);

#endif
