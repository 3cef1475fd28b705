// SPDX-License-Identifier: Apache-2.0
// The random draws: their statistics, that every part of a draw's name matters, and a few results
// to the last bit, on which every saved experiment depends.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"

enum { SAMPLES = 100000 };

static void test_bits(void **state) {
    (void)state;
    assert_true(random_bits(0, RANDOM_INIT, 0, 0) == 0x238275bc38fcbe91);
    assert_true(random_bits(7, RANDOM_CROP, 3, 41) == 0x1322c74e8c58905e);
    assert_true(random_bits(UINT64_MAX, RANDOM_TEST, UINT64_MAX, UINT64_MAX) == 0xb7e161f78fee3475);
    assert_true(random_uniform(7, RANDOM_FLIP, 1, 2) == 0x1.f533c43df473dp-1);
    assert_true(random_normal(7, RANDOM_INIT, 1, 2) == 0x1.b464431bb2ad1p+0);
    assert_true(random_normal(1, RANDOM_TEST, 0, 0) == 0x1.4941014bf4b7cp+0);
    assert_int_equal(random_below(1000, 7, RANDOM_ORDER, 0, 5), 586);
    assert_true(random_hash("") == 0xf52a15e9a9b5e89b);
    assert_true(random_hash("layer1.0.conv1.weight") == 0x81195af16526e3e9);
    const uint32_t known[2][8] = {{1, 3, 2, 0, 5, 4, 7, 6}, {4, 5, 0, 2, 1, 6, 7, 3}};
    for (uint64_t major = 0; major < 2; major++) {
        uint32_t order[8];
        random_permutation(order, 8, 1, RANDOM_ORDER, major);
        assert_memory_equal(order, known[major], sizeof order);
    }
}

// Changing any part of the name, by any bit, changes about half of the 64 bits.
static void test_avalanche(void **state) {
    (void)state;
    for (int part = 0; part < 3; part++) {
        for (int bit = 0; bit < 64; bit++) {
            int changed = 0;
            enum { NAMES = 200 };
            for (uint64_t i = 0; i < NAMES; i++) {
                uint64_t name[3] = {i * 7, i / 3, i};
                uint64_t before = random_bits(name[0], RANDOM_TEST, name[1], name[2]);
                name[part] ^= (uint64_t)1 << bit;
                uint64_t after = random_bits(name[0], RANDOM_TEST, name[1], name[2]);
                changed += __builtin_popcountll(before ^ after);
            }
            assert_in_range(changed, NAMES * 30, NAMES * 34);
        }
    }
    assert_true(random_bits(1, RANDOM_CROP, 0, 0) != random_bits(1, RANDOM_FLIP, 0, 0));
}

static void test_uniform(void **state) {
    (void)state;
    int bins[16] = {0};
    double sum = 0;
    for (uint64_t i = 0; i < SAMPLES; i++) {
        double x = random_uniform(5, RANDOM_TEST, 1, i);
        assert_true(x >= 0 && x < 1);
        bins[(int)(x * 16)]++;
        sum += x;
    }
    assert_true(fabs(sum / SAMPLES - 0.5) < 5 * 0.2887 / sqrt(SAMPLES));
    for (int i = 0; i < 16; i++) { // 5 deviations of a binomial
        assert_true(fabs(bins[i] - SAMPLES / 16.0) < 5 * sqrt(SAMPLES / 16.0));
    }
}

static void test_normal(void **state) {
    (void)state;
    double sum = 0, squares = 0, fourths = 0, neighbours = 0, last = 0;
    for (uint64_t i = 0; i < SAMPLES; i++) {
        double x = random_normal(5, RANDOM_TEST, 2, i);
        assert_true(fabs(x) < 9);
        sum += x;
        squares += x * x;
        fourths += x * x * x * x;
        neighbours += x * last;
        last = x;
    }
    double deviation = 1 / sqrt(SAMPLES);
    assert_true(fabs(sum / SAMPLES) < 5 * deviation);
    assert_true(fabs(squares / SAMPLES - 1) < 5 * sqrt(2) * deviation);
    assert_true(fabs(fourths / SAMPLES - 3) < 5 * sqrt(96) * deviation);
    assert_true(fabs(neighbours / SAMPLES) < 5 * deviation);
}

// Eight at once are the same as one by one, wherever they begin.
static void test_normals(void **state) {
    (void)state;
    for (uint64_t first = 0; first < SAMPLES; first += 5) {
        double normals[RANDOM_NORMALS];
        random_normals(5, RANDOM_TEST, 2, first, normals);
        for (uint64_t i = 0; i < RANDOM_NORMALS; i++) {
            assert_true(normals[i] == random_normal(5, RANDOM_TEST, 2, first + i));
        }
    }
}

static void test_below(void **state) {
    (void)state;
    int bins[7] = {0};
    for (uint64_t i = 0; i < SAMPLES; i++) {
        uint32_t x = random_below(7, 5, RANDOM_TEST, 3, i);
        assert_in_range(x, 0, 6);
        bins[x]++;
        assert_int_equal(random_below(1, 5, RANDOM_TEST, 3, i), 0);
    }
    for (int i = 0; i < 7; i++) {
        assert_true(fabs(bins[i] - SAMPLES / 7.0) < 5 * sqrt(SAMPLES / 7.0));
    }
}

// Every element once; every element at every place about equally often; epochs differ.
static void test_permutation(void **state) {
    (void)state;
    enum { COUNT = 10, EPOCHS = 20000 };
    static int places[COUNT][COUNT];
    for (uint64_t epoch = 0; epoch < EPOCHS; epoch++) {
        uint32_t order[COUNT];
        unsigned seen = 0;
        random_permutation(order, COUNT, 9, RANDOM_ORDER, epoch);
        for (int i = 0; i < COUNT; i++) {
            assert_in_range(order[i], 0, COUNT - 1);
            seen |= 1U << order[i];
            places[i][order[i]]++;
        }
        assert_int_equal(seen, (1U << COUNT) - 1);
    }
    for (int i = 0; i < COUNT * COUNT; i++) {
        double expected = (double)EPOCHS / COUNT;
        assert_true(fabs(places[i / COUNT][i % COUNT] - expected) < 5 * sqrt(expected));
    }
    uint32_t one = 7;
    random_permutation(&one, 1, 9, RANDOM_ORDER, 0);
    assert_int_equal(one, 0);
    random_permutation(NULL, 0, 9, RANDOM_ORDER, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bits),        cmocka_unit_test(test_avalanche),
        cmocka_unit_test(test_uniform),     cmocka_unit_test(test_normal),
        cmocka_unit_test(test_normals),     cmocka_unit_test(test_below),
        cmocka_unit_test(test_permutation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
