// SPDX-License-Identifier: Apache-2.0
// Ops on bytes without a tile, and what prepares weights: see int8_kernels.h. Lanes are bytes of a
// pixel, or weights.
#include "backend/cpu/kernels/int8_end.h"

extern const Int8Kernels KERNEL(int8_kernels);
extern const Int8WinogradKernels KERNEL(int8_winograd_kernels);
extern Int8TileFunction *const KERNEL(int8_tiles_1)[];
#if TILE_UNITS > 1
extern Int8TileFunction *const KERNEL(int8_tiles_2)[];
#endif

enum { PIXEL_STEP = 4, UNIT = CONV_BLOCK };

static inline int padded(int channels) {
    return (channels + PIXEL_STEP - 1) / PIXEL_STEP * PIXEL_STEP;
}

// 16 floats to bytes; `count` of them are written.
INT8_INLINE void quantize_unit(uint8_t *to, const float *from, float inverse,
                               const Rounding *rounding, int read, int count) {
    IntVec bytes[VECTORS];
    float part[UNIT] = {0};
    uint8_t written[UNIT];
    if (read < UNIT) {
        memcpy(part, from, (size_t)read * sizeof(float));
        from = part;
    }
    UNROLL for (int j = 0; j < VECTORS; j++) {
        bytes[j] = round_bytes(rounding, vec_load(from + j * LANES) * inverse);
    }
    store_bytes(count < UNIT ? written : to, bytes);
    if (count < UNIT) {
        memcpy(to, written, (size_t)count);
    }
}

// Images of few channels: four pixels at a time, their channels spread by a shuffle of bytes.
static int quantize_rgb(uint8_t *to, const float *from, float inverse, const Rounding *rounding,
                        int pixels) {
    enum { CHANNELS = 3, PIXELS = 4 };
    int pixel = 0;
    // 16 floats are read, of which the last four belong to the next pixels.
    for (; (pixel + PIXELS) * CHANNELS + PIXELS <= pixels * CHANNELS; pixel += PIXELS) {
        uint8_t bytes[UNIT];
        quantize_unit(bytes, from + (ptrdiff_t)pixel * CHANNELS, inverse, rounding, UNIT, UNIT);
        UNROLL for (int i = 0; i < PIXELS; i++) {
            memcpy(to + (ptrdiff_t)(pixel + i) * PIXEL_STEP, bytes + i * CHANNELS, PIXEL_STEP);
        }
    }
    return pixel;
}

static void quantize(uint8_t *to, const float *from, float inverse, int32_t zero, int pixels,
                     int channels) {
    const Rounding rounding = rounding_of(zero, false);
    int pixel = channels == 3 ? quantize_rgb(to, from, inverse, &rounding, pixels) : 0;
    const int step = padded(channels);
    to += (ptrdiff_t)pixel * step;
    from += (ptrdiff_t)pixel * channels;
    if (channels == step) { // pixels lie one behind the other in both
        const ptrdiff_t count = (ptrdiff_t)pixels * channels;
        ptrdiff_t i = 0;
        for (; i + UNIT <= count; i += UNIT) {
            quantize_unit(to + i, from + i, inverse, &rounding, UNIT, UNIT);
        }
        if (i < count) {
            quantize_unit(to + i, from + i, inverse, &rounding, (int)(count - i), (int)(count - i));
        }
        return;
    }
    for (; pixel < pixels; pixel++) {
        for (int c = 0; c < channels; c += UNIT) {
            const int read = channels - c < UNIT ? channels - c : UNIT;
            const int count = step - c < UNIT ? step - c : UNIT;
            quantize_unit(to + c, from + c, inverse, &rounding, read, count);
        }
        to += step;
        from += channels;
    }
}

static void dequantize(float *to, const uint8_t *from, float scale, int32_t zero, int pixels,
                       int channels) {
    const int step = padded(channels);
    for (int pixel = 0; pixel < pixels; pixel++) {
        for (int c = 0; c < channels; c++) {
            to[c] = scale * (float)(from[c] - zero);
        }
        to += channels;
        from += step;
    }
}

INT8_INLINE void max_bytes(uint8_t *to, const uint8_t *from, ptrdiff_t step, int rows, int columns,
                           int bytes, int count) {
    WholeByteVec best = {0};
    for (int row = 0; row < rows; row++) {
        for (int column = 0; column < columns; column++) {
            WholeByteVec value = {0};
            memcpy(&value, from + row * step + (ptrdiff_t)column * bytes, (size_t)count);
            best = bytes_max(value, best);
        }
    }
    memcpy(to, &best, (size_t)count);
}

