// SPDX-License-Identifier: Apache-2.0
// Weights rounded to bytes: each within half a step of what it was, and to be taken apart into
// bytes and scales that give the very same floats.
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "weights/byte_weights.h"

enum { CHANNELS = 300, COUNT = 27 };

static const Param param = {
    .name = "conv1.weight", .rank = 4, .dims = {CHANNELS, 3, 3, 3}, .elements = CHANNELS * COUNT};

// Channels of all sizes, down to where floats end.
static void fill(float *values) {
    for (int c = 0; c < CHANNELS; c++) {
        for (int i = 0; i < COUNT; i++) {
            double value = random_normal(1, RANDOM_TEST, (uint64_t)c, (uint64_t)i);
            values[c * COUNT + i] = (float)ldexp(value, c % 250 - 148);
        }
    }
    memset(values + 7 * COUNT, 0, COUNT * sizeof *values);
}

static void test_round(void **state) {
    (void)state;
    static float values[CHANNELS * COUNT], rounded[CHANNELS * COUNT], again[CHANNELS * COUNT];
    static int8_t bytes[CHANNELS * COUNT];
    static float scales[CHANNELS];
    fill(values);
    memcpy(rounded, values, sizeof rounded);
    assert_false(byte_weights_split(&param, values, bytes, scales));
    assert_int_equal(byte_weights_round(&param, rounded), STATUS_OK);
    assert_true(byte_weights_split(&param, rounded, bytes, scales));
    int small = 0;
    for (int c = 0; c < CHANNELS; c++) {
        int largest = 0;
        for (int i = c * COUNT; i < (c + 1) * COUNT; i++) {
            largest = abs(bytes[i]) > largest ? abs(bytes[i]) : largest;
            float product = (float)bytes[i] * scales[c];
            assert_memory_equal(&product, &rounded[i], sizeof product); // -0 is not 0 here
            if (scales[c] > 0) {
                assert_true(fabsf(rounded[i] - values[i]) <= scales[c] / 2);
            }
        }
        assert_int_equal(largest, scales[c] > 0 ? 127 : 0);
        assert_true(scales[c] == 0 || scales[c] >= FLT_MIN);
        small += scales[c] == 0;
    }
    assert_true(small > 2 && small < CHANNELS / 4);
    memcpy(again, rounded, sizeof again);
    assert_int_equal(byte_weights_round(&param, again), STATUS_OK);
    assert_memory_equal(again, rounded, sizeof again);
    // One weight in the last bit is enough to tell.
    rounded[100 * COUNT + 5] = nextafterf(rounded[100 * COUNT + 5], 1);
    assert_false(byte_weights_split(&param, rounded, bytes, scales));
}

static void test_refusals(void **state) {
    (void)state;
    static float values[CHANNELS * COUNT];
    static int8_t bytes[CHANNELS * COUNT];
    static float scales[CHANNELS];
    static const float BAD[] = {NAN, INFINITY, -INFINITY, 3.4e38F};
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        fill(values);
        values[11 * COUNT + 3] = BAD[i];
        assert_false(byte_weights_split(&param, values, bytes, scales));
        assert_int_equal(byte_weights_round(&param, values), STATUS_FAILED);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
