// SPDX-License-Identifier: Apache-2.0
// Vectors that may be partly filled, for the last channels of a row. Every loop body takes the
// number of its lanes and is inlined twice: with the literal LANES, where the test below vanishes,
// and with the rest.
#ifndef RESNET_BACKEND_CPU_KERNELS_MAP_VECTOR_H
#define RESNET_BACKEND_CPU_KERNELS_MAP_VECTOR_H

#include "backend/cpu/kernels/vector.h"

#define MAP_INLINE static inline __attribute__((always_inline))

MAP_INLINE Vec load_lanes(const float *from, int lanes) {
    return lanes == LANES ? vec_load(from) : vec_load_partial(from, lanes);
}

MAP_INLINE void store_lanes(float *to, Vec value, int lanes) {
    if (lanes == LANES) {
        vec_store(to, value);
    } else {
        vec_store_partial(to, value, lanes);
    }
}

// Writes, or adds to what is there.
MAP_INLINE void put_lanes(float *to, Vec value, bool accumulate, int lanes) {
    store_lanes(to, accumulate ? load_lanes(to, lanes) + value : value, lanes);
}

// Writes, past the caches for `stream`.
MAP_INLINE void write_lanes(float *to, Vec value, bool stream, int lanes) {
    if (stream && lanes == LANES) {
        vec_stream(to, value);
    } else {
        store_lanes(to, value, lanes);
    }
}

#endif
