// SPDX-License-Identifier: Apache-2.0
// No step takes memory: the C library's functions are replaced by ones that count. With a
// sanitizer, which replaces them itself, there is nothing to test.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdatomic.h>

#include "scratch_training.h"

static atomic_int calls;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define SANITIZED 0
#endif

#if defined(__GLIBC__) && !SANITIZED
#define CAN_COUNT 1

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size) {
    atomic_fetch_add(&calls, 1);
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    atomic_fetch_add(&calls, 1);
    return __libc_calloc(count, size);
}

void *realloc(void *block, size_t size) {
    atomic_fetch_add(&calls, 1);
    return __libc_realloc(block, size);
}

void *memalign(size_t alignment, size_t size);

void *memalign(size_t alignment, size_t size) {
    atomic_fetch_add(&calls, 1);
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **out, size_t alignment, size_t size) {
    *out = memalign(alignment, size);
    return *out != NULL ? 0 : 12;
}
#else
#define CAN_COUNT 0
#endif

typedef struct Count {
    int before; // calls at the end of the last step; -1: the next step is not counted
    int steps, in_steps;
} Count;

static void see(void *user, const TrainProgress *progress) {
    Count *count = user;
    if (progress->event == TRAIN_STEP && count->before >= 0) {
        count->steps++;
        count->in_steps += atomic_load(&calls) - count->before;
    }
    // What comes behind an epoch (a line, a checkpoint) may take memory.
    bool ends = progress->event == TRAIN_STEP && progress->iteration % 10 == 0;
    count->before = progress->event == TRAIN_STEP && !ends ? atomic_load(&calls) : -1;
}

static void test_steps(void **state) {
    (void)state;
    if (!CAN_COUNT) {
        skip();
    }
    for (int shard = 32; shard >= 8; shard /= 4) {
        char out[16];
        snprintf(out, sizeof out, "shard%d", shard);
        TrainOptions options = scratch_training("resnet20", out);
        options.batch = 32;
        options.shard = shard;
        options.recompute = shard < 32;
        options.iterations = 14;
        options.save_minutes = 1000;
        options.schedule = "cosine";
        Count count = {.before = -1};
        assert_int_equal(train_run(&options, see, &count), STATUS_OK);
        assert_int_equal(count.steps, 12);
        assert_int_equal(count.in_steps, 0);
    }
    assert_true(atomic_load(&calls) > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_steps)};
    return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
