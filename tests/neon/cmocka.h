// SPDX-License-Identifier: Apache-2.0
// The part of cmocka that the kernel tests use, for a machine where there is none to link: a failed
// assertion says where and ends the program.
#ifndef RESNET_TESTS_NEON_CMOCKA_H
#define RESNET_TESTS_NEON_CMOCKA_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CMUnitTest {
    const char *name;
    void (*function)(void **state);
};

#define cmocka_unit_test(test)                                                                     \
    { #test, test }

#define print_message(...) printf(__VA_ARGS__)

#define fail_msg(...)                                                                              \
    do {                                                                                           \
        fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);                                            \
        fprintf(stderr, __VA_ARGS__);                                                              \
        fputc('\n', stderr);                                                                       \
        exit(1);                                                                                   \
    } while (0)

#define fail() fail_msg("failed")

#define assert_true(condition)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fail_msg("%s is false", #condition);                                                   \
        }                                                                                          \
    } while (0)

#define assert_false(condition) assert_true(!(condition))
#define assert_null(pointer) assert_true((pointer) == NULL)
#define assert_non_null(pointer) assert_true((pointer) != NULL)
#define assert_ptr_equal(a, b) assert_true((const void *)(a) == (const void *)(b))
#define assert_int_equal(a, b) assert_true((long long)(a) == (long long)(b))
#define assert_int_not_equal(a, b) assert_true((long long)(a) != (long long)(b))
#define assert_string_equal(a, b) assert_true(strcmp(a, b) == 0)
#define assert_memory_equal(a, b, size) assert_true(memcmp(a, b, size) == 0)

static inline int cmocka_run_tests(const char *group, const struct CMUnitTest *tests,
                                   size_t count) {
    for (size_t i = 0; i < count; i++) {
        void *state = NULL;
        tests[i].function(&state);
        printf("%s: %s ok\n", group, tests[i].name);
    }
    return 0;
}

// Groups of the kernel tests have no setup and no teardown.
#define cmocka_run_group_tests_name(group, tests, setup, teardown)                                 \
    cmocka_run_tests(group, tests, sizeof(tests) / sizeof *(tests))
#define cmocka_run_group_tests(tests, setup, teardown)                                             \
    cmocka_run_group_tests_name("kernels", tests, setup, teardown)

#endif
