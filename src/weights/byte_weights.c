// SPDX-License-Identifier: Apache-2.0
#include "weights/byte_weights.h"

#include <float.h>
#include <math.h>

enum { BYTE_MAX = 127, SCALE_BITS = 17 };

static float largest_size(const float *values, size_t count) {
    float largest = 0;
    for (size_t i = 0; i < count; i++) {
        float size = fabsf(values[i]);
        if (!(size <= FLT_MAX)) {
            return size;
        }
        largest = size > largest ? size : largest;
    }
    return largest;
}

// largest / 127, rounded up to 17 bits; 0 where that is too small to be precise.
static float scale_of(float largest) {
    int exponent = 0;
    double fraction = frexp((double)largest / BYTE_MAX, &exponent);
    double scale = ldexp(ceil(ldexp(fraction, SCALE_BITS)), exponent - SCALE_BITS);
    return scale < FLT_MIN ? 0 : (float)scale;
}

// At most 127, because scales are rounded up. Adding 0 makes 0 of -0, which a byte has not.
static double nearest_byte(float value, float scale) {
    return scale > 0 ? nearbyint((double)value / (double)scale) + 0.0 : 0;
}

Status byte_weights_round(const Param *param, float *values) {
    size_t channels = (size_t)param->dims[0], count = param->elements / channels;
    for (size_t c = 0; c < channels; c++) {
        float *channel = values + c * count;
        float largest = largest_size(channel, count);
        if (!(largest <= FLT_MAX / 2)) {
            return status_fail(STATUS_FAILED,
                               "%s: channel %zu has the value %g, which bytes cannot stand for",
                               param->name, c, (double)largest);
        }
        float scale = scale_of(largest);
        for (size_t i = 0; i < count; i++) {
            double byte = nearest_byte(channel[i], scale);
            channel[i] = (float)(byte * (double)scale);
        }
    }
    return STATUS_OK;
}

bool byte_weights_split(const Param *param, const float *values, int8_t *bytes, float *scales) {
    size_t channels = (size_t)param->dims[0], count = param->elements / channels;
    for (size_t c = 0; c < channels; c++) {
        float largest = largest_size(values + c * count, count);
        if (!(largest <= FLT_MAX / 2)) {
            return false;
        }
        scales[c] = scale_of(largest);
        for (size_t i = c * count; i < (c + 1) * count; i++) {
            double byte = nearest_byte(values[i], scales[c]);
            bytes[i] = (int8_t)byte;
            if (values[i] != (float)(byte * (double)scales[c])) {
                return false;
            }
        }
    }
    return true;
}
