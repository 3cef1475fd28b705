// SPDX-License-Identifier: Apache-2.0
// Parameters of layers on bytes (backend/int8.h), as the paths of conv_int8*.c read them. Four
// bytes, four channels of a pixel, are one element of strips and geometry there: a "dword".
#ifndef RESNET_BACKEND_CPU_CONV_INT8_PACK_H
#define RESNET_BACKEND_CPU_CONV_INT8_PACK_H

#include "backend/cpu/conv.h"
#include "backend/cpu/kernels/int8_kernels.h"
#include "backend/int8.h"

// The geometry with dwords as channels, and joined as conv_joined() does.
ConvGeometry int8_dwords(const ConvGeometry *g);

// Prepared parameters. Lanes are output channels, those of each group padded to whole blocks.
typedef struct Int8Prepared {
    int8_t *weights; // [group][panel][block][tap][dword][lane][4]
    float *factor;   // each [group][lane], as Int8Channel has them
    int32_t *start, *residual, *shift;
} Int8Prepared;

size_t int8_prepared_bytes(const ConvGeometry *g);
Int8Prepared int8_prepared(const ConvGeometry *g, void *block);
void int8_prepare(const ConvGeometry *g, const Call *call, void *block, const Kernels *kernels);
// Output channel o: its weights as integers, in the parameter's order, their sum and that of their
// absolute values, and what it computes with.
Int8Channel int8_round_channel(const ConvGeometry *g, const Call *call, const Kernels *kernels,
                               int o, int8_t *q, int32_t sums[2]);

// Sets what belongs to the lanes from `lane` on, of which `lanes` exist.
void int8_end_lanes(const Int8Prepared *prepared, ptrdiff_t lane, int lanes, Int8End *end);

// Lanes are cut into panels as wide as the widest tile.
static inline int int8_panel_lanes(const Kernels *kernels) {
    return kernels->int8->units * CONV_BLOCK;
}
static inline int int8_panel_count(const Kernels *kernels, int channels) {
    return (lanes_of(channels) + int8_panel_lanes(kernels) - 1) / int8_panel_lanes(kernels);
}
static inline int int8_panel_width(const Kernels *kernels, int channels, int panel) {
    const int left = lanes_of(channels) - panel * int8_panel_lanes(kernels);
    return left < int8_panel_lanes(kernels) ? left : int8_panel_lanes(kernels);
}

#endif