static void max(uint8_t *to, const uint8_t *from, ptrdiff_t step, int rows, int columns,
                int bytes) {
    int i = 0;
    for (; i + VECTOR_BYTES <= bytes; i += VECTOR_BYTES) {
        max_bytes(to + i, from + i, step, rows, columns, bytes, VECTOR_BYTES);
    }
    if (i < bytes) {
        max_bytes(to + i, from + i, step, rows, columns, bytes, bytes - i);
    }
}

static void mean(float *to, const uint8_t *from, int32_t zero, float factor, int pixels,
                 int channels) {
    const int step = padded(channels);
    for (int c = 0; c < channels; c += UNIT) {
        const int count = channels - c < UNIT ? channels - c : UNIT;
        int32_t sum[UNIT] = {0};
        for (int pixel = 0; pixel < pixels; pixel++) {
            const uint8_t *at = from + (ptrdiff_t)pixel * step + c;
            if (count == UNIT) {
                for (int i = 0; i < UNIT; i++) {
                    sum[i] += at[i];
                }
            } else {
                for (int i = 0; i < count; i++) {
                    sum[i] += at[i];
                }
            }
        }
        for (int i = 0; i < count; i++) {
            to[c + i] = (float)(sum[i] - zero * pixels) * factor;
        }
    }
}

static float largest(const float *from, size_t count) {
    Vec most = {0};
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        const Vec value = (Vec)((IntVec)vec_load(from + i) & INT32_MAX);
        most = vec_at_least(value, most);
    }
    float result = 0;
    for (int lane = 0; lane < LANES; lane++) {
        result = most[lane] > result ? most[lane] : result;
    }
    for (; i < count; i++) {
        const float value = from[i] < 0 ? -from[i] : from[i];
        result = value > result ? value : result;
    }
    return result;
}

// Between the product and the sum that rounds it stands a comparison: they are never one
// instruction.
static void round_weights(int8_t *to, const float *from, double inverse, size_t count,
                          int32_t sums[2]) {
    enum { MOST = 127 };
    const double big = 0x1.8p52;
    int32_t sum = 0, magnitude = 0;
    for (size_t i = 0; i < count; i++) {
        double x = (double)from[i] * inverse;
        x = x > -MOST ? x : -MOST;
        x = x < MOST ? x : MOST;
        const int32_t q = (int32_t)((x + big) - big);
        to[i] = (int8_t)q;
        sum += q;
        magnitude += q < 0 ? -q : q;
    }
    sums[0] = sum;
    sums[1] = magnitude;
}

// Hides a register's value from the compiler, which would otherwise multiply once.
#if defined(__aarch64__)
#define HIDE(value) __asm__("" : "+w"(value))
#elif defined(__x86_64__)
#define HIDE(value) __asm__("" : "+v"(value))
#else
#define HIDE(value) __asm__("" : "+m"(value))
#endif

static double peak(int64_t turns, int32_t value, int32_t *result) {
    enum { SUMS = 10 };
    IntVec sum[SUMS];
    int8_t bytes[4 * LANES];
    for (int i = 0; i < 4 * LANES; i++) {
        bytes[i] = (int8_t)(value + i);
    }
    const Weights w = load_weights(bytes);
    Input x = load_input(&value);
    UNROLL for (int i = 0; i < SUMS; i++) { sum[i] = int_splat(value * i); }
    for (int64_t turn = 0; turn < turns; turn++) {
        UNROLL for (int i = 0; i < SUMS; i++) {
            HIDE(x);
            sum[i] = dot(sum[i], x, w);
        }
    }
    IntVec all = sum[0];
    UNROLL for (int i = 1; i < SUMS; i++) { all += sum[i]; }
    *result = all[0];
    return (double)turns * SUMS * SUM_LANES * 4 * 2;
}

const Int8Kernels KERNEL(int8_kernels) = {
    .units = TILE_UNITS,
    .rows = {INT8_MOST_1, INT8_MOST_2},
#if TILE_UNITS > 1
    .tile = {KERNEL(int8_tiles_1), KERNEL(int8_tiles_2)},
#else
    .tile = {KERNEL(int8_tiles_1)},
#endif
    .winograd = &KERNEL(int8_winograd_kernels),
    .quantize = quantize,
    .dequantize = dequantize,
    .max = max,
    .mean = mean,
    .largest = largest,
    .round_weights = round_weights,
    .peak = peak,
};
