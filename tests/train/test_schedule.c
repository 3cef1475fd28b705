// SPDX-License-Identifier: Apache-2.0
// Learning rates pinned at the points that matter, and the sentences about changes of regime.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "train/schedule.h"

static void assert_close(double found, double expected) {
    if (!(fabs(found - expected) <= 1e-15)) {
        fail_msg("found %.17g, expected %.17g", found, expected);
    }
}

static void test_step(void **state) {
    (void)state;
    Schedule paper = {SCHEDULE_STEP, 0.1, 64000, 0, 0};
    assert_true(schedule_lr(&paper, 0) == 0.1);
    assert_true(schedule_lr(&paper, 31999) == 0.1);
    assert_true(schedule_lr(&paper, 32000) == 0.01);
    assert_true(schedule_lr(&paper, 47999) == 0.01);
    assert_true(schedule_lr(&paper, 48000) == 0.001);
    assert_true(schedule_lr(&paper, 63999) == 0.001);
}

static void test_careful_start(void **state) {
    (void)state;
    Schedule deep = {SCHEDULE_STEP, 0.1, 64000, 0, 400};
    assert_true(schedule_lr(&deep, 0) == 0.01);
    assert_true(schedule_lr(&deep, 399) == 0.01);
    assert_true(schedule_lr(&deep, 400) == 0.1);
    assert_true(schedule_lr(&deep, 32000) == 0.01);
}

static void test_cosine(void **state) {
    (void)state;
    Schedule cosine = {SCHEDULE_COSINE, 0.2, 1100, 100, 0};
    assert_close(schedule_lr(&cosine, 0), 0.002);
    assert_close(schedule_lr(&cosine, 99), 0.2);
    assert_close(schedule_lr(&cosine, 100), 0.2);
    assert_close(schedule_lr(&cosine, 350), 0.1 * (1 + sqrt(0.5)));
    assert_close(schedule_lr(&cosine, 600), 0.1);
    assert_true(schedule_lr(&cosine, 1099) > 0 && schedule_lr(&cosine, 1099) < 1e-6);
}

static void test_one_cycle(void **state) {
    (void)state;
    Schedule cycle = {SCHEDULE_ONE_CYCLE, 0.4, 1000, 200, 0};
    assert_close(schedule_lr(&cycle, 0), 0.002);
    assert_close(schedule_lr(&cycle, 99), 0.2);
    assert_close(schedule_lr(&cycle, 199), 0.4);
    assert_close(schedule_lr(&cycle, 200), 0.4);
    assert_close(schedule_lr(&cycle, 600), 0.2);
    assert_close(schedule_lr(&cycle, 999), 0.0005);
    // A warm-up as long as the training is never left.
    Schedule rising = {SCHEDULE_ONE_CYCLE, 0.4, 10, 10, 0};
    assert_close(schedule_lr(&rising, 9), 0.4);
}

static void test_constant(void **state) {
    (void)state;
    Schedule constant = {SCHEDULE_CONSTANT, 0.3, 10, 0, 0};
    assert_true(schedule_lr(&constant, 0) == 0.3 && schedule_lr(&constant, 9) == 0.3);
}

static int count_notes(const Schedule *schedule) {
    int count = 0;
    char text[128];
    for (int64_t i = 0; i < schedule->iterations; i++) {
        count += schedule_note(schedule, i, text, sizeof text);
    }
    return count;
}

static void test_notes(void **state) {
    (void)state;
    char text[128];
    Schedule deep = {SCHEDULE_STEP, 0.1, 64000, 0, 400};
    assert_true(schedule_note(&deep, 400, text, sizeof text));
    assert_string_equal(text, "lr 0.01 -> 0.1 at iteration 400");
    assert_true(schedule_note(&deep, 32000, text, sizeof text));
    assert_string_equal(text, "lr 0.1 -> 0.01 at iteration 32000");
    assert_true(schedule_note(&deep, 48000, text, sizeof text));
    assert_string_equal(text, "lr 0.01 -> 0.001 at iteration 48000");
    assert_int_equal(count_notes(&deep), 3);
    Schedule cycle = {SCHEDULE_ONE_CYCLE, 0.4, 1000, 200, 0};
    assert_true(schedule_note(&cycle, 200, text, sizeof text));
    assert_string_equal(text, "warm-up ended at iteration 200, lr 0.4");
    assert_int_equal(count_notes(&cycle), 1);
    Schedule constant = {SCHEDULE_CONSTANT, 0.4, 1000, 0, 0};
    assert_int_equal(count_notes(&constant), 0);
}

static void test_names(void **state) {
    (void)state;
    ScheduleKind kind;
    assert_true(schedule_parse("one-cycle", &kind));
    assert_int_equal(kind, SCHEDULE_ONE_CYCLE);
    assert_string_equal(schedule_name(kind), "one-cycle");
    assert_false(schedule_parse("linear", &kind));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_step),     cmocka_unit_test(test_careful_start),
        cmocka_unit_test(test_cosine),   cmocka_unit_test(test_one_cycle),
        cmocka_unit_test(test_constant), cmocka_unit_test(test_notes),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
