// SPDX-License-Identifier: Apache-2.0
// The elementary functions: within their stated errors of the C library's long double ones, and a
// few results to the last bit, which must be the same on every machine.
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/elementary.h"
#include "base/random.h"

enum { SAMPLES = 200000 };

static double between(double low, double high, uint64_t i) {
    return low + (high - low) * random_uniform(1, RANDOM_TEST, 0, i);
}

static void assert_relative(double found, long double exact, double bound) {
    // An exact value that is 0 (the logarithm of 1) must be met.
    if (!(fabsl((long double)found - exact) <= (long double)bound * fabsl(exact))) {
        fail_msg("%.17g, expected %.21Lg", found, exact);
    }
}

static void test_exp(void **state) {
    (void)state;
    for (int i = 0; i < SAMPLES; i++) {
        double range = i % 4 == 0 ? 700 : i % 4 == 1 ? 20 : i % 4 == 2 ? 1 : 1e-6;
        double x = between(-range, range, (uint64_t)i);
        assert_relative(exact_exp(x), expl((long double)x), 1e-15);
    }
    assert_true(exact_exp(0) == 1);
    assert_true(exact_exp(-746) == 0);
    assert_true(exact_exp(-INFINITY) == 0);
    assert_true(isinf(exact_exp(709.79)));
    assert_true(isinf(exact_exp(INFINITY)));
    assert_true(isfinite(exact_exp(709.78)));
    assert_true(isnan(exact_exp(NAN)));
    assert_true(exact_exp(-740) > 0); // below the normal range
}

static void test_log(void **state) {
    (void)state;
    for (int i = 0; i < SAMPLES; i++) {
        double x = i % 3 == 0   ? between(0, 4, (uint64_t)i)
                   : i % 3 == 1 ? 1 + between(-1e-3, 1e-3, (uint64_t)i)
                                : ldexp(between(1, 2, (uint64_t)i), i % 2000 - 1000);
        assert_relative(exact_log(x), logl((long double)x), 1e-15);
    }
    assert_true(exact_log(1) == 0);
    assert_true(exact_log(0) == -INFINITY);
    assert_true(exact_log(INFINITY) == INFINITY);
    assert_true(isnan(exact_log(-1)));
    assert_true(isnan(exact_log(NAN)));
    assert_relative(exact_log(DBL_TRUE_MIN), logl((long double)DBL_TRUE_MIN), 1e-15);
    assert_relative(exact_log(DBL_MAX), logl((long double)DBL_MAX), 1e-15);
}

static void test_cos_pi(void **state) {
    (void)state;
    const long double pi = 3.14159265358979323846264338327950288L;
    for (int i = 0; i < SAMPLES; i++) {
        double x = between(-3, 3, (uint64_t)i);
        double found = exact_cos_pi(x);
        if (!(fabsl((long double)found - cosl(pi * (long double)x)) < 1e-15L)) {
            fail_msg("cos(pi * %.17g) is %.17g", x, found);
        }
        // A whole number of turns away, exactly, where x has the bits for it.
        double coarse = (double)(int)(x * 1024) / 1024;
        assert_true(exact_cos_pi(coarse + 1048574) == exact_cos_pi(coarse));
        assert_true(exact_cos_pi(-coarse) == exact_cos_pi(coarse));
    }
    const double values[] = {1, 0, -1, 0};
    for (int half_turns = -9; half_turns < 9; half_turns++) {
        assert_true(exact_cos_pi(half_turns * 0.5) == values[half_turns & 3]);
    }
}

// Each of eight numbers has its own result, that of the number alone.
static void test_lanes(void **state) {
    (void)state;
    const double ends[EXACT_LANES] = {0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2};
    for (int i = 0; i < SAMPLES; i += EXACT_LANES) {
        double x[EXACT_LANES], turn[EXACT_LANES], log[EXACT_LANES], cosine[EXACT_LANES];
        for (int k = 0; k < EXACT_LANES; k++) {
            const uint64_t place = (uint64_t)(i + k);
            x[k] = ldexp(between(1, 2, place), (i + k) % 2000 - 1000);
            turn[k] = i == 0 ? ends[k] : between(0, 2, place);
        }
        exact_log_lanes(x, log);
        exact_cos_pi_lanes(turn, cosine);
        for (int k = 0; k < EXACT_LANES; k++) {
            assert_true(log[k] == exact_log(x[k]));
            assert_true(cosine[k] == exact_cos_pi(turn[k]));
        }
    }
}

static void test_pow(void **state) {
    (void)state;
    for (int i = 0; i < SAMPLES; i++) {
        double base = between(1e-3, 100, (uint64_t)i);
        double exponent = between(-10, 10, (uint64_t)i + SAMPLES);
        assert_relative(exact_pow(base, exponent), powl((long double)base, (long double)exponent),
                        1e-13);
    }
    assert_true(exact_pow(3, 0) == 1);
    assert_true(exact_pow(1, 12.5) == 1);
}

static void test_bits(void **state) {
    (void)state;
    static const struct {
        double (*function)(double);
        double x, result;
    } known[] = {
        {exact_exp, -0x1.48p+4, 0x1.57a3afeed00acp-30},
        {exact_exp, -0x1p+0, 0x1.78b56362cef38p-2},
        {exact_exp, 0x1.0624dd2f1a9fcp-10, 0x1.0041919b7ee34p+0},
        {exact_exp, 0x1p-1, 0x1.a61298e1e069cp+0},
        {exact_exp, 0x1.4p+3, 0x1.5829dcf95056p+14},
        {exact_exp, 0x1.5ep+9, 0x1.d945df4f8ec8ep+1009},
        {exact_log, 0x1.56e1fc2f8f359p-997, -0x1.5963447f87fb5p+9},
        {exact_log, 0x1.999999999999ap-4, -0x1.26bb1bbb55515p+1},
        {exact_log, 0x1.fffeb074a771dp-1, -0x1.4f8bc681df715p-17},
        {exact_log, 0x1.8p+0, 0x1.9f323ecbf984cp-2},
        {exact_log, 0x1.7e43c8800759cp+996, 0x1.5963447f87fb5p+9},
        {exact_cos_pi, 0x1.999999999999ap-4, 0x1.e6f0e134454ffp-1},
        {exact_cos_pi, 0x1.5555555555555p-2, 0x1p-1},
        {exact_cos_pi, 0x1.ffe5c91d14e3cp-2, 0x1.496b7bf8dc392p-12},
        {exact_cos_pi, 0x1.f426666666666p+9, 0x1.2cf2304755e6fp-1},
        {exact_cos_pi, -0x1.48p+2, -0x1.d906bcf328d46p-1},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        double found = known[i].function(known[i].x);
        if (found != known[i].result) {
            fail_msg("row %zu: %a, expected %a", i, found, known[i].result);
        }
    }
    assert_true(exact_pow(0x1.8p+0, 0x1.44p+4) == 0x1.cc000c4cf5aa6p+11);
    assert_true(exact_pow(0x1.3333333333333p-2, 0x1.8p-1) == 0x1.9f16b43a4badbp-2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exp),   cmocka_unit_test(test_log), cmocka_unit_test(test_cos_pi),
        cmocka_unit_test(test_lanes), cmocka_unit_test(test_pow), cmocka_unit_test(test_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
