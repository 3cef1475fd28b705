// SPDX-License-Identifier: Apache-2.0
// The pool: every task once, worker numbers that nobody else has at the time, many short runs,
// pools beside each other, sleep when idle, and refusals.
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/threads.h"

enum { TASKS = 1000 };

typedef struct Tally {
    int threads;
    atomic_int done[TASKS];
    atomic_int busy[THREADS_MAX];
    atomic_int wrong; // cmocka's asserts belong to the main thread
    int plain[TASKS];
} Tally;

static void count_task(void *context, int task, int worker) {
    Tally *tally = context;
    if (worker < 0 || worker >= tally->threads || atomic_fetch_add(&tally->busy[worker], 1) != 0) {
        atomic_fetch_add(&tally->wrong, 1);
    }
    atomic_fetch_add(&tally->done[task], 1);
    tally->plain[task] += task; // seen by the caller afterwards
    atomic_fetch_sub(&tally->busy[worker], 1);
}

static void test_tasks(void **state) {
    (void)state;
    static Tally tally;
    for (int count = 1; count <= 9; count += 2) {
        Threads *threads = NULL;
        assert_int_equal(threads_create(count, &threads), STATUS_OK);
        assert_int_equal(threads_count(threads), count);
        for (int tasks = 0; tasks <= TASKS; tasks = tasks * 3 + 1) {
            memset(&tally, 0, sizeof tally);
            tally.threads = count;
            threads_run(threads, tasks, count_task, &tally);
            for (int i = 0; i < TASKS; i++) {
                assert_int_equal(tally.done[i], i < tasks);
                assert_int_equal(tally.plain[i], i < tasks ? i : 0);
            }
            assert_int_equal(tally.wrong, 0);
        }
        threads_destroy(threads);
    }
}

static void test_no_pool(void **state) {
    (void)state;
    static Tally tally;
    tally.threads = 1;
    assert_int_equal(threads_count(NULL), 1);
    threads_run(NULL, 5, count_task, &tally);
    for (int i = 0; i < TASKS; i++) {
        assert_int_equal(tally.done[i], i < 5);
    }
    assert_int_equal(tally.wrong, 0);
    threads_destroy(NULL);
}

typedef struct Sum {
    int64_t parts[8];
} Sum;

static void sum_task(void *context, int task, int worker) {
    (void)worker;
    ((Sum *)context)->parts[task] += task + 1;
}

// Runs back to back, then with pauses that let the workers sleep: none is missed or done twice.
static void test_many_runs(void **state) {
    (void)state;
    Threads *threads = NULL;
    assert_int_equal(threads_create(4, &threads), STATUS_OK);
    Sum sum = {0};
    enum { RUNS = 5000, PAUSED_RUNS = 20 };
    for (int run = 0; run < RUNS; run++) {
        threads_run(threads, 8, sum_task, &sum);
    }
    for (int run = 0; run < PAUSED_RUNS; run++) {
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
        threads_run(threads, 8, sum_task, &sum);
    }
    for (int i = 0; i < 8; i++) {
        assert_int_equal(sum.parts[i], (RUNS + PAUSED_RUNS) * (i + 1));
    }
    threads_destroy(threads);
}

typedef struct Nest {
    Threads *inner;
    Sum sums[4];
} Nest;

static void nest_task(void *context, int task, int worker) {
    (void)worker;
    Nest *nest = context;
    if (task == 0) { // another pool's run may lie inside a task
        threads_run(nest->inner, 8, sum_task, &nest->sums[0]);
    } else {
        threads_run(NULL, 8, sum_task, &nest->sums[task]);
    }
}

static void test_two_pools(void **state) {
    (void)state;
    Threads *outer = NULL;
    Nest nest = {0};
    assert_int_equal(threads_create(3, &outer), STATUS_OK);
    assert_int_equal(threads_create(2, &nest.inner), STATUS_OK);
    for (int run = 0; run < 100; run++) {
        threads_run(outer, 4, nest_task, &nest);
    }
    for (int task = 0; task < 4; task++) {
        for (int i = 0; i < 8; i++) {
            assert_int_equal(nest.sums[task].parts[i], 100 * (i + 1));
        }
    }
    threads_destroy(nest.inner);
    threads_destroy(outer);
}

static void test_create_and_destroy(void **state) {
    (void)state;
    for (int i = 0; i < 200; i++) {
        Threads *threads = NULL;
        assert_int_equal(threads_create(1 + i % 5, &threads), STATUS_OK);
        threads_destroy(threads);
    }
}

// Idle workers sleep: the process takes next to no time on any core.
static void test_idle(void **state) {
    (void)state;
    Threads *threads = NULL;
    Sum sum = {0};
    assert_int_equal(threads_create(4, &threads), STATUS_OK);
    threads_run(threads, 8, sum_task, &sum);
    const struct timespec settle = {.tv_nsec = 100000000}, idle = {.tv_nsec = 300000000};
    nanosleep(&settle, NULL);
    struct timespec begin, end;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
    nanosleep(&idle, NULL);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    const int64_t spent =
        (int64_t)(end.tv_sec - begin.tv_sec) * 1000000000 + (end.tv_nsec - begin.tv_nsec);
    assert_true(spent < 30000000);
    threads_run(threads, 8, sum_task, &sum); // and they wake up again
    assert_int_equal(sum.parts[7], 16);
    threads_destroy(threads);
}

static void test_refusals(void **state) {
    (void)state;
    const int counts[] = {0, -1, THREADS_MAX + 1};
    for (int i = 0; i < 3; i++) {
        Threads *threads = (Threads *)&counts;
        assert_int_equal(threads_create(counts[i], &threads), STATUS_USAGE);
        assert_null(threads);
        assert_non_null(strstr(status_message(), "256"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tasks),
        cmocka_unit_test(test_no_pool),
        cmocka_unit_test(test_many_runs),
        cmocka_unit_test(test_two_pools),
        cmocka_unit_test(test_create_and_destroy),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
