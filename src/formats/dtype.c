// SPDX-License-Identifier: Apache-2.0
// Element types of tensors in files, and the widening of the floating ones to float.
//
//     F32   s eeeeeeee mmmmmmmmmmmmmmmmmmmmmmm   bias 127
//     BF16  s eeeeeeee mmmmmmm                   the upper half of an F32
//     F16   s eeeee mmmmmmmmmm                   bias 15; exponent 0 means mantissa x 2^-24
#include "formats/safetensors.h"

#include <assert.h>
#include <string.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tensors in files are little-endian");

static const struct {
    const char *name;
    size_t bytes;
} DTYPES[DTYPE_COUNT] = {
    [DTYPE_BOOL] = {"BOOL", 1}, [DTYPE_U8] = {"U8", 1},   [DTYPE_I8] = {"I8", 1},
    [DTYPE_U16] = {"U16", 2},   [DTYPE_I16] = {"I16", 2}, [DTYPE_F16] = {"F16", 2},
    [DTYPE_BF16] = {"BF16", 2}, [DTYPE_U32] = {"U32", 4}, [DTYPE_I32] = {"I32", 4},
    [DTYPE_F32] = {"F32", 4},   [DTYPE_U64] = {"U64", 8}, [DTYPE_I64] = {"I64", 8},
    [DTYPE_F64] = {"F64", 8},
};

size_t dtype_bytes(Dtype dtype) {
    assert(dtype < DTYPE_COUNT);
    return DTYPES[dtype].bytes;
}

const char *dtype_name(Dtype dtype) {
    assert(dtype < DTYPE_COUNT);
    return DTYPES[dtype].name;
}

static float float_from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float float_from_half(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t exponent = half >> 10 & 0x1f, mantissa = half & 0x3ff;
    if (exponent == 0) {
        float value = (float)mantissa * 0x1p-24f;
        return sign != 0 ? -value : value;
    }
    uint32_t widened = exponent == 0x1f ? 0xff : exponent + (127 - 15);
    return float_from_bits(sign | widened << 23 | mantissa << 13);
}

Status tensor_to_float(const Tensor *tensor, float *out) {
    // Copied out one by one, because data in a file need not be aligned.
    const unsigned char *from = tensor->data;
    switch (tensor->dtype) {
    case DTYPE_F32:
        if (tensor->bytes > 0) {
            memcpy(out, from, tensor->bytes);
        }
        return STATUS_OK;
    case DTYPE_F64:
        for (size_t i = 0; i < tensor->elements; i++) {
            double value;
            memcpy(&value, from + i * sizeof value, sizeof value);
            out[i] = (float)value;
        }
        return STATUS_OK;
    case DTYPE_F16:
        for (size_t i = 0; i < tensor->elements; i++) {
            uint16_t half;
            memcpy(&half, from + i * sizeof half, sizeof half);
            out[i] = float_from_half(half);
        }
        return STATUS_OK;
    case DTYPE_BF16:
        for (size_t i = 0; i < tensor->elements; i++) {
            uint16_t upper;
            memcpy(&upper, from + i * sizeof upper, sizeof upper);
            out[i] = float_from_bits((uint32_t)upper << 16);
        }
        return STATUS_OK;
    default:
        return status_fail(STATUS_FAILED,
                           "tensor \"%s\": dtype is %s, expected a floating one (F32, F64, F16, "
                           "BF16)",
                           tensor->name, dtype_name(tensor->dtype));
    }
}
