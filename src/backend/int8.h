// SPDX-License-Identifier: Apache-2.0
// What ops on bytes compute, to the bit: the same integers in every backend, on every instruction
// set and for any number of threads. A byte stands for the value scale * (byte - zero).
//
// A convolution or linear layer, its norm folded into weights w and an offset for each output
// channel, is computed in whole multiples of a unit of the channel's own:
//
//     q    = round(w / weight_scale), -127 … 127, weight_scale from the largest |w| of the channel
//     unit = input_scale * weight_scale / 2^shift
//     sum  = (sum of (x - input_zero) * q) * 2^shift + round(offset / unit)
//            + (r - residual_zero) * round(residual_scale / unit)
//     y    = sum * unit                                                     (output in float)
//     byte = round(clamp(sum * (unit / output_scale))) + output_zero        (output in bytes)
//
// Pixels of the padding hold input_zero. sum fits 32 bits whatever the input: see
// int8_channel_scale(). The shift is nearly always 0: it is there for residuals that are small
// beside the unit, so that their factor has 7 bits at least. All rounding is to nearest, ties to
// even. There is one product in float only, and no sum behind it, so that no compiler can fuse the
// two.
#ifndef RESNET_BACKEND_INT8_H
#define RESNET_BACKEND_INT8_H

#include <math.h>

#include "backend/fold.h"

enum {
    INT8_WEIGHT_MAX = 127,
    INT8_BYTE_MAX = 255,
    INT8_SHIFT_MAX = 8,
    INT8_RESIDUAL_GOOD = 128,  // least factor of a residual without a shift
    INT8_RESIDUAL_MAX = 0x7fff // most: 16 bits, for which there are faster products
};

// What an output channel of a layer computes with.
typedef struct Int8Channel {
    double offset;       // bias and folded norm
    double inverse;      // q = round(w * inverse): the folded norm's factor over weight_scale
    double weight_scale; // of w with the factor
    int32_t start;       // what is added at the end: the offset, less what the zeros make
    int32_t residual;    // the factor of its bytes
    int32_t shift;
    float factor; // sum to y, or to y / output_scale
} Int8Channel;

// To the nearest whole number, ties to even; |x| below 2^51.
static inline double int8_round(double x) {
    const double big = 0x1.8p52; // whose last bit is worth 1
    return (x + big) - big;
}

static inline double int8_clamp(double x, double low, double high) {
    x = x > low ? x : low; // NaN becomes low
    return x < high ? x : high;
}

// The channel's first three fields. `largest`: |weight|, before the factor. The offset is at most
// 2^29 units and the residual's factor at most INT8_RESIDUAL_MAX, by a larger weight_scale where
// the weights are all but nothing; the products are at most 255 * 127 * QUANTIZED_DEPTH_MAX, below
// 2^30.
static inline Int8Channel int8_channel_scale(const Call *call, double largest, double factor,
                                             double offset) {
    const Node *residual = call->input_node[1];
    const double least_unit = fmax(
        fabs(offset) / 0x1p29, residual != NULL ? (double)residual->scale / INT8_RESIDUAL_MAX : 0);
    double scale = fmax(largest * fabs(factor) / INT8_WEIGHT_MAX,
                        least_unit / (double)call->input_node[0]->scale);
    scale = scale > 0 ? scale : 1;
    return (Int8Channel){.offset = offset, .inverse = factor / scale, .weight_scale = scale};
}

static inline int8_t int8_weight(float weight, double inverse) {
    return (int8_t)int8_round(
        int8_clamp((double)weight * inverse, -INT8_WEIGHT_MAX, INT8_WEIGHT_MAX));
}

// The other fields. `sum`, `magnitude`: of the channel's q and their absolute values.
static inline void int8_channel_finish(const Call *call, int64_t sum, int64_t magnitude,
                                       Int8Channel *channel) {
    const Node *input = call->input_node[0], *residual = call->input_node[1];
    const double added = residual != NULL ? (double)residual->scale : 0;
    double unit = (double)input->scale * channel->weight_scale;
    double most = INT8_BYTE_MAX * ((double)magnitude + added / unit) + fabs(channel->offset) / unit;
    channel->shift = 0;
    while (residual != NULL && added / unit < INT8_RESIDUAL_GOOD &&
           channel->shift < INT8_SHIFT_MAX && most < 0x1p29) {
        channel->shift++;
        unit /= 2;
        most *= 2;
    }
    const double factor = fmin(int8_round(added / unit), INT8_RESIDUAL_MAX);
    double start = int8_round(channel->offset / unit) -
                   (double)input->zero * (double)sum * (double)(1 << channel->shift);
    if (residual != NULL) {
        start -= (double)residual->zero * factor;
    }
    channel->start = (int32_t)start;
    channel->residual = (int32_t)factor;
    channel->factor = (float)unit;
    if (call->node->bytes) {
        // At most what keeps the product below 2^31: beyond that, nearly all bytes are 0 or 255.
        const double limit = 0x1.fp30 / fmax(most, 1);
        channel->factor = (float)fmin(unit / (double)call->node->scale, limit);
    }
}

// The byte of a value that is x times the scale.
static inline uint8_t int8_byte(float x, int32_t zero, bool relu) {
    const double low = relu ? 0 : -zero;
    return (uint8_t)(int8_round(int8_clamp((double)x, low, INT8_BYTE_MAX - zero)) + zero);
}

// OP_QUANTIZE: byte = int8_byte(x * int8_inverse(scale), zero, false).
static inline float int8_inverse(float scale) { return (float)(1 / (double)scale); }

// OP_GLOBAL_POOL of bytes: y = (sum of (byte - zero)) * int8_mean(scale, pixels).
static inline float int8_mean(float scale, int pixels) { return (float)((double)scale / pixels); }

#endif
