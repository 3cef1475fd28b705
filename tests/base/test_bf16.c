// SPDX-License-Identifier: Apache-2.0
// Rounding to bf16: the nearest value, of two as near the one whose last bit is 0.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bf16.h"

static float of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void test_nearest(void **state) {
    (void)state;
    static const uint32_t lower[] = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff};
    for (uint32_t upper = 0; upper < 1u << 16; upper++) {
        for (size_t i = 0; i < sizeof lower / sizeof lower[0]; i++) {
            const float x = of_bits(upper << 16 | lower[i]), got = bf16_value(x);
            if (isnan(x)) {
                assert_true(isnan(got));
                continue;
            }
            if (fabsf(x) < 0x1p-50f) {
                assert_true(got == 0 && !signbit(got));
                continue;
            }
            const float below = of_bits(upper << 16), above = of_bits((upper + 1) << 16);
            const float nearest = lower[i] < 0x8000   ? below
                                  : lower[i] > 0x8000 ? above
                                  : upper % 2 == 0    ? below
                                                      : above;
            assert_true(got == nearest);
        }
    }
}

static void test_start(void **state) {
    (void)state;
    assert_true(bf16_start(0x1p-90f) == 0x1p-90f);
    assert_true(bf16_start(-0x1p-90f) == -0x1p-90f);
    assert_true(bf16_start(-0x1.fp-91f) == 0 && !signbit(bf16_start(-0x1p-91f)));
    assert_false(signbit(bf16_start(-0.0f)));
    assert_true(isnan(bf16_start(NAN)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
