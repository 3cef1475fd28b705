// SPDX-License-Identifier: Apache-2.0
// The tree over shards: the sum is right for every count, and its shape is the one drawn in
// shards.h, which numbers that do not add exactly show.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "train/shards.h"

enum { ELEMENTS = 40000, SHARDS_MAX = 13 };

static float values[SHARDS_MAX][ELEMENTS];
static float gradients[ELEMENTS];

// The tree by its definition: the left part is the largest power of two below the count.
static float tree(int element, int begin, int count) {
    if (count == 1) {
        return values[begin][element];
    }
    int left = 1;
    while (left * 2 < count) {
        left *= 2;
    }
    return tree(element, begin, left) + tree(element, begin + left, count - left);
}

static void fill(void) {
    for (int s = 0; s < SHARDS_MAX; s++) {
        for (int i = 0; i < ELEMENTS; i++) {
            values[s][i] = (float)random_normal(3, RANDOM_TEST, (uint64_t)s, (uint64_t)i);
        }
    }
}

static void test_tree(void **state) {
    (void)state;
    fill();
    Threads *threads = NULL;
    Shards *shards = NULL;
    assert_int_equal(threads_create(3, &threads), STATUS_OK);
    assert_int_equal(shards_create(ELEMENTS, SHARDS_MAX, threads, &shards), STATUS_OK);
    for (int count = 1; count <= SHARDS_MAX; count++) {
        for (int s = 0; s < count; s++) {
            for (int i = 0; i < ELEMENTS; i++) {
                gradients[i] = values[s][i];
            }
            shards_add(shards, gradients, s, count);
        }
        for (int i = 0; i < ELEMENTS; i++) {
            if (gradients[i] != tree(i, 0, count)) {
                fail_msg("%d shards, element %d: %.9g, expected %.9g", count, i,
                         (double)gradients[i], (double)tree(i, 0, count));
            }
        }
    }
    shards_destroy(shards);
    threads_destroy(threads);
}

static void test_bytes(void **state) {
    (void)state;
    assert_int_equal(shards_bytes(100, 1), 0);
    assert_int_equal(shards_bytes(100, 2), 400);
    assert_int_equal(shards_bytes(100, 8), 1200);
    assert_int_equal(shards_bytes(100, 9), 1600);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree),
        cmocka_unit_test(test_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
