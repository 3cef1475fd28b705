// SPDX-License-Identifier: Apache-2.0
#include "base/threads.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

// Each worker begins with a range of tasks of its own, and one that is done takes from the ends of
// the others' ranges: neighbouring tasks read the same memory, and from run to run the same part of
// an image stays in the same core's cache. A range is one number, end << 32 | next, from which
// whoever is free takes a task. A run is over when its tasks are done, whether or not every worker
// has woken up: on a busy machine one that comes late finds nothing to do, and nobody waited for
// it. Only who has taken a task looks at what the run is, and until that task is done it stays so.
//
// Workers first look for the next run for a short while without sleeping (a network has hundreds of
// runs a step, microseconds apart; a futex costs about as much as a small layer), then sleep.
enum { SPINS_BEFORE_SLEEP = 2000 };

typedef struct Worker {
    Threads *pool;
    int index;
    pthread_t thread;
    char line0[64]; // what every task changes lies in cache lines of its own
    atomic_uint_fast64_t range;
    char line1[64];
} Worker;

struct Threads {
    int count;
    int started; // of the threads, the caller among them
    pthread_mutex_t mutex;
    pthread_cond_t start, finish;
    atomic_bool stop;
    atomic_bool asleep;  // some worker sleeps, or is about to
    atomic_bool waiting; // so does the caller of the run
    TaskFunction *function;
    void *context;
    int tasks; // of this run
    char line0[64];
    atomic_int done; // tasks of this run
    char line1[64];
    Worker workers[THREADS_MAX];
};

static inline void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static inline int end_of(uint_fast64_t range) { return (int)(range >> 32); }
static inline int next_of(uint_fast64_t range) { return (int)(range & 0xffffffff); }

// Whether a worker has a reason not to sleep.
static bool is_called(Threads *threads) {
    for (int i = 0; i < threads->count; i++) {
        const uint_fast64_t range = atomic_load(&threads->workers[i].range);
        if (next_of(range) < end_of(range)) {
            return true;
        }
    }
    return atomic_load(&threads->stop);
}

// The next task of a range, or its last one; -1 when none is left.
static int take(Worker *owner, bool last) {
    uint_fast64_t range = atomic_load(&owner->range);
    while (next_of(range) < end_of(range)) {
        const uint_fast64_t rest = last ? range - ((uint_fast64_t)1 << 32) : range + 1;
        if (atomic_compare_exchange_weak(&owner->range, &range, rest)) {
            return last ? end_of(rest) : next_of(range);
        }
    }
    return -1;
}

static void work(Threads *threads, int worker) {
    for (int i = 0; i < threads->count;) {
        const int task = take(&threads->workers[(worker + i) % threads->count], i > 0);
        if (task < 0) {
            i++;
            continue;
        }
        threads->function(threads->context, task, worker);
        const int tasks = threads->tasks;
        const bool last = atomic_fetch_add(&threads->done, 1) + 1 == tasks;
        if (last && atomic_exchange(&threads->waiting, false)) {
            pthread_mutex_lock(&threads->mutex);
            pthread_cond_signal(&threads->finish);
            pthread_mutex_unlock(&threads->mutex);
        }
    }
}

static void *worker_main(void *argument) {
    Worker *self = argument;
    Threads *threads = self->pool;
    for (;;) {
        bool called = false;
        for (int spin = 0; spin < SPINS_BEFORE_SLEEP && !called; spin++) {
            called = is_called(threads);
            relax();
        }
        if (!called) {
            pthread_mutex_lock(&threads->mutex);
            for (;;) {
                atomic_store(&threads->asleep, true);
                if (is_called(threads)) {
                    break;
                }
                pthread_cond_wait(&threads->start, &threads->mutex);
            }
            pthread_mutex_unlock(&threads->mutex);
        }
        if (atomic_load(&threads->stop)) {
            return NULL;
        }
        work(threads, self->index);
    }
}

// After a change that is_called() sees. Who is about to sleep has said so before it looked.
static void wake(Threads *threads) {
    if (atomic_exchange(&threads->asleep, false)) {
        pthread_mutex_lock(&threads->mutex);
        pthread_cond_broadcast(&threads->start);
        pthread_mutex_unlock(&threads->mutex);
    }
}

Status threads_create(int count, Threads **out) {
    *out = NULL;
    if (count < 1 || count > THREADS_MAX) {
        return status_fail(STATUS_USAGE, "%d threads asked for, but 1 to %d are possible", count,
                           (int)THREADS_MAX);
    }
    Threads *threads = calloc(1, sizeof *threads);
    if (threads == NULL) {
        return status_fail(STATUS_FAILED, "cannot get memory for a pool of %d threads", count);
    }
    pthread_mutex_init(&threads->mutex, NULL);
    pthread_cond_init(&threads->start, NULL);
    pthread_cond_init(&threads->finish, NULL);
    threads->count = count;
    threads->started = 1;
    for (int i = 1; i < count; i++) {
        threads->workers[i].pool = threads;
        threads->workers[i].index = i;
        int error =
            pthread_create(&threads->workers[i].thread, NULL, worker_main, &threads->workers[i]);
        if (error != 0) {
            threads_destroy(threads);
            return status_fail(STATUS_FAILED, "cannot start thread %d of %d", i + 1, count);
        }
        threads->started = i + 1;
    }
    *out = threads;
    return STATUS_OK;
}

void threads_destroy(Threads *threads) {
    if (threads == NULL) {
        return;
    }
    atomic_store(&threads->stop, true);
    wake(threads);
    for (int i = 1; i < threads->started; i++) {
        pthread_join(threads->workers[i].thread, NULL);
    }
    pthread_cond_destroy(&threads->finish);
    pthread_cond_destroy(&threads->start);
    pthread_mutex_destroy(&threads->mutex);
    free(threads);
}

int threads_count(const Threads *threads) { return threads == NULL ? 1 : threads->count; }

void threads_run(Threads *threads, int tasks, TaskFunction *function, void *context) {
    if (threads == NULL || threads->count == 1 || tasks <= 1) {
        for (int task = 0; task < tasks; task++) {
            function(context, task, 0);
        }
        return;
    }
    threads->function = function;
    threads->context = context;
    threads->tasks = tasks;
    atomic_store(&threads->done, 0);
    for (int i = 0; i < threads->count; i++) {
        const uint_fast64_t next = (uint_fast64_t)((int64_t)tasks * i / threads->count);
        const uint_fast64_t end = (uint_fast64_t)((int64_t)tasks * (i + 1) / threads->count);
        atomic_store(&threads->workers[i].range, end << 32 | next);
    }
    wake(threads);
    work(threads, 0);
    for (int spin = 0; spin < SPINS_BEFORE_SLEEP; spin++) {
        if (atomic_load(&threads->done) == tasks) {
            return;
        }
        relax();
    }
    pthread_mutex_lock(&threads->mutex);
    for (;;) {
        atomic_store(&threads->waiting, true);
        if (atomic_load(&threads->done) == tasks) {
            break;
        }
        pthread_cond_wait(&threads->finish, &threads->mutex);
    }
    atomic_store(&threads->waiting, false);
    pthread_mutex_unlock(&threads->mutex);
}
